"""Lines of YOLO label files, https://docs.ultralytics.com/datasets/: coordinates are shares of width and height.

    class cx cy w h              boxes; also Darknet, YOLOv5 and all later ones
    class x1 y1 x2 y2 ...        outlines of 3 or more corners: segments, and oriented boxes with 4 corners

Ultralytics refuses shares below -0.01 and above 1.01 (ultralytics/data/utils.py, verify_image_label). A line of six
numbers is a box with a confidence, as predictions are written, or with an angle. Tools disagree about the angle:
hukaixuan19970627/yolov5_obb has degrees, clockwise from the x axis to the longer side, others have radians, or OpenCV's
angle. No such line is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..record import Region
from ..text_file import quoted
from .location import LabelError
from .pairing import are_numbers, read_numbers
from .points import MIN_VERTICES, flat_polygon

BOX_FIELDS = 5
ANGLE_FIELDS = 6
LOWEST, HIGHEST = -0.01, 1.01  # shares

_CLASS = re.compile(r"([0-9]{1,6})(?:\.0*)?")


def is_yolo(text: str) -> bool:
    """Whether a line is one of this family: a class and shares, at least one of them with decimals."""
    fields = text.split()
    if len(fields) < BOX_FIELDS or (len(fields) % 2 == 0 and len(fields) != ANGLE_FIELDS):
        return False
    shares = fields[1:BOX_FIELDS] if len(fields) == ANGLE_FIELDS else fields[1:]
    if not _CLASS.fullmatch(fields[0]) or not are_numbers(fields[1:]):
        return False
    values = [float(share) for share in shares]
    return all(LOWEST <= value <= HIGHEST for value in values) and not all(value.is_integer() for value in values)


def parse_line(text: str, line: int, names: Mapping[int, str], marks: Sequence[str] = ()) -> Region:
    """Parse one line: a region in shares of width and height, with its class, or the class's number without a name.

    A class whose name is a don't-care mark is one. Raises LabelError for another count of numbers, for a class that is
    not a number, and for coordinates that are not shares."""
    fields = text.split()
    if not (found := _CLASS.fullmatch(fields[0])):
        raise LabelError("GT020", f"the class is {quoted(fields[0])}, needs its number")
    if len(fields) < BOX_FIELDS:
        raise LabelError("GT018", f"{len(fields)} numbers: a box needs 5, class cx cy w h")
    if len(fields) == ANGLE_FIELDS:
        why = "an angle, whose direction and unit differ between tools, or a confidence"
        raise LabelError("GT019", f"6 numbers, class cx cy w h and {why}: write a box or four corners")
    if len(fields) % 2 == 0:
        raise LabelError("GT019", f"{len(fields) - 1} coordinates after the class, each corner needs x and y")
    shares = read_numbers(fields[1:])
    for number, share in enumerate(shares, start=1):
        if not LOWEST <= share <= HIGHEST:
            needed = "shares of width and height lie between 0 and 1"
            raise LabelError("GT021", f"coordinate {number} is {quoted(fields[number])}: {needed}")
    name = names.get(int(found[1]), str(int(found[1])))
    if len(fields) == BOX_FIELDS:
        x, y, width, height = shares
        left, top, right, bottom = x - width / 2, y - height / 2, x + width / 2, y + height / 2
        shares = [left, top, right, top, right, bottom, left, bottom]
    assert len(shares) >= 2 * MIN_VERTICES
    return Region(flat_polygon(shares), "", name in marks, line, category=name)
