"""Set texts on a flat canvas: lines, menus, grids, stacked letters and columns.

Every region is the box of its ink. Gaps are measured between inks, so that the labels of neighbours do not touch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..fonts import Face, Ink, Script, capital_height, draw_text
from ..scene import Word
from .kinds import Setting

SIZES = tuple(round(10 * 1.25**step) for step in range(16))  # px per em, to 284; few, so that drawn glyphs are reused
OVERSAMPLING = 1.1  # smallest ratio of canvas px to image px, if a size is left
LEAST_GAP_PX = 2.0  # between two words or lines, image px


class Style(NamedTuple):
    """Style of a block; lengths without a unit are relative to the height of capitals."""

    face: Face
    script: Script
    cap_height: float  # image px
    tracking: float  # extra space between letters
    word_gap: float  # between the inks of two words
    line_gap: float  # between the inks of two lines
    padding: float  # around the block
    align: float  # 0 left, 0.5 centred, 1 right


class Canvas(NamedTuple):
    """Words on a canvas."""

    lines: list[list[Word]]
    size: tuple[int, int]  # canvas (width, height), padding included
    scale: float  # image px per canvas px


def set_texts(texts: list[list[str]], setting: Setting, style: Style, reach: tuple[float, float]) -> Canvas | None:
    """Set lines of texts. reach: largest (width, height) of the block, image px.

    Words, then lines, that do not fit are left out; None if nothing fits."""
    em = style.cap_height / capital_height(style.face, style.script)
    size = next((size for size in SIZES if size >= OVERSAMPLING * em), SIZES[-1])
    scale = em / size
    unit = style.cap_height / scale  # canvas px
    room = (reach[0] / scale - 2 * style.padding * unit, reach[1] / scale - 2 * style.padding * unit)
    if setting in ("stacked", "columns"):
        columns = [[_stack(text, style, size, unit)] for line in texts for text in line]
        lines = _side_by_side(columns, style, unit, room, setting == "columns")
    else:
        rows = ((_draw(text, style, size, unit) for text in line) for line in texts)  # drawn as far as they fit
        if setting == "grid":
            lines = _cells([list(row) for row in rows], style, unit, room)
        else:
            gap = max(style.word_gap + style.tracking, LEAST_GAP_PX / style.cap_height) * unit
            last = [len(line) - 1 if setting == "menu" else -1 for line in texts]  # set apart: the price
            pairs = zip(rows, last, strict=True)
            lines = _pile((_row(row, gap, apart, 3.0 * unit, room[0]) for row, apart in pairs), style, unit, room[1])
    lines = [line for line in lines if line]
    return _crop(lines, style.padding * unit, scale) if lines else None


def _draw(text: str, style: Style, size: int, unit: float) -> Word:
    """A text at x = 0 with its baseline at y = 0, letter by letter if it is tracked."""
    if style.tracking == 0 or len(text) == 1:
        ink = draw_text(style.face, text, size)
        return Word(text, ink.mask, 0, ink.top)
    inks = [draw_text(style.face, letter, size) for letter in text]
    step = round(style.tracking * unit)
    pens = np.cumsum([0] + [ink.advance + step for ink in inks])
    return _merge(
        text, inks, [int(pen) + ink.left for pen, ink in zip(pens, inks, strict=False)], [i.top for i in inks]
    )


def _stack(text: str, style: Style, size: int, unit: float) -> Word:
    """Letters below each other, centred at x = 0, from y = 0."""
    inks = [draw_text(style.face, letter, size) for letter in text]
    tops, y = [], 0
    for ink in inks:
        tops.append(y)
        y += len(ink.mask) + round(max(style.tracking + 0.15, 0.1) * unit)
    return _merge(text, inks, [-(ink.mask.shape[1] // 2) for ink in inks], tops)


def _merge(text: str, inks: list[Ink], lefts: list[int], tops: list[int]) -> Word:
    """One mask from letters at their positions; letters without ink are left out."""
    parts = [(ink.mask, x, y) for ink, x, y in zip(inks, lefts, tops, strict=True) if ink.mask.size]
    if not parts:
        return Word(text, np.zeros((0, 0), np.uint8), 0, 0)
    left, top = min(x for _, x, _ in parts), min(y for _, _, y in parts)
    right = max(x + mask.shape[1] for mask, x, _ in parts)
    bottom = max(y + len(mask) for mask, _, y in parts)
    canvas = np.zeros((bottom - top, right - left), np.uint8)
    for mask, x, y in parts:
        patch = canvas[y - top : y - top + len(mask), x - left : x - left + mask.shape[1]]
        np.maximum(patch, mask, out=patch)
    return Word(text, canvas, left, top)


def _row(words: Iterable[Word], gap: float, apart: int, distance: float, room: float) -> list[Word]:
    """Words side by side from x = 0, as many as fit. Word number `apart` stands at an additional distance."""
    placed, x = list[Word](), 0
    for number, word in enumerate(words):
        if word.mask.size == 0:
            continue
        if placed and number == apart:
            x += round(distance)
        if x + word.mask.shape[1] > room:
            break
        placed.append(replace(word, x=x))
        x += word.mask.shape[1] + math.ceil(gap)
    return placed


def _pile(lines: Iterable[list[Word]], style: Style, unit: float, room: float) -> list[list[Word]]:
    """Lines below each other, as many as fit."""
    gap = math.ceil(max(style.line_gap, LEAST_GAP_PX / style.cap_height) * unit)
    placed, y = list[list[Word]](), 0
    for line in filter(None, lines):
        top, bottom = min(word.y for word in line), max(word.y + len(word.mask) for word in line)
        if placed and y + bottom - top > room:
            break
        placed.append([replace(word, y=word.y - top + y) for word in line])
        y += bottom - top + gap
        if y > room:
            break
    widths = [line[-1].x + line[-1].mask.shape[1] for line in placed]
    indents = [round(style.align * (max(widths) - width)) for width in widths]
    return [[replace(word, x=word.x + indent) for word in line] for line, indent in zip(placed, indents, strict=True)]


def _cells(rows: list[list[Word]], style: Style, unit: float, room: tuple[float, float]) -> list[list[Word]]:
    """Texts centred in equal cells, as many as fit."""
    words = [word for row in rows for word in row if word.mask.size]
    if not words:
        return []
    wide = max(word.mask.shape[1] for word in words) + math.ceil((style.word_gap + 0.6) * unit)
    tall = max(len(word.mask) for word in words) + math.ceil((style.line_gap + 0.3) * unit)
    across, down = max(1, int(room[0] // wide)), max(1, int(room[1] // tall))

    def centred(word: Word, row: int, column: int) -> Word:
        tall_ink, wide_ink = word.mask.shape
        return replace(word, x=column * wide + (wide - wide_ink) // 2, y=row * tall + (tall - tall_ink) // 2)

    shown = [[word for word in line if word.mask.size][:across] for line in rows[:down]]
    return [[centred(word, row, column) for column, word in enumerate(line)] for row, line in enumerate(shown)]


def _side_by_side(
    columns: list[list[Word]], style: Style, unit: float, room: tuple[float, float], backwards: bool
) -> list[list[Word]]:
    """Columns from the right to the left (backwards) or from the left to the right, those that fit."""
    fitting = [line for line in columns if line[0].mask.size and len(line[0].mask) <= room[1]]
    gap = math.ceil((style.word_gap + 0.2) * unit)
    placed, x = list[list[Word]](), 0
    for (word,) in fitting:
        width = word.mask.shape[1]
        if placed and abs(x) + width > room[0]:
            break
        placed.append([replace(word, x=x - width if backwards else x)])
        x += -(width + gap) if backwards else width + gap
    return placed


def _crop(lines: list[list[Word]], padding: float, scale: float) -> Canvas:
    """Move the words to the padding and measure the canvas."""
    words = [word for line in lines for word in line]
    margin = round(padding)
    left, top = min(word.x for word in words) - margin, min(word.y for word in words) - margin
    right = max(word.x + word.mask.shape[1] for word in words) + margin
    bottom = max(word.y + len(word.mask) for word in words) + margin
    moved = [[replace(word, x=word.x - left, y=word.y - top) for word in line] for line in lines]
    return Canvas(moved, (right - left, bottom - top), scale)


def canvas_of(words: list[Word], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Coverage of the words on a canvas of (width, height)."""
    canvas = np.zeros(size[::-1], np.uint8)
    for word in words:
        patch = canvas[word.y : word.y + len(word.mask), word.x : word.x + word.mask.shape[1]]
        np.maximum(patch, word.mask, out=patch)
    return canvas
