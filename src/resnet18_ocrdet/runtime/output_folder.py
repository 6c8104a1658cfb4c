"""The output folder of a command that writes its results at the end: all or none, never over other files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from ..errors import UserError
from .atomic_write import atomic_write, remove_leftovers, staging_folder
from .lock import run_lock
from .manifest import Manifest, digest_of
from .messages import as_typed
from .regular_file import read_json_object
from .run_folder import REMEDY, make_folder, remove_unused

NOT_COMPARED = ("output", "overwrite", "workers", "batch_size", "max_megapixels")  # they do not change the results
PATHS = {"root", "fonts", "backgrounds", "texts", "predictions", "baseline", "checkpoint", "input", "labelled"}
MAX_SETTINGS_BYTES = 2**20
SHOWN = 3  # settings that one message names


class OutputFolder:
    """Results of one command, which may replace its own earlier results of the same settings."""

    def __init__(
        self,
        root: Path,
        command: str,
        settings: Mapping[str, Any],
        overwrite: bool,
        defaults: Mapping[str, Any] | None = None,
    ) -> None:
        """settings: plain values that the results depend on. overwrite: replace files of any origin and settings.
        defaults: of settings, for those that results of an earlier version do not record."""
        self.root, self.overwrite, self._defaults = root, overwrite, defaults or {}
        self._settings = comparable(settings)
        self._settings_file = root / f".ocrdet-{command}.settings.json"
        self._manifest = Manifest(root / f".ocrdet-{command}.files.jsonl")
        self._lock_file = root / f".ocrdet-{command}.lock"
        self._replaceable: list[Path] = []

    @contextmanager
    def claimed(self, patterns: Sequence[str]) -> Iterator[None]:
        """Lock the folder while the command runs. patterns: of the files that it may write, relative to the folder.

        Raises UserError, before anything is written, when another process holds it, or when it contains such a file
        that this command did not write with these settings."""
        new = make_folder("output", self.root)
        with run_lock(self._lock_file, "output", "is writing to it"):
            try:
                remove_leftovers([self.root])
                self._manifest.load()
                self._replaceable = sorted(chain.from_iterable(self.root.glob(pattern) for pattern in patterns))
                self._refuse_folders(patterns)
                if self._replaceable and not self.overwrite:
                    self._refuse_foreign()
                yield
            finally:
                if new:
                    remove_unused(self.root)

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """Yield a hidden folder to write to. At the end its files move into the output folder, and those of an earlier
        call are removed; when the block raises, nothing changes.

        Raises OSError."""
        with staging_folder(self.root) as staged:
            yield staged
            made = [path.relative_to(staged) for path in sorted(staged.rglob("*")) if path.is_file()]
            self._manifest.restart(self._replaceable)
            for name in made:
                self._manifest.add(self.root / name, digest_of(staged / name))
            with atomic_write(self._settings_file) as written:
                written.write_text(json.dumps(self._settings, indent=1) + "\n", encoding="utf-8")
            for name in made:
                (self.root / name.parent).mkdir(parents=True, exist_ok=True)
                (staged / name).replace(self.root / name)
            for path in {*self._replaceable} - {self.root / name for name in made}:
                path.unlink(missing_ok=True)

    def _refuse_folders(self, patterns: Sequence[str]) -> None:
        """A folder in place of a file cannot be replaced, and a link in place of a folder leads elsewhere."""
        folder = next((path for path in self._replaceable if path.is_dir() and not path.is_symlink()), None)
        if folder is not None:
            raise UserError(f"output={self.root}: {folder.name} is a folder; choose another output")
        parents = {(self.root / pattern).parent for pattern in patterns} - {self.root}
        link = next((parent for parent in parents if parent.is_symlink()), None)
        if link is not None:
            raise UserError(f"output={self.root}: {link.name} is a link to another folder; choose another output")

    def _refuse_foreign(self) -> None:
        foreign = self._manifest.first_foreign(self._replaceable)
        if foreign is not None:
            raise UserError(f"output={self.root}: {self._manifest.reason(foreign)}: {REMEDY}")
        before = read_json_object(self._settings_file, MAX_SETTINGS_BYTES)
        if before is None:
            raise UserError(f"output={self.root}: holds results of unknown settings: {REMEDY}")
        if changed := differences(completed(before, self._settings, self._defaults), self._settings):
            shown = ", ".join(changed[:SHOWN])
            raise UserError(f"output={self.root}: holds results of other settings ({shown}): {REMEDY}")


def comparable(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that are compared, after a round trip through JSON."""
    kept = {key: value for key, value in settings.items() if key not in NOT_COMPARED}
    plain: dict[str, Any] = json.loads(json.dumps(kept))
    data = plain.get("data")
    for section in (plain, data if isinstance(data, dict) else {}):
        for key in section.keys() & PATHS:
            if isinstance(section[key], str):
                section[key] = os.path.abspath(section[key])  # noqa: PTH100  the same for each way to type it
    return plain


def completed(before: Mapping[str, Any], now: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of an earlier version, with the default of each one that it did not have, sections included."""
    added = {key: defaults[key] for key in now if key not in before and key in defaults}
    sections = {
        key: completed(value, now[key], defaults[key])
        for key, value in before.items()
        if all(isinstance(each, Mapping) for each in (value, now.get(key), defaults.get(key)))
    }
    return {**before, **added, **sections}


def differences(before: Any, now: Any) -> list[str]:
    """`decode.bin_thresh 0.3 → 0.2` for each value of two nested settings that differs, sorted."""
    return sorted(f"{name} {as_typed(old)} → {as_typed(new)}" for name, old, new in changes(before, now))


def changes(before: Any, now: Any, key: str = "") -> list[tuple[str, Any, Any]]:
    """(dotted name, value before, value now) for each value of two nested settings that differs."""
    if isinstance(before, dict) and isinstance(now, dict):
        names = dict.fromkeys([*before, *now])
        below = (changes(before.get(name), now.get(name), f"{key}.{name}") for name in names)
        return list(chain.from_iterable(below))
    return [] if before == now else [(key.lstrip("."), before, now)]
