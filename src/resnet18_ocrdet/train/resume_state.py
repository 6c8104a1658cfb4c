"""The part of a checkpoint that only a resume needs: all random states, and checks before anything is restored."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from ..errors import UserError
from ..model.checkpoint import Checkpoint
from ..model.plain_values import is_count, is_number
from ..runtime.messages import one_line
from ..structures import LossParts
from .engine import LossSums

STATES = {
    "SGD": {"momentum_buffer"},
    "AdamW": {"step", "exp_avg", "exp_avg_sq"},
}  # of one parameter, after its first step
MT19937_WORDS = 624
is_amount, is_share = partial(is_number, low=0), partial(is_number, low=0, high=1)
SCALER = {"scale", "growth_factor", "backoff_factor", "growth_interval", "_growth_tracker"}


def random_states() -> dict[str, Any]:
    """The random states of torch, of each GPU, of NumPy and of Python, as tensors and plain values.

    The data do not use them: the augmentation of an image depends on seed, epoch and index only."""
    _, key, position, has_gauss, cached = np.random.get_state(legacy=True)
    version, numbers, gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": ([int(word) for word in key], int(position), int(has_gauss), float(cached)),
        "python": (version, list(numbers), gauss),
    }


def restore_random_states(state: Mapping[str, Any]) -> None:
    """Set what `random_states` returned. States of GPUs that this machine does not have are skipped."""
    torch.set_rng_state(state["torch"])
    for gpu, words in enumerate(state["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(words, gpu)
    key, position, has_gauss, cached = state["numpy"]
    np.random.set_state(("MT19937", np.array(key, np.uint32), position, has_gauss, cached))
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))


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
    steps = content["steps_per_epoch"]
    scaled = content["scaler"].keys() == SCALER and all(map(is_amount, content["scaler"].values()))
    checks = {
        "mining": _fits(content["mining"], steps=is_count, cross_entropy=is_amount, share=is_share),
        "guard": content["guard"] is not None and _is_guard(content["guard"]),
        "sums": _is_sums(content["sums"], terms),
        "scaler": not content["scaler"] or (scaled and content["scaler"]["scale"] > 0),
        "random": content["random"] is not None and _is_random(content["random"]),
        "optimizer": _is_optimizer(content, optimizer),
        # at the end of an epoch, its validation may still be due
        "step": content["epoch"] * steps <= content["step"] <= (content["epoch"] + 1) * steps,
    }
    for part, good in checks.items():
        if not good:
            raise UserError(f"resume: the checkpoint's '{part}' is not what a run saves: the file is damaged")


def _fits(state: Mapping[str, Any], **checks: Callable[[Any], bool]) -> bool:
    return all(check(state.get(name)) for name, check in checks.items())


def _is_numbers(values: object) -> bool:
    return isinstance(values, list) and all(map(is_number, values))


def _is_guard(state: Mapping[str, Any]) -> bool:
    counts = dict.fromkeys(("bad_in_a_row", "skipped", "rollbacks"), is_count)
    return _fits(state, losses=_is_numbers, worst=is_number, lr_scale=is_share, **counts) and state["lr_scale"] > 0


def _is_sums(state: Mapping[str, Any], count: int) -> bool:
    """As `LossSums`; older versions lack some of the values that count from 0."""
    whole = asdict(LossSums()) | dict(state)
    times = dict.fromkeys(("seconds", "data_seconds", "lr"), is_amount)
    return (
        whole.keys() == asdict(LossSums()).keys()
        and _fits(whole, terms=_is_numbers, steps=is_count, skipped=is_count, **times)
        and len(whole["terms"]) == count
    )


def _is_random(state: Mapping[str, Any]) -> bool:
    """As `random_states`; torch and Python check their own parts."""
    drawn, cards = state.get("numpy"), state.get("cuda")
    if not isinstance(drawn, tuple) or len(drawn) != 4:
        return False
    key, position, has_gauss, cached = drawn
    return (
        isinstance(key, list)
        and len(key) == MT19937_WORDS
        and all(is_count(word, 0, 2**32 - 1) for word in key)
        and is_count(position, 0, MT19937_WORDS)  # NumPy reads from there unchecked
        and is_count(has_gauss, 0, 1)
        and is_number(cached)
        and isinstance(cards, list)
        and all(isinstance(words, Tensor) for words in [*cards, state.get("torch")])
    )


def _is_optimizer(content: Checkpoint, own: Optimizer) -> bool:
    """Whether it holds finite numbers of the right shape for each parameter of the run that it has a state for.

    Another kind of optimizer and groups of other sizes are refused by `build.restore_optimizer`, which can say why."""
    kind = type(own).__name__
    if content["config"]["optimizer"]["_target_"].rpartition(".")[2] != kind:
        return True
    groups, state = content["optimizer"].get("param_groups"), content["optimizer"].get("state")
    if not isinstance(groups, list) or not isinstance(state, dict):
        return False
    if not all(isinstance(group, dict) and isinstance(group.get("params"), list) for group in groups):
        return False
    if [len(group["params"]) for group in groups] != [len(group["params"]) for group in own.param_groups]:
        return True
    parameters = [parameter for group in own.param_groups for parameter in group["params"]]
    numbers = [number for group in groups for number in group["params"]]
    if not all(map(is_count, numbers)) or numbers != list(range(len(numbers))):
        return False
    return all(
        is_count(number, 0, len(parameters) - 1) and _is_state(values, parameters[number], kind)
        for number, values in state.items()
    )


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
