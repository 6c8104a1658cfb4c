"""train.auto_hparams: what the starting weights and the data say about rate, epochs and freezing, in the config."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf
from torch import nn

from ..config.bundled import weights_path
from ..config.check import check_run
from ..config.override_grammar import typed_keys
from ..data.loader import EvalLoader
from ..data.region_counts import RegionCounts
from ..errors import UserError
from ..evaluation.evaluator import Decode, evaluate
from ..evaluation.metrics import IcdarMetric
from ..evaluation.records import Score
from ..model.checkpoint import load_checkpoint
from ..model.loss import Criterion
from ..runtime.compute import Compute
from ..runtime.console import Display, duration
from ..runtime.messages import as_typed, count
from ..train.finetune import KEYS, Start, choose
from .cross_checks import check_settings
from .train_faults import explain

PEAK = "scheduler.max_lr"  # of onecycle: follows optimizer.lr
FITTED = ("bin_thresh", "box_thresh", "unclip_ratio", "unclip")  # to the weights they were chosen for
THRESHOLDS = tuple(f"decode.{key}" for key in FITTED)


def measure(
    net: nn.Module,
    loader: EvalLoader,
    images: int,
    criterion: Criterion,
    decode: Decode,
    compute: Compute,
    cfg: DictConfig,
    display: Display,
) -> float | None:
    """The hmean of the starting weights on the validation images of all processes, printed with what belongs to it.

    images: of all processes. Raises UserError for what is the machine's or the data's fault."""
    try:
        with display.progress("starting weights", loader.images) as advance:
            result = evaluate(
                net, loader, criterion, decode, IcdarMetric(), compute, lambda batch, *_: advance(len(batch.names))
            )
    except (RuntimeError, OSError, MemoryError) as error:
        if (reason := explain(error, cfg, compute.world)) is None:
            raise
        raise UserError(reason) from None
    score = result.score
    display.line(f"starting weights on {count(images, 'validation image')}: {_told(score)}  {duration(result.seconds)}")
    return score.hmean


def take_thresholds(cfg: DictConfig, typed: Sequence[str], display: Display) -> None:
    """Set the decoding thresholds of `cfg` to those in the contract of its starting weights, and say so where they
    differ. typed: the words of the command line; what they set stays."""
    contract, names, taken = load_checkpoint(weights_path(cfg.init.weights))["contract"], typed_keys(typed), []
    for key in THRESHOLDS:
        value = contract.get(key.partition(".")[2], OmegaConf.select(cfg, key))
        if key not in names and value != OmegaConf.select(cfg, key):
            OmegaConf.update(cfg, key, value)
            taken.append(f"{key}={as_typed(value)}")
    if taken:
        display.line(f"{' '.join(taken)}: as the starting weights were decoded")
    made, now = (f"{size['height']}x{size['width']}" for size in (contract, cfg.input_size))
    if made != now:
        larger = contract["height"] * contract["width"] > cfg.input_size.height * cfg.input_size.width
        hint = f"; input_size={made} keeps that, and sees smaller text" if larger else ""
        display.line(f"note: {now} for validation and detection, where the starting weights were made for {made}{hint}")


def start_of(images: int, labels: RegionCounts | None, hmean: float | None) -> Start:
    """What the rules ask for. labels: None for rendered scenes, which are clean."""
    if labels is None or not labels.regions:
        return Start(images, 1.0, 0.0, hmean)
    meant = labels.regions - labels.dont_care
    return Start(images, labels.usable / meant if meant else 0.0, labels.dont_care / labels.regions, hmean)


def choose_values(cfg: DictConfig, typed: Sequence[str], start: Start, display: Display) -> dict[str, Any]:
    """Write the chosen values into `cfg`, a line each. typed: the words of the command line; what they set stays.

    Returns what is kept of it with the run. Raises UserError where a typed value contradicts a chosen one."""
    names, lines = typed_keys(typed), []
    for key, value, reason in choose(start):
        now = OmegaConf.select(cfg, key)
        if key in names:
            lines.append(f"{key}={as_typed(now)}: typed, so it stays; the rules say {as_typed(value)}: {reason}")
        elif key == "optimizer.lr" and "betas" in cfg.optimizer:
            lines.append(f"{key}={as_typed(now)}: left alone, the rules know rates for optimizer=sgd only")
        else:
            OmegaConf.update(cfg, key, value)
            lines.append(f"{key}={as_typed(value)}: {reason}")
    if "max_lr" in cfg.scheduler and PEAK not in names:
        cfg.scheduler.max_lr = cfg.optimizer.lr
    for line in lines:
        display.line(line)
    check_settings(check_run(cfg, "train"), "train")
    return {"hmean": start.hmean, "weights": str(cfg.init.weights), "chosen": lines}


def keep_chosen(after: Any, before: Any, typed: Sequence[str]) -> None:
    """Where a first command is repeated with resume=…: the values chosen then, which are not chosen again.

    after: the config composed now, a DictConfig, changed here. before: that of the saved run."""
    if not (after.train.auto_hparams and OmegaConf.select(before, "train.auto_hparams")):
        return
    names = typed_keys(typed)
    for key in (*KEYS, PEAK, *THRESHOLDS):
        section, name = key.split(".")
        if key not in names and name in after[section] and name in before[section]:
            after[section][name] = before[section][name]


def _told(score: Score) -> str:
    named = (("hmean", score.hmean), ("precision", score.precision), ("recall", score.recall))
    return "  ".join(f"{name} {'-' if value is None else format(value, '.3f')}" for name, value in named)
