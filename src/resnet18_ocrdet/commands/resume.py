"""Which config a resumed run follows."""

from __future__ import annotations

import math
from typing import Any

from omegaconf import DictConfig, OmegaConf

from .. import build
from ..config.check import check_run
from ..config.interpolation import escape_interpolation
from ..config.library import mixed_groups
from ..config.override_grammar import Word, typed_keys
from ..errors import UserError
from ..runtime.console import Display
from ..runtime.output_folder import changes
from .auto_hparams import keep_chosen
from .cross_checks import check_settings

GROUPS = ("model", "loss", "optimizer", "scheduler", "data", "input_size", "augment")
SECTIONS = (*GROUPS, "init", "train", "decode")
NOT_TRAINING = ("resume", "run_dir", "overwrite")  # settings of the call, not of the run


def resumed_config(
    composed: DictConfig, saved: dict[str, Any], overrides: list[str], display: Display, done: float = 0.0
) -> DictConfig:
    """The saved config, changed by the keys and groups typed now; with a preset typed, all that is composed.

    So `resume=PATH` alone continues as before, and repeating the first command with resume=auto means what it says.
    done: epochs that are trained. Prints a line for each key that differs from the saved run. Returns the config to
    follow."""
    if lacking := [name for name in SECTIONS if name not in saved]:
        raise UserError(f"resume: the saved config has no section '{lacking[0]}': not written by ocrdet-train")
    before = OmegaConf.create(saved)
    typed = typed_keys(overrides).difference(NOT_TRAINING)
    known = (*GROUPS, *mixed_groups())
    groups = {word.key for word in map(Word.split, overrides) if word.key in known and not word.in_braces}
    if "experiment" in typed:
        after = OmegaConf.create(OmegaConf.to_container(composed))
    else:
        after = OmegaConf.create(saved)
        for group in groups:
            node = composed[group]
            after[group] = None if node is None else OmegaConf.create(OmegaConf.to_container(node))
        for key in sorted(typed.difference(known)):
            value = OmegaConf.select(composed, key)
            if isinstance(value, DictConfig):
                continue  # a section: its keys are typed, too
            OmegaConf.update(after, key, escape_interpolation(value) if isinstance(value, str) else value)
    if groups or "experiment" in typed:
        keep_chosen(after, before, overrides)
    assert isinstance(after, DictConfig)
    rate_typed = "optimizer.lr" in typed or "scheduler" in groups
    if "max_lr" in after.scheduler and rate_typed and "scheduler.max_lr" not in typed:
        after.scheduler.max_lr = after.optimizer.lr  # it follows the rate, as it did when first composed
    if after.loss._target_ != before.loss._target_:
        raise UserError(
            f"resume: {after.loss._target_} cannot continue a run with {before.loss._target_}; start a new run with "
            f"init.weights=PATH"
        )
    after = check_run(after, "train")
    check_settings(after, "train")
    for key, old, new in changes(OmegaConf.to_container(before), OmegaConf.to_container(after)):
        if key not in NOT_TRAINING:
            display.line(f"resume: {key} was {old}, is now {new}")
    constant = all("decay_epochs" in each.scheduler for each in (before, after))
    moved = _decaying(before, after, done) if constant else _stretched(before, after)
    display.lines([moved], "note: ")
    return after


def _stretched(before: DictConfig, after: DictConfig) -> str | None:
    """A line when the curve of the rate spans the run and the run is made longer or shorter.

    The rates are told in percent of the peak: optimizer.base_batch_size scales them by what is not known yet."""
    old, new = before.train.epochs, after.train.epochs
    if old == new or before.scheduler != after.scheduler:
        return None
    at = min(old, new)
    was, now = (_share_of_peak(after, epochs, at) for epochs in (old, new))
    if was == now:  # the curve does not depend on the length of the run
        return None
    schedule = after.scheduler._target_.rpartition(".")[2]
    return (
        f"the schedule {schedule} spans the run: its curve is {'stretched' if new > old else 'compressed'} from {old} "
        f"to {new} epochs: after epoch {at} the rate is {now:.0%} of its peak, not {was:.0%}. The steps already done "
        f"stay as they are; for a curve of its own, start a new run with init.weights=…"
    )


def _decaying(before: DictConfig, after: DictConfig, done: float) -> str | None:
    """A line when the rate is constant until it decays, and jumps because one of the decays begins before `done`."""
    starts = [cfg.train.epochs - cfg.scheduler.decay_epochs for cfg in (before, after)]
    was, now = (_share_of_peak(cfg, cfg.train.epochs, done) for cfg in (before, after))
    if was == now or done <= min(starts):
        return None
    jump = f"the rate goes from {was:.0%} to {now:.0%} of its peak"
    if done > starts[0]:
        return (
            f"the decay at the end of epoch {before.train.epochs} has begun: {jump}; to keep the decayed weights, copy "
            f"the run first, or resume an earlier checkpoint"
        )
    whole = math.ceil(done + after.scheduler.decay_epochs)
    return (
        f"the decay begins at epoch {starts[1]:g}, but {done:.4g} are done: {jump}; train.epochs={whole} has room for "
        f"all of scheduler.decay_epochs={after.scheduler.decay_epochs:g}"
    )


def _share_of_peak(cfg: DictConfig, epochs: int, at: float) -> float:
    """Rate `at` epochs into a run of `epochs` over the highest one."""
    longer = OmegaConf.merge(cfg, {"train": {"epochs": epochs}})
    assert isinstance(longer, DictConfig)
    schedule = build.build_schedule(longer, cfg.optimizer.base_batch_size or 1)
    return schedule(at) / float(cfg.scheduler.get("max_lr", cfg.optimizer.lr))
