"""Slides: a large title and some points on a coloured ground, beside a chart or a picture."""

from __future__ import annotations

import cv2
import numpy as np

from ..colour import draw_tint, tinted
from . import labels, marks
from .blocks import bullets, paragraph
from .draft import Draft
from .lettering import metrics
from .sheet import Box
from .tables import draw_table


def draw_slide(draft: Draft) -> None:
    """A title slide, or a title with content below it."""
    sheet = draft.sheet
    frame = draft.frame(draft.em(1.6))
    if draft.chance(0.4):
        _ground(draft)
    title = draft.font(draft.real(1.5, 2.6), draft.faces.bold if draft.chance(0.7) else None)
    if draft.chance(0.15):
        y = frame.top + round(draft.real(0.15, 0.4) * frame.height)
        y = paragraph(draft, draft.label(1, 6), frame.left, frame.right, y, title, 1.2, "centre")
        paragraph(draft, draft.label(2, 6), frame.left, frame.right, y + draft.em(1), draft.font(), 1.3, "centre")
        return
    top, end = max(frame.top, -title.size // 2), frame.bottom - draft.em(2)
    y = paragraph(draft, draft.label(1, 6), frame.left, frame.right, top, title, 1.15, ink=draft.accent(), bottom=end)
    if draft.chance(0.3):
        marks.rule(draft, frame.left, frame.right, y, thickness=max(1, draft.unit // 10))
    y += draft.em(0.8)
    left = right = frame._replace(top=y, bottom=end)
    if frame.width > draft.em(22) and draft.chance(0.6):
        middle = frame.left + round(draft.real(0.4, 0.6) * frame.width)
        left, right = left._replace(right=middle - draft.em(1)), right._replace(left=middle)
        draft.pick((_chart, _chart, marks.picture, _points))(draft, right)
    draft.pick((_points, _points, _points, _chart, _table))(draft, left)
    if frame.bottom < sheet.height and draft.chance(0.6):
        _footer(draft, frame)


def _ground(draft: Draft) -> None:
    """A gradient from the colour of the paper to a darker or lighter one."""
    shift = draft.real(-25, 25)
    darker = [min(max(round(part + shift), 0), 255) for part in draft.paper]
    ends = np.array([[draft.paper], [darker]], np.uint8)
    draft.sheet.image[:] = cv2.resize(ends, (draft.sheet.width, draft.sheet.height), interpolation=cv2.INTER_LINEAR)


def _points(draft: Draft, box: Box) -> None:
    """Points in one or two sizes."""
    y = box.top
    while y < box.bottom - draft.em(3):
        y = bullets(draft, box.left, box.right, y, draft.font(), draft.whole(2, 5), box.bottom, 1.25) + draft.em(0.4)
        if draft.chance(0.5):
            small = draft.font(0.8)
            left = box.left + draft.em(1.5)
            y = bullets(draft, left, box.right, y, small, draft.whole(1, 4), box.bottom, 1.25) + draft.em(0.4)
        if draft.chance(0.4):
            return


def _chart(draft: Draft, box: Box) -> None:
    """Bars with values above and names below, and a scale."""
    small = draft.font(0.7)
    height, ascent = metrics(small).height, metrics(small).ascent
    left = box.left + round(3 * small.size)
    bottom = min(box.bottom, box.top + draft.em(14)) - 2 * height
    room = bottom - box.top - 2 * height
    if room < draft.em(3) or box.right - left < draft.em(6):
        return
    count = min(draft.whole(3, 8), (box.right - left) // (3 * small.size))
    pitch = (box.right - left) // max(count, 1)
    draft.sheet.fill(Box(left, box.top, left + 1, bottom), draft.ink)
    marks.rule(draft, left, box.right, bottom)
    for share in (0.0, 0.5, 1.0):
        y = bottom - round(share * room)
        draft.sheet.write_right([str(round(share * 100))], left - small.size // 2, y + ascent // 2, small, draft.ink)
    year = draft.whole(1990, 2020)
    for index in range(count):
        x = left + index * pitch + pitch // 5
        top = bottom - round(draft.real(0.1, 1.0) * room)
        draft.sheet.fill(Box(x, top, x + pitch * 3 // 5, bottom), tinted(draft.real(70, 190), draw_tint(draft.rng)))
        middle = x + pitch * 3 // 10
        draft.sheet.write_centred([str(year + index)], middle, bottom + small.size // 3 + ascent, small, draft.ink)
        if draft.chance(0.7):
            draft.sheet.write_centred(
                [labels.number(draft, draft.whole(1, 2))], middle, top - small.size // 3, small, draft.ink
            )


def _table(draft: Draft, box: Box) -> None:
    draw_table(draft, box, 12)


def _footer(draft: Draft, frame: Box) -> None:
    """A name and the number of the slide."""
    font = draft.font(0.65)
    end = draft.sheet.write(draft.label(1, 4), frame.left, frame.bottom, font, draft.ink)
    if end < frame.right - 2 * font.size:
        draft.sheet.write_right([labels.number(draft, draft.whole(1, 2))], frame.right, frame.bottom, font, draft.ink)
