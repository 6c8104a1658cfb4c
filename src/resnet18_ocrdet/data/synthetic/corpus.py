"""Words, lines and runs of text from a folder of text files; from the built-in words without one."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...errors import UserError
from ...runtime.regular_file import read_regular
from ..text_file import decode_text, encoding_of
from .files import find_files
from .fonts import Script
from .words import CHINESE, ENGLISH

MAX_FILE_MB = 32
LONGEST_WORD = 24  # characters; longer ones are paths and rules, which are left out
LONGEST_LINE, LONGEST_RUN = 50, 400  # words, and characters without a blank; longer ones are cut
RUN_TRIES = 3  # for a run with a Chinese or Japanese character
BUILT_IN_WORDS = 9  # per line
HAN, KANA = re.compile(r"[一-鿿]"), re.compile(r"[぀-ヿ]")
READ = re.compile(r"[^\W_]|&")  # a word has a letter, a digit or this sign; other signs alone are not read
ENDS = re.compile(r"[，。、；：！？,;!?]")  # where a run may be cut


class Corpus(NamedTuple):
    """Text by script. Latin lines have at least two words; `vocabulary` has single words of dictionaries."""

    lines: Mapping[Script, tuple[str, ...]]
    vocabulary: tuple[str, ...]
    files: tuple[Path, ...]

    def words(self, rng: np.random.Generator, script: Script, count: int) -> list[str]:
        """`count` consecutive words, with their punctuation; in Chinese and Japanese parts of lines without a gap.

        None is a sign alone, as READ. KeyError for a script without text."""
        lines, found = self.lines[script], list[str]()
        start = int(rng.integers(len(lines)))
        skipped = int(rng.integers(1 << 16))
        for step in range(len(lines) + count):
            words = split_words(lines[(start + step) % len(lines)])
            found += words[skipped % len(words) :] if step == 0 and len(words) > count else words
            if len(found) >= count:
                break
        return found[:count]

    def word(self, rng: np.random.Generator) -> str:
        """One Latin word, from a dictionary or from a line."""
        if self.vocabulary and rng.random() < 0.5:
            return self.vocabulary[int(rng.integers(len(self.vocabulary)))]
        return self.words(rng, "latin", 1)[0]

    def run(self, rng: np.random.Generator, script: Script, longest: int) -> str:
        """A Chinese or Japanese text without a gap, 1 to `longest` characters, cut at punctuation where possible."""
        text = self.words(rng, script, 1)[0]
        for _ in range(RUN_TRIES):  # lines hold Latin words too
            if HAN.search(text) or KANA.search(text):
                break
            text = self.words(rng, script, 1)[0]
        pieces = [piece for piece in ENDS.split(text) if READ.search(piece)]
        piece = pieces[int(rng.integers(len(pieces)))]
        spare = len(piece) - longest
        start = int(rng.integers(spare + 1)) if spare > 0 else 0
        return piece[start : start + longest]


def split_words(line: str) -> list[str]:
    """The words of a line, without signs that stand alone; never empty for a line of a corpus."""
    return [word for word in line.split() if READ.search(word)]


@lru_cache(maxsize=4)
def read_corpus(folder: Path | None) -> Corpus:
    """Read the .txt files below a folder, in UTF-8, or UTF-16 with a byte order mark; None: the built-in words.

    Raises UserError for a folder without text, and for a file that is in another encoding, is not text, or is larger
    than MAX_FILE_MB."""
    if folder is None:
        starts = range(0, len(ENGLISH), BUILT_IN_WORDS)
        latin = tuple(" ".join(ENGLISH[start : start + BUILT_IN_WORDS]).capitalize() + "." for start in starts)
        return Corpus({"latin": latin, "chinese": CHINESE}, ENGLISH, ())
    files = find_files(folder, (".txt",), "texts")
    lines: dict[Script, list[str]] = {"latin": [], "chinese": [], "japanese": []}
    vocabulary: list[str] = []
    for path in files:
        for line in _clean(_read(path).splitlines()):
            script: Script = "japanese" if KANA.search(line) else "chinese" if HAN.search(line) else "latin"
            (vocabulary if script == "latin" and " " not in line else lines[script]).append(line)
    if not lines["latin"]:
        raise UserError(f"texts: no line of two or more Latin words below {folder}")
    return Corpus({script: tuple(found) for script, found in lines.items() if found}, tuple(vocabulary), files)


def _read(path: Path) -> str:
    try:
        data = read_regular(path, MAX_FILE_MB * 10**6)
    except OSError as error:
        too_large = f"larger than {MAX_FILE_MB} MB" if error.errno == errno.EFBIG else ""
        raise UserError(f"texts: {path}: cannot be read: {too_large or error.strerror or error}") from None
    text = decode_text(data, f"texts: {path}")
    if encoding_of(data) == "gb18030":  # what is not UTF: Latin-1 would silently become Chinese
        raise UserError(f"texts: {path} is neither UTF-8 nor UTF-16 with a byte order mark: save it as UTF-8")
    return text


def _clean(lines: Iterable[str]) -> Iterator[str]:
    """Lines of printable words, joined by single blanks, cut where they are long; those without a word are left out."""
    for line in lines:
        text = line if line.isprintable() else "".join(c if c.isprintable() else " " for c in line)
        words = [piece for word in text.split() for piece in _pieces(word)]
        for start in range(0, len(words), LONGEST_LINE):
            part = words[start : start + LONGEST_LINE]
            if any(READ.search(word) for word in part):
                yield " ".join(part)


def _pieces(word: str) -> list[str]:
    """A Latin word that is not too long; a Chinese or Japanese one in pieces that are not too long."""
    if len(word) <= LONGEST_WORD:
        return [word]
    if HAN.search(word) or KANA.search(word):
        return [word[start : start + LONGEST_RUN] for start in range(0, len(word), LONGEST_RUN)]
    return []
