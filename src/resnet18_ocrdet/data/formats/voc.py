"""Pascal VOC annotations: one XML file for each image, as written by labelImg, roLabelImg, CVAT and others.

    <annotation><filename>1.jpg</filename><size><width>640</width><height>480</height><depth>3</depth></size>
      <object><name>text</name><difficult>0</difficult>
        <bndbox><xmin>37</xmin><ymin>57</ymin><xmax>171</xmax><ymax>105</ymax></bndbox></object>
      <object><type>robndbox</type><name>text</name><difficult>0</difficult>
        <robndbox><cx>104</cx><cy>81</cy><w>134</w><h>48</h><angle>0.61</angle></robndbox></object></annotation>

A <robndbox> is turned around its centre by `angle`, in radians, clockwise: roLabelImg, libs/pascal_voc_io.py,
addRotatedShape, and labelImg2. roLabelImg writes it without half turns, so text is taken as not upside down. If many
angles of a data set are too large for radians, all are degrees. Some tools write the four corners instead. A <polygon>
holds x1, y1, x2, ... or, from LabelMe's web tool, <pt> with x and y. CVAT leaves a turned box upright and adds the
attribute `rotation`, in degrees, clockwise. The name is the class. Transcription and flags are children of <object>, or
its <attributes>, with a name of `attributes`. Images are found by the name of the XML file, else by <filename>, whose
suffix may be missing.
ImageSets/Main/train.txt, val.txt and test.txt beside the folder of the files list the names of a split.
http://host.robots.ox.ac.uk/pascal/VOC, https://github.com/cgvict/roLabelImg, https://github.com/HumanSignal/labelImg
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ...structures import Polygon
from ..file_names import is_file
from ..findings import MAX_REGIONS, Report
from ..image_io import has_image_suffix, list_images
from ..record import LabelRecord, Region
from ..text_file import label_text, lines_of, quoted
from .attributes import FLAG_NAMES, TEXT_NAMES, read_attributes
from .json_file import first_shown, is_set, labels_among, peek, stated_size
from .locate import MAX_LOOKED, files_near, folders_in
from .location import LabelError, Location
from .points import polygon_of, to_number
from .shapes import turned_box
from .split_names import SPLITS, ListedImage, group_by_split, split_by_folder, splits_of_folders
from .xml_file import Element, read_entries

KEY = "voc"
NAME = "Pascal VOC"
IGNORE_MARKS = ("###",)
IGNORE_FLAGS = FLAG_NAMES  # the VOC development kit leaves difficult objects out of the score; the others as in `cvat`
ROOT = "annotation"
MAX_PEEKED = 12  # files that `recognise` opens
MAX_IN_FOLDER = 3  # of them in one folder
MAX_RADIANS = 2 * math.pi  # of an angle; more are degrees, if there are many
DEGREES_SHARE = 0.2  # of the angles other than 0

_START = re.compile(r"<annotation[\s>]")
_INSIDE = re.compile(r"<(?:filename|size|object)>")
_ANGLE = re.compile(r"<angle>\s*+([-+]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][-+]?[0-9]{1,4})?)\s*+</angle>")
_CORNER = re.compile(r"([xy])_?([0-9]{1,4})")
_CORNERS = ("left_top", "right_top", "right_bottom", "left_bottom")


class Common(NamedTuple):
    """What the files of a data set have in common."""

    root: Path
    images: Mapping[str, Sequence[Path]]  # by stem
    splits: Mapping[Path, str | None]  # of the folders
    marks: Sequence[str]
    in_degrees: bool  # the angles of <robndbox>


def recognise(root: Path) -> str | None:
    """Report the first of a few XML files with the elements of the format, up to two folders below root."""
    folders = (root, *folders_in(root)[:MAX_LOOKED])
    paths = list(dict.fromkeys(path for folder in folders for path in files_near(folder, ".xml", MAX_IN_FOLDER)))
    return first_shown(root, paths[:MAX_PEEKED], _is_annotation, "has <annotation>, for one image")


def read(root: Path, report: Report, marks: Sequence[str]) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist, by lists, else by the names of folders. Raises UserError if one cannot be listed."""
    images = list_images(root)
    by_stem: dict[str, list[Path]] = {}
    for image in images:
        by_stem.setdefault(image.stem, []).append(image)
    files = labels_among(list_images(root, (".xml",)), _is_annotation, lambda path: path.stem in by_stem)
    splits = splits_of_folders(root, (path.parent for path in (*images, *files)))
    in_degrees, note = _unit_of_angles(files)
    report.notes += [note] if note else []
    common = Common(root, by_stem, splits, marks, in_degrees)
    lists: dict[Path, dict[str, str]] = {}  # split by name of an image, for each folder of XML files
    listed, claimed = [], set()
    for path in files:
        sets = lists.get(path.parent)
        if sets is None:
            beside = path.parent.parent if path.parent != root else root
            sets = lists[path.parent] = _image_sets(beside / "ImageSets" / "Main", report)
        alike = by_stem.get(path.stem, [])
        location = Location(report, path, image=alike[0] if len(alike) == 1 else None)
        if record := location.attempt(_read_file, location, common):
            listed.append(ListedImage(sets.get(path.stem), 0, record))
        claimed.add(location.image)
    for image in images:
        if image not in claimed:
            report.add("GT001", image, 0, f"no {image.stem}.xml for it", image)
    listed = split_by_folder(root, listed)
    return group_by_split((entry.split for entry in listed), listed, report, root)


