"""A document while it is laid out: its sheet, faces, colours and texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ..colour import Colour, draw_tint, tinted
from ..corpus import Corpus
from ..fonts import CAPITALS, Face, Script
from ..strings import draw_string
from .lettering import Font
from .sheet import Box, Sheet
from .typefaces import Faces, drawable

T = TypeVar("T")

CHARACTERS_PER_WORD = 2  # a Chinese word has one to three
TRIES = 4  # for a word that the faces can draw
STRING_SHARE = 0.05  # of words in running text are prices, dates, numbers, abbreviations
CUT_SHARE = 0.45  # of the sides of a page lie outside the image


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """What the layout of a document uses."""

    rng: np.random.Generator
    sheet: Sheet
    faces: Faces
    corpus: Corpus
    script: Script
    unit: int  # size of the text, px per em
    paper: Colour
    ink: Colour
    cuts: bool  # the image may show a part of the document only

    def chance(self, share: float) -> bool:
        """True in a share of the draws."""
        return bool(self.rng.random() < share)

    def whole(self, low: int, high: int) -> int:
        """A whole number, low..high."""
        return low + int(self.rng.random() * (high + 1 - low))

    def real(self, low: float, high: float) -> float:
        """A real number between two limits."""
        return low + float(self.rng.random()) * (high - low)

    def pick(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[int(self.rng.random() * len(items))]

    def em(self, share: float) -> int:
        """A length given in sizes of the text, px."""
        return round(share * self.unit)

    def font(self, scale: float = 1.0, face: Face | None = None) -> Font:
        """The text's font, larger or smaller, or another face."""
        return Font(face or self.faces.body, max(6, round(scale * self.unit)))

    def words(self, count: int) -> list[str]:
        """`count` words of running text; in Chinese one run of about twice as many characters."""
        if self.script == "latin":
            words = self._latin(count)
            for index in np.flatnonzero(self.rng.random(len(words)) < STRING_SHARE).tolist():
                words[index] = draw_string(self.rng)
            return words
        return [self.run(CHARACTERS_PER_WORD * count)] if count > 0 else []

    def run(self, count: int) -> str:
        """About `count` characters without a gap, in Chinese or Japanese."""
        text = self._part(count)
        while len(text) < count:
            text += self._drawn(self.pick("，，，。、")) + self._part(count - len(text))
        return text[:count]

    def _latin(self, count: int) -> list[str]:
        """`count` words; a number for those that the faces cannot draw, if other words do not fit either."""
        has = drawable(self.faces).__getitem__
        words = self.corpus.words(self.rng, "latin", count)
        for index in range(len(words)):
            for _ in range(TRIES):
                if all(map(has, words[index])):
                    break
                words[index] = self.corpus.word(self.rng)
            else:
                words[index] = str(self.whole(1, 999))
        return words

    def _part(self, longest: int) -> str:
        """A part of a Chinese or Japanese line, without characters that the faces lack."""
        return self._drawn(self.corpus.run(self.rng, self.script, longest)) or CAPITALS[self.script]

    def _drawn(self, text: str) -> str:
        """What the faces can draw of a text."""
        return "".join(filter(drawable(self.faces).__getitem__, text))

    def label(self, low: int, high: int) -> list[str]:
        """A short text without a final stop, as in a menu or a cell: low..high words, the first with a capital."""
        count = self.whole(low, high)
        if self.script != "latin":
            return [self._part(CHARACTERS_PER_WORD * count + 1)]
        words = [word.strip(".,;:!?()\"'") or word for word in self._latin(count)]
        words[0] = words[0][:1].upper() + words[0][1:]
        return words

    def accent(self) -> Colour:
        """The ink, or a colour of about its luminance, for headings."""
        if self.chance(0.7):
            return self.ink
        level = 0.299 * self.ink[0] + 0.587 * self.ink[1] + 0.114 * self.ink[2]
        return tinted(level + self.real(0, 40) * (1 if level < 128 else -1), draw_tint(self.rng, 1.0))

    def frame(self, margin: int) -> Box:
        """The part of the sheet for text: on each side either with a margin, or extending beyond the sheet."""
        margin = min(margin, self.sheet.height // 8, self.sheet.width // 8)
        sides = []
        for _ in range(4):
            cut = self.cuts and self.chance(CUT_SHARE)
            sides.append(-round(self.real(0.0, 3.0) * margin) if cut else round(self.real(0.5, 1.5) * margin))
        left, top, right, bottom = sides
        return Box(left, top, self.sheet.width - right, self.sheet.height - bottom)
