"""Forms: labels with lines, boxes and combs, some filled in, and check boxes."""

from __future__ import annotations

import cv2

from ..colour import Colour, draw_tint, tinted
from . import labels, marks
from .blocks import paragraph
from .draft import Draft
from .lettering import Font, advance, metrics
from .sheet import Box, fitting, length

LINES, BOXES, GRID = range(3)  # styles of fields


def draw_form(draft: Draft) -> None:
    """A form of sections, each with one to three fields a row."""
    frame = draft.frame(draft.em(2.5))
    y = frame.top
    if frame.top > 0 and draft.chance(0.7):
        y = _head(draft, frame, y)
    style = draft.pick((LINES, BOXES, GRID))
    entry = _draw_entry_font(draft)
    pen = draft.ink if draft.chance(0.5) else tinted(draft.real(40, 90), (-0.5, -0.3, 1.0))  # black or blue
    while y < frame.bottom - draft.em(4):
        part = draft.rng.random()
        if part < 0.14:
            y = _band(draft, frame, y)
        elif part < 0.30:
            y = _choices(draft, frame, y)
        elif part < 0.38:
            small = draft.font(0.8)
            y = paragraph(draft, draft.words(draft.whole(8, 40)), frame.left, frame.right, y, small, 1.3)
        else:
            y = _fields(draft, frame, y, style, entry, pen)
            if style == GRID:
                continue  # the next cells share a line with these
        y += draft.em(draft.real(0.2, 0.7))
    if draft.chance(0.3):
        marks.stamp(draft, draft.whole(0, draft.sheet.width), draft.whole(0, draft.sheet.height), draft.em(4))


def _draw_entry_font(draft: Draft) -> Font:
    """Entries are monospaced, decorative, or in the font of the labels."""
    face = draft.pick((draft.faces.mono, draft.faces.mono, draft.faces.display, draft.faces.body))
    return draft.font(draft.real(1.0, 1.35), face)


def _head(draft: Draft, frame: Box, y: int) -> int:
    """A title, sometimes with a logo and a barcode beside it."""
    title = draft.font(draft.real(1.4, 2.2), draft.faces.bold)
    left, right = frame.left, frame.right
    if draft.chance(0.4):
        side = draft.em(3.5)
        marks.icon(draft, Box(left, y, left + side, y + side), draft.ink)
        left += side + draft.em(1)
    if draft.chance(0.4) and right - left > draft.em(20):
        marks.barcode(draft, Box(right - draft.em(8), y, right, y + draft.em(2.5)), draft.ink)
        right -= draft.em(9)
    return max(paragraph(draft, draft.label(2, 6), left, right, y, title, 1.2), y + draft.em(4)) + draft.em(0.6)


def _band(draft: Draft, frame: Box, y: int) -> int:
    """The heading of a section on a dark or light band."""
    font = draft.font(1.0, draft.faces.bold)
    height = round(1.7 * font.size)
    dark = draft.chance(0.5)
    level = draft.real(20, 100) if dark else draft.real(190, 230)
    draft.sheet.fill(Box(frame.left, y, frame.right, y + height), tinted(level, draw_tint(draft.rng, 0.6)))
    baseline = y + (height - metrics(font).height) // 2 + metrics(font).ascent
    words = [draft.pick(("1.", "2.", "3.", "A.", "B.", "Part")), *draft.label(1, 4)]
    draft.sheet.write(words, frame.left + draft.em(0.5), baseline, font, (255, 255, 255) if dark else draft.ink)
    return y + height


def _choices(draft: Draft, frame: Box, y: int) -> int:
    """A row of check boxes, each with its text."""
    font = draft.font()
    measures = metrics(font)
    side = round(draft.real(0.7, 1.0) * measures.ascent)
    baseline = y + measures.ascent
    x = frame.left
    while True:
        words = draft.label(1, 3)
        width = side + draft.em(0.5) + length(words, font)
        if x + width > frame.right:
            break
        box = Box(x, baseline - side, x + side, baseline)
        draft.sheet.outline(box, draft.ink)
        if draft.chance(0.4):
            _tick(draft, box)
        x = draft.sheet.write(words, x + side + draft.em(0.5), baseline, font, draft.ink) + draft.em(draft.real(1.2, 3))
    return y + round(1.5 * font.size)


