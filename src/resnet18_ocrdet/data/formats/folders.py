"""Folders of one's own images and ICDAR label lines, with or without list files, in the layouts that are in use.

    root/train_list.txt  root/train_images/1.jpg  root/train_gts/1.txt      and the same with val_ and test_
    root/images/1.jpg    root/labels/1.txt (or gts/)                        one set, no lists
    root/1.jpg           root/1.txt                                         side by side

A list line names an image, or an image and its label file with a tab or spaces between; one that begins with # and
names no image that is there is a comment. Without a list, the folder is scanned. The labels of `1.jpg` are `1.txt`,
`gt_1.txt` or `1.jpg.txt`. Label lines are those of `icdar_text`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from resnet18_ocrdet.data.file_names import MAX_NAME, is_file, is_folder, no_name
from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats.icdar_text import ICDAR_IGNORE_MARKS, looks_like_quads, parse_lines
from resnet18_ocrdet.data.formats.pairing import pair_by_stem, without_shared
from resnet18_ocrdet.data.image_io import has_image_suffix, list_images
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.data.text_file import label_lines, read_lines, shown
from resnet18_ocrdet.errors import UserError

NAME = "folders or lists with ICDAR lines"
IGNORE_MARKS = ICDAR_IGNORE_MARKS
PARTS = ("train", "val", "test")
LABEL_FOLDERS = ("gts", "labels")  # after "train_", or alone beside images/
LABEL_NAMES = ("{stem}.txt", "gt_{stem}.txt", "{name}.txt")  # of the image's name without and with suffix


Pair = tuple[Path, Path]  # an image and where its labels are


class ListLine(NamedTuple):
    """The two names of a list line, as they are written."""

    image: str
    label: str | None  # None where the line names only an image


def recognise(root: Path) -> str | None:
    """What in this folder shows the layout."""
    for part in PARTS:
        for name in (f"{part}_list.txt", f"{part}_images"):
            if is_file(root / name) or is_folder(root / name):
                return name
    if is_folder(root / "images"):
        return "images/"
    return "images and .txt files side by side" if _side_by_side(root) else None


def _side_by_side(root: Path) -> bool:
    """Whether an image of the folder has its labels beside it."""
    images = (path for path in root.iterdir() if has_image_suffix(path.name))
    return any(is_file(root / name.format(stem=path.stem, name=path.name)) for path in images for name in LABEL_NAMES)


def read(root: Path, report: Report, marks: Sequence[str] = IGNORE_MARKS) -> dict[str, list[LabelRecord]]:
    """Read the labels of every part that is there, by its name: "train", "val", "test".

    A root with images/ and labels/ is "train". Raises UserError when none is there, or a folder of labels lacks."""
    pairs = {part: found for part in PARTS if (found := find_pairs(root, part, report)) is not None}
    if not pairs and is_folder(root / "images"):
        pairs["train"] = scan_pairs(root / "images", label_folder(root, ""), report)
    if not pairs and _side_by_side(root):
        pairs["train"] = scan_pairs(root, root, report)
    if not pairs:
        raise UserError(
            f"{root}: no labelled images found (looked for train_list.txt, train_images/ with train_gts/, "
            f"the same with test_ and val_, and images/ with labels/ or gts/)"
        )
    lines = {label: label_lines(label, report, image) for found in pairs.values() for image, label in found}
    quads = looks_like_quads(line for text in lines.values() for line in text or ())
    return {
        part: [parse_lines(image, label, lines[label], report, marks, quads) for image, label in found]
        for part, found in pairs.items()
    }


def find_pairs(root: Path, part: str, report: Report) -> list[Pair] | None:
    """Pair images and labels of one part, by its list if there is one, else by its folder; None where neither is."""
    list_path, images = root / f"{part}_list.txt", root / f"{part}_images"
    if is_file(list_path):
        return listed_pairs(list_path, part, report)
    return scan_pairs(images, label_folder(root, f"{part}_"), report) if is_folder(images) else None


def label_folder(root: Path, prefix: str) -> Path:
    """Find the folder of labels: `<prefix>gts` or `<prefix>labels`. Raises UserError for none or both."""
    wanted = [root / f"{prefix}{name}" for name in LABEL_FOLDERS]
    there = [folder for folder in wanted if is_folder(folder)]
    if len(there) != 1:
        names = " or ".join(f"{folder.name}/" for folder in wanted)
        raise UserError(f"{root}: one folder of labels is needed beside {prefix}images/: {names}, found {len(there)}")
    return there[0]


def scan_pairs(images: Path, labels: Path, report: Report) -> list[Pair]:
    """Pair every image below a folder with its label file. Raises UserError where there is no image at all."""
    found = list_images(images)
    if not found:
        raise UserError(f"{images}: 0 images found (looked for .jpg, .png and other image suffixes)")
    return pair_by_stem(found, images, labels, LABEL_NAMES, report)


def listed_pairs(list_path: Path, part: str, report: Report) -> list[Pair]:
    """Pair what a list file names; what does not exist, cannot be read or is there twice is reported.

    Raises UserError when the list cannot be read or names no image that is there."""
    root = list_path.parent
    pairs: list[Pair] = []
    first_line: dict[Path, int] = {}
    for line in read_lines(list_path, report.max_label_mb):
        found = find_listed(line.text, [root, root / f"{part}_images", root / "images"])
        if found is None:
            if not line.text.lstrip().startswith("#"):  # else a comment
                readings = read_list_line(line.text)
                why = f"no image {shown(readings[0].image)}" if readings else f"names no image: {shown(line.text)}"
                report.add("FS079", list_path, line.number, why, Path(readings[0].image) if readings else None)
            continue
        image, names = found
        if image in first_line:
            report.add("FS080", list_path, line.number, f"{names.image!r} is in line {first_line[image]} too", image)
            continue
        first_line[image] = line.number
        labels = listed_labels(image, names.label, root, part)
        if not labels:
            wanted = repr(names.label) if names.label else "found"
            why = f"no label file {wanted} for {image.name}"
            report.add("GT001", list_path, line.number, why, image)
        elif len(labels) > 1:
            why = f"{image.name} has {len(labels)} label files: {', '.join(label.name for label in labels)}"
            report.add("GT026", labels[0], detail=why, image=image)
        else:
            pairs.append((image, labels[0]))
    if not first_line:
        raise UserError(f"{list_path}: 0 images found (looked for lines such as 1.jpg or train_images/1.jpg)")
    return without_shared(pairs, report)


def find_listed(text: str, folders: Sequence[Path]) -> tuple[Path, ListLine] | None:
    """Find the image of a list line below one of the folders, and the names as they are to be read; None if absent."""
    for names in read_list_line(text):
        if image := resolve(names.image, folders):
            return image, names
    return None


def read_list_line(text: str) -> list[ListLine]:
    """List the ways to read a list line: as an image, or cut in two behind an image suffix; none if it is neither.

    Both names may hold spaces, so that a line with several image suffixes has several readings. What is longer than
    names can be is none."""
    text = text.strip()
    readings = [ListLine(text, None)] if has_image_suffix(text) and not no_name(text) else []
    if len(text) > 2 * MAX_NAME:
        return readings
    for gap in re.finditer(r"\s+", text):
        image, label = text[: gap.start()], text[gap.end() :]
        is_json = label.startswith(("[", "{"))  # a dialect of its own
        if has_image_suffix(image) and not is_json and not no_name(image) and not no_name(label):
            readings.append(ListLine(image, label))
    return readings


def listed_labels(image: Path, label_name: str | None, root: Path, part: str) -> list[Path]:
    """Find the label file that a list line names, or those that go with its image, in the first folder with any."""
    folders = [root / f"{prefix}{name}" for prefix in (f"{part}_", "") for name in LABEL_FOLDERS]
    if label_name is not None:
        label = resolve(label_name, [root, *folders])
        return [label] if label else []
    for images in (root / f"{part}_images", root / "images"):
        if image.is_relative_to(images):
            folders = [folder / image.relative_to(images).parent for folder in folders]
    names = [name.format(stem=image.stem, name=image.name) for name in LABEL_NAMES]
    shouted = [name.removesuffix(".txt") + ".TXT" for name in names]  # asked for alone: some disks take both for one
    found = (
        [folder / name for name in spelling if is_file(folder / name)]
        for folder in folders
        for spelling in (names, shouted)
    )
    return next((labels for labels in found if labels), [])


def resolve(name: str, folders: Sequence[Path]) -> Path | None:
    """Find the file that a list names: absolute, or below one of the folders; with / or the backslash of Windows."""
    for spelled in (name, name.replace("\\", "/")):
        for folder in folders:
            if is_file(folder / spelled):
                return folder / spelled
    return None
