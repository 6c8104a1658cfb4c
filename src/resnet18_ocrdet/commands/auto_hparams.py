"""train.auto_hparams: set learning rate, epochs and freezing from the starting weights and the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf
from torch import nn

from ..config.check import check_run
from ..config.override_grammar import typed_keys
from ..data.loader import EvalLoader
from ..data.region_counts import RegionCounts
from ..errors import UserError
from ..evaluation.evaluator import Decode, evaluate
from ..evaluation.metrics import score_text
from ..model.bundled import weights_path
from ..model.checkpoint import load_checkpoint
from ..model.loss import Criterion
from ..runtime.console import Display, duration
from ..runtime.device import Compute
from ..runtime.messages import as_typed, count
from ..train.lr_rules import KEYS, TrainingSet, choose_hparams
from .cross_checks import check_settings
from .train_faults import explain

PEAK = "scheduler.max_lr"  # of scheduler=onecycle: follows optimizer.lr
# decode settings that belong to the weights
THRESHOLDS = ("decode.bin_thresh", "decode.box_thresh", "decode.unclip_ratio", "decode.unclip")


def measure(
    net: nn.Module,
    loader: EvalLoader,
    criterion: Criterion,
    decode: Decode,
    compute: Compute,
    cfg: DictConfig,
    display: Display,
) -> float | None:
    """Evaluate the starting weights on the validation images of all processes, print the score and return the hmean.

    Raises UserError for faults of the machine or the data."""
    try:
        with display.progress("starting weights", loader.images) as advance:
            result = evaluate(net, loader, criterion, decode, compute, lambda batch, *_: advance(len(batch.names)))
    except (RuntimeError, OSError, MemoryError) as error:
        if (reason := explain(error, cfg, compute.world)) is None:
            raise
        raise UserError(reason) from None
    scores = score_text(result.score._asdict(), ("hmean", "precision", "recall"), digits=3)
    images = count(len(result.samples), "validation image")
    display.line(f"starting weights on {images}: {scores}  {duration(result.seconds)}")
    return result.score.hmean


def take_thresholds(cfg: DictConfig, typed: Sequence[str], display: Display) -> None:
    """Set the decoding thresholds of `cfg` to those of its starting weights, and print those that differ.

    typed: the overrides of the command line; keys that they set do not change."""
    contract, names, taken = load_checkpoint(weights_path(cfg.init.weights))["contract"], typed_keys(typed), []
    for key in THRESHOLDS:
        value = contract.get(key.partition(".")[2], OmegaConf.select(cfg, key))
        if key not in names and value != OmegaConf.select(cfg, key):
            OmegaConf.update(cfg, key, value)
            taken.append(f"{key}={as_typed(value)}")
    if taken:
        display.line(f"{' '.join(taken)}: from the starting weights")
    made, now = (f"{size['height']}x{size['width']}" for size in (contract, cfg.input_size))
    if made != now:
        larger = contract["height"] * contract["width"] > cfg.input_size.height * cfg.input_size.width
        hint = f"; input_size={made} keeps that size, which is better for small text" if larger else ""
        display.line(f"note: validation and detection use {now}, the starting weights {made}{hint}")


def training_set(images: int, labels: RegionCounts | None) -> TrainingSet:
    """The input of the rules. labels: None for rendered scenes, which are clean."""
    if labels is None or not labels.regions:
        return TrainingSet(images)
    care = labels.regions - labels.dont_care
    usable = labels.usable / care if care else 0.0
    return TrainingSet(images, usable, labels.dont_care / labels.regions)


def choose_values(
    cfg: DictConfig, typed: Sequence[str], data: TrainingSet, hmean: float | None, display: Display
) -> dict[str, Any]:
    """Set the chosen values in `cfg` and print one line for each. typed: overrides; keys that they set do not change.

    Returns what the run records. Raises UserError if an override contradicts a chosen value."""
    names, lines = typed_keys(typed), []
    for key, value, reason in choose_hparams(data, hmean):
        now = OmegaConf.select(cfg, key)
        if key in names:
            lines.append(f"{key}={as_typed(now)}: from the command line; the rules suggest {as_typed(value)}: {reason}")
        elif key == "optimizer.lr" and "betas" in cfg.optimizer:
            lines.append(f"{key}={as_typed(now)}: unchanged, the rules apply to optimizer=sgd only")
        else:
            OmegaConf.update(cfg, key, value)
            lines.append(f"{key}={as_typed(value)}: {reason}")
    if "max_lr" in cfg.scheduler and PEAK not in names:
        cfg.scheduler.max_lr = cfg.optimizer.lr
    display.lines(lines)
    check_settings(check_run(cfg, "train"), "train")
    return {"hmean": hmean, "weights": str(cfg.init.weights), "chosen": lines}


def keep_chosen(after: Any, before: Any, typed: Sequence[str]) -> None:
    """Take the chosen values of the saved run if its command is repeated with resume=…

    after: the config composed now, a DictConfig, changed here. before: that of the saved run."""
    if not (after.train.auto_hparams and OmegaConf.select(before, "train.auto_hparams")):
        return
    names = typed_keys(typed)
    for key in (*KEYS, PEAK, *THRESHOLDS):
        section, name = key.split(".")
        if key not in names and name in after[section] and name in before[section]:
            after[section][name] = before[section][name]
