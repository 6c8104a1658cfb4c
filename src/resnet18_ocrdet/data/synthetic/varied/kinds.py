"""Kinds of text blocks, and the texts that they hold."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from ..corpus import Corpus
from ..fonts import Face, Script, can_draw
from ..strings import draw_character, draw_number, draw_price, draw_string

Setting = Literal["lines", "menu", "grid", "stacked", "columns"]
"""Lines of words; lines with a price at the right; cells; letters below each other; columns of Chinese."""

STRING_SHARE = 0.2  # of Latin words that are prices, times, codes and so on
TRIES = 4  # for a text that the face can draw
PUNCTUATED_SHARE = 0.7  # of words keep the punctuation of their sentence


class BlockKind(NamedTuple):
    """A kind of text block."""

    name: str
    share: float  # of blocks
    setting: Setting
    lines: tuple[int, int]  # smallest, largest number
    words: tuple[int, int]  # per line
    panel: float  # probability of a board behind it
    bend: float  # probability of an arc, if the block is long enough
    size: float  # factor for the height of capitals


KINDS = (
    BlockKind("sign", 0.30, "lines", (1, 3), (1, 4), panel=0.9, bend=0.1, size=1.0),
    BlockKind("line", 0.27, "lines", (1, 1), (1, 4), panel=0.15, bend=0.45, size=1.1),
    BlockKind("paragraph", 0.11, "lines", (2, 7), (2, 6), panel=0.5, bend=0.0, size=0.75),
    BlockKind("menu", 0.06, "menu", (2, 6), (2, 3), panel=0.6, bend=0.0, size=0.75),
    BlockKind("grid", 0.05, "grid", (1, 4), (2, 5), panel=0.6, bend=0.0, size=0.9),
    BlockKind("single", 0.08, "lines", (1, 1), (1, 1), panel=0.4, bend=0.0, size=1.2),
    BlockKind("stacked", 0.05, "stacked", (1, 2), (1, 1), panel=0.5, bend=0.0, size=1.0),
    BlockKind("columns", 0.08, "columns", (1, 4), (1, 1), panel=0.6, bend=0.0, size=1.1),
)
FILLING = BlockKind(
    "filling", 0.0, "lines", (1, 1), (1, 1), panel=0.2, bend=0.0, size=1.0
)  # a word that fills the image


def draw_kind(rng: np.random.Generator, scripts: tuple[Script, ...]) -> BlockKind:
    """A random kind; columns only if there is Chinese or Japanese."""
    kinds = [kind for kind in KINDS if kind.setting != "columns" or len(scripts) > 1]
    shares = np.array([kind.share for kind in kinds])
    return kinds[int(rng.choice(len(kinds), p=shares / shares.sum()))]


def draw_texts(
    rng: np.random.Generator, kind: BlockKind, script: Script, face: Face, corpus: Corpus
) -> list[list[str]]:
    """Lines of regions that the face can draw; never an empty line."""
    count = int(rng.integers(kind.lines[0], kind.lines[1] + 1))
    case = ("upper", "title", "as it is", "as it is")[int(rng.integers(4))]
    lines = []
    for _ in range(count):
        words = int(rng.integers(kind.words[0], kind.words[1] + 1))
        texts = _draw_line(rng, kind, script, corpus, words)
        cased = [_change_case(text, case) for text in texts]
        lines.append([text if can_draw(face, text) else _replacement(rng, script, face, corpus) for text in cased])
    return lines


def _draw_line(rng: np.random.Generator, kind: BlockKind, script: Script, corpus: Corpus, words: int) -> list[str]:
    if kind.name == "single":
        return [draw_character(rng) if rng.random() < 0.6 else draw_number(rng)]
    if kind.name == "grid":
        short = rng.random() < 0.6
        return [draw_character(rng) if short else draw_number(rng) for _ in range(words)]
    if script != "latin":
        longest = int(rng.integers(2, 9)) if kind.setting != "columns" else int(rng.integers(2, 8))
        return [corpus.run(rng, script, longest) for _ in range(max(1, words // 2))]
    if kind.setting == "stacked":
        return [corpus.word(rng)[:8]]
    if kind.name == "paragraph" or rng.random() < 0.5:
        texts = corpus.words(rng, script, words)
    else:
        texts = [corpus.word(rng) for _ in range(words)]
    if rng.random() > PUNCTUATED_SHARE:
        texts = [text.strip(".,;:()[]<>\"'`*_=|-") or text for text in texts]
    texts = [draw_string(rng) if rng.random() < STRING_SHARE else text for text in texts]
    if kind.setting == "menu":
        texts[-1] = draw_price(rng)
    return texts


def _change_case(text: str, case: str) -> str:
    if case == "upper":
        return text.upper()
    return text[:1].upper() + text[1:] if case == "title" else text


def _replacement(rng: np.random.Generator, script: Script, face: Face, corpus: Corpus) -> str:
    """Another text that the face can draw; a number in the end."""
    for _ in range(TRIES):
        text = corpus.word(rng) if script == "latin" else corpus.run(rng, script, 6)
        drawable = text if script == "latin" else "".join(letter for letter in text if can_draw(face, letter))
        if drawable and can_draw(face, drawable):
            return drawable
    return str(int(rng.integers(1, 1000)))
