"""A sheet of paper or a screen: what is drawn on it, and where its words are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from cv2.typing import MatLike

from ....structures import Image
from ..colour import Colour
from ..corpus import READ
from ..fonts import can_draw
from ..glyphs import INK_LEVEL
from ..render import MIN_VISIBLE, blend
from .lettering import Font, advance, metrics, put

FIRST_CJK = "\u2e80"  # Chinese and Japanese are above it, what else is printed is below
LEGIBLE_X_PX = 4  # x-height; X11's 4x6 and 5x7, the smallest fonts that people worked with, have 4
LEGIBLE_CHINESE_PX = 9  # em; the smallest bitmap fonts for Chinese have 9 to 12 px a character


class Box(NamedTuple):
    """Pixels left..right - 1, top..bottom - 1."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """In px."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """In px."""
        return self.bottom - self.top

    def inset(self, x: int, y: int | None = None) -> Box:
        """Move the sides inwards."""
        y = x if y is None else y
        return Box(self.left + x, self.top + y, self.right - x, self.bottom - y)


class Written(NamedTuple):
    """A word on a sheet."""

    text: str
    box: Box  # of its ink, as far as it is on the sheet and not covered
    ease: float  # size of its letters over the smallest that can be read; 0 for a sign, or if most of it is hidden
    height: int  # of all its ink across the reading direction, px
    down: bool = False  # read from top to bottom

    @property
    def legible(self) -> bool:
        """Whether it can be read on the sheet."""
        return self.ease >= 1


@dataclass(slots=True, eq=False)
class Sheet:
    """An image under construction."""

    image: Image  # (H, W, 3) RGB
    words: list[Written] = field(default_factory=list)

    @classmethod
    def blank(cls, height: int, width: int, colour: Colour) -> Sheet:
        """A sheet in one colour."""
        image = np.empty((height, width, 3), np.uint8)
        cv2.rectangle(image, (0, 0), (width, height), colour, cv2.FILLED)  # ten times as fast as numpy's broadcasting
        return cls(image)

    @property
    def height(self) -> int:
        """In px."""
        return int(self.image.shape[0])

    @property
    def width(self) -> int:
        """In px."""
        return int(self.image.shape[1])

    def fill(self, box: Box, colour: Colour) -> None:
        """Paint a rectangle."""
        if box.right > box.left and box.bottom > box.top:
            corner = (box.right - 1, box.bottom - 1)
            cv2.rectangle(self.image, (box.left, box.top), corner, colour, cv2.FILLED)

    def panel(self, box: Box, colour: Colour) -> None:
        """Paint a rectangle on top of what is there, words included."""
        self.cover(box)
        self.fill(box, colour)

    def outline(self, box: Box, colour: Colour, thickness: int = 1) -> None:
        """Draw the sides of a rectangle, inside it."""
        left, top, right, bottom = box
        for side in (
            Box(left, top, right, top + thickness),
            Box(left, bottom - thickness, right, bottom),
            Box(left, top, left + thickness, bottom),
            Box(right - thickness, top, right, bottom),
        ):
            self.fill(side, colour)

    def rounded(self, box: Box, radius: int, colour: Colour) -> None:
        """Paint a rectangle with round corners."""
        radius = max(0, min(radius, box.width // 2, box.height // 2))
        self.fill(box.inset(radius, 0), colour)
        self.fill(box.inset(0, radius), colour)
        for x in (box.left + radius, box.right - 1 - radius):
            for y in (box.top + radius, box.bottom - 1 - radius):
                cv2.circle(self.image, (x, y), radius, colour, cv2.FILLED, cv2.LINE_AA)

    def write(
        self, words: Sequence[str], x: int, baseline: int, font: Font, ink: Colour, gaps: int | Sequence[int] = 0
    ) -> int:
        """Set words side by side from pen position x. Returns the pen's x after the last one.

        gaps: between the pens of two words, px, one number or one for each word; 0: the font's blank. Nothing is drawn
        for a line outside the sheet, which returns x."""
        size, ascent, descent = font.size, metrics(font).ascent, metrics(font).descent
        if baseline + descent <= 0 or baseline - ascent >= self.height or not words:
            return x
        if isinstance(gaps, int):
            gaps = [gaps or metrics(font).space] * len(words)
        pens = [x]
        for word, gap in zip(words, gaps, strict=False):
            pens.append(pens[-1] + advance(word, font) + gap)
        ends = [pen - gap for pen, gap in zip(pens[1:], gaps, strict=False)]
        rise = ascent + size // 4
        strip = np.zeros((rise + descent + size // 4, ends[-1] - x + 2 * size), np.uint8)
        for word, pen in zip(words, pens, strict=False):
            put(strip, word, pen - x + size, rise, font)
        self._blend(strip, x - size, baseline - rise, ink)
        edges = [
            -size,
            *((end + pen) // 2 - x for end, pen in zip(ends, pens[1:-1], strict=False)),
            ends[-1] - x + size,
        ]
        self._note(words, strip, edges, (x - size, baseline - rise), font)
        return ends[-1]

    def write_right(self, words: Sequence[str], right: int, baseline: int, font: Font, ink: Colour) -> int:
        """Set words that end at x = right. Returns the x where they start."""
        x = right - length(words, font)
        self.write(words, x, baseline, font, ink)
        return x

    def write_centred(self, words: Sequence[str], centre: int, baseline: int, font: Font, ink: Colour) -> None:
        """Set words around x = centre."""
        self.write(words, centre - length(words, font) // 2, baseline, font, ink)

    def write_down(
        self, text: str, left: int, top: int, font: Font, ink: Colour, bottom: int, spacing: int | None = None
    ) -> int:
        """Set Chinese or Japanese characters below each other, one region. Returns the y below the last one.

        spacing: from character to character, px; None: the size. Characters that would end below `bottom` are left
        out."""
        size, spacing = font.size, spacing or font.size
        text = text[: max(0, (bottom - top - size) // spacing + 1)]
        strip = np.zeros((len(text) * spacing + size, 3 * size), np.uint8)
        for index, letter in enumerate(text):
            right, up = (size // 2, size // 2) if letter in "，。、" else (0, 0)  # in the upper right corner
            put(strip, letter, size + right, index * spacing + size * 7 // 8 + size // 2 - up, font)
        self._blend(strip, left - size, top - size // 2, ink)
        self._note([text], strip, [-size, 2 * size], (left - size, top - size // 2), font, down=True)
        return top + len(text) * spacing

    def cover(self, box: Box) -> None:
        """Take away the words that something drawn on top will hide, and the hidden parts of others."""
        kept = []
        for word in self.words:
            rest = _rest(word.box, box)
            if rest == word.box:
                kept.append(word)
            elif rest is not None:
                kept.append(word._replace(box=rest, ease=word.ease if _shows(rest, word.box) else 0.0))
        self.words[:] = kept

    def _note(
        self,
        words: Sequence[str],
        strip: MatLike,
        edges: Sequence[int],
        corner: tuple[int, int],
        font: Font,
        down: bool = False,
    ) -> None:
        """Record the words of a strip with the boxes of their ink on the sheet. edges: between the words, from the
        first pen."""
        _, ink = cv2.threshold(strip, INK_LEVEL, 255, cv2.THRESH_BINARY)
        size = font.size
        for word, start, stop in zip(words, edges, edges[1:], strict=False):
            left, top, width, height = cv2.boundingRect(ink[:, start + size : stop + size])
            if width and height:
                left, top = corner[0] + size + start + left, corner[1] + top
                box = Box(left, top, left + width, top + height)
                seen = self._on_sheet(box, ink, corner)
                if seen is not None:
                    ease = _word_legibility(font, word) if _shows(seen, box) else 0.0
                    self.words.append(Written(word, seen, ease, width if down else height, down))

    def _on_sheet(self, box: Box, ink: MatLike, corner: tuple[int, int]) -> Box | None:
        """The box of the ink of a box that is on the sheet. corner: of the ink's mask."""
        left, top = max(box.left, 0), max(box.top, 0)
        right, bottom = min(box.right, self.width), min(box.bottom, self.height)
        if (left, top, right, bottom) == box:
            return box
        if left >= right or top >= bottom:
            return None
        part = ink[top - corner[1] : bottom - corner[1], left - corner[0] : right - corner[0]]
        x, y, width, height = cv2.boundingRect(part)
        return Box(left + x, top + y, left + x + width, top + y + height) if width else None

    def _blend(self, mask: MatLike, x: int, y: int, ink: Colour) -> None:
        """Blend an ink whose coverage is given by a mask, with its corner at (x, y), which may lie outside."""
        left, top = max(x, 0), max(y, 0)
        right, bottom = min(x + mask.shape[1], self.width), min(y + mask.shape[0], self.height)
        if right > left and bottom > top:
            blend(self.image[top:bottom, left:right], mask[top - y : bottom - y, left - x : right - x], ink)


