"""Tables, with and without rules."""

from __future__ import annotations

from typing import NamedTuple

from ..colour import Colour, draw_tint, tinted
from . import labels
from .blocks import paragraph
from .draft import Draft
from .lettering import Font, metrics
from .sheet import Box, fitting

KINDS = (
    "digit",
    "integer",
    "integer",
    "amount",
    "amount",
    "percent",
    "price",
    "number",
    "date",
    "code",
    "mark",
    "words",
    "words",
)
NUMERIC = ("integer", "amount", "percent", "price", "number")


class Column(NamedTuple):
    """A column of a table."""

    kind: str  # what `labels.cell` draws
    left: int
    right: int
    align: str  # "left", "right" or "centre"


class Look(NamedTuple):
    """How a table is drawn."""

    rules: str  # "none", "rows", "all", "head"
    pad: int  # px beside a cell's text
    step: int  # px from row to row
    head: Colour | None  # behind the names of the columns
    zebra: Colour | None  # behind every second row


def draw_tables(draft: Draft) -> None:
    """Tables below one another, each with a title and a note."""
    frame = draft.frame(draft.em(2))
    y = frame.top
    while y < frame.bottom - draft.em(6):
        if draft.chance(0.5):
            title = draft.font(draft.real(1.0, 1.5), draft.faces.bold)
            y = paragraph(draft, draft.label(2, 6), frame.left, frame.right, y, title) + draft.em(0.5)
        y = draw_table(draft, frame._replace(top=y), draft.whole(4, 24))
        if draft.chance(0.4):
            note = draft.font(0.85, draft.faces.italic)
            y = paragraph(draft, draft.words(draft.whole(4, 20)), frame.left, frame.right, y + draft.em(0.4), note)
        y += draft.em(draft.real(1.0, 3.0))


def draw_table(draft: Draft, frame: Box, rows: int) -> int:
    """One table of up to `rows` rows. Returns the y below it."""
    body, head = draft.font(), draft.font(1.0, draft.faces.bold if draft.chance(0.7) else None)
    look = _draw_look(draft, body)
    columns = _draw_columns(draft, frame, look.pad)
    right = columns[-1].right
    y = frame.top
    if look.head is not None:
        draft.sheet.fill(Box(frame.left, y, right, y + look.step), look.head)
    lines = [y]
    for column in columns:
        name = [draft.pick(labels.COLUMN_NAMES)] if draft.script == "latin" else draft.label(1, 2)
        _write(draft, column, name, y, look, head)
    y += look.step
    for row in range(rows):
        if y + look.step > frame.bottom:
            break
        lines.append(y)
        if look.zebra is not None and row % 2:
            draft.sheet.fill(Box(frame.left, y, right, y + look.step), look.zebra)
        for column in columns:
            if not draft.chance(0.06):  # an empty cell
                _write(draft, column, labels.cell(draft, column.kind), y, look, body)
        y += look.step
    _draw_rules(draft, look, columns, [*lines, y])
    return y


def _draw_look(draft: Draft, font: Font) -> Look:
    rules = draft.pick(("none", "rows", "all", "all", "head"))
    height = metrics(font).height
    light = draft.paper[0] > 128
    shade = draft.real(190, 235) if light else draft.real(40, 80)
    return Look(
        rules,
        pad=draft.em(draft.real(0.3, 0.9)),
        step=height + max(3, draft.em(draft.real(0.2, 1.1))),
        head=tinted(shade - 10, draw_tint(draft.rng, 0.5)) if draft.chance(0.4) else None,
        zebra=tinted(shade, draw_tint(draft.rng, 0.3)) if draft.chance(0.25) else None,
    )


def _draw_columns(draft: Draft, frame: Box, pad: int) -> list[Column]:
    """Columns until the frame is full; in some tables all cells are digits."""
    columns: list[Column] = []
    digits = draft.chance(0.15)
    x = frame.left
    while x < frame.right or not columns:
        kind = "digit" if digits else draft.pick(KINDS)
        wide = {
            "digit": 2.0,
            "mark": 2.0,
            "integer": 3.0,
            "amount": 4.8,
            "price": 5.5,
            "number": 4.5,
            "percent": 3.8,
            "date": 6.5,
            "code": 6.0,
        }.get(kind, 8.0)
        width = draft.em(wide * draft.real(0.9, 1.4)) + 2 * pad
        if x + width > frame.right and columns:
            break
        align = "right" if kind in NUMERIC and draft.chance(0.75) else draft.pick(("left", "centre"))
        columns.append(Column(kind, x, x + width, align))
        x += width
    return columns


def _write(draft: Draft, column: Column, words: list[str], y: int, look: Look, font: Font) -> None:
    """Write a cell; words that do not fit are left out."""
    words = fitting(words, column.right - column.left - 2 * look.pad, font)
    measures = metrics(font)
    baseline = y + (look.step - measures.height) // 2 + measures.ascent
    if column.align == "right":
        draft.sheet.write_right(words, column.right - look.pad, baseline, font, draft.ink)
    elif column.align == "centre":
        draft.sheet.write_centred(words, (column.left + column.right) // 2, baseline, font, draft.ink)
    else:
        draft.sheet.write(words, column.left + look.pad, baseline, font, draft.ink)


def _draw_rules(draft: Draft, look: Look, columns: list[Column], lines: list[int]) -> None:
    left, right = columns[0].left, columns[-1].right
    thick = 2 if draft.chance(0.2) else 1
    shown = {"none": [], "head": [lines[0], lines[1], lines[-1]]}.get(look.rules, lines)
    for y in shown:
        draft.sheet.fill(Box(left, y, right + 1, y + thick), draft.ink)
    if look.rules == "all":
        for x in (left, *(column.right for column in columns)):
            draft.sheet.fill(Box(x, lines[0], x + thick, lines[-1] + 1), draft.ink)
