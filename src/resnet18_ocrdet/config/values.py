"""One value against one key: converted, or refused in words."""

from __future__ import annotations

import math
import re
from difflib import get_close_matches
from types import UnionType
from typing import Any, get_args, get_origin

from .library import train_keys
from .spec import Key, Rule

PAIR = re.compile(r"([0-9]+)[xX×]([0-9]+)")


def convert(value: Any, key: Key) -> Any:
    """The value in its declared type. A NumPy scalar counts as the plain number or bool.

    Raises ValueError that says what the key needs."""
    value = _plain(value)
    if isinstance(value, bool) and str(value).lower() in key.rule.choices:
        value = str(value).lower()
    if value is None and key.optional:
        return None
    if key.rule.path and value == "":
        raise ValueError("is empty: give a path" + (", or null" if key.optional else ""))
    kinds = get_args(key.kind) if isinstance(key.kind, UnionType) else (key.kind,)
    casts = (_cast(value, kind, alone=len(kinds) == 1) for kind in kinds)
    typed = next((cast for cast in casts if cast is not None), None)
    if typed is None or not _in_limits(typed, key.rule):
        raise ValueError(_refusal(value, key))
    return typed


def _plain(value: Any) -> Any:
    """The value of a NumPy scalar, without importing NumPy for the others."""
    is_scalar = type(value).__module__ == "numpy" and getattr(value, "shape", None) == ()
    return value.item() if is_scalar else value


def _cast(value: Any, kind: Any, alone: bool) -> Any:
    """The value as `kind`, or None where it is not one. alone: the key takes no other type."""
    if get_origin(kind) is tuple:
        parts = get_args(kind)
        if not isinstance(value, list | tuple) or len(value) != len(parts):
            return None
        typed = [_cast(_plain(item), part, alone) for item, part in zip(value, parts, strict=True)]
        return None if None in typed else typed
    if kind in (bool, list):
        return value if isinstance(value, kind) else None
    if kind in (int, float):
        return _number(value, kind)
    if isinstance(value, str):
        return value
    # A preset may say `checkpoint: 2015`; but 1.5 for "a share or a file" is a wrong share, not a file.
    return str(value) if alone and isinstance(value, int | float) and not isinstance(value, bool) else None


def _number(value: Any, kind: type) -> int | float | None:
    """True is not 1 here; "3" is 3 and 1e3 is a whole number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):  # of a whole number with hundreds of digits
        return None
    if kind is float:
        return number if math.isfinite(number) else None
    return int(number) if math.isfinite(number) and number.is_integer() else None


def _in_limits(typed: Any, rule: Rule) -> bool:
    if isinstance(typed, list):
        return all(_in_limits(item, rule) for item in typed)
    if isinstance(typed, bool):
        return True
    if isinstance(typed, str):
        unlimited = not (rule.choices or rule.pattern)
        return unlimited or typed in rule.choices or bool(rule.pattern and re.fullmatch(rule.pattern, typed))
    low_ok = typed > rule.low if rule.above else typed >= rule.low
    high_ok = typed < rule.high if rule.below else typed <= rule.high
    return bool(low_ok and high_ok and typed % rule.multiple_of == 0) if rule.multiple_of > 1 else low_ok and high_ok


def _refusal(value: Any, key: Key) -> str:
    """`needs a whole number, 1 or more`, with the nearest valid value where there is one."""
    text, rule = f"needs {describe(key)}", key.rule
    if isinstance(value, str) and value.startswith("[") and get_origin(key.kind) is tuple:
        return f"{text}; quotes inside the word make it text: leave them out"
    if rule.choices:
        close = get_close_matches(str(value), rule.choices, n=1, cutoff=0.4)
        return f"did you mean {close[0]}? ({describe(key)})" if close else text
    number = _number(value, float)
    if rule.multiple_of > 1 and number is not None:
        return f"{text}: nearest {' or '.join(map(str, nearest_multiples(number, rule)))}"
    return text


def nearest_multiples(number: float, rule: Rule) -> list[int]:
    """The one or two allowed values next to a number."""
    step = rule.multiple_of
    below, above = math.floor(number / step) * step, math.ceil(number / step) * step
    return sorted({int(min(max(side, rule.low), rule.high)) for side in (below, above)})


def pair_problem(text: str) -> str:
    """Why this is no `HxW` of a training image; empty where it is one."""
    rule = train_keys()["input_size.height"].rule
    if text.isascii() and text.isdigit():
        near = nearest_multiples(int(text), rule)
        return f"height x width is needed, did you mean {' or '.join(f'{side}x{side}' for side in near)}?"
    if (match := PAIR.fullmatch(text)) is None:
        return "height x width is needed, such as 800x800 or 736x1280"
    sides = [int(side) for side in match.groups()]
    valid = [nearest_multiples(side, rule) for side in sides]
    wrong = [side for side, choices in zip(sides, valid, strict=True) if side not in choices]
    if not wrong:
        return ""
    pairs = [f"{pick(valid[0])}x{pick(valid[1])}" for pick in (min, max)]
    limits = f"between {rule.low:g} and {rule.high:g}"
    reasons = [limits if not rule.low <= side <= rule.high else f"a multiple of {rule.multiple_of}" for side in wrong]
    why = " and ".join(dict.fromkeys(f"{side} is not {reason}" for side, reason in zip(wrong, reasons, strict=True)))
    return f"{why}: nearest {' or '.join(dict.fromkeys(pairs))}"


def describe(key: Key) -> str:
    """What a key takes, in words: `a number above 0, up to 100`."""
    text = key.rule.form or ", ".join(key.rule.choices) or _describe_type(key)
    return f"{text}, or null" if key.optional else text


def _describe_type(key: Key) -> str:
    kind, rule = key.kind, key.rule
    if kind in (bool, list):
        return "true or false" if kind is bool else "a list in brackets"
    if kind is str:
        return "a path" if rule.path else "text"
    limits = _describe_limits(rule)
    if get_origin(kind) is tuple:
        return f"{len(get_args(kind))} numbers in brackets, as [0.9,0.999], each{limits.removeprefix(',')}"
    name = "a whole number" if kind is int else "a number"
    return name + (f", a multiple of {rule.multiple_of}" if rule.multiple_of > 1 else "") + limits


def _describe_limits(rule: Rule) -> str:
    """`, 0 to 1` or ` above 0, up to 100`."""
    low, high = (f"{limit:.0f}" if 1e3 < limit < 1e9 else f"{limit:g}" for limit in (rule.low, rule.high))
    if math.isinf(rule.low):
        return ""
    if math.isinf(rule.high):
        return f" above {low}" if rule.above else f", {low} or more"
    if rule.below:
        return f" above {low} and below {high}" if rule.above else f", {low} or more and below {high}"
    return f" above {low}, up to {high}" if rule.above else f", {low} to {high}"
