"""The folder of the results: one call's settings, one record for each image that is done, and nothing half written.

An image is done when its record stands in a `.jsonl` file; its text and picture are written before. A second call with
the same settings does what is missing. Several calls may share the folder, each with a shard of the images and a
`.jsonl` of its own; a call for all images gathers them.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import draw
from ..errors import UserError
from ..results import format_detections
from ..structures import Detection, Image
from ..wording import count
from .formats import coco, labelme

if TYPE_CHECKING:
    from .inputs import Item

SETTINGS = "detections.settings.json"
TEXTS, PICTURES, SHEETS = "txt", "vis", "labelme"  # folders beside them
RECORD_FILE = re.compile(r"detections(\.\d+-of-\d+)?\.jsonl?")
ERROR_FILE = re.compile(r"errors(\.\d+-of-\d+)?\.json")
TEXT: Any = {"encoding": "utf-8", "errors": "backslashreplace"}  # names that are not UTF-8 stay readable JSON


def is_record_file(path: Path) -> bool:
    """Whether a file holds detections: pictures beside it are results, not images to look at."""
    return RECORD_FILE.fullmatch(path.name) is not None


class ResultFolder:
    """The results of all images, of which this call does some."""

    def __init__(self, root: Path, everything: Sequence[Item], about: dict[str, Any], vis: bool, shard: str | None):
        """everything: the images of all shards. about: the settings, which every result of the folder must share.

        Raises UserError, before anything is touched, where the folder holds results of other images."""
        self.root, self.about, self.vis = root, about, vis
        self.tag = "" if shard is None else "." + shard.replace("/", "-of-")
        self._refuse_others(everything)
        if self._settings() != about:
            if shard is not None and any(self._own(RECORD_FILE)):
                raise UserError(f"output={root}: holds results of other settings; a shard goes on with the same ones")
            self._clear()
            (root / SETTINGS).write_text(json.dumps(about, ensure_ascii=False, indent=1) + "\n", **TEXT)

    @property
    def records(self) -> Path:
        """The file that this call adds to."""
        return self.root / f"detections{self.tag}.jsonl"

    def claim(self, mine: Sequence[Item]) -> list[Item]:
        """Those of the images of this call that are not done yet, with what is left of them taken away."""
        lines = dict(self._whole_lines())
        kept = {item.relative: lines[item.relative] for item in mine if item.relative in lines and self._stands(item)}
        _write_beside(self.records, kept.values())
        if not self.tag:
            for other in [*self._own(RECORD_FILE), *self._own(ERROR_FILE)]:
                if "-of-" in other.name:
                    other.unlink()
        left = [item for item in mine if item.relative not in kept]
        for item in left:
            self.text(item).unlink(missing_ok=True)
            self.picture(item).unlink(missing_ok=True)
        return left

    def write(self, item: Item, image: Image, detections: list[Detection]) -> None:
        """Text and picture of one image."""
        text = self.text(item)
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text(format_detections(detections, with_scores=True), encoding="utf-8")
        if self.vis:
            picture = self.picture(item)
            picture.parent.mkdir(parents=True, exist_ok=True)
            draw.write(picture, draw.outline(image, [d.polygon for d in detections]))

    def assemble(self, mine: Sequence[Item], errors: Sequence[dict[str, str]], formats: Collection[str] = ()) -> None:
        """Write detections.json, in the order of the images, errors.json, and what `formats` names: labelme, coco.

        Line by line: the folder may hold more than the memory."""
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
                yield "]}"

            _write_beside(self.root / f"detections{self.tag}.json", whole())
            if "coco" in formats:
                _write_beside(self.root / f"coco{self.tag}.json", coco(lambda: map(json.loads, lines())))
            if "labelme" in formats:
                for item, line in zip(there, lines(), strict=True):
                    self._write_labelme(item, json.loads(line))
        told = json.dumps(list(errors), ensure_ascii=False, indent=1)
        (self.root / f"errors{self.tag}.json").write_text(told + "\n", **TEXT)

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

    def text(self, item: Item) -> Path:
        """The ICDAR lines of an image."""
        return self.root / TEXTS / item.result.parent / f"res_{item.result.name}.txt"

    def picture(self, item: Item) -> Path:
        """The image with its regions drawn."""
        return self.root / PICTURES / item.result.parent / f"{item.result.name}.jpg"

    def _stands(self, item: Item) -> bool:
        """Whether what the record speaks of is there, and not older than the image."""
        text = self.text(item)
        try:
            newer = text.stat().st_mtime_ns >= item.path.stat().st_mtime_ns
        except OSError:
            return False
        return newer and (not self.vis or self.picture(item).is_file())

    def _whole_lines(self) -> Iterator[tuple[str, str]]:
        """Image and line of every record in the folder; a line that was cut short is left out."""
        for path in sorted(path for path in self._own(RECORD_FILE) if path.suffix == ".jsonl"):
            for line in path.read_text(**TEXT).split("\n"):
                try:
                    yield json.loads(line)["image"], line
                except (ValueError, KeyError, TypeError):
                    continue

    def _settings(self) -> Any:
        try:
            return json.loads((self.root / SETTINGS).read_text(**TEXT))
        except (OSError, ValueError):
            return None

    def _refuse_others(self, everything: Sequence[Item]) -> None:
        ours = {file for item in everything for file in (self.text(item), self.picture(item))}
        others = sorted(set(self._there()) - ours)
        if others:
            raise UserError(
                f"output={self.root}: holds {count(len(others), 'result')} of other images (first: "
                f"{others[0].relative_to(self.root)}); choose another folder, or remove its {TEXTS}/ and {PICTURES}/"
            )

    def _there(self) -> Iterator[Path]:
        yield from (self.root / TEXTS).rglob("res_*.txt")
        yield from (self.root / PICTURES).rglob("*.jpg")

    def _clear(self) -> None:
        """Take away what a call with other settings wrote for these images."""
        for file in [*self._there(), *self._own(RECORD_FILE), *self._own(ERROR_FILE)]:
            file.unlink(missing_ok=True)

    def _own(self, name: re.Pattern[str]) -> list[Path]:
        """Files that detection writes into the folder itself."""
        return [path for path in self.root.iterdir() if name.fullmatch(path.name)]


def _write_beside(path: Path, lines: Any) -> None:
    """Whole or not at all."""
    beside = path.with_name(path.name + ".tmp")
    with beside.open("w", **TEXT) as file:
        file.writelines(line + "\n" for line in lines)
    beside.replace(path)