def length(words: Sequence[str], font: Font, gap: int = 0) -> int:
    """Width of a line of words, px. gap: between two words, px; 0: the font's blank."""
    return sum(advance(word, font) for word in words) + (gap or metrics(font).space) * (len(words) - 1)


def legibility(font: Font, letter: str) -> float:
    """Size of a font over the smallest at which this letter, Latin or Chinese, can be read."""
    return font.size / LEGIBLE_CHINESE_PX if letter >= FIRST_CJK else metrics(font).x_height / LEGIBLE_X_PX


@lru_cache(maxsize=16384)
def _word_legibility(font: Font, word: str) -> float:
    """The same for a word; 0 for signs, and for what the face cannot draw."""
    return legibility(font, max(word)) if READ.search(word) and can_draw(font.face, word) else 0.0


def fitting(words: list[str], room: int, font: Font, gap: int = 0) -> list[str]:
    """The first words that fit into a room, px. gap: as of `length`."""
    while words and length(words, font, gap) > room:
        words = words[:-1]
    return words


def _shows(part: Box, box: Box) -> bool:
    """Whether a part of a box is enough to read it."""
    return part.width * part.height >= MIN_VISIBLE * box.width * box.height


def _rest(box: Box, cover: Box) -> Box | None:
    """The largest part of a box beside another one; None if nothing is left."""
    parts = (
        box._replace(right=min(box.right, cover.left)),
        box._replace(left=max(box.left, cover.right)),
        box._replace(bottom=min(box.bottom, cover.top)),
        box._replace(top=max(box.top, cover.bottom)),
    )
    seen = [part for part in parts if part.width > 0 and part.height > 0]
    return max(seen, key=lambda part: part.width * part.height, default=None)
