"""The config that a checkpoint, an exported file or a run folder says it was made with: checked as a typed one is."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import reduce
from operator import getitem
from typing import Any

from ..config.check import MISSING, Checker, escaped
from ..config.hints import RENAMED
from ..config.interpolation import literal
from ..config.library import Library, mixed_groups
from ..errors import UserError
from ..runtime.messages import one_line
from .plain_values import described, not_plain

PACKAGE = "resnet18_ocrdet"
MOST_VALUES = 1000  # of a config: it has about a hundred
MOST_TEXT = 100_000  # characters: names and texts of a config have about two thousand
ADDED = ("max_megapixels", "overwrite")  # keys outside of sections that older versions did not have
UNTARGETED = ("model", "loss")  # groups that older versions recorded without a target: it was the default's
MOVED_TARGETS = {  # older `_target_` -> where that class is now
    f"{PACKAGE}.schedule.{name}": f"{PACKAGE}.train.schedule.{name}"
    for name in ("StepLR", "Cosine", "OneCycle", "Poly")
}


def recorded_config(said: object) -> dict[str, Any]:
    """The config of a training run, from a source that is not trusted.

    Settings that older versions did not have are filled in. `data` may be None, as in weights to give away, and other
    keys may be absent, as in weights of other programs; what is there has the types, ranges and targets of a typed
    config. A `${` in a text stays escaped. Raises UserError for the first thing that is wrong, in one line."""
    if not isinstance(said, dict):
        raise UserError(f"is {described(said)}, not sections of settings")
    if (problem := not_plain(said, MOST_VALUES, MOST_TEXT)) is not None:
        raise UserError(problem)
    tree: dict[str, Any] = {name: _literal(name, value) for name, value in said.items()}
    tree = with_newer_keys(tree)
    checked = {name: value for name, value in tree.items() if (name, value) != ("data", None)}
    checker = Checker("train", checked, True, None, lambda name: not name.startswith("data."))
    clean = checker.section(checker.library.schema, checked)
    if checker.problems:
        raise UserError(one_line(checker.problems[0]))
    if len(checked) < len(tree):
        clean["data"] = None
    made = escaped(clean)
    assert isinstance(made, dict)
    return made


def with_newer_keys(tree: dict[str, Any]) -> dict[str, Any]:
    """A config with the keys of this version: renamed, and where its version did not have them yet, with the defaults.

    A new key must therefore have a default that changes nothing. Absent sections stay absent, except train."""
    library = Library("train")
    made = {name: library.primary[name] for name in ADDED} | _renamed(tree)
    made.setdefault("train", {})
    for name, defaults in library.primary.items():
        if isinstance(defaults, dict) and name in made:
            made[name] = _filled(made[name], defaults)
    for group in mixed_groups():
        made.setdefault(group, None)
    for group in library.groups.keys() & made.keys():
        made[group] = _group_filled(made[group], group, library)
    return made


def _group_filled(node: Any, group: str, library: Library) -> Any:
    """A group's node with the defaults of the option that builds its target."""
    default = library.values(group, library.groups[group] or "")["_target_"] if group in UNTARGETED else None
    target = node.get("_target_", default) if isinstance(node, dict) else None
    options = library.options_for(group, target) if isinstance(target, str) else []
    if not options:
        return node
    known = {  # without a value that must be given, or that another key gives
        name: value
        for name, value in library.values(group, options[0]).items()
        if not (isinstance(value, str) and (value == MISSING or "${" in value))
    }
    return _filled(node, known | {"_target_": target})


def _literal(name: str, node: Any) -> Any:
    """Plain values with `${` no longer escaped. Raises UserError where one is not escaped."""
    if isinstance(node, dict):
        return {key: _literal(f"{name}.{key}", value) for key, value in node.items()}
    if isinstance(node, list):
        return [_literal(name, value) for value in node]
    if not isinstance(node, str):
        return node
    try:
        return literal(node)
    except ValueError as error:
        raise UserError(one_line(f"{name}={node}: {error}")) from None


def _renamed(tree: dict[str, Any]) -> dict[str, Any]:
    """A config with the keys and targets of an earlier version under their names of now."""
    made = copy.deepcopy(tree)
    for section in made.values():
        if isinstance(section, dict) and isinstance(target := section.get("_target_"), str):
            section["_target_"] = MOVED_TARGETS.get(target, target)
    train = made.get("train")
    if isinstance(train, dict) and isinstance(train.get("loss"), dict):
        made["loss"] = train.pop("loss")
    for old, new in RENAMED.items():
        *parents, name = old.split(".")
        try:
            value = reduce(getitem, parents, made).pop(name)
        except (AttributeError, KeyError, TypeError):  # it has no such section or key
            continue
        *parents, name = new.split(".")
        place: Any = made
        for parent in parents:
            place = place.setdefault(parent, {})
        if isinstance(place, dict):
            place[name] = value
    return made


def _filled(section: Any, added: Mapping[str, Any]) -> Any:
    """A section with keys that it lacks; what is no section stays as it is."""
    return {**added, **section} if isinstance(section, dict) else section
