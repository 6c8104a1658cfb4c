"""What a key may hold: the vocabulary in which the schemas are written."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Rule:
    """Meaning and limits of one key. Its type is the annotation of the field that carries it."""

    doc: str
    low: float = -math.inf
    high: float = math.inf
    above: bool = False  # low itself is out
    below: bool = False  # high itself is out
    multiple_of: int = 1
    choices: tuple[str, ...] = ()
    pattern: str = ""  # full match; text that fits is allowed beside the choices
    form: str = ""  # how to say in words what is allowed, where limits do not say it
    path: bool = False  # holds a file name: taken literally, whatever characters it has
    plain: str = "null"  # values of a path key that are no file name and stay as typed
    missing: str = ""  # what to say when it must be given and is not
    inherit: bool = False  # of a section: each of its keys may be null, meaning "as in the checkpoint"


def note(doc: str, **limits: Any) -> dict[str, Rule]:
    """The metadata of a field that is a section or a group."""
    return {"rule": Rule(doc, **limits)}


def key(doc: str, **limits: Any) -> Any:
    """Declare a key. It has no default: those live in conf/, once."""
    return field(metadata=note(doc, **limits))


def path(doc: str, **limits: Any) -> Any:
    """Declare a key that names a file or folder."""
    return key(doc, path=True, **limits)
