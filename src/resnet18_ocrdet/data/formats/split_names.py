"""Which part of a set a file or folder belongs to, by its name, and how the entries of several files become parts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.record import LabelRecord

PARTS = ("train", "val", "test")
_WORDS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")  # TrainLabels, train2017, icdar_c4_train_imgs


class Listed(NamedTuple):
    """The labels of one image, and where they were found."""

    part: str | None  # by the name of the file; None where it says nothing
    line: int  # of the label file, or number of the entry, from 1
    record: LabelRecord


def part_of(name: str) -> str | None:
    """Tell the part, "train", "val" or "test", by the words of a name; None without one, and with several."""
    found = {_WORDS[word.lower()] for word in _WORD.findall(name) if word.lower() in _WORDS}
    return found.pop() if len(found) == 1 else None


def part_below(root: Path, folder: Path) -> str | None:
    """Tell the part by the nearest folder below `root`, from `folder` upwards, whose name says it; None without one."""
    above = [place for place in (folder, *folder.parents) if place != root and place.is_relative_to(root)]
    return next((part for place in above if (part := part_of(place.name))), None)


def split_parts(parts: Iterable[str | None], listed: Iterable[Listed], report: Report) -> dict[str, list[LabelRecord]]:
    """Sort entries into the parts that are there, given by `parts`; an image is taken once in each.

    Files without a part in their name are "train", but for the images that a file with one names: of a set that was
    cut into parts, the list of all of it is often kept. Regions of a second entry of one image are lost: which of the
    two is right cannot be told, and to take neither for text would teach them as background."""
    there = {part or "train" for part in parts}
    found: dict[str, dict[Path, Listed]] = {part: {} for part in PARTS if part in there}
    entries = list(listed)
    for entry in (entry for entry in entries if entry.part):
        _take(found.setdefault(entry.part or "", {}), entry, report)
    named = {image for part in found.values() for image in part}
    for entry in (entry for entry in entries if not entry.part and entry.record.image_path not in named):
        _take(found.setdefault("train", {}), entry, report)
    return {part: [entry.record for entry in found[part].values()] for part in PARTS if part in found}


def _take(found: dict[Path, Listed], entry: Listed, report: Report) -> None:
    """Add an entry unless its image is there already, which is reported; the first one stands."""
    image = entry.record.image_path
    first = found.setdefault(image, entry)
    if first is entry:
        return
    path, other = entry.record.label_path, first.record.label_path
    where = f"{other.name}:{first.line}" if other and first.line else str(other and other.name)
    if _same(first.record, entry.record):
        report.add("FS080", path or image, entry.line, f"'{image.name}' is already in {where}", image)
    else:
        detail = f"'{image.name}' is already in {where}, with other regions: those are taken"
        report.add("GT026", path or image, entry.line, detail, image)
        lost = first.record.lost + len(entry.record.polygons) + entry.record.lost
        found[image] = first._replace(record=replace(first.record, lost=lost))


def _same(one: LabelRecord, other: LabelRecord) -> bool:
    """Whether two entries say the same."""
    return (
        one.texts == other.texts
        and one.lost == other.lost
        and one.ignore.tolist() == other.ignore.tolist()
        and [polygon.tolist() for polygon in one.polygons] == [polygon.tolist() for polygon in other.polygons]
    )
