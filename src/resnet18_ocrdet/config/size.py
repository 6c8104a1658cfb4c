"""`input_size=HxW` for sizes that have no file of their own."""

from __future__ import annotations

import re
from dataclasses import replace

from .library import Library, train_keys
from .override_grammar import Word
from .spec import Rule
from .values import nearest_multiples

PAIR = re.compile(r"([0-9]+)[xX×]([0-9]+)")


def expand_size(word: Word, library: Library, multirun: bool) -> tuple[Word, list[str]]:
    """The word as Hydra can take it, and what is wrong with it.

    A pair becomes `++input_size={height:H,width:W}`: one word, so that a sweep over pairs stays one, and
    with ++ because ocrdet-eval and ocrdet-detect have no such node until it is asked for."""
    options = library.options("input_size")
    if re.fullmatch(r"[\[(].*", word.value or ""):
        return replace(word), [f"{word}: {pair_problem(word.value or '')}, without brackets"]  # no option of the group
    texts = [text.strip() for text in (word.value or "").split(",")]
    if all(text in options or text == "null" for text in texts):
        return word, []
    if len(texts) > 1 and not multirun:
        return word, [f"{word}: several values; add -m for a sweep"]
    nodes, problems = [], []
    for text in texts:
        if problem := pair_problem(text):
            problems.append(f"input_size={text}: {problem}")
        else:
            height, width = map(int, re.split("[xX×]", text))
            nodes.append(f"{{height:{height},width:{width}}}")
    return Word("++", "input_size", ",".join(nodes)), problems


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
    why = " and ".join(dict.fromkeys(_why(side, rule) for side in wrong))
    return f"{why}: nearest {' or '.join(dict.fromkeys(pairs))}"


def _why(side: int, rule: Rule) -> str:
    if not rule.low <= side <= rule.high:
        return f"{side} is not between {rule.low:g} and {rule.high:g}"
    return f"{side} is not a multiple of {rule.multiple_of}"
