"""Folders of one's own images and labels, with or without list files, in the dialects that are in use.

    root/train_list.txt  root/train_images/1.jpg  root/train_gts/1.txt      and the same with val_ and test_
    root/images/1.jpg    root/labels/1.txt (or gts/)                        one set, no lists

A list line names an image, or an image and its label file with a tab or spaces between; one that begins with # and
names no image that is there is a comment. Without a list, the folder is scanned. The labels of `1.jpg` are `1.txt`,
`gt_1.txt` or `1.jpg.txt`. Label lines are those of `icdar_text`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from resnet18_ocrdet.data.icdar_text import (
    ICDAR_IGNORE_MARKS,
    TextLine,
    looks_like_quads,
    parse_lines,
    read_lines,
)
from resnet18_ocrdet.data.image_io import MAX_NAMED, has_image_suffix, list_existing_images
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.errors import UserError

PARTS = ("train", "val", "test")
LABEL_FOLDERS = ("gts", "labels")  # after "train_", or alone beside images/


class Pair(NamedTuple):
    """An image and where its labels are."""

    image: Path
    label: Path


class ListLine(NamedTuple):
    """The two names of a list line, as they are written."""

    image: str
    label: str | None  # None where the line names only an image


def read_custom(root: Path) -> dict[str, list[LabelRecord]]:
    """Read the labels of every part that is there, by its name: "train", "val", "test".

    A root with images/ and labels/ is "train". Raises UserError when none is there, and for lists, missing files and
    label lines that cannot be used."""
    pairs = {part: found for part in PARTS if (found := find_pairs(root, part)) is not None}
    if not pairs and (root / "images").is_dir():
        pairs["train"] = scan_pairs(root / "images", label_folder(root, ""))
    if not pairs:
        raise UserError(
            f"{root}: no labelled images found (looked for train_list.txt, train_images/ with train_gts/, "
            f"the same with test_ and val_, and images/ with labels/ or gts/)"
        )
    lines = {pair.label: read_lines(pair.label) for found in pairs.values() for pair in found}
    quads = looks_like_quads(line for text in lines.values() for line in text)
    return {part: [to_record(pair, lines[pair.label], quads) for pair in found] for part, found in pairs.items()}


def to_record(pair: Pair, lines: Sequence[TextLine], quads: bool) -> LabelRecord:
    """Parse the label lines of one image."""
    return LabelRecord(pair.image, pair.label, *parse_lines(pair.label, lines, ICDAR_IGNORE_MARKS, quads))


def find_pairs(root: Path, part: str) -> list[Pair] | None:
    """Pair images and labels of one part, by its list if there is one, else by its folder; None where neither is."""
    list_path, images = root / f"{part}_list.txt", root / f"{part}_images"
    if list_path.is_file():
        return listed_pairs(list_path, part)
    return scan_pairs(images, label_folder(root, f"{part}_")) if images.is_dir() else None


def label_folder(root: Path, prefix: str) -> Path:
    """Find the folder of labels: `<prefix>gts` or `<prefix>labels`. Raises UserError for none or both."""
    wanted = [root / f"{prefix}{name}" for name in LABEL_FOLDERS]
    there = [folder for folder in wanted if folder.is_dir()]
    if len(there) != 1:
        names = " or ".join(f"{folder.name}/" for folder in wanted)
        raise UserError(f"{root}: one folder of labels is needed beside {prefix}images/: {names}, found {len(there)}")
    return there[0]


def scan_pairs(images: Path, labels: Path) -> list[Pair]:
    """Pair every image below a folder with its label file. Raises UserError for none, missing or ambiguous ones."""
    found = [
        (image, find_label(image, labels / image.relative_to(images).parent)) for image in list_existing_images(images)
    ]
    missing = [image.name for image, label in found if label is None]
    if missing:
        raise UserError(_missing_text(f"{images}: no label file in {labels} for", missing, len(found)))
    return refuse_shared_labels([Pair(image, label) for image, label in found if label is not None])


def find_label(image: Path, folder: Path) -> Path | None:
    """Find the label file of an image in a folder; None if there is none. Raises UserError if there are several."""
    names = (f"{image.stem}.txt", f"gt_{image.stem}.txt", f"{image.name}.txt")
    there = [folder / name for name in names if (folder / name).is_file()]
    if len(there) > 1:
        raise UserError(f"{image}: several label files, keep one: {', '.join(str(path) for path in there)}")
    return there[0] if there else None


def refuse_shared_labels(pairs: list[Pair]) -> list[Pair]:
    """Return the pairs. Raises UserError when two images, such as 1.jpg and 1.png, have one label file."""
    owners: dict[Path, Path] = {}
    for image, label in pairs:
        if label in owners:
            raise UserError(f"{label}: belongs to two images, {owners[label].name} and {image.name}: keep one of them")
        owners[label] = image
    return pairs


def listed_pairs(list_path: Path, part: str) -> list[Pair]:
    """Pair what a list file names. Raises UserError, with the line, for what does not exist or is there twice."""
    root = list_path.parent
    pairs: list[Pair] = []
    missing: list[str] = []
    first_line: dict[Path, int] = {}
    for line in read_lines(list_path):
        where = f"{list_path}:{line.number}"
        found = find_listed(line.text, [root, root / f"{part}_images", root / "images"])
        if found is None:
            if line.text.lstrip().startswith("#"):  # a comment
                continue
            if not (readings := read_list_line(line.text)):
                raise UserError(f"{where}: needs an image, or an image and its label file, got {line.text[:80]!r}")
            missing.append(f"line {line.number} {readings[0].image!r}")
            continue
        image, names = found
        if image in first_line:
            raise UserError(f"{where}: {names.image!r} is already in line {first_line[image]}: list an image once")
        first_line[image] = line.number
        label = listed_label(image, names.label, root, part)
        if label is None:
            raise UserError(f"{where}: no label file {names.label or 'found'!r} for {image}")
        pairs.append(Pair(image, label))
    if missing:
        raise UserError(_missing_text(f"{list_path}: images that do not exist:", missing, len(pairs) + len(missing)))
    if not pairs:
        raise UserError(f"{list_path}: 0 images found (looked for lines such as 1.jpg or train_images/1.jpg)")
    return refuse_shared_labels(pairs)


def find_listed(text: str, folders: Sequence[Path]) -> tuple[Path, ListLine] | None:
    """Find the image of a list line below one of the folders, and the names as they are to be read; None if absent."""
    for names in read_list_line(text):
        if image := resolve(names.image, folders):
            return image, names
    return None


def read_list_line(text: str) -> list[ListLine]:
    """List the ways to read a list line: as an image, or cut in two behind an image suffix; none if it is neither.

    Both names may hold spaces, so that a line with several image suffixes has several readings."""
    text = text.strip()
    readings = [ListLine(text, None)] if has_image_suffix(text) else []
    for gap in re.finditer(r"\s+", text):
        image, label = text[: gap.start()], text[gap.end() :]
        if has_image_suffix(image) and not label.startswith(("[", "{")):  # JSON: a dialect of its own
            readings.append(ListLine(image, label))
    return readings


def listed_label(image: Path, label_name: str | None, root: Path, part: str) -> Path | None:
    """Find the label file that a list line names, or the one that goes with its image; None if there is none."""
    folders = [root / f"{prefix}{name}" for prefix in (f"{part}_", "") for name in LABEL_FOLDERS]
    if label_name is not None:
        return resolve(label_name, [root, *folders])
    for images in (root / f"{part}_images", root / "images"):
        if image.is_relative_to(images):
            folders = [folder / image.relative_to(images).parent for folder in folders]
    return next((label for folder in folders if (label := find_label(image, folder))), None)


def resolve(name: str, folders: Sequence[Path]) -> Path | None:
    """Find the file that a list names: absolute, or below one of the folders; with / or the backslash of Windows."""
    for spelled in (name, name.replace("\\", "/")):
        for folder in folders:
            if (folder / spelled).is_file():
                return folder / spelled
    return None


def _missing_text(what: str, missing: Sequence[str], total: int) -> str:
    """Word an error about files that are not there: how many, and the first of them."""
    more = ", ..." if len(missing) > MAX_NAMED else ""
    return f"{what} {len(missing)} of {total}: {', '.join(missing[:MAX_NAMED])}{more}"
