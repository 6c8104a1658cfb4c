"""Label files of docTR: `labels.json` beside `images/`, one such folder for each part.

    {"1.png": {"img_dimensions": [900, 600], "img_hash": "...", "polygons": [[[x, y], [x, y], [x, y], [x, y]], ...]}}

For several classes, `polygons` is an object: the name of each class and its list. There is no mark for don't-care, and
no text. https://github.com/mindee/doctr/tree/main/references/detection, "Data format"
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from resnet18_ocrdet.data.file_names import is_file, is_folder
from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats.json_file import has_key, peek, read_object, stated_size, word
from resnet18_ocrdet.data.formats.locate import check_root, folders_in, locate
from resnet18_ocrdet.data.formats.parts import Listed, part_of, split_parts
from resnet18_ocrdet.data.formats.points import Place, to_polygon
from resnet18_ocrdet.data.record import LabelRecord, Region, to_record
from resnet18_ocrdet.data.text_file import shown

NAME = "docTR"
IGNORE_MARKS: tuple[str, ...] = ()  # the format has none
LABEL_FILE = "labels.json"
WORDS, LINES = "words", "lines"  # two classes of the same text: the words are taken
MAX_LOOKED_AT = 4  # files that `recognise` opens


class _Image(NamedTuple):
    """One image, before it is settled which side of img_dimensions is the height."""

    line: int
    image: Path
    regions: list[Region]
    lost: int
    dimensions: tuple[int, int] | None  # px, in the order of the file


def recognise(root: Path) -> str | None:
    """Tell by a labels.json with polygons beside images/ that this folder is in the format; None where it is not."""
    for folder in _set_folders(root)[:MAX_LOOKED_AT]:
        if is_folder(folder / "images") and _is_label_file(folder / LABEL_FILE):
            return f"{(folder / LABEL_FILE).relative_to(root).as_posix()}: has polygons by image, beside images/"
    return None


def read(root: Path, report: Report, marks: Sequence[str]) -> dict[str, list[LabelRecord]]:
    """Read the parts that are there. Raises UserError where `root` cannot be listed.

    marks: names of classes whose regions are don't-care."""
    check_root(root)
    folders = {folder: part_of(folder.name) if folder != root else None for folder in _set_folders(root)}
    listed = [entry for folder, part in folders.items() for entry in read_labels(folder, part, report, marks)]
    return split_parts(folders.values(), listed, report)


def read_labels(folder: Path, part: str | None, report: Report, marks: Sequence[str]) -> list[Listed]:
    """Read all images of one labels.json; one that cannot be read is reported and left out."""
    path = folder / LABEL_FILE
    data = read_object(path, report) or {}
    images = [
        image
        for number, (name, label) in enumerate(data.items(), start=1)
        if (image := _read_image(name, label, Place(report, path, number, entry=shown(name)), marks))
    ]
    width_first = _is_width_first(images)
    listed = []
    for image in images:
        stated = image.dimensions[::-1] if image.dimensions and width_first else image.dimensions
        listed.append(Listed(part, image.line, to_record(image.image, path, image.regions, image.lost, stated)))
    return listed


def _read_image(name: str, label: Any, place: Place, marks: Sequence[str]) -> _Image | None:
    """Read the labels of one image; None, reported, where it or its list of polygons is not there."""
    folder = place.path.parent
    image = locate(name, [folder / "images", folder], place)
    if image is None:
        return None
    place = place._replace(image=image)
    if not isinstance(label, dict):
        place.add("GT022", f"needs an object with polygons, got {word(label)}")
        return None
    classes = label.get("polygons")
    if not isinstance(classes, dict):
        classes = {"": classes}
    elif WORDS in classes and LINES in classes:
        classes = {WORDS: classes[WORDS]}
    regions: list[Region | None] = []
    for kind, polygons in classes.items():
        if not isinstance(polygons, list):
            of_class = f" of class {shown(kind)}" if kind else ""
            place.add("GT022", f"needs polygons{of_class}, a list of regions, got {word(polygons)}")
            return None
        if place.too_many(len(regions) + len(polygons)):
            return _Image(place.line, image, [], len(regions) + len(polygons), None)
        for value in polygons:
            number = len(regions) + 1
            polygon = to_polygon(
                value, place._replace(line=number, entry=f"polygon {number} of {shown(name)}"), "polygon"
            )
            regions.append(None if polygon is None else Region(polygon, "", kind in marks, number))
    kept = [region for region in regions if region]
    return _Image(place.line, image, kept, len(regions) - len(kept), _dimensions(label.get("img_dimensions")))


def _dimensions(value: Any) -> tuple[int, int] | None:
    return stated_size(value[0], value[1]) if isinstance(value, list) and len(value) >= 2 else None


def _is_width_first(images: Sequence[_Image]) -> bool:
    """Tell whether a file gives width before height: more of its images hold their regions in that way.

    The documentation says "spatial shape", that is height first, but docTR never reads the numbers."""
    fits = np.zeros(2, np.int64)
    for image in images:
        if image.dimensions and image.regions:
            far = np.concatenate([region.polygon for region in image.regions]).max(axis=0)  # x, y
            fits += [bool((far <= image.dimensions[::-1]).all()), bool((far <= image.dimensions).all())]
    return bool(fits[1] > fits[0])


def _set_folders(root: Path) -> list[Path]:
    """List the folders with a labels.json: those named for a part, and root itself."""
    folders = [root, *(folder for folder in folders_in(root) if part_of(folder.name))]
    return [folder for folder in folders if is_file(folder / LABEL_FILE)]


def _is_label_file(path: Path) -> bool:
    """Whether the start of a file has the keys of the format."""
    text = peek(path).lstrip()
    return text.startswith("{") and has_key(text, "polygons") and not has_key(text, "shapes", "[")
