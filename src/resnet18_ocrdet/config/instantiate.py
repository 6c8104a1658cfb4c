"""What a config names with `_target_`, called. Only what the options in conf/ name ever is."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ..errors import UserError
from ..runtime.messages import as_typed, one_line
from .library import targets


def instantiate(node: DictConfig, **more: Any) -> Any:
    """Call the node's `_target_` with its other keys. Raises UserError for a target that no schema declares.

    Whoever calls has checked the config; that nothing else is ever called does not depend on it. Not hydra's
    `instantiate`: it resolves `${` a second time, which breaks file names that hold it, and it wraps what the target
    raises."""
    values = OmegaConf.to_container(node, resolve=True)
    assert isinstance(values, dict)
    target = values.pop("_target_", None)
    if not isinstance(target, str) or target not in targets():
        raise UserError(one_line(f"_target_={as_typed(target)}: only what the options in conf/ name can be built"))
    module, _, name = target.rpartition(".")
    return getattr(import_module(module), name)(**{str(key): value for key, value in values.items()} | more)
