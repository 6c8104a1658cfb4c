"""Write labels as ICDAR text that `folders.py` reads back unchanged.

Legend: K regions of one image, V vertices of one polygon.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ...errors import UserError
from ...geometry.polygon import is_polygon
from ...structures import Polygon
from ..record import LabelRecord
from ..text_file import TextLine
from .column_choice import choose_columns
from .columns import PLAIN
from .ctw1500 import TEXT_MARK
from .icdar_text import ICDAR_IGNORE_MARKS, POLYGON_NUMBERS, POLYGON_SHARE, leading_numbers

MARK = ICDAR_IGNORE_MARKS[0]
MANY_CORNERS = POLYGON_NUMBERS // 2  # this many show that a line is not a quad with a text

_BREAKS = re.compile(r"[\r\n\t\0]")  # of lines and fields; a file with NUL is not a text file


def write_icdar_files(files: Mapping[Path, LabelRecord]) -> None:
    """Write the label files of a whole data set, which readers need no settings for. Raises OSError."""
    records = list(files.values())
    quads = all(len(polygon) == 4 for record in records for polygon in record.polygons)
    dense = regions_to_densify(records)
    written = [_lines(record, more, quads) for record, more in zip(records, dense, strict=True)]
    if _is_ambiguous(written):
        written = [_lines(record, more, quads, quoted=True) for record, more in zip(records, dense, strict=True)]
    for path, lines in zip(files, written, strict=True):
        _write(path, lines)


def write_icdar_text(path: Path, record: LabelRecord, dense: Collection[int] = (), quads: bool = False) -> None:
    """Write one label file: `x1,y1,...,xV,yV,text`, don't-care regions with the text ###.

    dense: regions to write with at least MANY_CORNERS corners, see `regions_to_densify`. quads: every region of the
    whole data set has four corners. Coordinates are written with the digits that float32 needs. Texts: `held_text`.
    Skipped: regions that are not polygons or not finite. Raises OSError."""
    _write(path, _lines(record, dense, quads))


def held_text(text: str, ignore: bool) -> str:
    """What remains of a text: line ends and tabs become spaces; ### is left out unless the region is don't-care."""
    text = _BREAKS.sub(" ", text).strip().encode("utf-8", "replace").decode()
    return MARK if ignore else "" if text in ICDAR_IGNORE_MARKS else text


def line_of(polygon: Polygon, text: str, quads: bool = False, quoted: bool = False) -> str:
    """One region as a line, separated by commas, or by tabs if numbers in the text would be read as corners, or the
    whole line as one of CTW1500.

    quads: a reader uses eight numbers then; only a text of four or more numbers could look like a polygon. quoted: the
    text is in double quotes, with those in it doubled."""
    numbers = [np.format_float_positional(value, unique=True, trim="-") for value in polygon.astype(np.float32).ravel()]
    text = _BREAKS.sub(" ", text).strip()
    if quoted:
        text = '"' + text.replace("\\", "\\\\").replace('"', '""') + '"'
    fields = [*numbers, text] if text else numbers
    line = ",".join(fields)
    found, starts, _ = leading_numbers(line, len(line))
    extra = len(found) - len(numbers)
    plain = len(found) < POLYGON_NUMBERS if quads else extra == 0 or (extra == 1 and not line[starts[-1] :])
    return line if plain and not text.startswith(TEXT_MARK) else "\t".join(fields)


def _lines(record: LabelRecord, dense: Collection[int], quads: bool, quoted: bool = False) -> list[str]:
    return [
        line_of(densified(polygon) if region in dense else polygon, held_text(text, ignore), quads, quoted)
        for region, (polygon, ignore, text) in enumerate(
            zip(record.polygons, record.ignore.tolist(), record.texts, strict=True)
        )
        if is_polygon(polygon)
    ]


def _is_ambiguous(written: Iterable[Sequence[str]]) -> bool:
    """Whether a reader would find a column before the texts, or leave out quotes that all of them have."""
    files = {
        Path(str(number)): [TextLine(*line) for line in enumerate(lines, start=1)]
        for number, lines in enumerate(written)
    }
    try:
        return choose_columns(files).columns != PLAIN
    except UserError:
        return True


def _write(path: Path, lines: Sequence[str]) -> None:
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())


def regions_to_densify(records: Sequence[LabelRecord]) -> list[set[int]]:
    """For each record, the regions that need more corners so that a reader recognises polygons.

    A reader decides from all lines of a data set whether it has polygons, or quads with a text that may start with
    numbers. With few polygons it would read their fifth corner as text. Extra points on the sides of a quad do not
    change the region; a data set of quads only needs none."""
    regions = [
        (number, region, len(polygon))
        for number, record in enumerate(records)
        for region, polygon in enumerate(record.polygons)
        if is_polygon(polygon)
    ]
    chosen: list[set[int]] = [set() for _ in records]
    if all(corners == 4 for _, _, corners in regions):
        return chosen
    missing = int(POLYGON_SHARE * len(regions)) + 1 - sum(corners >= MANY_CORNERS for _, _, corners in regions)
    candidates = sorted((entry for entry in regions if entry[2] < MANY_CORNERS), key=lambda entry: entry[2] == 4)
    for number, region, _ in candidates[: max(missing, 0)]:
        chosen[number].add(region)
    return chosen


def densified(polygon: Polygon) -> Polygon:
    """The same polygon with at least MANY_CORNERS corners: its longest sides are halved."""
    points = polygon.astype(np.float32)
    while len(points) < MANY_CORNERS:
        after = np.roll(points, -1, axis=0)
        longest = int(np.linalg.norm(after - points, axis=1).argmax())
        points = np.insert(points, longest + 1, (points[longest] + after[longest]) / 2, axis=0)
    return points
