"""The output folder: one call's settings, a record for each image that is done, and no incomplete files.

An image is done when its record is in a `.jsonl` file; its text and picture are written before. A second call with the
same settings does what is missing. Several calls may share the folder at the same time, each with a shard of the images
and its own `.jsonl`; a call without a shard merges them. A file that no such call wrote, or that was changed since, is
never replaced without overwrite=true.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from ..data.file_names import is_file
from ..errors import UserError
from ..runtime.atomic_write import atomic_write, remove_leftovers, staging_folder
from ..runtime.lock import run_lock
from ..runtime.manifest import Manifest, digest_of
from ..runtime.messages import count
from ..runtime.output_folder import MAX_SETTINGS_BYTES, completed, differences
from ..runtime.regular_file import read_json_object
from ..runtime.run_folder import REMEDY
from .files import (
    ERROR_FILE,
    LOCK_FILE,
    MANIFEST_FILE,
    OF_IMAGE,
    RECORD_FILE,
    SETTINGS,
    TEXT_MODE,
    ImageFiles,
    Item,
    image_links,
    is_label_file,
    is_own,
    is_shard_file,
    own_files,
    remove,
)
from .records import lines_at, read_records

INPUT = "input"  # the key of the input folder in the settings
NOT_COMPARED = ("checkpoint", INPUT)  # the hash identifies the network, the stamps in the records the images
SHARD_REMEDY = "choose another folder, or remove this one"  # overwrite=true would remove the files of other shards


class ResultFolder:
    """The results of all images, of which this call does some."""

    def __init__(
        self,
        root: Path,
        everything: Sequence[Item],
        about: dict[str, Any],
        source: Path,
        shard: str | None = None,
        formats: Collection[str] = (),
        overwrite: bool = False,
        defaults: Mapping[str, Any] | None = None,
    ) -> None:
        """everything: the images of all shards, below `source`. about: the settings, the same for every result of the
        folder. formats: further files to write, "vis", "crops", "labelme" or "coco". overwrite: recompute everything,
        and replace existing files. defaults: of settings, for those that results of an earlier version do not
        record."""
        self.root, self.everything, self.about, self.formats = root, everything, about, formats
        self.overwrite, self._defaults = overwrite, defaults or {}
        self.settings = about | {INPUT: os.fspath(source.resolve())}
        self.tag = "" if shard is None else "." + shard.replace("/", "-of-")  # in the names of this shard's files
        self.records = root / f"detections{self.tag}.jsonl"  # to which this call appends
        self.manifest = Manifest(root / f".detections{self.tag}.files.jsonl")
        self.files = ImageFiles(self.manifest, "vis" in formats, "crops" in formats)
        self.lost_corrections = 0  # LabelMe files corrected by hand that `overwrite` replaces
        self._existing: dict[Path, list[Path]] = {}
        self._names = {item.result for item in everything}
        self._documents = {item.document() for item in everything}

    @contextmanager
    def held(self) -> Iterator[None]:
        """Lock the folder for this call: for its shard, or for all images. Raises UserError, before anything is
        changed, if another call is writing, or if the folder holds files that this call may not replace."""
        with ExitStack() as stack:
            mine = self.root / f".detections{self.tag}.lock"
            stack.enter_context(_lock(mine))
            for other in own_files(self.root, LOCK_FILE):  # a call without a shard excludes all shards, and vice versa
                if other != mine and (not self.tag or other.name == ".detections.lock"):
                    with _lock(other):
                        pass
            self.manifest.load(own_files(self.root, MANIFEST_FILE))
            below = (Path(place) for name in OF_IMAGE for place, _, _ in os.walk(self.root / name))
            remove_leftovers(chain([self.root], below))
            self._existing = self.files.existing()
            if self.overwrite:
                self._clear()
            else:
                self._refuse_foreign()
            yield

    def claim(self, mine: Sequence[Item]) -> list[Item]:
        """Those of the images of this call that are not done yet; their incomplete results are removed.

        Raises UserError, before anything is changed, if those results are not from such a call."""
        wanted, replaced = {item.relative: item for item in mine}, set[str]()
        kept: dict[str, tuple[Path, int]] = {}  # image -> file and offset of its record
        for path in sorted(path for path in own_files(self.root, RECORD_FILE) if path.suffix == ".jsonl"):
            for record, offset in read_records(path):
                item = wanted.get(record.image)
                if item is None or item.relative in kept:
                    continue
                if not record.is_of(item.path):
                    replaced.add(item.relative)
                elif all(map(is_file, self.files.paths(item.result, len(record.polygons)))):
                    kept[item.relative] = path, offset
        todo = [item for item in mine if item.relative not in kept]
        replaced -= kept.keys()
        old = self._outdated(todo, mine, replaced)
        if not self.overwrite:
            self._refuse_changed(old, replaced)
        self._refuse_settings(self._create_settings())
        self.write_whole(self.records.name, lines_at(kept.values()), listed=False)
        if not self.tag:
            self.manifest.restart(self.manifest.files)  # it now lists the files of the shards
            remove(self._shard_files())
        remove(old)
        return todo

    def write_whole(self, name: str, lines: Iterable[str], listed: bool = True) -> None:
        """Write a file of the folder completely. listed: in the manifest."""
        path = self.root / name
        with atomic_write(path) as hidden:
            with hidden.open("w", **TEXT_MODE) as file:
                file.writelines(line + "\n" for line in lines)
            if listed:
                self.manifest.add(path, digest_of(hidden))

    def _outdated(self, todo: Sequence[Item], mine: Sequence[Item], replaced: Collection[str]) -> list[Path]:
        """Existing files of the images that are not done, and files under names that are no longer used.

        A LabelMe file only if its image changed. replaced: images whose file is another one now."""
        old: list[Path] = []
        for item in todo:
            existing = self._existing.get(item.result, ())
            old += [path for path in existing if item.relative in replaced or not is_label_file(self.root, path)]
        for item in mine:
            for name in item.older_names() - self._names:
                old += self._existing.get(name, ())
        first = {item.document() for item in mine if item.page in (None, 1)} - {None}
        old += chain.from_iterable(paths for name, paths in self._existing.items() if self._gone_from(name) in first)
        if "labelme" in self.formats:  # one that this command wrote stays, corrected or not
            files = (self.files.label_file(item.result) for item in mine)
            old += [file for file in files if os.path.lexists(file) and not self.manifest.lists(file)]
        return old

    def _gone_from(self, name: Path) -> Path | None:
        """The document of a page that it no longer has, None for other names."""
        stem, mark, page = name.name.rpartition("#")
        if name in self._names or not (stem and mark and page.isdecimal()):
            return None
        return document if (document := name.with_name(stem)) in self._documents else None

    def _refuse_foreign(self) -> None:
        """Raises UserError for results of other settings or images, and for files that this call would replace."""
        if (before := self._read_settings()) is not None:
            self._refuse_settings(before)
        else:
            existing = own_files(self.root, RECORD_FILE) + own_files(self.root, ERROR_FILE)
            if os.path.lexists(self.root / SETTINGS):
                existing.insert(0, self.root / SETTINGS)
            if (first := next(chain(existing, *self._existing.values()), None)) is not None:
                raise self._refusal(f"{first.relative_to(self.root)} was not written by this command")
        names = self._names.union(*(item.older_names() for item in self.everything))
        unknown = chain.from_iterable(
            paths for name, paths in self._existing.items() if name not in names and not self._gone_from(name)
        )
        others = sorted(path for path in unknown if not is_label_file(self.root, path))
        if others:
            raise self._refusal(
                f"holds {count(len(others), 'result')} of images that are not in the input (first: "
                f"{others[0].relative_to(self.root)})"
            )
        written = [self.root / f"{name}{self.tag}.json" for name in ("detections", "errors")]
        if "coco" in self.formats:
            written.append(self.root / f"coco{self.tag}.json")
        if not self.tag:
            written += [path for path in self._shard_files() if path.suffix == ".json"]
        self._refuse_changed(written)

    def _refuse_settings(self, before: dict[str, Any]) -> None:
        old, new = (
            {key: value for key, value in settings.items() if key not in NOT_COMPARED}
            for settings in (before, self.settings)
        )
        if not (changed := ", ".join(differences(completed(old, new, self._defaults), new))):
            return
        if self.tag or any(map(is_shard_file, own_files(self.root, RECORD_FILE))):
            raise UserError(
                f"output={self.root}: shards share one output with the same settings, but this call has {changed}; "
                f"{SHARD_REMEDY}"
            )
        raise UserError(f"output={self.root}: holds results written with other settings ({changed}): {REMEDY}")

    def _refuse_changed(self, old: Sequence[Path], replaced: Collection[str] = ()) -> None:
        """old: files to be replaced. replaced: images whose file is not the one of their record."""
        if (path := self.manifest.first_foreign(old)) is not None:
            if is_label_file(self.root, path) and self.manifest.lists(path):
                raise self._refusal(f"{path.relative_to(self.root)} was corrected, and its image has changed")
            raise self._refusal(self.manifest.reason(path))
        before = (self._read_settings() or {}).get(INPUT)
        if replaced and before != self.settings[INPUT]:
            raise self._refusal(
                f"holds results of {count(len(replaced), 'image')} of the same name in {before} "
                f"(first: {min(replaced)})"
            )

    def _refusal(self, why: str) -> UserError:
        return UserError(f"output={self.root}: {why}: {SHARD_REMEDY if self.tag else REMEDY}")

    def _clear(self) -> None:
        """Remove what such calls wrote. Other files stay until this call writes one of the same name; LabelMe files
        stay unless this call writes them."""
        stays = set[Path]()
        for path in [path for path in self.manifest.files if is_own(self.root, path)]:
            if is_label_file(self.root, path) and "labelme" not in self.formats:
                stays.add(path)
                continue
            if is_label_file(self.root, path):
                self.lost_corrections += path.exists() and not self.manifest.wrote(path)
                remove(image_links(path))
            remove([path])
        for name in (RECORD_FILE, ERROR_FILE, MANIFEST_FILE):
            remove(own_files(self.root, name))
        remove([self.root / SETTINGS])
        self.manifest.restart(stays)
        self._existing = self.files.existing()

    def _read_settings(self) -> dict[str, Any] | None:
        """Those of the results in the folder; None if there are none that can be read."""
        return read_json_object(self.root / SETTINGS, MAX_SETTINGS_BYTES)

    def _create_settings(self) -> dict[str, Any]:
        """Write the settings unless they exist; returns those of the folder. Other shards may do the same just now."""
        path = self.root / SETTINGS
        with staging_folder(self.root) as folder:
            hidden = folder / SETTINGS
            hidden.write_text(json.dumps(self.settings, ensure_ascii=False, indent=1) + "\n", **TEXT_MODE)
            try:
                os.link(hidden, path)
            except FileExistsError:
                pass
            except OSError:  # a file system without links
                if not path.exists():
                    hidden.replace(path)
        return self._read_settings() or self.settings

    def _shard_files(self) -> list[Path]:
        return [path for path in self.root.iterdir() if is_shard_file(path) and is_own(self.root, path)]


def _lock(path: Path) -> AbstractContextManager[None]:
    return run_lock(path, "output", "is detecting into it")
