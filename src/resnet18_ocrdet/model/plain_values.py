"""Values of sources that are not trusted: whether they are what JSON holds, and few enough."""

from __future__ import annotations

import math

DEEPEST = 16  # sections within sections
LONGEST = 10_000  # characters of a text
LARGEST = 2.0**63  # of a number
MAX_COUNT = 2**63 - 1


def not_plain(value: object, most_values: int, most_text: int) -> str | None:
    """Why a value is not texts, finite numbers, true, false, null, lists and sections; None where it is.

    most_values, most_text: in it at most, values and characters; what is shared counts wherever it stands, because
    whoever reads it reads it there."""
    left, values, characters = [(value, 0)], 0, 0
    while left:
        node, depth = left.pop()
        values += 1
        if values > most_values:
            return f"holds more than {most_values} values"
        if depth > DEEPEST:
            return "is nested too deeply"
        if isinstance(node, dict):
            if not all(isinstance(key, str) and len(key) <= LONGEST for key in node):
                return "holds a name that is no text"
            characters += sum(map(len, node))
            left += [(inner, depth + 1) for inner in node.values()]
        elif isinstance(node, list):
            left += [(inner, depth + 1) for inner in node]
        elif not _is_leaf(node):
            return f"holds {described(node)}"
        elif isinstance(node, str):
            characters += len(node)
        if characters > most_text:
            return f"holds more than {most_text} characters"
    return None


def is_number(value: object, low: float = -math.inf, high: float = math.inf) -> bool:
    """Whether a value is a finite number in low..high; True and False are not."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < LARGEST:
        return False
    return low <= value <= high


def is_count(value: object, low: int = 0, high: int = MAX_COUNT) -> bool:
    """Whether it is an int in low..high; bools are not."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def described(value: object) -> str:
    """What a value is, for a message: `null`, `the number nan`, `a list`."""
    if isinstance(value, float):
        return f"the number {value:g}"
    named = {type(None): "null", int: "a whole number", dict: "a section", list: "a list"}
    if isinstance(value, str):
        return f"a text of {len(value)} characters"
    return named.get(type(value), f"a value of type {type(value).__name__}")


def _is_leaf(node: object) -> bool:
    if node is None or isinstance(node, bool):
        return True
    if isinstance(node, str):
        return len(node) <= LONGEST
    return isinstance(node, int | float) and abs(node) < LARGEST  # which no NaN is
