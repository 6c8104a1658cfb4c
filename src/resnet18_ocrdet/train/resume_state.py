"""The part of a checkpoint that only a resume needs, checked before any of it is restored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from ..errors import UserError
from ..model.checkpoint import Checkpoint
from ..model.checkpoint_schema import is_count
from ..model.plain_values import is_number
from ..runtime.messages import one_line
from ..structures import LossParts

STATES = {
    "SGD": {"momentum_buffer"},
    "AdamW": {"step", "exp_avg", "exp_avg_sq"},
}  # of one parameter, after its first step
MT19937_WORDS = 624
SCALER = {"scale", "growth_factor", "backoff_factor", "growth_interval", "_growth_tracker"}


@contextmanager
def naming(part: str) -> Iterator[None]:
    """Turn an error inside into a UserError that names this part."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # torch, NumPy and Python raise different types
        reason = one_line(" ".join(str(error).split()) or type(error).__name__, 200)
        raise UserError(f"resume: the checkpoint's '{part}' cannot be restored ({reason})") from None


def check_parts(content: Checkpoint, optimizer: Optimizer, terms: int = len(LossParts._fields)) -> None:
    """Raises UserError that names the first part which cannot be restored.

    optimizer: of the run. terms: how many the run's loss has, with the total."""
    checks = {
        "mining": _is_mining(content["mining"]),
        "guard": content["guard"] is not None and _is_guard(content["guard"]),
        "sums": _is_sums(content["sums"], terms),
        "scaler": not content["scaler"] or _is_scaler(content["scaler"]),
        "random": content["random"] is not None and _is_random(content["random"]),
        "optimizer": _is_of_another(content, optimizer) or _is_optimizer(content["optimizer"], optimizer),
        "step": _is_position(content["epoch"], content["step"], content["steps_per_epoch"]),
    }
    for part, good in checks.items():
        if not good:
            raise UserError(f"resume: the checkpoint's '{part}' is not what a run saves: the file is damaged")


def _is_position(epoch: int, step: int, steps: int) -> bool:
    """Whether `step` lies in the epoch after `epoch` finished ones, or at its end, before the validation."""
    return epoch * steps <= step <= (epoch + 1) * steps


def _is_mining(state: Mapping[str, Any]) -> bool:
    return (
        is_count(state.get("steps"))
        and is_number(state.get("cross_entropy"), 0)
        and is_number(state.get("share"), 0, 1)
    )


def _is_guard(state: Mapping[str, Any]) -> bool:
    losses = state.get("losses")
    return (
        isinstance(losses, list)
        and all(map(is_number, losses))
        and is_number(state.get("worst"))
        and all(is_count(state.get(name)) for name in ("bad_in_a_row", "skipped", "rollbacks"))
        and is_number(state.get("lr_scale"), 0, 1)
        and state["lr_scale"] > 0
    )


def _is_sums(state: Mapping[str, Any], count: int) -> bool:
    """As `engine.LossSums`; older versions lack some of the values that count from 0."""
    terms = state.get("terms")
    return (
        state.keys() <= {"terms", "steps", "skipped", "seconds", "data_seconds", "lr"}
        and isinstance(terms, list)
        and len(terms) == count
        and all(map(is_number, terms))
        and all(is_count(state.get(name, 0)) for name in ("steps", "skipped"))
        and all(is_number(state.get(name, 0.0), 0) for name in ("seconds", "data_seconds", "lr"))
    )


def _is_scaler(state: Mapping[str, Any]) -> bool:
    return state.keys() == SCALER and all(is_number(value, 0) for value in state.values()) and state["scale"] > 0


def _is_random(state: Mapping[str, Any]) -> bool:
    """As `random_state.RandomState`; torch and Python check their own parts."""
    drawn = state.get("numpy")
    cards = state.get("cuda")
    return (
        isinstance(drawn, tuple)
        and len(drawn) == 4
        and isinstance(drawn[0], list)
        and len(drawn[0]) == MT19937_WORDS
        and all(is_count(word) and word < 2**32 for word in drawn[0])
        and is_count(drawn[1])
        and drawn[1] <= MT19937_WORDS  # NumPy reads from there unchecked
        and is_count(drawn[2])
        and drawn[2] < 2
        and is_number(drawn[3])
        and isinstance(cards, list)
        and all(isinstance(words, Tensor) for words in cards)
        and isinstance(state.get("torch"), Tensor)
    )


def _is_optimizer(saved: Mapping[str, Any], own: Optimizer) -> bool:
    """Whether it holds finite numbers of the right shape for each parameter of the run that it has a state for.

    Groups of other sizes are refused by `build.restore_optimizer`, which can say why."""
    groups, state = saved.get("param_groups"), saved.get("state")
    if not isinstance(groups, list) or not isinstance(state, dict):
        return False
    if not all(isinstance(group, dict) and isinstance(group.get("params"), list) for group in groups):
        return False
    if [len(group["params"]) for group in groups] != [len(group["params"]) for group in own.param_groups]:
        return True  # refused by `build.restore_optimizer`
    parameters = [parameter for group in own.param_groups for parameter in group["params"]]
    numbers = [number for group in groups for number in group["params"]]
    if not all(map(is_count, numbers)) or numbers != list(range(len(numbers))):
        return False
    return all(
        is_count(number) and number < len(parameters) and _is_state(values, parameters[number], type(own).__name__)
        for number, values in state.items()
    )


def _is_of_another(content: Checkpoint, own: Optimizer) -> bool:
    """Whether another kind of optimizer was saved, which `build.restore_optimizer` refuses."""
    return bool(content["config"]["optimizer"]["_target_"].rpartition(".")[2] != type(own).__name__)


def _is_state(values: object, parameter: Tensor, kind: str) -> bool:
    """Whether it is an optimizer's state of one parameter: empty or complete."""
    if not isinstance(values, dict) or (values and values.keys() != STATES[kind]):
        return False
    wanted = {name: torch.Size() if name == "step" else parameter.shape for name in values}
    return all(
        (value is None and name == "momentum_buffer") or (_is_finite(value) and value.shape == wanted[name])
        for name, value in values.items()
    )


def _is_finite(value: object) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point() and bool(torch.isfinite(value).all())