def _tick(draft: Draft, box: Box) -> None:
    inner = box.inset(2)
    if draft.chance(0.5):
        cv2.line(
            draft.sheet.image, (inner.left, inner.top), (inner.right - 1, inner.bottom - 1), draft.ink, 1, cv2.LINE_AA
        )
        cv2.line(
            draft.sheet.image, (inner.left, inner.bottom - 1), (inner.right - 1, inner.top), draft.ink, 1, cv2.LINE_AA
        )
    elif draft.chance(0.5):
        draft.sheet.fill(inner, draft.ink)
    else:
        middle = (inner.left + inner.width // 3, inner.bottom - 1)
        cv2.line(draft.sheet.image, (inner.left, box.top + box.height // 2), middle, draft.ink, 1, cv2.LINE_AA)
        cv2.line(draft.sheet.image, middle, (inner.right, inner.top), draft.ink, 1, cv2.LINE_AA)


def _fields(draft: Draft, frame: Box, y: int, style: int, entry: Font, pen: Colour) -> int:
    """A row of fields."""
    count = min(draft.whole(1, 3), max(1, frame.width // draft.em(11)))
    gap = 0 if style == GRID else draft.em(1)
    width = (frame.width - (count - 1) * gap) // count
    bottom = y
    for index in range(count):
        left = frame.left + index * (width + gap)
        box = Box(left, y, left + width, y)
        bottom = max(
            bottom, _grid_field(draft, box, entry, pen) if style == GRID else _field(draft, box, style, entry, pen)
        )
    return bottom


def _label(draft: Draft) -> list[str]:
    return draft.pick(labels.FORM_LABELS).split() if draft.script == "latin" else draft.label(1, 2)


def _field(draft: Draft, box: Box, style: int, entry: Font, pen: Colour) -> int:
    """A label, then a line, a box or a comb to its right."""
    font = draft.font()
    height = max(metrics(entry).height, metrics(font).height) + draft.em(0.6)
    baseline = box.top + height - draft.em(0.35) - metrics(entry).descent
    words = _label(draft)
    if draft.chance(0.6):
        words[-1] += ":"
    left = draft.sheet.write(words, box.left, baseline, font, draft.ink) + draft.em(0.5)
    space = Box(left, box.top + 1, box.right, box.top + height - 1)
    if space.width < draft.em(2):
        return box.top + height
    if style == LINES:
        y = baseline + metrics(entry).descent + 1
        if draft.chance(0.3):
            marks.dashes(draft, left, box.right, y, 3)
        else:
            marks.rule(draft, left, box.right, y)
    elif draft.chance(0.3):
        _comb(draft, space, entry, baseline, pen)
        return box.top + height
    else:
        draft.sheet.outline(space, draft.ink)
    _enter(draft, space, baseline, entry, pen)
    return box.top + height


def _grid_field(draft: Draft, box: Box, entry: Font, pen: Colour) -> int:
    """A cell with a small label in its corner and the entry below it."""
    small = draft.font(0.75)
    height = metrics(small).height + metrics(entry).height + draft.em(0.9)
    cell = Box(box.left, box.top, box.right + 1, box.top + height + 1)
    draft.sheet.outline(cell, draft.ink)
    words = _label(draft)
    if length(words, small) < cell.width - draft.em(1):
        draft.sheet.write(
            words, cell.left + draft.em(0.4), cell.top + draft.em(0.2) + metrics(small).ascent, small, draft.ink
        )
    _enter(draft, cell, cell.bottom - draft.em(0.3) - metrics(entry).descent, entry, pen)
    return box.top + height


def _enter(draft: Draft, space: Box, baseline: int, font: Font, ink: Colour) -> None:
    """Write an entry, if it fits."""
    if draft.chance(0.2):
        return
    kind = draft.pick(("words", "words", "words", "date", "code", "integer", "amount", "digit"))
    words = fitting(labels.cell(draft, kind), space.width - draft.em(0.8), font)
    draft.sheet.write(words, space.left + draft.em(0.4), baseline, font, ink)


def _comb(draft: Draft, space: Box, font: Font, baseline: int, ink: Colour) -> None:
    """Boxes for one character each; every character is a word of its own."""
    pitch = round(1.35 * max(font.size * 0.6, advance("W", font)))
    draft.sheet.outline(space, draft.ink)
    text = labels.number(draft, draft.whole(2, 10))
    for index, x in enumerate(range(space.left, space.right - pitch, pitch)):
        draft.sheet.fill(Box(x, space.top, x + 1, space.bottom), draft.ink)
        if index < len(text):
            draft.sheet.write_centred([text[index]], x + pitch // 2, baseline, font, ink)