def _unit_of_angles(files: Sequence[Path]) -> tuple[bool, str]:
    """Whether the angles of <robndbox> are in degrees, by those at the start and end of each file, and a line that says
    so; "" if there are none.

    A few large ones are mistakes among radians."""
    written = (abs(float(number)) for path in files for number in _ANGLE.findall(peek(path)))
    angles = [angle for angle in written if 0 < angle < math.inf]
    if not angles:
        return False, ""
    large = sum(angle > MAX_RADIANS for angle in angles)
    in_degrees = large >= max(1, DEGREES_SHARE * len(angles))
    why = (
        f"degrees: {large} of {len(angles)} are too large for radians, as roLabelImg writes"
        if in_degrees
        else "radians"
    )
    return in_degrees, f"angles of <robndbox> are read as {why}"


def _image_sets(folder: Path, report: Report) -> dict[str, str]:
    """Split by the name of each image in the lists of a folder."""
    found: dict[str, str] = {}
    for split in SPLITS:
        if is_file(folder / f"{split}.txt"):
            lines = lines_of(label_text(folder / f"{split}.txt", report, None, blank="") or "")
            found |= {_listed_name(line.text): split for line in lines}
    return found


def _listed_name(text: str) -> str:
    """The stem of the image in a line of a list: `1`, `1.jpg`, or `JPEGImages/1.jpg Annotations/1.xml`."""
    whole = text.strip().strip('"')
    for name in (whole, whole.split()[0] if whole else ""):
        if has_image_suffix(name):
            return PurePosixPath(name).stem
    return PurePosixPath(whole).name


def _read_file(location: Location, common: Common) -> LabelRecord | None:
    """Read one XML file; None, reported, if it cannot be read. Raises LabelError if its image does not exist."""
    objects: list[Element] = []
    fields: dict[str, Element] = {}

    def visit(entry: Element) -> None:
        if entry.tag in ("filename", "size"):
            fields[entry.tag] = entry
        elif entry.tag == "object" and not is_set(entry.value("deleted")) and len(objects) <= MAX_REGIONS:
            objects.append(entry)

    if not read_entries(location, ROOT, visit):
        return None
    name = fields["filename"].text.strip() if "filename" in fields else ""
    location.image = _find_image(location.path, common, name)
    if location.too_many(len(objects)):
        return location.record([None] * len(objects))
    regions = [replace(location, line=entry.line).attempt(_read_object, entry, common) for entry in objects]
    size = fields.get("size")
    sides = [to_number(size.value(side)) for side in ("height", "width")] if size else [None, None]
    return location.record(regions, stated=stated_size(*sides))


def _find_image(path: Path, common: Common, name: str) -> Path:
    """The image of a file: of those with its stem, else of those with the name in it, the nearest in the folders."""
    root, images, splits = common.root, common.images, common.splits
    name = PurePosixPath(name.replace("\\", "/")).name
    found = images.get(path.stem) or images.get(name) or images.get(PurePosixPath(name).stem)
    split = splits[path.parent]
    found = [image for image in found or () if split is None or splits[image.parent] in (None, split)]
    if not found:
        raise LabelError("FS079", f"{quoted(name or path.stem)}: no image of this name below {root}/")

    def nearness(image: Path) -> tuple[bool, int, bool]:
        shared = set(image.relative_to(root).parts[:-1]) & set(path.relative_to(root).parts[:-1])
        return image.parent == path.parent, len(shared), image.name == name

    best = max(map(nearness, found))
    nearest = [image for image in found if nearness(image) == best]
    if len(nearest) > 1:
        raise LabelError("FS076", f"belongs to {' or '.join(str(image.relative_to(root)) for image in nearest)}")
    return nearest[0]


