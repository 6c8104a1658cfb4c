"""The config that a checkpoint, an exported file or a run folder says it was made with: checked as a typed one is."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cache
from typing import Any

from ..config.check import Checker, escaped
from ..config.hints import RENAMED
from ..config.interpolation import literal
from ..config.library import Library
from ..errors import UserError
from ..runtime.messages import one_line
from .plain_values import described, not_plain

PACKAGE = "resnet18_ocrdet"
MOST_VALUES = 1000  # of a config: it has about a hundred
MOST_TEXT = 100_000  # characters: names and texts of a config have about two thousand
LABELLED = {
    "on_error": "fix",
    "missing_gt": "fail",
    "ignore_marks": None,
    "coords": "pixels",
    "exif": "auto",
    "cache": "none",
    "max_label_mb": 1024,
}
MOVED_TARGETS = {  # older `_target_` -> where that class is now
    f"{PACKAGE}.schedule.{name}": f"{PACKAGE}.train.schedule.{name}"
    for name in ("StepLR", "Cosine", "OneCycle", "Poly")
}
# Settings that older versions did not have, with the values that change nothing; besides those of train.*
ADDED: dict[str, dict[str, Any]] = {
    "model": {"_target_": f"{PACKAGE}.model.dbnet.DBNet", "plain": False},  # model/convert.py left the target out
    "loss": {"_target_": f"{PACKAGE}.model.loss.DBLoss"},
    "augment": {"crop_size": None},
    "decode": {"unclip": "clipper"},
}
ADDED_TO_DATA: dict[str, dict[str, Any]] = {  # by what the name of the target ends with
    ".icdar2015": LABELLED,
    ".custom": {"dialect": "auto", **LABELLED},
    ".synthetic": {"fonts": None, "backgrounds": None},
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
    """A config with the defaults of settings that its version did not have yet, and that change nothing.

    Keys without a default here stay missing. The one place that knows what older versions wrote."""
    defaults = _defaults()
    tree = _renamed({name: _retargeted(node) for name, node in tree.items()})
    made = {"max_megapixels": defaults["max_megapixels"], "overwrite": defaults["overwrite"], **tree}
    made["train"] = _filled(tree.get("train", {}), defaults["train"])
    for section, added in ADDED.items():
        if section in tree:
            made[section] = _filled(tree[section], added)
    data = tree.get("data")
    if isinstance(data, dict):
        ends = str(data.get("_target_"))
        for target, added in ADDED_TO_DATA.items():
            made["data"] = _filled(made["data"], added) if ends.endswith(target) else made["data"]
    return made


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


def _retargeted(node: Any) -> Any:
    """A section whose `_target_` is where this version has it."""
    target = node.get("_target_") if isinstance(node, dict) else None
    return {**node, "_target_": MOVED_TARGETS[target]} if isinstance(target, str) and target in MOVED_TARGETS else node


def _renamed(tree: dict[str, Any]) -> dict[str, Any]:
    """A config with the keys of an earlier version under their names of now."""
    made = copy.deepcopy(tree)
    train = made.get("train")
    if isinstance(train, dict) and isinstance(train.get("loss"), dict):
        made["loss"] = train.pop("loss")
    for old, new in RENAMED.items():
        section: Any = made
        *parents, name = old.split(".")
        for parent in parents:
            section = section.get(parent) if isinstance(section, dict) else None
        if not isinstance(section, dict) or name not in section:
            continue
        value = section.pop(name)
        target: Any = made
        *parents, name = new.split(".")
        for parent in parents:
            target = target.setdefault(parent, {})
        if isinstance(target, dict):
            target[name] = value
    return made


def _filled(section: Any, added: Mapping[str, Any]) -> Any:
    """A section with keys that it lacks; what is no section stays as it is."""
    return {**added, **section} if isinstance(section, dict) else section


@cache
def _defaults() -> dict[str, Any]:
    return Library("train").primary
