"""The label formats of a cleaned copy: how each is written, and what it cannot hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from ..data.formats.icdar_text import ICDAR_IGNORE_MARKS, QUAD_NUMBERS
from ..data.formats.json_file import text_of
from ..data.formats.label_classes import TEXT_CLASS
from ..data.formats.write_coco import CocoImage, coco_lines
from ..data.formats.write_icdar import held_text, write_icdar_files
from ..data.formats.write_labelme import labelme_file, labelme_shape
from ..data.record import LabelRecord
from ..runtime.messages import count
from ..structures import Polygon

FixFormat = Literal["icdar", "coco", "labelme"]

MARKS = ICDAR_IGNORE_MARKS  # those of all three
CORNERS = QUAD_NUMBERS // 2


class CopiedImage(NamedTuple):
    """One image of the copy."""

    record: LabelRecord  # with the size of the image
    name: str  # of the file, in the folder of its split

    @property
    def stem(self) -> str:
        """Name of the label file, without its suffix."""
        return Path(self.name).stem

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the upright image, px."""
        assert self.record.size is not None
        return self.record.size


CopiedImages = Mapping[str, Sequence[CopiedImage]]  # by split


class CopyFormat(NamedTuple):
    """One format."""

    name: str  # in messages
    images: str  # the folder of a split, below the copy
    write: Callable[[Path, CopiedImages], None]  # the labels, when the images are there; raises OSError
    held: Callable[[str, bool], str]  # what a reader finds of the text of a region, which is don't-care or not
    changed: str  # the texts that are not read as they were
    has_classes: bool = True


class _Region(NamedTuple):
    points: list[list[float]]  # V corners, with the digits that float32 needs
    text: str
    category: str  # TEXT_CLASS without a class
    ignore: bool


def _write_icdar(folder: Path, parts: CopiedImages) -> None:
    files = {}
    for split, images in parts.items():
        labels = folder / f"{split}_gts"
        labels.mkdir()
        files.update({labels / f"{image.stem}.txt": image.record for image in images})
    write_icdar_files(files)


def _write_labelme(folder: Path, parts: CopiedImages) -> None:
    for split, images in parts.items():
        for image in images:
            shapes = [
                labelme_shape(points, text, TEXT_CLASS if category in MARKS else category, ignore)
                for points, text, category, ignore in _regions(image.record)
            ]
            content = labelme_file(image.name, *image.size, shapes, are_classes=True)
            (folder / split / f"{image.stem}.json").write_bytes(content)


def _write_coco(folder: Path, parts: CopiedImages) -> None:
    found = (_categories(image.record) for images in parts.values() for image in images)
    classes = list(dict.fromkeys(name for names in found for name in names)) or [TEXT_CLASS]
    (folder / "annotations").mkdir()
    for split, images in parts.items():
        path = folder / "annotations" / f"instances_{split}.json"
        with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(f"{line}\n" for line in coco_lines(partial(_coco_images, images, classes), classes))


def _coco_images(images: Iterable[CopiedImage], classes: Sequence[str]) -> Iterator[CocoImage]:
    ids = {name: number for number, name in enumerate(classes, start=1)}
    for image in images:
        regions = list(_regions(image.record))
        more = [
            {"category_id": ids[region.category], "iscrowd": int(region.ignore), "utf8_string": region.text}
            for region in regions
        ]
        yield CocoImage(image.name, *image.size, [region.points for region in regions], more)


def _regions(record: LabelRecord) -> Iterator[_Region]:
    parts = zip(record.polygons, record.texts, _categories(record), record.ignore.tolist(), strict=True)
    for polygon, text, category, ignore in parts:
        yield _Region(_points(polygon), _json_text(text, ignore), category, ignore)


def _points(polygon: Polygon) -> list[list[float]]:
    return [[float(str(x)), float(str(y))] for x, y in polygon]


def _categories(record: LabelRecord) -> list[str]:
    return [name or TEXT_CLASS for name in record.categories or ("",) * len(record.polygons)]


def _json_text(text: str, ignore: bool) -> str:
    text = text_of(text)
    return "" if text in MARKS and not ignore else text


COPY_FORMATS: dict[FixFormat, CopyFormat] = {
    "icdar": CopyFormat(
        "ICDAR text", "{}_images", _write_icdar, held_text, f"a line break, tab or {MARKS[0]}", has_classes=False
    ),
    "coco": CopyFormat("COCO", "{}", _write_coco, _json_text, MARKS[0]),
    "labelme": CopyFormat("LabelMe", "{}", _write_labelme, _json_text, MARKS[0]),
}


def losses(records: Iterable[LabelRecord], form: CopyFormat, marks: Sequence[str] = ()) -> str:
    """What a format cannot hold of some labels, with numbers, in one line; "" if it holds all of them.

    marks: texts that only mean don't-care."""
    masked = changed = classed = outlines = 0
    classes: set[str] = set()
    for record in records:
        for text, ignore in zip(record.texts, record.ignore.tolist(), strict=True):
            is_changed = form.held(text, ignore) != text
            masked += is_changed and ignore and text not in ("", *marks)
            changed += is_changed and not ignore
        named = [pair for pair in zip(record.categories, record.texts, strict=False) if pair[0]]
        classes.update(name for name, _ in named)
        classed += sum(name != text for name, text in named)  # some labels may be either
        outlines += sum(len(polygon) != CORNERS for polygon in record.polygons)
    lost = [
        ("the text of", masked, "don't-care region"),
        ("the class of", 0 if form.has_classes or len(classes) < 2 else classed, "region"),
        (f"{form.changed} in", changed, "text"),
    ]
    told = ", ".join(f"{what} {count(number, noun)}" for what, number, noun in lost if number)
    told = f"{form.name} does not hold {told}" if told else ""
    if not outlines or form.has_classes:
        return told
    four = f"{count(outlines, 'region')} without four corners, which programs for ICDAR 2015 do not read"
    return f"{told}; {four}" if told else four