def _read_object(entry: Element, common: Common) -> Region:
    """Read one region. Raises LabelError if its position cannot be read."""
    name = entry.value("name") or ""
    listed = entry.child("attributes")
    values = {(each.value("name") or "").lower(): each.value("value") for each in listed.children} if listed else {}
    values |= {child.tag.lower(): child.text.strip() for child in entry.children if child.tag.lower() in TEXT_NAMES}
    values |= {"difficult": "1"} if is_set(entry.value("difficult")) else {}
    text, _, flag = read_attributes(values)
    polygon = _outline(entry, values.get("rotation"), common.in_degrees)
    return Region(polygon, text, text in common.marks or name in common.marks, entry.line, flag, name)


def _outline(entry: Element, rotation: str | None, in_degrees: bool) -> Polygon:
    """The corners of an object. Raises LabelError if it has none."""
    for tag in ("robndbox", "polygon"):
        if holder := entry.child(tag):
            return (
                _turned_box(holder, in_degrees)
                if holder.child("cx")
                else polygon_of(_corners(holder), f"<{tag}> holds ")
            )
    box = entry.child("bndbox")
    if box is None:
        raise LabelError("GT022", "an <object> without <bndbox>, <robndbox> or <polygon>")
    left, top, right, bottom = _numbers(box, ("xmin", "ymin", "xmax", "ymax"))
    degrees = to_number(rotation or "0")
    if degrees is None:
        raise LabelError("GT020", f"the attribute rotation is {quoted(rotation or '')}, not a number")
    return turned_box(left, top, right, bottom, math.radians(degrees))


def _turned_box(box: Element, in_degrees: bool) -> Polygon:
    """A <robndbox> with centre, size and angle, turned by a quarter at most."""
    x, y, width, height, angle = _numbers(box, ("cx", "cy", "w", "h", "angle"))
    if not math.isfinite(angle) or (abs(angle) > MAX_RADIANS and not in_degrees):
        raise LabelError("GT022", f"<angle> is {angle:g}; roLabelImg writes radians, 0 to 3.14")
    angle = math.radians(angle) if in_degrees else angle
    angle = math.pi / 2 - (math.pi / 2 - angle) % math.pi
    return turned_box(x - width / 2, y - height / 2, x + width / 2, y + height / 2, angle)


def _corners(holder: Element) -> list[float]:
    """x and y of corners written as <pt>, as x1, y1, x2, ... or as x_left_top, y_left_top, ..."""
    if points := [child for child in holder.children if child.tag == "pt"]:
        return [number for point in points for number in _numbers(point, ("x", "y"))]
    if holder.child(f"x_{_CORNERS[0]}"):
        return _numbers(holder, [f"{axis}_{corner}" for corner in _CORNERS for axis in ("x", "y")])
    matches = [match for child in holder.children if (match := _CORNER.fullmatch(child.tag))]
    tags = {(match[1], int(match[2])): match[0] for match in matches}
    numbers = sorted({number for _, number in tags})
    return _numbers(holder, [tags.get((axis, number), f"{axis}{number}") for number in numbers for axis in ("x", "y")])


def _numbers(holder: Element, tags: Sequence[str]) -> list[float]:
    """The numbers in children. Raises LabelError for one that is missing or is not a number."""
    texts = {child.tag: child.text.strip() for child in reversed(holder.children)}
    numbers = []
    for tag in tags:
        if tag not in texts:
            raise LabelError("GT022", f"<{holder.tag}> without <{tag}>")
        number = to_number(texts[tag])
        if number is None:
            raise LabelError("GT020", f"<{tag}> is {quoted(texts[tag])}, not a number")
        numbers.append(number)
    return numbers


def _is_annotation(text: str) -> bool:
    """Whether the start and end of a file show the elements of the format."""
    return _START.search(text) is not None and _INSIDE.search(text) is not None
