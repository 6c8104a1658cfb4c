"""The folder of the results: one call's settings, one record for each image that is done, and nothing half written.

An image is done when its record stands in a `.jsonl` file; its text and picture are written before. A second call with
the same settings does what is missing. Several calls may share the folder at the same time, each with a shard of the
images and a `.jsonl` of its own; a call for all images gathers them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..atomic_write import atomic_write
from ..errors import UserError
from ..lock import RunLock
from ..wording import count
from .files import CROPS, PICTURES, TEXTS, ImageFiles, remove
from .formats import coco, labelme

if TYPE_CHECKING:
    from .inputs import Item

SETTINGS = "detections.settings.json"
SHEETS = "labelme"  # a folder beside it
RECORD_FILE = re.compile(r"detections(\.\d+-of-\d+)?\.jsonl?")
ERROR_FILE = re.compile(r"errors(\.\d+-of-\d+)?\.json")
LOCK_FILE = re.compile(r"\.detections(\.\d+-of-\d+)?\.lock")
NOT_COMPARED = ("checkpoint",)  # its spelling: the hash beside it tells whether it is the same
TEXT: Any = {"encoding": "utf-8", "errors": "backslashreplace"}  # names that are not UTF-8 stay readable JSON


class ResultFolder:
    """The results of all images, of which this call does some."""

    def __init__(self, files: ImageFiles, everything: Sequence[Item], about: dict[str, Any], shard: str | None):
        """everything: the images of all shards. about: the settings, which every result of the folder must share."""
        self.root, self.files, self.everything, self.about = files.root, files, everything, about
        self.tag = "" if shard is None else "." + shard.replace("/", "-of-")
        self.changed: list[str] = []  # settings that the results that were there had otherwise

    @property
    def records(self) -> Path:
        """The file that this call adds to."""
        return self.root / f"detections{self.tag}.jsonl"

    @contextmanager
    def held(self) -> Iterator[None]:
        """The folder is this call's: for its shard, or for all images. Raises UserError, before anything is touched,
        where another call is writing, or where results of other images or of other settings would be mixed in."""
        with ExitStack() as stack:
            mine = self.root / f".detections{self.tag}.lock"
            stack.enter_context(self._lock(mine))
            for other in self._own(LOCK_FILE):  # a call for all images bears no shard beside it, nor the other way
                if other != mine and (not self.tag or other.name == ".detections.lock"):
                    with self._lock(other):
                        pass
            present = self.files.present()
            self._refuse_others(present)
            self._settle(list(chain.from_iterable(present.values())))
            yield

    def claim(self, mine: Sequence[Item]) -> list[Item]:
        """Those of the images of this call that are not done yet, with what is left of them taken away."""
        wanted, kept = {item.relative: item for item in mine}, set[str]()

        def whole() -> Iterator[str]:
            for record, line in self._lines():
                item = wanted.get(record["image"])
                if item is not None and item.relative not in kept and self._stands(item, record):
                    kept.add(item.relative)
                    yield line

        _write_whole(self.records, whole())
        if not self.tag:
            for other in [*self._own(RECORD_FILE), *self._own(ERROR_FILE)]:
                if "-of-" in other.name:
                    other.unlink()
        names, present = {item.result for item in self.everything}, self.files.present()
        for item in mine:
            short = item.result.with_name(item.path.stem)  # as it was called before another image had its stem
            if item.relative not in kept:
                remove(present.get(item.result, ()))
            if short not in names:
                remove(present.get(short, ()))
        return [item for item in mine if item.relative not in kept]

    def assemble(self, mine: Sequence[Item], errors: Sequence[dict[str, str]], formats: Collection[str] = ()) -> None:
        """Write detections.json, in the order of the images, errors.json, and what `formats` names: labelme, coco.

        Line by line: the folder may hold more than the memory. errors: "image" and "error" of each that failed."""
        offsets: dict[str, int] = {}
        with self.records.open("rb") as file:
            while raw := file.readline():
                offsets[json.loads(raw)["image"]] = file.tell() - len(raw)
            there = [item for item in mine if item.relative in offsets]

            def lines() -> Iterator[str]:
                for item in there:
                    file.seek(offsets[item.relative])
                    yield file.readline().decode("utf-8").rstrip("\n")

            def whole() -> Iterator[str]:
                yield json.dumps(self.about, ensure_ascii=False)[:-1] + ', "images": ['
                for number, line in enumerate(lines(), start=1):
                    yield line + ("," if number < len(there) else "")
                yield f'], "errors": {json.dumps(list(errors), ensure_ascii=False)}}}'

            _write_whole(self.root / f"detections{self.tag}.json", whole())
            if "coco" in formats:
                _write_whole(self.root / f"coco{self.tag}.json", coco(lambda: map(json.loads, lines())))
            if "labelme" in formats:
                for item, line in zip(there, lines(), strict=True):
                    self._write_labelme(item, json.loads(line))
        told = json.dumps(list(errors), ensure_ascii=False, indent=1)
        _write_whole(self.root / f"errors{self.tag}.json", [told])

    def _write_labelme(self, item: Item, record: dict[str, Any]) -> None:
        """A sheet, and its image beside it by a link: the folder can be opened in LabelMe, and trained on."""
        folder = self.root / SHEETS / item.result.parent
        folder.mkdir(parents=True, exist_ok=True)
        image = folder / item.path.name
        if not image.exists():
            image.unlink(missing_ok=True)  # a link that leads nowhere any more
            try:
                image.symlink_to(item.path.resolve())
            except OSError:  # a file system without links
                shutil.copyfile(item.path, image)
        sheet = json.dumps(labelme(record, image.name), ensure_ascii=False, indent=1)
        (folder / f"{item.result.name}.json").write_text(sheet + "\n", **TEXT)

    def _lock(self, path: Path) -> RunLock:
        return RunLock(path, "output", "is detecting into it")

    def _stands(self, item: Item, record: dict[str, Any]) -> bool:
        """Whether a record is of this very file, and what it speaks of is there."""
        try:
            same = stamp(item.path) == {key: record.get(key) for key in ("bytes", "modified_ns")}
            return same and self.files.complete(item, record)
        except OSError:
            return False

    def _lines(self) -> Iterator[tuple[dict[str, Any], str]]:
        """Every record in the folder with its line; a line that was cut short is left out."""
        for path in sorted(path for path in self._own(RECORD_FILE) if path.suffix == ".jsonl"):
            with path.open(newline="\n", **TEXT) as file:
                for line in file:
                    with suppress(ValueError):
                        record = json.loads(line)
                        if isinstance(record, dict) and {"image", "polygons"} <= record.keys():
                            yield record, line.rstrip("\n")

    def _settle(self, present: Sequence[Path]) -> None:
        """Make the folder's settings this call's. present: the images' files that are there."""
        path = self.root / SETTINGS
        before = _read_settings(path)
        if before is None and (foreign := [*self._own(RECORD_FILE), *self._own(ERROR_FILE), *present]):
            raise UserError(
                f"output={self.root}: holds {foreign[0].relative_to(self.root)} and no {SETTINGS}: this is not of "
                f"ocrdet-detect as it is now; choose another folder"
            )
        if before is None:
            before = _create(path, self.about)
        self.changed = [
            f"{key} {before.get(key)} → {self.about.get(key)}"
            for key in self.about.keys() | before.keys()
            if key not in NOT_COMPARED and before.get(key) != self.about.get(key)
        ]
        if not self.changed:
            return
        told = ", ".join(sorted(self.changed))
        if self.tag or any("-of-" in record.name for record in self._own(RECORD_FILE)):
            raise UserError(
                f"output={self.root}: shards share one output with the same settings, and here is {told}; choose "
                f"another folder, or remove this one"
            )
        for file in [*present, *self._own(RECORD_FILE), *self._own(ERROR_FILE)]:
            file.unlink(missing_ok=True)
        _write_whole(path, [json.dumps(self.about, ensure_ascii=False, indent=1)])

    def _refuse_others(self, present: dict[Path, list[Path]]) -> None:
        names = {name for item in self.everything for name in (item.result, item.result.with_name(item.path.stem))}
        others = sorted(path for name, paths in present.items() if name not in names for path in paths)
        if others:
            raise UserError(
                f"output={self.root}: holds {count(len(others), 'result')} of other images (first: "
                f"{others[0].relative_to(self.root)}); choose another folder, or remove its {TEXTS}/, "
                f"{PICTURES}/ and {CROPS}/"
            )

    def _own(self, name: re.Pattern[str]) -> list[Path]:
        """Files that detection writes into the folder itself."""
        return [path for path in self.root.iterdir() if name.fullmatch(path.name)]


def stamp(path: Path) -> dict[str, int]:
    """What tells a file from another of the same name: `bytes` and `modified_ns`. Raises OSError."""
    status = path.stat()
    return {"bytes": status.st_size, "modified_ns": status.st_mtime_ns}


def _read_settings(path: Path) -> dict[str, Any] | None:
    try:
        settings = json.loads(path.read_text(**TEXT))
    except (OSError, ValueError):
        return None
    return settings if isinstance(settings, dict) else None


def _create(path: Path, about: dict[str, Any]) -> dict[str, Any]:
    """Write the settings whole, unless another call was first; returns those that are there then."""
    made = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    made.write_text(json.dumps(about, ensure_ascii=False, indent=1) + "\n", **TEXT)
    try:
        os.link(made, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        if not path.exists():
            shutil.copyfile(made, path)
    finally:
        made.unlink(missing_ok=True)
    return _read_settings(path) or about


def _write_whole(path: Path, lines: Iterable[str]) -> None:
    with atomic_write(path) as written, written.open("w", **TEXT) as file:
        file.writelines(line + "\n" for line in lines)
