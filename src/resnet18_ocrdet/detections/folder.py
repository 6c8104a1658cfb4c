"""The folder of the results: one call's settings, one record for each image that is done, and nothing half written.

An image is done when its record stands in a `.jsonl` file; its text and picture are written before. A second call with
the same settings does what is missing. Several calls may share the folder at the same time, each with a shard of the
images and a `.jsonl` of its own; a call for all images gathers them. What was not written by such a call, or was
changed since, is never replaced unless the call is told so.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..runtime.atomic_write import atomic_write, remove_leftovers, staging_folder
from ..runtime.lock import RunLock
from ..runtime.manifest import digest_of
from ..runtime.messages import count
from ..runtime.output_folder import MAX_SETTINGS_BYTES, differences
from ..runtime.regular_file import read_json_object
from ..runtime.run_folder import REMEDY
from .files import OF_IMAGE, SETTINGS, SHEETS, ImageFiles, remove, tag_of
from .formats import coco
from .item import Item
from .records import STAMP, lines_at, read_records, stamp
from .sheets import links_beside, write_sheet

INPUT = "input"  # of the settings: where the images lay
RECORD_FILE = re.compile(r"detections(\.\d+-of-\d+)?\.jsonl?")
ERROR_FILE = re.compile(r"errors(\.\d+-of-\d+)?\.json")
COCO_FILE = re.compile(r"coco(\.\d+-of-\d+)?\.json")
LOCK_FILE = re.compile(r"\.detections(\.\d+-of-\d+)?\.lock")
MANIFEST_FILE = re.compile(r"\.detections(\.\d+-of-\d+)?\.files\.jsonl")
NOT_COMPARED = ("checkpoint", INPUT)  # the hash tells whether it is the same network, the stamps whether the images are
TEXT: Any = {"encoding": "utf-8", "errors": "backslashreplace"}  # names that are not UTF-8 stay readable JSON


class ResultFolder:
    """The results of all images, of which this call does some."""

    def __init__(
        self,
        files: ImageFiles,
        everything: Sequence[Item],
        about: dict[str, Any],
        source: Path,
        shard: str | None = None,
        formats: Collection[str] = (),
        overwrite: bool = False,
    ) -> None:
        """everything: the images of all shards, below `source`. about: the settings, which every result of the folder
        must share. formats: files to write beside, "labelme" or "coco". overwrite: do everything anew, and replace
        whatever is there."""
        self.root, self.files, self.manifest = files.root, files, files.manifest
        self.everything, self.about, self.formats, self.overwrite = everything, about, formats, overwrite
        self.settings = about | {INPUT: os.fspath(source.resolve())}
        self.tag = tag_of(shard)
        self.lost_corrections = 0  # sheets corrected by hand that `overwrite` replaces
        self._present: dict[Path, list[Path]] = {}

    @property
    def records(self) -> Path:
        """The file that this call adds to."""
        return self.root / f"detections{self.tag}.jsonl"

    @contextmanager
    def held(self) -> Iterator[None]:
        """The folder is this call's: for its shard, or for all images. Raises UserError, before anything is touched,
        where another call is writing, and where it holds what this call may not replace."""
        with ExitStack() as stack:
            mine = self.root / f".detections{self.tag}.lock"
            stack.enter_context(self._lock(mine))
            for other in self._own(LOCK_FILE):  # a call for all images bears no shard beside it, nor the other way
                if other != mine and (not self.tag or other.name == ".detections.lock"):
                    with self._lock(other):
                        pass
            self.manifest.load(self._own(MANIFEST_FILE))
            remove_leftovers(chain([self.root], *(map(Path, _folders(self.root / name)) for name in OF_IMAGE)))
            self._present = self.files.present()
            if self.overwrite:
                self._clear()
            else:
                self._refuse_foreign()
            yield

    def claim(self, mine: Sequence[Item]) -> list[Item]:
        """Those of the images of this call that are not done yet, with what is left of them taken away.

        Raises UserError, before anything is touched, where that was not written by such a call."""
        wanted, replaced = {item.relative: item for item in mine}, set[str]()
        kept: dict[str, tuple[Path, int]] = {}  # image -> where the record is that stands for it
        for path in sorted(path for path in self._own(RECORD_FILE) if path.suffix == ".jsonl"):
            for record, offset in read_records(path):
                item = wanted.get(record["image"])
                if item is None or item.relative in kept:
                    continue
                if not _is_of(record, item):
                    replaced.add(item.relative)
                elif self.files.complete(item, record):
                    kept[item.relative] = path, offset
        todo = [item for item in mine if item.relative not in kept]
        replaced -= kept.keys()
        old = self._left_of(todo, mine, replaced)
        if not self.overwrite:
            self._refuse_changed(old, replaced)
        self._refuse_settings(_create(self.root / SETTINGS, self.settings))  # another shard may have been first
        self._write_whole(self.records, lines_at(kept.values()), listed=False)
        if not self.tag:
            self.manifest.restart(self.manifest.files)  # those of the shards are in it now
            remove(path for path in self.root.iterdir() if "-of-" in path.name and self._is_own(path))
        remove(old)
        return todo

    def _left_of(self, todo: Sequence[Item], mine: Sequence[Item], replaced: Collection[str]) -> list[Path]:
        """Files of the images that are to be done, of earlier calls or not, and files of names not used any more.

        A sheet goes only with the image that it was made for. replaced: images that are another file now."""
        names = {item.result for item in self.everything}
        old: list[Path] = []
        for item in todo:
            there = self._present.get(item.result, ())
            old += [path for path in there if item.relative in replaced or not self._is_sheet(path)]
        for item in mine:
            short = item.result.with_name(item.path.stem)  # as it was called before another image had its stem
            old += self._present.get(short, ()) if short not in names else ()
        if "labelme" in self.formats:  # one of this command stays as it is, corrected or not
            sheets = (self.files.sheet(item.result) for item in mine)
            old += [sheet for sheet in sheets if os.path.lexists(sheet) and not self.manifest.lists(sheet)]
        return old

    def assemble(self, mine: Sequence[Item], errors: Sequence[dict[str, str]]) -> None:
        """Write detections.json, in the order of the images, errors.json, and the formats.

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

            self._write_whole(self.root / f"detections{self.tag}.json", whole())
            if "coco" in self.formats:
                self._write_whole(self.root / f"coco{self.tag}.json", coco(lambda: map(json.loads, lines())))
            if "labelme" in self.formats:
                for item, line in zip(there, lines(), strict=True):
                    write_sheet(self.files, item, json.loads(line))
        told = json.dumps(list(errors), ensure_ascii=False, indent=1)
        self._write_whole(self.root / f"errors{self.tag}.json", [told])

    def _refuse_foreign(self) -> None:
        """Raise UserError for results of other settings or images, and for files that this call would replace."""
        before = read_json_object(self.root / SETTINGS, MAX_SETTINGS_BYTES)
        there = [*self._own(RECORD_FILE), *self._own(ERROR_FILE), *chain.from_iterable(self._present.values())]
        if before is None and os.path.lexists(self.root / SETTINGS):
            there.insert(0, self.root / SETTINGS)
        if before is None and there:
            what = there[0].relative_to(self.root)
            raise UserError(f"output={self.root}: {what} was not written by this command: {self._remedy}")
        if before is not None:
            self._refuse_settings(before)
        names = {name for item in self.everything for name in (item.result, item.result.with_name(item.path.stem))}
        gone = (path for name, paths in self._present.items() if name not in names for path in paths)
        others = sorted(path for path in gone if not self._is_sheet(path))
        if others:
            raise UserError(
                f"output={self.root}: holds {count(len(others), 'result')} of images that are not in the input (first: "
                f"{others[0].relative_to(self.root)}): {self._remedy}"
            )
        written = [self.root / f"{name}{self.tag}.json" for name in ("detections", "errors")]
        if "coco" in self.formats:
            written.append(self.root / f"coco{self.tag}.json")
        if not self.tag:  # it gathers what shards wrote
            written += [path for path in self.root.iterdir() if "-of-" in path.name and self._is_own(path)]
        self._refuse_changed([path for path in written if path.suffix == ".json"])

    def _refuse_settings(self, before: dict[str, Any]) -> None:
        old, new = (
            {key: value for key, value in settings.items() if key not in NOT_COMPARED}
            for settings in (before, self.settings)
        )
        if not (changed := differences(old, new)):
            return
        told = ", ".join(changed)
        if self.tag or any("-of-" in record.name for record in self._own(RECORD_FILE)):
            raise UserError(
                f"output={self.root}: shards share one output with the same settings, and here is {told}; choose "
                f"another folder, or remove this one"
            )
        raise UserError(f"output={self.root}: holds results written with other settings ({told}): {REMEDY}")

    def _refuse_changed(self, old: Sequence[Path], replaced: Collection[str] = ()) -> None:
        """old: files to be replaced. replaced: images that are another file now than the one of their record."""
        if (path := self.manifest.first_foreign(old)) is not None:
            why = self.manifest.reason(path)
            if self._is_sheet(path) and self.manifest.lists(path):
                why = f"{path.relative_to(self.root)} was corrected, and its image has changed"
            raise UserError(f"output={self.root}: {why}: {self._remedy}")
        before = (read_json_object(self.root / SETTINGS, MAX_SETTINGS_BYTES) or {}).get(INPUT)
        if replaced and before != self.settings[INPUT]:
            raise UserError(
                f"output={self.root}: holds results of {count(len(replaced), 'image')} of the same name in {before} "
                f"(first: {min(replaced)}): {self._remedy}"
            )

    def _clear(self) -> None:
        """Remove what such calls wrote. What they did not write stays, unless this call writes a file of its name; so
        do sheets, unless this call writes sheets."""
        stays = set[Path]()
        for path in filter(self._is_own, self.manifest.files):
            if self._is_sheet(path) and "labelme" not in self.formats:
                stays.add(path)
                continue
            if self._is_sheet(path):
                self.lost_corrections += path.exists() and not self.manifest.wrote(path)
                remove(links_beside(path))
            remove([path])
        remove([*self._own(RECORD_FILE), *self._own(ERROR_FILE), *self._own(MANIFEST_FILE), self.root / SETTINGS])
        self.manifest.restart(stays)
        self._present = self.files.present()

    def _lock(self, path: Path) -> RunLock:
        return RunLock(path, "output", "is detecting into it")

    @property
    def _remedy(self) -> str:
        return REMEDY if not self.tag else "choose another folder, or remove this one"  # shards share it

    def _is_sheet(self, path: Path) -> bool:
        return path.relative_to(self.root).parts[0] == SHEETS

    def _is_own(self, path: Path) -> bool:
        """Whether a call may have written a file of this name."""
        folder, *below = path.relative_to(self.root).parts
        if below:
            return folder in OF_IMAGE and OF_IMAGE[folder].fullmatch(path.name) is not None
        return any(pattern.fullmatch(folder) for pattern in (RECORD_FILE, ERROR_FILE, COCO_FILE, MANIFEST_FILE))

    def _write_whole(self, path: Path, lines: Iterable[str], listed: bool = True) -> None:
        with atomic_write(path) as hidden:
            with hidden.open("w", **TEXT) as file:
                file.writelines(line + "\n" for line in lines)
            if listed:
                self.manifest.add(path, digest_of(hidden))

    def _own(self, name: re.Pattern[str]) -> list[Path]:
        """Files that detection writes into the folder itself."""
        return [path for path in self.root.iterdir() if name.fullmatch(path.name)]


def _is_of(record: dict[str, Any], item: Item) -> bool:
    """Whether a record is of this very file."""
    try:
        return stamp(item.path) == {key: record[key] for key in STAMP}
    except OSError:
        return False


def _create(path: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Write the settings whole, unless they are there; returns those that are there then."""
    with staging_folder(path.parent) as folder:
        made = folder / path.name
        made.write_text(json.dumps(settings, ensure_ascii=False, indent=1) + "\n", **TEXT)
        try:
            os.link(made, path)
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            if not path.exists():
                made.replace(path)
    return read_json_object(path, MAX_SETTINGS_BYTES) or settings


def _folders(root: Path) -> Iterator[str]:
    return (place for place, _, _ in os.walk(root))
