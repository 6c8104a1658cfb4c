"""Parts of documents: paragraphs, headings, lists and pictures with a caption. Each returns the y below it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from ..colour import Colour
from . import marks
from .draft import Draft
from .lettering import Font, advance, metrics
from .sheet import FIRST_CJK, Box, fitting, length

Align = Literal["left", "centre", "right", "justify"]

PUNCTUATION = tuple("，。、；：！？")
ATOMS = re.compile(r"[!-~]+|.")  # what is not broken: ASCII without a blank, or one character
MIXED_SHARE, LEAST_MIXED = 0.12, 3  # of lines with so many words have words in another face
LEAST_PART = 3  # letters before and after a hyphen
MOST_STRETCH = 2.5  # of the blanks of a justified line, in blanks


def wrap(words: Sequence[str], width: int, font: Font, hyphens: bool = False) -> Iterator[list[str]]:
    """Break words into lines of a width, px; with hyphens, also within long words. Words that are wider are left out.

    A word with a Chinese or Japanese character is broken between any two of them."""
    space = metrics(font).space
    line: list[str] = []
    used = 0
    for word in words:
        if max(word) >= FIRST_CJK:
            if line and used + 2 * font.size > width:
                yield line
                line, used = [], 0
            *full, last = _break_run(word, width - used, width, font)
            for piece in full:
                yield [*line, piece] if piece else line
                line, used = [], 0
            line.append(last)
            used += advance(last, font) + space
            continue
        wide = advance(word, font)
        if wide > width:
            continue
        if line and used + wide > width:
            first, word = _hyphenate(word, width - used, font) if hyphens else ("", word)
            yield [*line, first] if first else line
            line, used, wide = [], 0, advance(word, font)
        line.append(word)
        used += wide + space
    if line:
        yield line


def paragraph(
    draft: Draft,
    words: Sequence[str],
    left: int,
    right: int,
    y: int,
    font: Font,
    leading: float = 1.3,
    align: Align = "left",
    ink: Colour | None = None,
    indent: int = 0,
    bottom: int | None = None,
) -> int:
    """Set words in lines between left and right, from y to the bottom. leading: from line to line, in heights."""
    measures = metrics(font)
    step = max(round(leading * font.size), measures.height + 2)
    bottom = draft.sheet.height + step if bottom is None else bottom
    lines = list(wrap(words, right - left - indent, font, hyphens=align == "justify"))
    for number, line in enumerate(lines):
        if y + measures.height > bottom:
            break
        start = left + (indent if number == 0 else 0)
        baseline = y + measures.ascent
        gap = 0
        if align == "justify" and number < len(lines) - 1 and len(line) > 1:
            free = right - start - length(line, font)
            gap = measures.space + min(free // (len(line) - 1), round(MOST_STRETCH * measures.space))
        elif align in ("centre", "right"):
            free = right - start - length(line, font)
            start += free // 2 if align == "centre" else free
        _write_line(draft, line, start, baseline, font, ink or draft.ink, max(gap, measures.space))
        y += step
    return y


def _write_line(draft: Draft, line: list[str], x: int, baseline: int, font: Font, ink: Colour, gap: int) -> None:
    """A line of words; in some lines of running text a few words are bold, italic or monospaced."""
    if font.face != draft.faces.body or len(line) < LEAST_MIXED or not draft.chance(MIXED_SHARE):
        draft.sheet.write(line, x, baseline, font, ink, gap)
        return
    start = draft.whole(0, len(line) - 1)
    stop = draft.whole(start + 1, min(start + 3, len(line)))
    right = x + length(line, font, gap) + font.size // 4
    other = font._replace(face=draft.pick((draft.faces.bold, draft.faces.italic, draft.faces.mono)))
    for part, face in ((line[:start], font), (line[start:stop], other), (line[stop:], font)):
        words = fitting(part, right - x, face, gap)
        if words:
            x = draft.sheet.write(words, x, baseline, face, ink, gap) + gap


def bullet(draft: Draft, x: int, baseline: int, font: Font, style: int, number: int) -> int:
    """A mark or a number before an item of a list. Returns the x after it."""
    size = max(2, round(0.3 * metrics(font).x_height))
    y = baseline - round(metrics(font).x_height / 2)
    if style == 0:
        marks.dot(draft.sheet, x + size, y, size, draft.ink)
    elif style == 1:
        draft.sheet.fill(Box(x, y - size, x + 2 * size, y + size), draft.ink)
    elif style == 2:
        draft.sheet.fill(Box(x, y, x + 3 * size, y + max(1, size // 3)), draft.ink)
    else:
        label = (f"{number}.", f"{number})", f"({'abcdefghij'[number % 10]})", f"{number}")[style % 4]
        draft.sheet.write([label], x, baseline, font, draft.ink)
    return x + round(1.8 * font.size)


def bullets(draft: Draft, left: int, right: int, y: int, font: Font, most: int, bottom: int, leading: float) -> int:
    """A list of up to `most` items."""
    style = draft.whole(0, 6)
    for number in range(1, most + 1):
        if y + metrics(font).height > bottom:
            break
        start = bullet(draft, left, y + metrics(font).ascent, font, style, number)
        below = paragraph(draft, draft.words(draft.whole(2, 16)), start, right, y, font, leading, bottom=bottom)
        y = max(below, y + metrics(font).height + 2)  # also below a number without words
        y += draft.em(draft.real(0.0, 0.4))
    return y


def figure(draft: Draft, box: Box, bottom: int, caption: Font | None = None) -> int:
    """A picture, and if a font is given a caption between it and the bottom."""
    marks.picture(draft, box)
    y = box.bottom
    if caption is not None:
        words = [draft.pick(("Figure", "Fig.", "Photo:", "Image")), *draft.words(draft.whole(3, 12))]
        y = paragraph(draft, words, box.left, box.right, y + caption.size // 2, caption, bottom=bottom)
    return y


def _hyphenate(word: str, room: int, font: Font) -> tuple[str, str]:
    """The part of a word, with a hyphen, that fits into a room, px, and the rest; no part of a short word."""
    if word.isalpha():
        for end in range(len(word) - LEAST_PART, LEAST_PART - 1, -1):
            if advance(word[:end] + "-", font) <= room:
                return word[:end] + "-", word[end:]
    return "", word


def _break_run(text: str, room: int, width: int, font: Font) -> list[str]:
    """A text without blanks in pieces: the first, perhaps empty, fits into the room, the others into the width, px.

    Latin words are not broken if they fit into a line. Punctuation does not start a line: it hangs at the end of the
    one before."""
    pieces, piece, used, square = [], "", 0, advance("国", font)
    parts = [part for run in ATOMS.findall(text) for part in (run if advance(run, font) > width else (run,))]
    for part in parts:
        wide = square if part >= FIRST_CJK else advance(part, font)
        if used + wide > room and part not in PUNCTUATION and (piece or room < width):
            pieces.append(piece)
            piece, used, room = "", 0, width
        piece += part
        used += wide
    return [*pieces, piece]
