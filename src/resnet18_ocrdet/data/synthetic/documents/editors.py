"""Source code: in an editor or a terminal, and as a listing on a page."""

from __future__ import annotations

from ..colour import Colour, draw_tint, tinted
from . import labels
from .draft import Draft
from .lettering import metrics
from .sheet import Box, fitting
from .widgets import mix, tabs


def draw_editor(draft: Draft) -> None:
    """Source code with line numbers, each word in the colour of its kind; a terminal without the numbers."""
    sheet, font = draft.sheet, draft.font(1.0, draft.faces.mono)
    colours = code_colours(draft)
    y = tabs(draft, 0) if draft.chance(0.5) else draft.em(0.4)
    numbered, number = draft.chance(0.7), draft.whole(1, 400)
    gutter = draft.em(3.4) if numbered else draft.em(0.8)
    step = max(metrics(font).height + 1, round(draft.real(1.15, 1.6) * font.size))
    blank, depth = metrics(font).space, 0
    dim = mix(draft.ink, draft.paper, 0.5)
    while y < sheet.height:
        baseline = y + metrics(font).ascent
        if numbered:
            sheet.write_right([str(number)], gutter - draft.em(0.9), baseline, font, dim)
        depth = max(0, min(5, depth + draft.pick((-1, 0, 0, 0, 1))))
        if not draft.chance(0.1):
            x = gutter + 4 * depth * blank
            for word, colour in code_line(draft, colours):
                x = sheet.write([word], x, baseline, font, colour) + blank
        y += step
        number += 1


def code_line(draft: Draft, colours: list[Colour]) -> list[tuple[str, Colour]]:
    """Words of a line of code with their colours; punctuation is part of a word."""
    names = [word.strip(".,;:!?'\"()").lower() or "x" for word in draft.corpus.words(draft.rng, "latin", 6)]
    forms = (
        [(names[0], 1), ("=", 0), (f"{names[1]}({names[2]},", 2), (f"{names[3]})", 0)],
        [(draft.pick(labels.KEYWORDS), 3), (f"{names[0]}.{names[1]}:", 1)],
        [("#", 4), *((name, 4) for name in names[: draft.whole(2, 6)])],
        [
            ("return", 3),
            (f"{names[0]}[{draft.whole(0, 9)}]", 1),
            ("+", 0),
            (labels.number(draft, draft.whole(1, 4)), 5),
        ],
        [(f"self.{names[0]}_{names[1]}", 1), ("=", 0), (f'"{names[2]}"', 5)],
        [("def", 3), (f"{names[0]}_{names[1]}({names[2]}:", 2), ("int)", 3), ("->", 0), ("None:", 3)],
    )
    return [(word, colours[index]) for word, index in draft.pick(forms)]


def code_colours(draft: Draft) -> list[Colour]:
    """The ink, and five tinted ones of similar contrast."""
    level = draft.real(150, 220) if draft.paper[0] < 128 else draft.real(40, 110)
    return [draft.ink, *(tinted(level + draft.real(-25, 25), draw_tint(draft.rng, 0.9)) for _ in range(5))]


def draw_listing(draft: Draft, box: Box) -> int:
    """Lines of code on a shaded ground, as many as fit into a box. Returns the y below them."""
    font = draft.font(draft.real(0.85, 1.0), draft.faces.mono)
    step = max(metrics(font).height + 1, round(1.2 * font.size))
    pad = draft.em(0.6)
    count = min((box.height - 2 * pad) // step, draft.whole(2, 9))
    bottom = box.top + count * step + 2 * pad
    if draft.chance(0.6):
        draft.sheet.fill(box._replace(bottom=bottom), mix(draft.paper, draft.ink, 0.07))
    elif draft.chance(0.5):
        draft.sheet.outline(box._replace(bottom=bottom), draft.ink)
    depth = 0
    for index in range(count):
        depth = max(0, min(3, depth + draft.pick((-1, 0, 0, 1))))
        words = [word for word, _ in code_line(draft, [draft.ink] * 6)]
        x = box.left + pad + 2 * depth * metrics(font).space
        baseline = box.top + pad + index * step + metrics(font).ascent
        draft.sheet.write(fitting(words, box.right - x, font), x, baseline, font, draft.ink)
    return bottom
