"""Gate 1: every word of the command line is judged, in the user's terms, before Hydra sees it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ..errors import UserError
from ..runtime.messages import as_typed
from .argv import Request
from .hints import nearest_key, unknown_key, unknown_option
from .library import Library
from .override_grammar import Word, each_setting, each_value, is_sweep, quote, quote_path
from .runs import RUNS
from .schema_walk import Key, all_leaves, leaves
from .size import expand_size
from .values import convert

QUOTED_WORD = re.compile(r"""(['"])([^'"]+=.*)\1""", re.DOTALL)
PATH_KEY = {
    "train": "data.root",
    "check": "data.root",
    "eval": "checkpoint",
    "detect": "input",
    "export": "checkpoint",
}  # a bare path
Compose = Callable[[list[str]], DictConfig]  # words for Hydra -> composed config, with its `hydra` node


@dataclass
class Sorted:
    """The words of a command line by what they are, in their order."""

    hydra: list[Word] = field(default_factory=list)  # Hydra's own settings pass unseen
    groups: list[Word] = field(default_factory=list)  # optimizer=adamw
    keys: list[Word] = field(default_factory=list)  # optimizer.lr=0.01
    sizes: list[Word] = field(default_factory=list)  # input_size=HxW, already judged
    problems: list[str] = field(default_factory=list)


def prepare(request: Request, library: Library, compose: Compose) -> list[str]:
    """The words as Hydra must get them. Raises UserError with one line for each that is wrong."""
    found = _sort(request, library)
    _judge_groups(found, library, request.multirun)
    judged = _judge_keys(found, library, compose, request.multirun)
    if found.problems:
        raise UserError("\n".join(dict.fromkeys(found.problems)))
    return [str(word) for word in [*found.hydra, *found.groups, *found.sizes, *judged]]


def single_settings(text: str, library: Library) -> list[str]:
    """The words that a sweep over one prepared word runs through."""
    word = Word.split(text)
    return each_setting(word, library.options(word.key) if word.key in library.groups else None)


def _sort(request: Request, library: Library) -> Sorted:
    found = Sorted()
    rules = {name: key.rule for name, key, _ in all_leaves(RUNS[library.command])}
    words = [Word.split(text) for text in request.words]
    for place, word in enumerate(words):
        following = words[place + 1] if place + 1 < len(words) else None
        if place and _is_value_of(words[place - 1], word, rules):
            continue  # told with the key before it
        problem = _form_problem(word, following, library, rules)
        if problem:
            found.problems.append(problem)
        elif word.key.startswith(("hydra.", "hydra/")):
            found.hydra.append(word)
        elif word.key == "input_size" and "input_size" in library.groups and not _is_dict(word):
            size, problems = expand_size(word, library, request.multirun)
            found.problems += problems
            (found.groups if size is word else found.sizes).append(size)
        elif word.key in library.groups and not _is_dict(word):
            found.groups.append(word)
        elif word.key in rules and rules[word.key].path:
            found.keys.append(quote_path(word, rules[word.key], request.multirun))
        else:
            found.keys.append(word)
    return found


def _is_dict(word: Word) -> bool:
    return (word.value or "").startswith("{")


def _form_problem(word: Word, following: Word | None, library: Library, known: Iterable[str]) -> str:
    """What is wrong with a word before its value is looked at; empty where nothing is."""
    quoted = QUOTED_WORD.fullmatch(str(word))
    if quoted:
        return f"{word}: these quotes reached the command; type {quoted[2]}, or quote for the shell alone"
    if word.prefix == "~":
        return f"{word}: nothing can be removed, a run needs all of its keys; set it to another value instead"
    if word.value is None:
        return _bare_problem(word, following, library, known)
    if word.key in ("hydra.mode", "hydra.searchpath"):
        return f"{word}: use {'-m for a sweep' if word.key == 'hydra.mode' else '--config-dir FOLDER'}"
    if not word.key:
        return f"'{word}': settings are written key=value, without spaces round the '='"
    if "@" in word.key:
        return f"{word}: packages ('@') are not offered here"
    if word.prefix and word.key in library.groups and not _is_dict(word):
        return f"{word}: write it without {word.prefix}"
    return ""


def _bare_problem(word: Word, following: Word | None, library: Library, known: Iterable[str]) -> str:
    names = [*known, *library.groups]
    near = word.key if word.key in names else nearest_key(word.key, names)
    if near is None or Path(word.key).suffix.lower() in (".jpg", ".jpeg"):  # a file, not the key augment.jpeg
        meant = f"; did you mean {PATH_KEY[library.command]}={word}?" if Path(str(word)).exists() and str(word) else ""
        return f"'{word}' is no setting: they are written key=value, without spaces round the '='{meant}"
    value = following.key if following and _is_value_of(word, following, known) else "VALUE"
    return f"'{word}' has no value: write {near}={value}, without spaces"


def _is_value_of(word: Word, following: Word, known: Iterable[str]) -> bool:
    """Whether two bare words are a key and its value, as in `train.epochs 3`."""
    return word.value is None and word.key in known and following.value is None and following.key not in known


def _judge_groups(found: Sorted, library: Library, multirun: bool) -> None:
    """Keep the group words whose options exist."""
    good = []
    for word in found.groups:
        options = library.options(word.key)
        if word.value in options:  # any file name will do, also one that Hydra's grammar does not read
            plain = word.value.replace("_", "").replace("-", "").replace("/", "")
            good.append(word if plain.isalnum() and plain.isascii() else replace(word, value=quote(word.value)))
        elif word.value == "null" and library.groups[word.key] is None:
            pass  # Hydra has no word for "none of them", which is the default
        else:
            problems = _option_problems(word, options, library, multirun)
            found.problems += problems
            good += [] if problems else [word]
    found.groups = good


def _option_problems(word: Word, options: list[str], library: Library, multirun: bool) -> list[str]:
    try:
        override = word.read()
    except UserError as error:
        return [str(error)]
    if is_sweep(override) and not multirun:
        return [f"{word}: several values; add -m for a sweep"]
    values = ["null" if value is None else str(value) for value in each_value(override, options)]
    return [unknown_option(word.key, value, library) for value in values if value not in options]


def _judge_keys(found: Sorted, library: Library, compose: Compose, multirun: bool) -> list[Word]:
    """The key words in Hydra's form, each checked under every combination of options it will meet."""
    asked_badly = {word.key for word in (Word.split(text) for text in found.problems)} & set(library.groups)
    keys = [word for word in found.keys if word.key.partition(".")[0] not in asked_badly]
    choices = [single_settings(str(word), library) for word in found.groups]
    judged = keys
    for combination in product(*choices):
        cfg = _compose_options(compose, found.hydra, combination, library)
        chosen = dict(cfg.hydra.runtime.choices)
        tree = OmegaConf.to_container(cfg)
        assert isinstance(tree, dict)
        known = leaves(RUNS[library.command], {str(name): node for name, node in tree.items()})
        for word in keys:
            found.problems += _key_problems(word, known, library, chosen, multirun)
        judged = [_fit_prefix(word, cfg) for word in keys]
    return judged


def _compose_options(
    compose: Compose, hydra: Iterable[Word], combination: Iterable[str], library: Library
) -> DictConfig:
    """The config with these options and no other setting. A bad file of the user's own is named."""
    try:
        return compose([*map(str, hydra), *combination])
    except UserError as error:
        own = [text for text in combination if not library.ships(*text.split("=", 1))]
        raise UserError(f"{' '.join(own)}: {error}" if own else str(error)) from error


def _fit_prefix(word: Word, cfg: DictConfig) -> Word:
    """What + and ++ ask for is clear, so the word gets the one Hydra needs: ++ under a node that is null."""
    parent = word.key.rpartition(".")[0]
    exists = not parent or OmegaConf.select(cfg, parent) is not None
    return replace(word, prefix="" if exists else "++")


def _key_problems(
    word: Word, known: Mapping[str, Key], library: Library, chosen: Mapping[str, str | None], multirun: bool
) -> list[str]:
    sections = {name.rsplit(".", depth)[0] for name in known for depth in range(1, name.count(".") + 1)}
    if word.key not in known and word.key not in sections and not word.key.endswith("._target_"):
        return [unknown_key(word.key, known, library, chosen)]
    try:
        override = word.read()
    except UserError as error:
        return [str(error)]
    if is_sweep(override) and not multirun:
        return [f"{word}: several values; add -m for a sweep (a list is written in brackets)"]
    problems = []
    for value in each_value(override):
        problems += _value_problems(word.key, value, known, library, chosen)
    return problems


def _value_problems(
    name: str, value: Any, known: Mapping[str, Key], library: Library, chosen: Mapping[str, str | None]
) -> list[str]:
    """One value of one key; a dict is taken apart."""
    if name.endswith("._target_"):
        return []  # gate 2 has the list of allowed ones
    if name not in known:
        inside = [full for full in known if full.startswith(name + ".")]
        if not inside:
            return [unknown_key(name, known, library, chosen)]
        if not isinstance(value, dict):
            return [f"{name}={value}: '{name}' is a section; set one of its keys, such as {inside[0]}"]
        pairs = value.items()
        return [p for k, v in pairs for p in _value_problems(f"{name}.{k}", v, known, library, chosen)]
    if isinstance(value, str) and "${" in value:
        return []  # an interpolation, or a file name with one escaped: known when composed
    try:
        convert(value, known[name].annotation, known[name].rule)
    except ValueError as error:
        return [f"{name}={as_typed(value)}: {error}"]
    return []
