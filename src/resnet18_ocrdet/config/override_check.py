"""The words of a command line, sorted and brought into Hydra's form; what no composition could judge is refused.

Whether a key exists and takes its value is checked in the composed config (check.py): a `++` lets Hydra pass it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from .hints import nearest_key, unknown_key, unknown_option
from .library import Library, all_leaves, group_of
from .override_grammar import Word, each_setting, quote, quote_names, quote_path, sweep_problem
from .values import PAIR, pair_problem

QUOTED_WORD = re.compile(r"""(['"])([^'"]+=.*)\1""", re.DOTALL)
# The key that a bare path is probably meant for.
PATH_KEY = {"train": "data.root", "check": "data.root", "eval": "checkpoint", "detect": "input", "export": "checkpoint"}


def prepare(texts: Iterable[str], multirun: bool, library: Library) -> tuple[list[str], list[str]]:
    """The words as Hydra must get them, without those that are wrong, and one line for each of these."""
    keys = {name: key for name, key, _ in all_leaves(library.schema)}
    words = [Word.split(text) for text in texts]
    searched = any(word.key == "hydra/sweeper" for word in words)
    problems: list[str] = []
    sorted_words: tuple[list[Word], ...] = ([], [], [])
    hydra, groups, settings = sorted_words
    bad_groups: set[str] = set()
    for place, word in enumerate(words):
        following = words[place + 1] if place + 1 < len(words) else None
        if place and _is_value_of(words[place - 1], word, keys):
            continue  # reported with the key before it
        if problem := _form_problem(word, following, library, keys):
            problems.append(problem)
        elif word.key.startswith(("hydra.", "hydra/")):
            hydra.append(word)  # Hydra's own settings pass unseen
        elif word.key in library.groups and not word.in_braces:
            found, wrong = _group_word(word, library, multirun, searched)
            problems += wrong
            if wrong:
                bad_groups.add(word.key)
            else:
                groups += [each if each.prefix else replace(each, key=library.packages[each.key]) for each in found]
        else:
            if word.key in keys and keys[word.key].rule.path:
                word = quote_path(word, keys[word.key].rule, multirun)
            elif word.key in keys and keys[word.key].rule.names:
                word = quote_names(word)
            inside = any(name == word.key or name.startswith(f"{word.key}.") for name in keys)
            if not inside and not word.key.endswith("._target_"):
                problems.append(unknown_key(word.key, keys, library))
            elif problem := sweep_problem(word, None, multirun, searched):
                problems.append(problem)
            else:
                settings.append(replace(word, prefix="++"))
    settings = [word for word in settings if word.key.partition(".")[0] not in bad_groups]
    groups.sort(key=lambda word: word.prefix)  # sizes, which have one, after the others
    return [str(word) for word in [*hydra, *groups, *settings]], problems


def single_settings(text: str, library: Library) -> list[str]:
    """The words that a sweep over one prepared word runs through."""
    word = Word.split(text)
    group = group_of(word.key)
    return each_setting(word, library.options(group) if group in library.groups else None)


def each_value_once(words: Sequence[str], library: Library) -> Iterator[list[str]]:
    """Single settings in which each value of a sweep occurs, without going through all combinations."""
    choices = [single_settings(word, library) for word in words]
    yield [values[0] for values in choices]
    for place, values in enumerate(choices):
        for value in values[1:]:
            yield [value if number == place else first[0] for number, first in enumerate(choices)]


def _form_problem(word: Word, following: Word | None, library: Library, known: Iterable[str]) -> str:
    """What is wrong with a word before its value is looked at; empty where nothing is."""
    if quoted := QUOTED_WORD.fullmatch(str(word)):
        return f"{word}: these quotes reached the command; type {quoted[2]}, or quote for the shell alone"
    if word.prefix == "~":
        return f"{word}: nothing can be removed, a run needs all of its keys; set it to another value instead"
    if word.value is None:
        return _bare_problem(word, following, library, known)
    if word.key in ("hydra.mode", "hydra.searchpath"):
        return f"{word}: use {'-m for a sweep' if word.key == 'hydra.mode' else '--config-dir FOLDER'}"
    if not word.key:
        return f"'{word}': settings are written key=value, without spaces around the '='"
    if "@" in word.key:
        return f"{word}: packages ('@') are not supported here"
    if word.prefix and word.key in library.groups and not word.in_braces:
        return f"{word}: write it without {word.prefix}"
    return ""


def _bare_problem(word: Word, following: Word | None, library: Library, known: Iterable[str]) -> str:
    names = [*known, *library.groups]
    near = word.key if word.key in names else nearest_key(word.key, names)
    if near is None or Path(word.key).suffix.lower() in (".jpg", ".jpeg"):  # a file, not the key augment.jpeg
        meant = f"; did you mean {PATH_KEY[library.command]}={word}?" if Path(str(word)).exists() and str(word) else ""
        return f"'{word}' is not a setting: they are written key=value, without spaces around the '='{meant}"
    value = following.key if following and _is_value_of(word, following, known) else "VALUE"
    return f"'{word}' has no value: write {near}={value}, without spaces"


def _is_value_of(word: Word, following: Word, known: Iterable[str]) -> bool:
    """Whether two bare words are a key and its value, as in `train.epochs 3`."""
    return word.value is None and word.key in known and following.value is None and following.key not in known


def _group_word(word: Word, library: Library, multirun: bool, searched: bool) -> tuple[list[Word], list[str]]:
    """The word for Hydra, and what is wrong with its options."""
    options = library.options(word.key)
    if word.key == "input_size" and (expanded := _expanded_sizes(word, options, multirun)) is not None:
        return expanded
    if word.value in options:  # any file name will do, also one that Hydra's grammar does not read
        plain = word.value.replace("_", "").replace("-", "").replace("/", "")
        return [word if plain.isalnum() and plain.isascii() else replace(word, value=quote(word.value))], []
    if word.value == "null" and library.groups[word.key] is None:
        return [], []  # Hydra has no word for "none of them", which is the default
    if problem := sweep_problem(word, options, multirun, searched):
        return [], [problem]
    each = (Word.split(text).read().value() for text in each_setting(word, options))
    values = ["null" if value is None else str(value) for value in each]
    return [word], [unknown_option(word.key, value, library) for value in values if value not in options]


def _expanded_sizes(word: Word, options: list[str], multirun: bool) -> tuple[list[Word], list[str]] | None:
    """`input_size=HxW` for sizes that have no file of their own, as of `_group_word`. None where all have one.

    A pair becomes `++input_size={height:H,width:W}`: one word, so that a sweep over pairs stays one, and
    with ++ because ocrdet-eval and ocrdet-detect have no such node until it is asked for."""
    value = word.value or ""
    if value.startswith(("[", "(")):
        return [], [f"{word}: {pair_problem(value)}, without brackets"]
    texts = [text.strip() for text in value.split(",")]
    if all(text in options or text == "null" for text in texts):
        return None
    if len(texts) > 1 and not multirun:
        return [], [f"{word}: several values; add -m for a sweep"]
    if problems := [f"input_size={text}: {problem}" for text in texts if (problem := pair_problem(text))]:
        return [], problems
    pairs = [match.groups() for text in texts if (match := PAIR.fullmatch(text))]
    nodes = ",".join(f"{{height:{int(height)},width:{int(width)}}}" for height, width in pairs)
    return [Word("++", "input_size", nodes)], []
