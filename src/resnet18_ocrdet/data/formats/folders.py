"""Folders of images and ICDAR label lines, with or without list files, in the common layouts.

    root/train_list.txt  root/train_images/1.jpg  root/train_gts/1.txt      and the same with val_ and test_
    root/images/1.jpg    root/labels/1.txt (or gts/)                        no splits, no lists
    root/1.jpg           root/1.txt                                         side by side
    root/train/images/1.jpg  root/train/labels/1.txt (or gts/)              and the same with val/ and test/

A list line is an image, or an image and its label file separated by a tab or spaces; a line that starts with # and does
not name an existing image is a comment. Without a list, the folder is scanned. The labels of `1.jpg` are in `1.txt`,
`gt_1.txt` or `1.jpg.txt`, in the lines of `icdar_text` with the columns of `columns`: RCTW and TD500 count difficult
regions as don't-care.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ...errors import UserError
from ..file_names import MAX_NAME, invalid_name, is_file, is_folder
from ..findings import Report
from ..image_io import has_image_suffix
from ..record import LabelRecord
from ..text_file import quoted, read_lines
from .columns import DIFFICULT
from .icdar_text import ICDAR_IGNORE_MARKS
from .line_files import read_files
from .location import Location
from .pairing import pair_folders, without_shared
from .split_names import SPLITS, split_below

KEY = "folders"
NAME = "folders or lists with ICDAR lines"
IGNORE_MARKS = ICDAR_IGNORE_MARKS
IGNORE_FLAGS = (DIFFICULT,)
LABEL_FOLDERS = ("gts", "labels")  # after "train_", or alone beside images/
LABEL_NAMES = ("{stem}.txt", "gt_{stem}.txt", "{name}.txt")  # for the image's name without and with suffix

ListLine = tuple[str, str | None]  # image and label file as written; None if the line names only an image


def recognise(root: Path) -> str | None:
    """Report the first file or folder of the layout."""
    for split in SPLITS:
        for name in (f"{split}_list.txt", f"{split}_images"):
            if is_file(root / name) or is_folder(root / name):
                return name
    if is_folder(root / "images"):
        return "images/"
    if _side_by_side(root):
        return "images and .txt files side by side"
    return next((f"{split}/images/" for split in _split_folders(root)), None)


def _split_folders(root: Path) -> dict[str, Path]:
    """The folder of each split that is a folder of its own with images/ in it."""
    found = {split: root / split for split in SPLITS}
    return {split: folder for split, folder in found.items() if is_folder(folder / "images")}


def _side_by_side(root: Path) -> bool:
    """Whether an image in the folder has its label file beside it."""
    images = (path for path in root.iterdir() if has_image_suffix(path.name))
    return any(is_file(root / name.format(stem=path.stem, name=path.name)) for path in images for name in LABEL_NAMES)


def read(root: Path, report: Report, marks: Sequence[str] = IGNORE_MARKS) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist, from its list if there is one, else from its folder; images/ with labels/ is "train".

    Raises UserError if there are none, or a folder of labels is missing."""
    pairs: dict[str, list[Location]] = {}
    for split in SPLITS:
        list_path, images = root / f"{split}_list.txt", root / f"{split}_images"
        if is_file(list_path):
            pairs[split] = listed_pairs(list_path, split, report)
        elif is_folder(images):
            pairs[split] = pair_folders(images, label_folder(root, f"{split}_"), LABEL_NAMES, report)
    if not pairs and is_folder(root / "images"):
        pairs["train"] = pair_folders(root / "images", label_folder(root, ""), LABEL_NAMES, report)
        report.unsplit = not any(split_below(root, label.path.parent) for label in pairs["train"])
    if not pairs and _side_by_side(root):
        pairs["train"] = pair_folders(root, root, LABEL_NAMES, report)
        report.unsplit = True
    if not pairs:
        for split, folder in _split_folders(root).items():
            pairs[split] = pair_folders(folder / "images", label_folder(folder, ""), LABEL_NAMES, report)
    if not pairs:
        raise UserError(
            f"{root}: no labelled images found (looked for train_list.txt, train_images/ with train_gts/, "
            f"the same with test_ and val_, and images/ with labels/ or gts/, also in train/, val/ and test/)"
        )
    return read_files(pairs, report, marks)


