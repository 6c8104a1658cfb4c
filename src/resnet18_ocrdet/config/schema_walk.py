"""Schemas as trees: which dotted keys a run config has, given the options that were chosen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from types import NoneType
from typing import Any, Optional, get_type_hints

from .rules import Rule
from .values import kinds_of


@dataclass(frozen=True)
class Key:
    """One key of a schema."""

    name: str
    annotation: Any
    rule: Rule

    @property
    def schemas(self) -> list[type]:
        """The schemas this key's node may follow; empty for a plain value."""
        return [kind for kind in kinds_of(self.annotation) if is_dataclass(kind) and isinstance(kind, type)]

    @property
    def optional(self) -> bool:
        """Whether null is allowed."""
        return NoneType in kinds_of(self.annotation)


@cache
def keys_of(schema: type, inherit: bool = False) -> tuple[Key, ...]:
    """The keys of one schema, in order. inherit: all of them may be null."""
    hints = get_type_hints(schema)
    return tuple(
        Key(item.name, Optional[hints[item.name]] if inherit else hints[item.name], item.metadata["rule"])  # noqa: UP045
        for item in fields(schema)
    )


def choose(key: Key, node: Any) -> type | None:
    """The schema that a node follows: the one that names its `_target_`, or the only one."""
    schemas = key.schemas
    if len(schemas) == 1:
        return schemas[0]
    target = node.get("_target_") if isinstance(node, Mapping) else None
    return next((schema for schema in schemas if target_of(schema) == target), None)


def target_of(schema: type) -> str | None:
    """The `_target_` a schema belongs to; None for a plain section."""
    target: str | None = getattr(schema, "target", None)
    return target


def leaves(schema: type, tree: Mapping[str, Any], inherit: bool = False, prefix: str = "") -> dict[str, Key]:
    """Dotted name -> key, for every value that this run config holds."""
    found: dict[str, Key] = {}
    for key in keys_of(schema, inherit):
        name = prefix + key.name
        if not key.schemas:
            found[name] = key
            continue
        node = tree.get(key.name)
        below = choose(key, node)
        if below is not None:
            found |= leaves(below, node if isinstance(node, Mapping) else {}, key.rule.inherit, name + ".")
    return found


def all_leaves(schema: type, inherit: bool = False, prefix: str = "") -> Iterator[tuple[str, Key, type]]:
    """(dotted name, key, schema that holds it), whatever options are chosen."""
    for key in keys_of(schema, inherit):
        name = prefix + key.name
        if not key.schemas:
            yield name, key, schema
        for below in key.schemas:
            yield from all_leaves(below, key.rule.inherit, name + ".")
