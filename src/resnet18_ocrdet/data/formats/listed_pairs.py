"""List files of images, with or without the names of their label files.

A line is an image, or an image and its label file separated by a tab or spaces; a line that starts with # and does not
name an existing image is a comment. Names that were written on another machine are shortened from the left until they
exist, as in the label files of PaddleOCR; then an image is found by its name alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from ...errors import UserError
from ..file_names import MAX_NAME, invalid_name, is_file
from ..findings import Report
from ..image_io import has_image_suffix
from ..text_file import quoted, quoted_name, read_lines
from .image_index import ImageIndex
from .locate import find_image
from .location import Location
from .pairing import without_shared

LABEL_FOLDERS = ("gts", "labels")  # after "train_", or alone beside images/
LABEL_NAMES = ("{stem}.txt", "gt_{stem}.txt", "{name}.txt")  # for the image's name without and with suffix

ListLine = tuple[str, str | None]  # image and label file as written; None if the line names only an image


def listed_pairs(list_path: Path, split: str, report: Report) -> list[Location]:
    """The label files of the images in a list; entries that do not exist, cannot be read or are repeated are reported.

    Raises UserError if the list cannot be read or names no existing image."""
    root, index = list_path.parent, ImageIndex(list_path.parent)
    pairs: list[tuple[Path, Path]] = []
    first_line: dict[Path, int] = {}
    folders = [root, root / f"{split}_images", root / "images", root / "images" / split, root / split / "images"]
    for line in read_lines(list_path, report.max_label_mb):
        found = find_listed(line.text, folders, index.of(split))
        if found is None:
            if not line.text.lstrip().startswith("#"):  # else a comment
                named = next((name for name, _ in read_list_line(line.text)), "")
                why = f"no image {quoted_name(named)}" if named else f"does not name an image: {quoted(line.text)}"
                report.add("FS079", list_path, line.number, why, Path(named) if named else None)
            continue
        image, (image_name, label_name) = found
        if image in first_line:
            report.add("FS080", list_path, line.number, f"{image_name!r} is also in line {first_line[image]}", image)
            continue
        first_line[image] = line.number
        is_foreign = find_image(image_name, folders) is None  # then the folders of its label file are too
        labels = listed_labels(image, label_name, root, split, is_foreign)
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
    report.notes += index.notes()
    return without_shared(pairs, report)


def find_listed(
    text: str, folders: Sequence[Path], find: Callable[[str], Path | None] | None = None
) -> tuple[Path, ListLine] | None:
    """Find the image of a list line below one of the folders, and the names of the line; None if it does not exist.

    find: searches the whole data set for a name that exists nowhere else. Of several readings of a line, one whose
    image exists as it is written is preferred."""
    readings = read_list_line(text)
    for shortened in ((), folders):
        for names in readings:
            if image := find_image(names[0], folders, shortened):
                return image, names
    found = ((find(names[0]), names) for names in readings) if find else ()
    return next(((image, names) for image, names in found if image), None)


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


def listed_labels(image: Path, label_name: str | None, root: Path, split: str, is_foreign: bool = False) -> list[Path]:
    """Find the label file that a list line names, or those that match its image, in the first folder with any.

    is_foreign: the line was written for other folders, so the name of the label file is shortened too."""
    folders = [root / f"{prefix}{name}" for prefix in (f"{split}_", "", f"{split}/") for name in LABEL_FOLDERS]
    if label_name is not None:
        label = find_image(label_name, [root, *folders], [root, *folders] if is_foreign else ())
        return [label] if label else []
    for images in (root / f"{split}_images", root / "images", root / split / "images"):
        if image.is_relative_to(images):
            folders = [folder / image.relative_to(images).parent for folder in folders]
    folders.append(image.parent)
    names = [name.format(stem=image.stem, name=image.name) for name in LABEL_NAMES]
    upper = [name.removesuffix(".txt") + ".TXT" for name in names]  # separately: on some disks both are the same file
    for folder in folders:
        for spelling in (names, upper):
            if found := [folder / name for name in spelling if is_file(folder / name)]:
                return found
    return []
