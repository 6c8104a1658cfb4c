"""What a key takes, declared once, in a comment beside its default in conf/: `lr: 0.007  # [float > 0 <= 100] help`.

In the brackets stands a type with limits (`int >= 1`, `float > 0 < 1`, `int >= 32 x32` for multiples of 32,
`2 floats >= 0`, `str`, `names`, `path`, `split`) or a choice of words (`none|ram|disk`); `|null` lets a key be null, as
does a default of null; `…` in a choice stands for the values in the other files of the group. Words beside `path` are
keywords, not file names. Without brackets the default gives the type.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from ..errors import UserError

DECLARATION = re.compile(r"\s*(?:\[([^\]]*)\])?\s*(.*)")
LIMIT = re.compile(r"(>=|<=|>|<)\s*(\S+)|x(\d+)")
TYPES: dict[str, Any] = {
    "int": int,
    "float": float,
    "bool": bool,
    "str": str,
    "names": str,
    "path": str,
    "split": str | float,
}
MORE = "…"
PATTERNS = {  # words of a choice that stand for many
    "cuda:N": (r"cuda:\d+", "cuda:N"),
    "int": (r"[1-9][0-9]{0,5}", "a whole number from 1 on"),
    "HxW": (r"\d+x\d+", "height x width, such as 416x416"),
    "i/n": (r"[1-9][0-9]*/[1-9][0-9]*", "i/n"),
}
SPLIT_FORM = "a share between 0 and 1, a range such as 801-900, or a file of names"
# A share, a range, or several of them in a sweep: not a file name, so Hydra's own grammar may read it.
SPLIT_VALUE = r"null|[0-9][0-9.eE+-]*( *, *[0-9][0-9.eE+-]*)*"


@dataclass(frozen=True)
class Rule:
    """Limits and help text of one key."""

    doc: str = ""
    low: float = -math.inf
    high: float = math.inf
    above: bool = False  # low itself is excluded
    below: bool = False  # high itself is excluded
    multiple_of: int = 1
    choices: tuple[str, ...] = ()
    pattern: str = ""  # full match; text that fits is allowed beside the choices
    form: str = ""  # what is allowed, in words, where limits do not say it
    names: bool = False  # names separated by commas: a comma is no sweep
    path: bool = False  # holds a file name: taken literally, whatever characters it has
    plain: str = "null"  # values of a path key that are not file names and stay as typed


@dataclass(frozen=True)
class Key:
    """One key of a config: its type and its rule."""

    name: str
    kind: Any  # a type, or several in a union
    optional: bool  # null is allowed
    rule: Rule


def declared_key(name: str, comment: str, default: Any) -> Key:
    """The key that a line of conf/ declares. comment: what follows its `#`. Raises UserError for an unknown type."""
    match = DECLARATION.fullmatch(comment)
    assert match is not None  # every part of the pattern may be empty
    spec, doc = match[1], match[2]
    words = [word.strip() for word in spec.split("|")] if spec else []
    optional = default is None or "null" in words
    words = [word for word in words if word != "null"]
    first = re.split(r"[ <>]", words[0])[0] if words else ""
    if not words:
        kind = type(default) if default is not None else str
        return Key(name, kind, optional, Rule(doc))
    if first in TYPES:
        return Key(name, TYPES[first], optional, _type_rule(first, words, doc))
    if first.isdigit():
        return Key(name, tuple[(float,) * int(first)], optional, Rule(doc, **_limits(words[0])))  # type: ignore[misc]
    patterns = [PATTERNS[word] for word in words if word in PATTERNS]
    if limited := [word for word in words if re.search(r"[<>\s]", word)]:  # only types have limits
        raise UserError(f"conf/: {name}: # [{spec}]: '{limited[0]}' is not a type; one of {', '.join(TYPES)}")
    if not patterns:
        return Key(name, str, optional, Rule(doc, choices=tuple(words)))
    literal = [word for word in words if word not in PATTERNS]
    form = " or ".join([", ".join(literal)] * bool(literal) + [form for _, form in patterns])
    pattern = "|".join(pattern for pattern, _ in patterns)
    return Key(name, str, optional, Rule(doc, choices=tuple(literal), pattern=pattern, form=form))


def _type_rule(first: str, words: list[str], doc: str) -> Rule:
    if first == "path":
        keywords = "|".join(["null", *map(re.escape, words[1:])])
        return Rule(doc, path=True, plain=f"({keywords})(,({keywords}))*")
    if first == "names":
        return Rule(doc, names=True, form="names separated by commas")
    if first == "split":
        shares: dict[str, Any] = {"low": 0, "high": 1, "above": True, "below": True}
        return Rule(doc, path=True, form=SPLIT_FORM, plain=SPLIT_VALUE, **shares)
    return Rule(doc, **_limits(words[0]))


def _limits(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for sign, number, multiple in LIMIT.findall(text):
        if multiple:
            found["multiple_of"] = int(multiple)
        elif sign.startswith(">"):
            found |= {"low": float(number), "above": sign == ">"}
        else:
            found |= {"high": float(number), "below": sign == "<"}
    return found