def label_folder(root: Path, prefix: str) -> Path:
    """Find the folder `<prefix>gts` or `<prefix>labels`. Raises UserError for none or both."""
    wanted = [root / f"{prefix}{name}" for name in LABEL_FOLDERS]
    present = [folder for folder in wanted if is_folder(folder)]
    if len(present) != 1:
        names = " or ".join(f"{folder.name}/" for folder in wanted)
        raise UserError(f"{root}: {prefix}images/ needs exactly one label folder, {names}; found {len(present)}")
    return present[0]


def listed_pairs(list_path: Path, split: str, report: Report) -> list[Location]:
    """The label files of the images in a list; entries that do not exist, cannot be read or are repeated are reported.

    Raises UserError if the list cannot be read or names no existing image."""
    root = list_path.parent
    pairs: list[tuple[Path, Path]] = []
    first_line: dict[Path, int] = {}
    for line in read_lines(list_path, report.max_label_mb):
        found = find_listed(line.text, [root, root / f"{split}_images", root / "images"])
        if found is None:
            if not line.text.lstrip().startswith("#"):  # else a comment
                named = next((name for name, _ in read_list_line(line.text)), "")
                why = f"no image {quoted(named)}" if named else f"does not name an image: {quoted(line.text)}"
                report.add("FS079", list_path, line.number, why, Path(named) if named else None)
            continue
        image, (image_name, label_name) = found
        if image in first_line:
            report.add("FS080", list_path, line.number, f"{image_name!r} is also in line {first_line[image]}", image)
            continue
        first_line[image] = line.number
        labels = listed_labels(image, label_name, root, split)
        if not labels:
            wanted = repr(label_name) if label_name else "found"
            report.add("GT001", list_path, line.number, f"no label file {wanted} for {image.name}", image)
        elif len(labels) > 1:
            why = f"{image.name} has {len(labels)} label files: {', '.join(label.name for label in labels)}"
            report.add("GT026", labels[0], detail=why, image=image)
        else:
            pairs.append((image, labels[0]))
    if not first_line:
        raise UserError(f"{list_path}: 0 images found (looked for lines such as 1.jpg or train_images/1.jpg)")
    return without_shared(pairs, report)


def find_listed(text: str, folders: Sequence[Path]) -> tuple[Path, ListLine] | None:
    """Find the image of a list line below one of the folders, and the names of the line; None if it does not exist."""
    for names in read_list_line(text):
        if image := resolve(names[0], folders):
            return image, names
    return None


def read_list_line(text: str) -> list[ListLine]:
    """List the ways to read a list line: as an image, or split after an image suffix; none if it is neither.

    Both names may contain spaces, so a line with several image suffixes has several readings."""
    text = text.strip()
    readings: list[ListLine] = [(text, None)] if has_image_suffix(text) and not invalid_name(text) else []
    if len(text) > 2 * MAX_NAME:
        return readings
    for gap in re.finditer(r"\s+", text):
        image, label = text[: gap.start()], text[gap.end() :]
        is_json = label.startswith(("[", "{"))  # PaddleOCR's format
        if has_image_suffix(image) and not is_json and not invalid_name(image) and not invalid_name(label):
            readings.append((image, label))
    return readings


def listed_labels(image: Path, label_name: str | None, root: Path, split: str) -> list[Path]:
    """Find the label file that a list line names, or those that match its image, in the first folder with any."""
    folders = [root / f"{prefix}{name}" for prefix in (f"{split}_", "") for name in LABEL_FOLDERS]
    if label_name is not None:
        label = resolve(label_name, [root, *folders])
        return [label] if label else []
    for images in (root / f"{split}_images", root / "images"):
        if image.is_relative_to(images):
            folders = [folder / image.relative_to(images).parent for folder in folders]
    names = [name.format(stem=image.stem, name=image.name) for name in LABEL_NAMES]
    upper = [name.removesuffix(".txt") + ".TXT" for name in names]  # separately: on some disks both are the same file
    for folder in folders:
        for spelling in (names, upper):
            if found := [folder / name for name in spelling if is_file(folder / name)]:
                return found
    return []


def resolve(name: str, folders: Sequence[Path]) -> Path | None:
    """Find the file that a list names: absolute, or below one of the folders; with slashes or backslashes."""
    for spelled in dict.fromkeys((name, name.replace("\\", "/"))):
        for folder in folders:
            if is_file(folder / spelled):
                return folder / spelled
    return None
