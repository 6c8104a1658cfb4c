"""Parts of windows: bars above the content, and buttons. Each returns the coordinate beyond it."""

from __future__ import annotations

from ..colour import Colour, draw_tint, tinted
from . import labels, marks
from .draft import Draft
from .lettering import Font, metrics
from .sheet import Box, fitting, length


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """A colour between two others. share: of the second, 0..1."""
    red, green, blue = (round(a + share * (b - a)) for a, b in zip(first, second, strict=True))
    return red, green, blue


def shade(draft: Draft, share: float) -> Colour:
    """A colour between the ground and the text."""
    return mix(draft.paper, draft.ink, share)


def middle(y: int, height: int, font: Font) -> int:
    """Baseline of a line in the middle of a bar."""
    return y + (height - metrics(font).height) // 2 + metrics(font).ascent


def title_bar(draft: Draft, y: int) -> int:
    """The name of a window, with an icon before it and three buttons."""
    font, height = draft.font(), draft.em(2.2)
    dark = draft.chance(0.4)
    colour = tinted(draft.real(30, 90), draw_tint(draft.rng, 0.6)) if dark else shade(draft, 0.12)
    ink = (240, 240, 240) if dark else draft.ink
    draft.sheet.fill(Box(0, y, draft.sheet.width, y + height), colour)
    words, x = draft.label(1, 5), draft.em(0.8)
    if draft.chance(0.5):
        marks.icon(draft, Box(x, y + height // 4, x + height // 2, y + height * 3 // 4), ink)
        x += draft.em(1.8)
    words = fitting(words, draft.sheet.width - draft.em(7) - x, font)
    draft.sheet.write(words, x, middle(y, height, font), font, ink)
    for index in range(3):
        right = draft.sheet.width - draft.em(0.8 + 2 * index)
        marks.icon(draft, Box(right - height // 3, y + height // 3, right, y + height * 2 // 3), ink)
    return y + height


def menu_bar(draft: Draft, y: int) -> int:
    """Entries that stand close together."""
    font, height = draft.font(), draft.em(draft.real(1.6, 2.4))
    names = draft.pick(labels.MENUS).split()
    if draft.script != "latin":
        names = [draft.run(2) for _ in range(8)]
    gap = draft.em(draft.real(0.55, 1.6))
    draft.sheet.write(names, draft.em(0.7), middle(y, height, font), font, draft.ink, gap)
    return y + height


def tool_bar(draft: Draft, y: int) -> int:
    """Icons, sometimes with a name below each."""
    side, named, font = draft.em(draft.real(1.2, 2.2)), draft.chance(0.35), draft.font(0.8)
    height = side + draft.em(0.8) + (round(1.4 * font.size) if named else 0)
    draft.sheet.fill(Box(0, y, draft.sheet.width, y + height), shade(draft, draft.real(0.0, 0.1)))
    x = draft.em(0.6)
    while x + side < draft.sheet.width:
        name = draft.label(1, 1)
        wide = max(side, length(name, font)) if named else side
        middle = x + wide // 2
        marks.icon(
            draft, Box(middle - side // 2, y + draft.em(0.4), middle + side // 2, y + draft.em(0.4) + side), draft.ink
        )
        if named:
            draft.sheet.write_centred(name, middle, y + side + draft.em(0.6) + metrics(font).ascent, font, draft.ink)
        x += wide + draft.em(draft.real(0.5, 0.9))
    marks.rule(draft, 0, draft.sheet.width, y + height - 1, shade(draft, 0.25))
    return y + height


def tabs(draft: Draft, y: int) -> int:
    """Tabs as wide as their names; some are lighter."""
    font, height = draft.font(), draft.em(2)
    draft.sheet.fill(Box(0, y, draft.sheet.width, y + height), shade(draft, 0.1))
    x = 0
    while x < draft.sheet.width:
        words = draft.label(1, 2)
        width = length(words, font) + draft.em(draft.real(1.2, 2.6))
        if draft.chance(0.3):
            draft.sheet.fill(Box(x, y, x + width, y + height), draft.paper)
        draft.sheet.write(words, x + draft.em(0.6), middle(y, height, font), font, draft.ink)
        x += width
        draft.sheet.fill(Box(x - 1, y, x, y + height), shade(draft, 0.3))
    return y + height


def button(draft: Draft, x: int, y: int, words: list[str], right: bool = False) -> int:
    """A button whose left (or right) side is at x. Returns its other side."""
    font = draft.font()
    width, height = length(words, font) + draft.em(draft.real(1.0, 2.4)), draft.em(1.9)
    left = x - width if right else x
    filled = draft.chance(0.5)
    colour = tinted(draft.real(50, 120), draw_tint(draft.rng, 0.9)) if filled else shade(draft, 0.12)
    draft.sheet.rounded(Box(left, y, left + width, y + height), draft.pick((0, 3, height // 2)), colour)
    ink = (255, 255, 255) if filled else draft.ink
    draft.sheet.write_centred(words, left + width // 2, middle(y, height, font), font, ink)
    return left if right else left + width


def button_words(draft: Draft) -> list[str]:
    """What a button says."""
    return draft.pick(labels.BUTTONS).split() if draft.script == "latin" else draft.label(1, 1)
