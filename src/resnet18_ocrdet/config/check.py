"""Gate 2: the composed config against its schema; nothing unknown, untyped or out of range passes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ..errors import UserError
from ..runtime.messages import as_typed
from .crossfield import contradictions, not_given
from .hints import unknown_key
from .interpolation import escape_interpolation
from .library import Library
from .runs import RUNS
from .schema_walk import Key, choose, keys_of, leaves, target_of
from .values import convert

MISSING = "???"  # OmegaConf's mark for a value that must be given


def check_run(cfg: DictConfig, command: str, complete: bool = True, together: bool = True) -> DictConfig:
    """The config typed, resolved and closed to new keys. Raises UserError with one line per mistake.

    complete: False lets values that must be given be absent, to look at a config (`--cfg`). together: False leaves out
    whether the settings fit each other: those of a resumed run are not all known yet."""
    checker = Checker(command, _resolved(cfg), complete)
    tree = checker.section(checker.schema, checker.tree)
    problems = checker.problems or (contradictions(tree, command) if together else [])
    if complete and not problems:
        problems = not_given(tree, command)
    if problems:
        raise UserError("\n".join(dict.fromkeys(problems)))
    checked = OmegaConf.create(escaped(tree))
    assert isinstance(checked, DictConfig)
    OmegaConf.set_struct(checked, True)
    return checked


def _resolved(cfg: DictConfig) -> dict[str, Any]:
    """Plain nodes with every interpolation replaced, without Hydra's own node."""
    own = OmegaConf.masked_copy(cfg, [str(name) for name in cfg if name != "hydra"])
    try:
        tree = OmegaConf.to_container(own, resolve=True)
    except OmegaConfBaseException as error:
        place = f"{error.full_key}: " if error.full_key else ""
        raise UserError(place + str(error).splitlines()[0]) from None
    assert isinstance(tree, dict)
    return {str(name): node for name, node in tree.items()}


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
        place: str = " (in a config file)",  # the command line has passed gate 1, so a config file says it
        spared: Callable[[str], bool] = lambda name: False,
    ) -> None:
        """tree: plain values. complete: False lets values be `???`. place: said behind a key that does not exist.

        spared: whether a key, by its dotted name, may be absent; it then stays so."""
        self.schema, self.tree = RUNS[command], tree
        self.complete, self.place, self.spared = complete, place, spared
        self.library = Library(command)
        self.known = leaves(self.schema, tree)
        self.problems: list[str] = []

    def section(self, schema: type, node: Mapping[str, Any], prefix: str = "", inherit: bool = False) -> dict[str, Any]:
        """One node in its declared types."""
        keys = {key.name: key for key in keys_of(schema, inherit)}
        for name in node:
            if name not in keys and not (name == "_target_" and target_of(schema)):
                problem = unknown_key(f"{prefix}{name}", self.known, self.library, {})
                self.problems.append(problem + self.place)
        target = target_of(schema)
        clean: dict[str, Any] = {"_target_": target} if target else {}
        for name, key in keys.items():
            if name not in node and self.spared(prefix + name):
                continue
            clean[name] = self._value(key, node.get(name, MISSING), prefix + name)
        return clean

    def _value(self, key: Key, value: Any, name: str) -> Any:
        if key.schemas:
            return self._node(key, value, name)
        if value == MISSING:
            if self.complete:
                self.problems.append(key.rule.missing or f"{name} is not set{self._remedy(name)}")
            return MISSING
        try:
            return convert(value, key.annotation, key.rule)
        except ValueError as error:
            self.problems.append(f"{name}={as_typed(value)}: {error}")
            return value

    def _node(self, key: Key, value: Any, name: str) -> Any:
        if value in (None, MISSING) and key.optional:
            return None
        if not isinstance(value, dict):
            what = "is not set" if value in (None, MISSING) else f"is {as_typed(value)}"
            self.problems.append(f"{name} {what}: a run needs a section here ({key.rule.doc})")
            return None
        schema = choose(key, value)
        targets = [target for target in map(target_of, key.schemas) if target]
        if schema is None or (targets and value.get("_target_") not in targets):
            target = as_typed(value.get("_target_"))
            self.problems.append(f"{name}._target_={target}: only {' and '.join(targets)} can be built")
            return None
        return self.section(schema, value, name + ".", key.rule.inherit)

    def _remedy(self, name: str) -> str:
        """For an option file of the user's own that leaves keys out."""
        group = name.partition(".")[0]
        target = (self.tree.get(group) or {}).get("_target_") if group in self.library.groups else None
        options = self.library.options_for(group, target) if target else []
        return f"; a file of your own can begin with 'defaults: [{options[0]}, _self_]'" if options else ""
