"""Chats: bubbles on the left and right, with times, portraits and an input line."""

from __future__ import annotations

from ..colour import Colour, draw_tint, tinted
from ..strings import draw_date, draw_time
from . import marks
from .blocks import wrap
from .draft import Draft
from .lettering import metrics
from .sheet import Box, fitting, length


def draw_chat(draft: Draft) -> None:
    """Messages below one another until the sheet is full."""
    sheet = draft.sheet
    colours = _bubble_colours(draft)
    pale = draft.real(0.0, 0.45)  # how much of the text's contrast is lost
    portraits, radius = draft.chance(0.6), draft.pick((0, 4, 10, 18))
    y, bottom = 0, sheet.height
    if draft.chance(0.5):
        y = _bar(draft, Box(0, 0, sheet.width, draft.em(3)), header=True)
    if draft.chance(0.4):
        bottom -= draft.em(2.6)
    y += draft.em(0.5)
    while y < bottom - draft.em(3):
        if draft.chance(0.12):
            y = _day(draft, y)
            continue
        mine = draft.chance(0.5)
        y = _message(draft, y, bottom, mine, colours[mine], pale, portraits, radius)
        y += draft.em(draft.real(0.3, 1.0))
    if bottom < sheet.height:
        _bar(draft, Box(0, bottom, sheet.width, sheet.height), header=False)


def _bubble_colours(draft: Draft) -> tuple[Colour, Colour]:
    """Grounds of the others' and of one's own messages."""
    if draft.paper[0] < 128:
        return tinted(draft.real(35, 75), draw_tint(draft.rng, 0.3)), tinted(
            draft.real(60, 110), draw_tint(draft.rng, 0.8)
        )
    return tinted(draft.real(215, 255), draw_tint(draft.rng, 0.2)), tinted(
        draft.real(120, 235), draw_tint(draft.rng, 0.9)
    )


def _ink_on(colour: Colour, pale: float) -> Colour:
    """Text on a ground: dark on light or light on dark, paler by a share of the contrast."""
    level = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
    end = 10 if level > 120 else 245
    red, green, blue = (round(end + pale * (part - end)) for part in colour)
    return red, green, blue


def _message(
    draft: Draft, y: int, bottom: int, mine: bool, ground: Colour, pale: float, portraits: bool, radius: int
) -> int:
    """One bubble. Returns the y below it."""
    sheet, font, small = draft.sheet, draft.font(), draft.font(0.75)
    pad, side = draft.em(0.6), draft.em(2.2)
    edge = draft.em(0.6) + (side + draft.em(0.5) if portraits else 0)
    lines = list(wrap(draft.words(draft.whole(1, 22)), round(draft.real(0.45, 0.7) * sheet.width), font))
    if not lines:
        return y  # every word is wider than a bubble
    named = not mine and draft.chance(0.3)
    step = max(metrics(font).height + 2, round(1.3 * font.size))
    time = [draw_time(draft.rng)]
    width = max(*(length(line, font) for line in lines), length(time, small)) + 2 * pad
    height = 2 * pad + len(lines) * step + round(1.3 * small.size)
    left = sheet.width - edge - width if mine else edge
    if portraits:
        x = sheet.width - draft.em(0.6) - side if mine else draft.em(0.6)
        marks.avatar(draft, Box(x, y, x + side, y + side))
    if named:
        sheet.write(draft.label(1, 2), left, y + metrics(small).ascent, small, _ink_on(draft.paper, 0.4))
        y += round(1.5 * small.size)
    sheet.rounded(Box(left, y, left + width, y + height), radius, ground)
    ink = _ink_on(ground, pale)
    for index, line in enumerate(lines):
        sheet.write(line, left + pad, y + pad + index * step + metrics(font).ascent, font, ink)
    baseline = y + height - pad // 2 - metrics(small).descent
    sheet.write_right(time, left + width - pad, baseline, small, _ink_on(ground, max(pale, 0.35)))
    return y + height


def _day(draft: Draft, y: int) -> int:
    """A date between two messages."""
    font = draft.font(0.85)
    words = [draw_date(draft.rng)] if draft.chance(0.5) else draft.label(1, 2)
    draft.sheet.write_centred(words, draft.sheet.width // 2, y + metrics(font).ascent, font, _ink_on(draft.paper, 0.4))
    return y + round(2 * font.size)


def _bar(draft: Draft, box: Box, header: bool) -> int:
    """The line above with a name, or below for the next message."""
    sheet, font = draft.sheet, draft.font(1.1 if header else 1.0, draft.faces.bold if header else None)
    ground = tinted(draft.real(60, 240), draw_tint(draft.rng, 0.6)) if header else draft.paper
    sheet.panel(box, ground)
    side = box.height * 2 // 3
    marks.avatar(
        draft, Box(draft.em(0.5), box.top + box.height // 6, draft.em(0.5) + side, box.top + box.height // 6 + side)
    )
    baseline = box.top + (box.height - metrics(font).height) // 2 + metrics(font).ascent
    words = fitting(draft.label(1, 3), sheet.width - draft.em(3) - side, font)
    sheet.write(words, draft.em(1) + side, baseline, font, _ink_on(ground, 0.1 if header else 0.5))
    right = Box(
        sheet.width - draft.em(1.8),
        box.top + box.height // 3,
        sheet.width - draft.em(0.6),
        box.top + 2 * box.height // 3,
    )
    marks.icon(draft, right, _ink_on(ground, 0.3))
    return box.bottom
