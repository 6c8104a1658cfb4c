"""Layouts of single words: on curves, turned, very large."""

from __future__ import annotations

import math
from random import Random

from .html_pages import Sheet
from .part import Part, escape, sheet

SIDE = 640  # px


def large_word(rng: Random, part: Part) -> Sheet:
    """One word that fills a small picture."""
    word = part.corpus.word(rng, 3, 4)
    word = word.upper() if rng.random() < 0.5 else word.capitalize()
    hue, size = rng.randint(0, 359), rng.randint(190, 220) + 40 * (len(word) == 3)
    css = (
        f"body {{ font: bold {size}px/{SIDE}px {part.font(rng, 'sans', 'display', 'serif')}; text-align: center; "
        f"color: hsl({hue},60%,25%); background: hsl({(hue + 150) % 360},30%,85%); white-space: nowrap; }}"
    )
    return sheet(f"<span data-word>{escape(word)}</span>", css, SIDE, SIDE)


def curved(rng: Random, part: Part) -> Sheet:
    """Words on arcs and waves."""
    shapes, lines = [], []
    for row in range(3):
        size, bend, left, y = rng.randint(34, 54), rng.choice((-1, 1)) * rng.randint(70, 130), 60, 130 + 190 * row
        identity = f"path{row}"
        middle = f"Q {left + 260} {y - bend} {left + 520} {y}"
        if rng.random() < 0.3:
            middle = f"Q {left + 130} {y - bend * 0.7} {left + 260} {y} T {left + 520} {y}"
        shapes.append(f"<path id={identity} fill=none d='M {left} {y} {middle}'/>")
        words = [part.corpus.word(rng, 4, 8) for _ in range(2)]
        spans = " ".join(f"<tspan data-word>{escape(word)}</tspan>" for word in words)
        font = f"font: {rng.choice((400, 700))} {size}px {part.font(rng, 'sans', 'display', 'serif')}"
        paint = f"fill: hsl({rng.randint(0, 359)},60%,30%)"
        lines.append(
            f'<text style="{font}; {paint}"><textPath href="#{identity}" startOffset=20>{spans}</textPath></text>'
        )
    svg = f"<svg width={SIDE} height={SIDE}><defs>{''.join(shapes)}</defs>{''.join(lines)}</svg>"
    return sheet(svg, f"body {{ background: hsl({rng.randint(0, 359)},25%,{rng.randint(86, 97)}%); }}", SIDE, SIDE)


def sign(rng: Random, part: Part) -> Sheet:
    """Signs with words turned by any angle."""
    width, height, cell, boards = 960, 720, 240, []
    for number in range((width // cell) * (height // cell)):
        degrees = round(rng.uniform(-90, 90), 1)
        x, y = (number % (width // cell) + 0.5) * cell, (number // (width // cell) + 0.5) * cell
        words = [part.corpus.word(rng, 3, 7) for _ in range(rng.randint(1, 2))]
        size = min(rng.randint(24, 44), math.floor(300 / max(len(word) for word in words)))
        spans = "<br>".join(f"<span data-word>{escape(word)}</span>" for word in words)
        hue, dark = rng.randint(0, 359), rng.random() < 0.5
        colours = (f"hsl({hue},50%,{30 if dark else 80}%)", "#f5f5f5" if dark else "#1a1a1a")
        style = (
            f"left: {x}px; top: {y}px; transform: translate(-50%, -50%) rotate({degrees}deg); "
            f"background: {colours[0]}; "
            f"color: {colours[1]}; font: {rng.choice((400, 700))} {size}px/1.2 {part.font(rng, 'sans', 'display')}"
        )
        boards.append(f'<div class=board data-degrees={degrees} style="{style}">{spans}</div>')
    css = f"body {{ background: hsl({rng.randint(0, 359)},15%,70%); }} "
    css += ".board { position: absolute; padding: 8px 14px; text-align: center; white-space: nowrap; }"
    return sheet("".join(boards), css, width, height)
