"""One `key=value` word: split, quoted for Hydra's grammar, and read by it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, IntervalSweep, Override
from hydra.errors import HydraException

from ..errors import UserError
from .interpolation import escape_interpolation
from .library import train_keys
from .spec import Rule

WORD = re.compile(r"(\+\+|\+|~)?([^=]*)(=(.*))?", re.DOTALL)
QUOTED = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""


@dataclass(frozen=True)
class Word:
    """prefix is '', '+', '++' or '~'; value is None where there is no '='."""

    prefix: str
    key: str
    value: str | None

    @classmethod
    def split(cls, text: str) -> Word:
        """At the first '='."""
        match = WORD.fullmatch(text)
        assert match is not None  # every part of the pattern may be empty
        prefix, key, _, value = match.groups()
        return cls(prefix or "", key, value)

    def __str__(self) -> str:
        """As it is typed."""
        return f"{self.prefix}{self.key}" + ("" if self.value is None else f"={self.value}")

    @property
    def in_braces(self) -> bool:
        """`augment={flip: 0}`, which sets keys of a section."""
        return (self.value or "").startswith("{")

    def read(self) -> Override:
        """The value as Hydra's grammar understands it. Raises UserError."""
        try:
            # The key is ours to judge: Hydra's lexer would only say that it does not like a letter.
            return OverridesParser.create().parse_override(f"key={self.value}")
        except HydraException:
            raise UserError(
                f"{self}: cannot be read; brackets and quotes must pair up, other signs be quoted"
            ) from None


def typed_keys(words: Iterable[str]) -> set[str]:
    """The keys that words set: of `train.epochs=3`, and each of `train={epochs: 3, guard: {ratio: 9}}`."""
    found, sections = set(), {name.rpartition(".")[0] for name in train_keys()}
    for word in map(Word.split, words):
        found.add(word.key)
        if word.key in sections and word.in_braces:
            found |= set(_inside(word.read().value(), word.key))
    return found


def _inside(value: Any, name: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield f"{name}.{key}"
            yield from _inside(below, f"{name}.{key}")


def each_setting(word: Word, options: list[str] | None = None) -> list[str]:
    """The single-valued words that a sweep over this word runs through: `1,2`, `range(1,4)` or `choice(a,b)`.

    options: what `glob(…)` chooses from."""
    override = word.read()
    if not override.is_sweep_override():
        return [str(word)]
    name = word.prefix + word.key
    if isinstance(override._value, IntervalSweep):
        return [f"{name}={override._value.start}", f"{name}={override._value.end}"]
    if isinstance(override._value, Glob):
        return [f"{name}={option}" for option in override._value.filter(options or [])]
    return [f"{name}={text}" for text in override.sweep_string_iterator()]


def sweep_problem(word: Word, options: list[str] | None, multirun: bool, searched: bool) -> str:
    """Why a value cannot be read, or no sweep can run through several; empty where nothing is wrong.

    options: of a group. searched: whether a `hydra/sweeper` draws the values."""
    try:
        override = word.read()
    except UserError as error:
        return str(error)
    if not override.is_sweep_override():
        return ""
    if not multirun:
        return f"{word}: several values; add -m for a sweep" + ("" if options else " (a list is written in brackets)")
    if isinstance(override._value, IntervalSweep) and not searched:
        return f"{word}: interval() needs a search (hydra/sweeper=…); list the values, as 0.003,0.005"
    try:
        settings = each_setting(word, options)
    except ValueError as error:  # of range()
        return f"{word}: {error}"
    return "" if settings else f"{word}: no value"


def quote(text: str) -> str:
    """A value that means exactly this text: nothing in it is grammar or interpolation."""
    return quote_grammar(escape_interpolation(text))


def quote_grammar(text: str) -> str:
    """A string of Hydra's grammar; OmegaConf still finds interpolations in it."""
    text = re.sub(r"(\\*)'", lambda match: match[1] * 2 + r"\'", text)  # backslashes count before a quote only,
    text = re.sub(r"(\\+)$", lambda match: match[1] * 2, text)  # and the closing one is a quote too
    return f"'{text}'"


def quote_names(word: Word) -> Word:
    """Quote the value of a key that takes names separated by commas, unless it is null or quoted already."""
    if not word.value or word.value == "null" or re.fullmatch(QUOTED, word.value, re.DOTALL):
        return word
    return replace(word, value=quote(word.value))


def quote_path(word: Word, rule: Rule, multirun: bool) -> Word:
    """Quote the value of a path key, unless it is null, a keyword, or quoted already."""
    if not word.value or re.fullmatch(rule.plain, word.value):
        return word
    quoted = f"{QUOTED}(?:,{QUOTED})*" if multirun else QUOTED
    if re.fullmatch(quoted, word.value, re.DOTALL) and not Path(word.value).exists():
        return word
    return replace(word, value=quote(word.value))
