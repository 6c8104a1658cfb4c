"""The composed config against its schema: nothing unknown, of another type or out of range passes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ..errors import UserError
from ..runtime.messages import as_typed
from .hints import unknown_key
from .interpolation import escape_interpolation
from .library import Library, Schema, Section, all_leaves, leaves
from .spec import Key
from .values import convert

MISSING = "???"  # OmegaConf's mark for a value that must be given


def check_run(cfg: DictConfig, command: str, complete: bool = True, typed: Collection[str] | None = None) -> DictConfig:
    """The config typed, resolved and closed to new keys. Raises UserError with one line per mistake.

    complete: False lets values that must be given be absent, to look at a config (`--cfg`). typed: keys of the command
    line; others that are unknown are in a config file."""
    checker = Checker(command, _resolved(cfg), complete, typed or (), derived=_interpolated(cfg))
    tree = checker.section(checker.library.schema, checker.tree)
    if problems := checker.problems or checker.derived_problems:
        raise UserError("\n".join(dict.fromkeys(problems)))
    checked = OmegaConf.create(escaped(tree))
    assert isinstance(checked, DictConfig)
    OmegaConf.set_struct(checked, True)
    return checked


def plain(node: DictConfig, resolve: bool = False) -> dict[str, Any]:
    """A config node as plain values. resolve: else a `${` in a file name stays escaped, so that it can be read back."""
    values = OmegaConf.to_container(node, resolve=resolve)
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


def _resolved(cfg: DictConfig) -> dict[str, Any]:
    """Plain nodes with every interpolation replaced, without Hydra's own node."""
    try:
        return plain(OmegaConf.masked_copy(cfg, [str(name) for name in cfg if name != "hydra"]), resolve=True)
    except OmegaConfBaseException as error:
        place = f"{error.full_key}: " if error.full_key else ""
        raise UserError(place + str(error).splitlines()[0]) from None


def _interpolated(node: DictConfig, prefix: str = "") -> set[str]:
    """Dotted names of values that are taken from another key."""
    found = set()
    for name in map(str, node):
        full = f"{prefix}{name}"
        if OmegaConf.is_interpolation(node, name):
            found.add(full)
        elif not OmegaConf.is_missing(node, name) and isinstance(node[name], DictConfig) and full != "hydra":
            found |= _interpolated(node[name], f"{full}.")
    return found


def escaped(node: Any) -> Any:
    """Resolved text is literal from here on: a folder named `${x}` must not be looked up again."""
    if isinstance(node, dict):
        return {name: escaped(value) for name, value in node.items()}
    if isinstance(node, list):
        return [escaped(value) for value in node]
    return escape_interpolation(node) if isinstance(node, str) else node


class Checker:
    """Walks config and schema side by side, collecting every problem."""

    def __init__(
        self,
        command: str,
        tree: dict[str, Any],
        complete: bool,
        typed: Collection[str] | None,
        spared: Callable[[str], bool] = lambda name: False,
        derived: Collection[str] = (),
    ) -> None:
        """tree: plain values. complete: False lets values be `???`. typed: keys of the command line, others are from a
        config file; None where neither is known. spared: whether a key, by its dotted name, may be absent.
        derived: keys whose values are interpolations."""
        self.tree, self.complete, self.typed, self.spared = tree, complete, typed, spared
        self.library = Library(command)
        self.known = leaves(self.library.schema, tree)
        self.problems: list[str] = []
        self.derived = derived  # their problems are those of the keys that they are taken from
        self.derived_problems: list[str] = []

    def section(
        self, schema: Schema, node: Mapping[str, Any], prefix: str = "", target: str | None = None
    ) -> dict[str, Any]:
        """One node in its declared types. target: of a group's node."""
        for name in node:
            full = f"{prefix}{name}"
            if name not in schema and (name != "_target_" or target is None):
                typed = self.typed is None or any(full == key or full.startswith(f"{key}.") for key in self.typed)
                problem = unknown_key(full, self.known, self.library, self._chosen(full.partition(".")[0]))
                self.problems.append(problem + ("" if typed else " (in a config file)"))
        clean: dict[str, Any] = {"_target_": target} if target else {}
        for name, key in schema.items():
            if name not in node and self.spared(prefix + name):
                continue
            value, full = node.get(name, MISSING), prefix + name
            clean[name] = self._value(key, value, full) if isinstance(key, Key) else self._node(key, value, full)
        return clean

    def _chosen(self, group: str) -> str | None:
        """One of the options that build what the config has of a group."""
        node = self.tree.get(group)
        if group not in self.library.groups or not isinstance(node, Mapping):
            return None
        options, default = self.library.options_for(group, node.get("_target_")), self.library.groups[group]
        return default if default in options else next(iter(options), None)

    def _value(self, key: Key, value: Any, name: str) -> Any:
        if value == MISSING:
            if self.complete:
                what = "FOLDER" if "folder" in key.rule.doc.partition(",")[0] else "PATH"
                needed = f"{name}={what} is missing ({key.rule.doc})" if key.rule.path else f"{name} is not set"
                self.problems.append(needed + self._remedy(name))
            return MISSING
        try:
            return convert(value, key)
        except ValueError as error:
            problems = self.derived_problems if name in self.derived else self.problems
            problems.append(f"{name}={as_typed(value)}: {error}")
            return value

    def _node(self, section: Section, value: Any, name: str) -> Any:
        if value in (None, MISSING) and section.optional:
            return None
        if not isinstance(value, dict):
            what = f"{name} is not set" if value in (None, MISSING) else f"{name}={as_typed(value)}"
            below = (key for key, _, _ in all_leaves({name: section}))
            self.problems.append(f"{what}: '{name}' is a section; set one of its keys, such as {next(below)}")
            return None
        schema = section.choose(value)
        if schema is None and section.optional and "_target_" not in value:  # keys of a group that is not chosen
            self.problems += [unknown_key(f"{name}.{key}", self.known, self.library) for key in value]
            return None
        if schema is None or (None in section.options and "_target_" in value):
            targets = " and ".join(filter(None, section.options)) or "nothing"
            self.problems.append(f"{name}._target_={as_typed(value.get('_target_'))}: only {targets} can be built")
            return None
        return self.section(schema, value, name + ".", value.get("_target_"))

    def _remedy(self, name: str) -> str:
        """For an option file of the user's own that leaves keys out."""
        group = name.partition(".")[0]
        node = self.tree.get(group)
        target = node.get("_target_") if isinstance(node, Mapping) and group in self.library.groups else None
        options = self.library.options_for(group, target) if target else []
        if not options or self.library.values(group, options[0]).get(name.rpartition(".")[2]) == MISSING:
            return ""
        return f"; a file of your own can begin with 'defaults: [{options[0]}, _self_]'"
