"""Typeset words in lines and lines in a block, on a flat canvas (see scene.py).

Gaps are measured between the inks, so that the labels of neighbours do not touch.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from .glyphs import CAP_PER_EM, HAS_WEIGHTS, INK_LEVEL, glyph
from .scene import Word

CANVAS_SIZES = (20, 29, 42, 61, 88, 128, 186)  # px per em; few sizes, so that glyphs are reused
OVERSAMPLING = 1.35  # smallest ratio of canvas px to image px: the warp then shrinks, and edges stay clean


class Style(NamedTuple):
    """Style of a block; lengths without a unit are relative to the height of capitals."""

    face: str  # built-in name or path of a font file
    cap_height: float  # image px
    weight: int  # 100..900
    tracking: float  # extra space between letters
    word_gap: float  # space between the inks of two words
    line_gap: float  # space between the inks of two lines
    padding: float  # space around the block
    centred: bool


def set_block(
    texts: list[list[str]], style: Style, chinese: bool, reach: float, min_ink: float
) -> tuple[list[list[Word]], tuple[int, int], float] | None:
    """Typeset lines of words. reach: length of the longest line, and min_ink: minimum height of a word's ink, image px.

    The scale is increased until every word has the minimum height. Words beyond the reach are dropped; if the first
    word of a line exceeds it, the scale is reduced. None if both conditions cannot be met.
    Returns the lines, the size of their canvas (width, height), and the scale, image px per canvas px."""
    em = style.cap_height / CAP_PER_EM
    size = next((s for s in CANVAS_SIZES if s >= OVERSAMPLING * em), CANVAS_SIZES[-1])
    unit = size * CAP_PER_EM
    reach_on_canvas = reach / em * size  # before the scale is known; reducing it later only shortens lines
    lines = [_set_line(line, style, size, chinese, reach_on_canvas) for line in texts]
    smallest = min(len(word.mask) for line in lines for word in line)
    widest = max(line[0].mask.shape[1] for line in lines) + 2 * style.padding * unit
    scale = min(max(em / size, min_ink / smallest), reach / widest)
    if scale * smallest < 0.999 * min_ink:  # tolerance for rounding errors
        return None
    limit = reach / scale - 2 * style.padding * unit
    fitting = [line[:1] + [word for word in line[1:] if word.x + word.mask.shape[1] <= limit] for line in lines]
    return *_stack_lines(fitting, style, unit), scale


def _set_line(texts: list[str], style: Style, size: int, chinese: bool, reach: float) -> list[Word]:
    """Words side by side from x = 0, baseline at y = 0, until one starts beyond the reach (canvas px)."""
    unit = size * CAP_PER_EM
    words: list[Word] = []
    x = 0
    for text in texts:
        if words and x > reach:
            break
        mask, top = _draw_word(text, style.face, size, style.weight, round(style.tracking * unit))
        if (chinese or not HAS_WEIGHTS) and style.weight >= 600:  # the face has one weight
            # dilate the ink by 1/30 em, inside its box
            side = 1 + max(1, round(size / 30))
            mask = np.asarray(cv2.dilate(mask, np.ones((side, side), np.uint8)), np.uint8)
        words.append(Word(text, mask, x, top))
        x += mask.shape[1] + round((style.word_gap + style.tracking) * unit)
    return words


def _stack_lines(lines: list[list[Word]], style: Style, unit: float) -> tuple[list[list[Word]], tuple[int, int]]:
    """Stack lines vertically. Returns the moved words and the canvas (width, height), with padding."""
    padding = round(style.padding * unit)
    widths = [line[-1].x + line[-1].mask.shape[1] for line in lines]
    y = padding
    placed = []
    for line, width in zip(lines, widths, strict=True):
        top = min(word.y for word in line)
        indent = (max(widths) - width) // 2 if style.centred else 0
        placed.append([replace(word, x=word.x + padding + indent, y=word.y - top + y) for word in line])
        y += max(word.y + len(word.mask) for word in line) - top + round(style.line_gap * unit)
    height = y - round(style.line_gap * unit) + padding
    return placed, (max(widths) + 2 * padding, height)


def _draw_word(text: str, face: str, size: int, weight: int, tracking: int) -> tuple[NDArray[np.uint8], int]:
    """Draw a word letter by letter. size: px per em; weight: 100..900; tracking: px added between letters.

    Returns its coverage, (h, w) 0..255, cropped to the ink, and the first row relative to the baseline."""
    letters = [glyph(face, character, size, weight) for character in text]
    canvas = np.zeros((3 * size, 2 * size + sum(letter.advance + tracking for letter in letters)), np.uint8)
    x = size  # of the first letter: space for parts to its left
    for letter in letters:
        height, width = letter.mask.shape
        top, left = 2 * size + letter.top, x + letter.left
        patch = canvas[top : top + height, left : left + width]
        np.maximum(patch, letter.mask, out=patch)
        x += letter.advance + tracking
    _, ink = cv2.threshold(canvas, INK_LEVEL, 255, cv2.THRESH_BINARY)
    left, top, width, height = cv2.boundingRect(ink)
    return canvas[top : top + height, left : left + width].copy(), top - 2 * size
