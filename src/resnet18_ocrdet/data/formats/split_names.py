"""Which split a file or folder belongs to, by its name, and how the entries of several files are grouped by split."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from ..findings import Report
from ..record import LabelRecord

SPLITS = ("train", "val", "test")
_WORDS = {"training": "train", "valid": "val", "validation": "val", "testing": "test", **{s: s for s in SPLITS}}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")  # TrainLabels, train2017, icdar_c4_train_imgs


class ListedImage(NamedTuple):
    """The labels of one image, and where they were found."""

    split: str | None  # by the name of the file; None if the name does not say
    line: int  # of the label file, or number of the entry, from 1
    record: LabelRecord


def split_of(name: str) -> str | None:
    """Return the split that a name contains: "train", "val" or "test"; None for no split or several."""
    found = {_WORDS[word.lower()] for word in _WORD.findall(name) if word.lower() in _WORDS}
    return found.pop() if len(found) == 1 else None


def splits_of_folders(root: Path, folders: Iterable[Path]) -> dict[Path, str | None]:
    """The split of each folder below `root`: that of the nearest folder named train, valid, test2017 or the like.

    A name that only contains such a word, such as train_images or test_2024, decides if the folders show training
    images and those of another split: test_shots alone is no test set."""
    wanted = list(dict.fromkeys(folders))
    exact = {folder: _nearest(root, folder, _exact_split) for folder in wanted}
    loose = {folder: split or _nearest(root, folder, split_of) for folder, split in exact.items()}
    named = {split for split in loose.values() if split}
    return loose if "train" in named and len(named) > 1 else exact


def splits_of_files(root: Path, files: Iterable[Path]) -> dict[Path, str | None]:
    """The split of each label file that lists images: by its name, else by its folder."""
    wanted = list(files)
    folders = splits_of_folders(root, (path.parent for path in wanted))
    return {path: split_of(path.stem) or folders[path.parent] for path in wanted}


def split_by_folder(root: Path, listed: Iterable[ListedImage]) -> list[ListedImage]:
    """Entries of one label file for each image: those without a split get that of the folder of their image, else that
    of the folder of their label file."""
    entries = list(listed)
    pairs = [(entry.record.image_path.parent, entry.record.place.parent) for entry in entries]
    splits = splits_of_folders(root, (folder for pair in pairs for folder in pair))
    return [
        entry._replace(split=entry.split or splits[images] or splits[labels])
        for entry, (images, labels) in zip(entries, pairs, strict=True)
    ]


def only_of_splits(root: Path, folders: Sequence[Path], report: Report | None = None) -> list[Path]:
    """Those of some folders that belong to a split, if any does: all/ beside train/ and val/ has the same images.

    report: notes the others."""
    splits = splits_of_folders(root, folders)
    others = [folder.relative_to(root).as_posix() for folder in folders if splits[folder] is None]
    if not others or len(others) == len(folders):
        return list(folders)
    if report is not None:
        report.notes.append(f"not read, as other folders are named after splits: {', '.join(others)}")
    return [folder for folder in folders if splits[folder] is not None]


def _exact_split(name: str) -> str | None:
    """The split that a name is, but for digits after it."""
    return _WORDS.get(match[1].lower()) if (match := re.fullmatch(r"([A-Za-z]+)[0-9]*", name)) else None


def _nearest(root: Path, folder: Path, of: Callable[[str], str | None]) -> str | None:
    above = [parent for parent in (folder, *folder.parents) if parent != root and parent.is_relative_to(root)]
    return next((split for parent in above if (split := of(parent.name))), None)


def group_by_split(
    splits: Iterable[str | None], listed: Iterable[ListedImage], report: Report, root: Path | None = None
) -> dict[str, list[LabelRecord]]:
    """Group entries by split. splits: those that exist, also without entries. Each image is used once per split.

    Files without a split in their name are "train", except for images that a file with a split lists: many data sets
    keep the complete list beside the lists of the splits. root: of the data set; if the images of a file without a
    split lie in the folders of several splits below it, the folders decide. If an image has two different entries, the
    regions of the second are lost: it is unknown which entry is right, and using neither would train on its text as
    background."""
    named, entries = set(splits), list(listed)
    present = {split or "train" for split in named}
    found: dict[str, dict[Path, ListedImage]] = {split: {} for split in SPLITS if split in present}
    for entry in (entry for entry in entries if entry.split):
        _add(found.setdefault(entry.split or "", {}), entry, report)
    known = {image for images in found.values() for image in images}
    others = [entry for entry in entries if not entry.split and entry.record.image_path not in known]
    others = others if root is None else _by_image_folder(others, root)
    for entry in others:
        _add(found.setdefault(entry.split or "train", {}), entry, report)
    report.unsplit = named <= {None} and not any(entry.split for entry in (*entries, *others))
    return {split: [entry.record for entry in found[split].values()] for split in SPLITS if split in found}


def _by_image_folder(entries: list[ListedImage], root: Path) -> list[ListedImage]:
    """Entries without a split, with that of the folder of their image, if they lie in those of several splits."""
    by_folder = splits_of_folders(root, (entry.record.image_path.parent for entry in entries))
    if len(set(by_folder.values())) < 2:
        return entries
    return [entry._replace(split=by_folder[entry.record.image_path.parent]) for entry in entries]


def _add(found: dict[Path, ListedImage], entry: ListedImage, report: Report) -> None:
    """Add an entry. If its image is listed already, keep the first entry and report it."""
    image = entry.record.image_path
    first = found.setdefault(image, entry)
    if first is entry:
        return
    where = first.record.place.name + (f":{first.line}" if first.line else "")
    code, detail = "FS080", f"'{image.name}' is already in {where}"
    if _labels(first.record) != _labels(entry.record):
        code, detail = "GT026", f"{detail} with different regions; the first entry is used"
        lost = first.record.lost + len(entry.record.polygons) + entry.record.lost
        found[image] = first._replace(record=replace(first.record, lost=lost))
    report.add(code, entry.record.place, entry.line, detail, image)


def _labels(record: LabelRecord) -> tuple[Any, ...]:
    """What two entries for one image must have in common."""
    return record.texts, record.lost, record.ignore.tolist(), [polygon.tolist() for polygon in record.polygons]
