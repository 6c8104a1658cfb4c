"""Read the ICDAR lines of all label files of a data set, whose layout is decided together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from ..findings import Report
from ..record import LabelRecord, Region
from ..text_file import TextLine, label_lines, quoted
from . import icdar2013
from .column_choice import Layout, choose_columns
from .columns import BOX
from .continued_lines import joined_lines
from .ended_texts import warn_of_marks
from .icdar_text import parse_lines, without_headings
from .location import LabelError, Location
from .pairing import parse_entries


def read_files(
    pairs: Mapping[str, Sequence[Location]], report: Report, marks: Sequence[str]
) -> dict[str, list[LabelRecord]]:
    """Read the label files of each split. What was decided about the layout is added to `report.notes`.

    Raises UserError for lines of another tool, see `choose_columns`."""
    files = {label.path: _lines(label) for found in pairs.values() for label in found}
    layout = choose_columns(files, report.columns)
    report.notes += [layout.note] if layout.note else []
    splits = {
        split: [_parse(label, files[label.path], layout, marks) for label in found] for split, found in pairs.items()
    }
    warn_of_marks((record for records in splits.values() for record in records), marks, report)
    return splits


def _lines(label: Location) -> list[TextLine] | None:
    lines = label_lines(label.path, label.report, label.image)
    return None if lines is None else without_headings(label, joined_lines(lines))


def _parse(label: Location, lines: Sequence[TextLine] | None, layout: Layout, marks: Sequence[str]) -> LabelRecord:
    """The regions of one image. lines: None for a file that could not be read: one region is lost."""
    if lines is None or BOX not in layout.columns.names:
        return parse_lines(label, lines, marks, layout.quads, layout.columns)
    return parse_entries(label, ((line.number, line.text) for line in lines), partial(_box, marks=marks))


def _box(text: str, line: int, marks: Sequence[str]) -> Region:
    """A box in the lines of ICDAR 2013. Raises LabelError if it is not left, top, right, bottom."""
    region = icdar2013.parse_line(text, line, marks)
    if not (region.polygon[0] < region.polygon[2]).all():
        needed = "left top right bottom needs left < right and top < bottom; left top width height is not read"
        raise LabelError("GT022", f"{quoted(text)}: {needed}")
    return region
