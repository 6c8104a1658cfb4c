"""Pascal VOC annotations: one XML file for each image, as written by labelImg, roLabelImg, CVAT and others.

    <annotation><filename>1.jpg</filename><size><width>640</width><height>480</height><depth>3</depth></size>
      <object><name>text</name><difficult>0</difficult>
        <bndbox><xmin>37</xmin><ymin>57</ymin><xmax>171</xmax><ymax>105</ymax></bndbox></object>
      <object><type>robndbox</type><name>text</name><difficult>0</difficult>
        <robndbox><cx>104</cx><cy>81</cy><w>134</w><h>48</h><angle>0.61</angle></robndbox></object></annotation>

A <robndbox> is turned around its centre by `angle`, in radians, clockwise: roLabelImg, libs/pascal_voc_io.py,
addRotatedShape, and labelImg2. roLabelImg writes it without half turns, so text is taken as not upside down. Some tools
write the four corners instead. A <polygon> holds x1, y1, x2, ... or, from
LabelMe's web tool, <pt> with x and y. CVAT leaves a turned box upright and adds the attribute `rotation`, in degrees,
clockwise. The name is the class. The transcription is a child of <object>, or one of its <attributes>, with a name of
`attributes.TEXT_NAMES`. Images are found by the name of the XML file, else by <filename>, whose suffix may be missing.
ImageSets/Main/train.txt, val.txt and test.txt beside the folder of the files list the names of a split.
http://host.robots.ox.ac.uk/pascal/VOC, https://github.com/cgvict/roLabelImg, https://github.com/HumanSignal/labelImg
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ...structures import Polygon
from ..file_names import is_file
from ..findings import MAX_REGIONS, Report
from ..image_io import has_image_suffix, list_images
from ..record import LabelRecord, Region
from ..text_file import label_text, lines_of, quoted
from .attributes import FLAG_NAMES, TEXT_NAMES, first_named, flag_of
from .json_file import first_shown, is_set, labels_among, stated_size
from .locate import MAX_LOOKED, files_near, folders_in
from .location import LabelError, Location
from .points import polygon_of, to_number
from .shapes import turned_box
from .split_names import SPLITS, ListedImage, group_by_split, split_below
from .xml_file import Element, read_entries

KEY = "voc"
NAME = "Pascal VOC"
IGNORE_MARKS = ("###",)
IGNORE_FLAGS = FLAG_NAMES  # the VOC development kit leaves difficult objects out of the score; the others as in `cvat`
ROOT = "annotation"
MAX_PEEKED = 12  # files that `recognise` opens
MAX_IN_FOLDER = 3  # of them in one folder
MAX_RADIANS = 2 * math.pi  # of an angle; more are degrees

_START = re.compile(r"<annotation[\s>]")
_INSIDE = re.compile(r"<(?:filename|size|object)>")
_CORNER = re.compile(r"([xy])_?([0-9]{1,4})")
_CORNERS = ("left_top", "right_top", "right_bottom", "left_bottom")

Images = Mapping[str, Sequence[Path]]  # by stem


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
    lists: dict[Path, dict[str, str]] = {}  # split by name of an image, for each folder of XML files
    listed, claimed = [], set()
    files = list_images(root, (".xml",))
    for path in labels_among(files, _is_annotation, lambda path: path.stem in by_stem):
        sets = lists.get(path.parent)
        if sets is None:
            beside = path.parent.parent if path.parent != root else root
            sets = lists[path.parent] = _image_sets(beside / "ImageSets" / "Main", report)
        alike = by_stem.get(path.stem, [])
        location = Location(report, path, image=alike[0] if len(alike) == 1 else None)
        if record := location.attempt(_read_file, location, root, by_stem, marks):
            listed.append(ListedImage(sets.get(path.stem) or split_below(root, path.parent), 0, record))
        claimed.add(location.image)
    for image in images:
        if image not in claimed:
            report.add("GT001", image, 0, f"no {image.stem}.xml for it", image)
    return group_by_split((entry.split for entry in listed), listed, report, root)


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


def _read_file(location: Location, root: Path, images: Images, marks: Sequence[str]) -> LabelRecord | None:
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
    location.image = _find_image(location.path, root, images, name)
    if location.too_many(len(objects)):
        return location.record([None] * len(objects))
    regions = [replace(location, line=entry.line).attempt(_read_object, entry, marks) for entry in objects]
    size = fields.get("size")
    sides = [to_number(size.value(side)) for side in ("height", "width")] if size else [None, None]
    return location.record(regions, stated=stated_size(*sides))


def _find_image(path: Path, root: Path, images: Images, name: str) -> Path:
    """The image of a file: of those with its stem, else of those with the name in it, the nearest in the folders."""
    name = PurePosixPath(name.replace("\\", "/")).name
    found = images.get(path.stem) or images.get(name) or images.get(PurePosixPath(name).stem)
    split = split_below(root, path.parent)
    found = [image for image in found or () if split is None or split_below(root, image.parent) in (None, split)]
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


def _read_object(entry: Element, marks: Sequence[str]) -> Region:
    """Read one region. Raises LabelError if its position cannot be read."""
    name = entry.value("name") or ""
    listed = entry.child("attributes")
    values = {(each.value("name") or "").lower(): each.value("value") for each in listed.children} if listed else {}
    values |= {child.tag.lower(): child.text.strip() for child in entry.children if child.tag.lower() in TEXT_NAMES}
    text = first_named(values, TEXT_NAMES)
    flag = "difficult" if is_set(entry.value("difficult")) else flag_of(values)
    polygon = _outline(entry, values.get("rotation"))
    return Region(polygon, text, text in marks or name in marks, entry.line, flag, name)


def _outline(entry: Element, rotation: str | None) -> Polygon:
    """The corners of an object. Raises LabelError if it has none."""
    for tag in ("robndbox", "polygon"):
        if holder := entry.child(tag):
            return _turned_box(holder) if holder.child("cx") else polygon_of(_corners(holder), f"<{tag}> holds ")
    box = entry.child("bndbox")
    if box is None:
        raise LabelError("GT022", "an <object> without <bndbox>, <robndbox> or <polygon>")
    left, top, right, bottom = _numbers(box, ("xmin", "ymin", "xmax", "ymax"))
    degrees = to_number(rotation or "0")
    if degrees is None:
        raise LabelError("GT020", f"the attribute rotation is {quoted(rotation or '')}, not a number")
    return turned_box(left, top, right, bottom, math.radians(degrees))


def _turned_box(box: Element) -> Polygon:
    """A <robndbox> with centre, size and angle."""
    x, y, width, height, angle = _numbers(box, ("cx", "cy", "w", "h", "angle"))
    if abs(angle) > MAX_RADIANS:
        raise LabelError("GT022", f"<angle> is {angle:g}; roLabelImg writes radians, 0 to 3.14")
    if angle > math.pi / 2:
        angle -= math.pi
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
