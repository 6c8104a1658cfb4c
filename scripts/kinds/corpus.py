"""The texts of the pages: sentences of the part's documents, and invented names, prices, dates and addresses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

LONGEST = 18  # characters of a word: longer ones do not fit into a column

_SENTENCE = re.compile(r"[A-ZÄÖÜÉÈÀÇÑÁÍÓÚ][A-Za-zÀ-ÖØ-öø-ÿ0-9 ,;:()'’/%-]{25,160}[.!?](?=\s)")
_CHINESE = re.compile(r"[一-鿿][一-鿿，、；：]{5,40}[。！？]?")
_WORD = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿ]{2,14}")


class Corpus:
    """Draws texts. All methods take the random generator of the page."""

    def __init__(self, texts: Sequence[str]) -> None:
        """texts: whole documents."""
        whole = "\n".join(re.sub(r"(?<!\n)\n(?!\n)", " ", text.replace("\f", "\n\n")) for text in texts)
        found = {" ".join(sentence.split()) for sentence in _SENTENCE.findall(whole)}
        self._sentences = sorted(each for each in found if max(map(len, each.split())) <= LONGEST and " ." not in each)
        self._chinese = sorted(set(_CHINESE.findall("\n".join(texts))))
        self._words = sorted(set(_WORD.findall(" ".join(self._sentences))))

    def sentence(self, rng: Random) -> str:
        """A sentence of four words or more."""
        return rng.choice(self._sentences)

    def paragraph(self, rng: Random, words: int) -> str:
        """Sentences of at least so many words together."""
        parts: list[str] = []
        while sum(len(part.split()) for part in parts) < words:
            parts.append(self.sentence(rng))
        return " ".join(parts)

    def word(self, rng: Random, least: int = 2, most: int = 14) -> str:
        """A word of this many letters."""
        return rng.choice(
            [word for word in rng.sample(self._words, min(len(self._words), 400)) if least <= len(word) <= most]
        )

    def title(self, rng: Random, least: int = 1, most: int = 3) -> str:
        """A few words, the first with a capital."""
        text = " ".join(self.word(rng, 3, 11) for _ in range(rng.randint(least, most)))
        return text[0].upper() + text[1:]

    def chinese(self, rng: Random, length: int) -> str:
        """So many characters, without a space."""
        text = ""
        while len(text) < length:
            text += rng.choice(self._chinese)
        return text[:length].rstrip("，、；：。！？") or text[:1]


def price(rng: Random, most: int = 200) -> str:
    """An amount of money, in one of the usual forms."""
    value = rng.randint(40, most * 100) / 100
    form = rng.choice(("{:.2f}", "{:.2f}", "${:.2f}", "{:.2f}€", "comma"))
    return f"{value:.2f}".replace(".", ",") if form == "comma" else form.format(value)


def date(rng: Random) -> str:
    """A day, in one of the usual forms."""
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(1998, 2031)
    return rng.choice((f"{day:02d}/{month:02d}/{year}", f"{year}-{month:02d}-{day:02d}", f"{day}.{month}.{year}"))


def time(rng: Random) -> str:
    """A time of day."""
    return f"{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}"


def phone(rng: Random) -> str:
    """A telephone number of one or more groups."""
    groups = [f"{rng.randint(10, 999)}" for _ in range(rng.randint(2, 4))]
    return rng.choice(("-", " ", "")).join(groups)
