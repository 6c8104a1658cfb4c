"""train.auto_hparams: set sizes, rate, epochs and freezing from the starting weights and the data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ..config.check import check_run
from ..config.override_grammar import typed_keys
from ..data.text_sizes import TextSizes
from ..model.bundled import weights_path
from ..model.checkpoint import load_checkpoint
from ..runtime.console import Display
from ..runtime.messages import as_typed, count
from ..train.lr_rules import KEYS, Choice, OptimizerName, Start, TrainingSet, choose_hparams
from ..train.memory_model import MEMORY_FRACTION, fits, largest_batch
from ..train.size_rules import CROP, choose_crop, choose_input_size
from ..train.step_rules import Pace
from .cross_checks import check_settings

PEAK = "scheduler.max_lr"  # of scheduler=onecycle: follows optimizer.lr
# decode settings that belong to the weights
THRESHOLDS = ("decode.bin_thresh", "decode.box_thresh", "decode.unclip_ratio", "decode.unclip")
# A network that was trained for a few hundred steps is less sure than one whose thresholds were calibrated.
TRAINED = {"decode.bin_thresh": 0.3, "decode.box_thresh": 0.5}
LINES = {"decode.unclip_ratio": 1.7}  # the shrunk region of a long line is thinner than that of a word
SIZES = ("input_size.height", "input_size.width", "augment.crop_size", "train.batch_size", "train.accumulate")
OPTIMIZERS: dict[str, OptimizerName] = {"torch.optim.SGD": "sgd", "torch.optim.AdamW": "adamw"}
CHOSEN = (*KEYS, PEAK, *THRESHOLDS, *SIZES, "train.calibrate")


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


def choose_sizes(
    cfg: DictConfig,
    typed: Sequence[str],
    text: TextSizes | None,
    images: int,
    memory: int | None,
    quick: bool,
    display: Display,
) -> list[str]:
    """Set input size, crop and batch in `cfg`, and print one line for each. Returns these lines.

    typed: overrides; keys that they set do not change. text: of the training images; None leaves the input size.
    images: of an epoch, for each process. memory: bytes that are free for each process, if known. quick: see
    `choose_crop`. Raises UserError."""
    names, size = typed_keys(typed), cfg.input_size
    if text is None:
        lines = _crop(cfg, names, None, quick)
        display.lines(lines)
        return lines
    room = None if memory is None else int(memory * MEMORY_FRACTION)
    height, width, why = choose_input_size(text, cfg.train.batch_size, room)
    now, wanted = f"{size.height}x{size.width}", f"{height}x{width}"
    if names & {"input_size", "input_size.height", "input_size.width"}:
        lines = [f"input_size={now}: from the command line; the rules suggest {wanted}: {why}"]
    elif cfg.decode.resize != "keep":
        lines = [f"input_size={now}: unchanged, the rule is for decode.resize=keep"]
    else:
        size.height, size.width = height, width
        lines = [f"input_size={wanted}: {why}"]
    lines += _crop(cfg, names, text, quick) + _fitting_batch(cfg, names, images, memory)
    display.lines(lines)
    check_settings(check_run(cfg, "train"), "train")
    return lines


def _crop(cfg: DictConfig, names: set[str], text: TextSizes | None, quick: bool) -> list[str]:
    """Set the size of crops, which are never larger than the image."""
    size = cfg.input_size
    if not cfg.augment.crop:
        return []
    crop, why = (CROP, "") if text is None else choose_crop(text, size.height, size.width, quick)
    if crop >= max(size.height, size.width):
        return _set(cfg, names, [Choice("augment.crop_size", None, f"images have {size.height}x{size.width} px only")])
    return _set(cfg, names, [Choice("augment.crop_size", f"{crop}x{crop}", why)]) if why else []


def _fitting_batch(cfg: DictConfig, names: set[str], images: int, memory: int | None) -> list[str]:
    """Make the batch smaller if it does not fit; gradients of several are then added up, if the epoch has several."""
    size = cfg.augment.crop_size if cfg.augment.crop else None
    height, width = map(int, size.split("x")) if size else (cfg.input_size.height, cfg.input_size.width)
    wanted = min(cfg.train.batch_size, images)
    if "train.batch_size" in names or memory is None or fits(cfg.model.backbone, height, width, wanted, memory):
        return []
    batch = max(largest_batch(cfg.model.backbone, height, width, memory), 1)
    why = f"{count(wanted, 'image')} of {height}x{width} do not fit into {memory / 2**30:.1f} GiB"
    parts = max(min(cfg.train.accumulate * wanted, images) // batch, 1)
    return _set(cfg, names, [Choice("train.batch_size", batch, why), Choice("train.accumulate", parts, why)])


def choose_values(
    cfg: DictConfig,
    typed: Sequence[str],
    data: TrainingSet,
    start: Start,
    pace: Pace,
    display: Display,
    processes: int = 1,
) -> list[str]:
    """Set the other values in `cfg` and print one line for each. typed: overrides; keys that they set do not change.

    Returns these lines. Raises UserError if an override contradicts a chosen value."""
    names, optimizer = typed_keys(typed), OPTIMIZERS.get(cfg.optimizer._target_, "other")
    lines = []
    if optimizer == "other":
        lines.append(f"optimizer.lr={as_typed(cfg.optimizer.lr)}: unchanged, the rules know SGD and AdamW only")
    epochs = int(cfg.train.epochs) if "train.epochs" in names else None
    lines += _set(cfg, names, choose_hparams(data, start, pace, optimizer, epochs))
    if "max_lr" in cfg.scheduler and PEAK not in names:
        cfg.scheduler.max_lr = cfg.optimizer.lr
    lines += _thresholds(cfg, start, processes)
    display.lines(lines)
    check_settings(check_run(cfg, "train"), "train")
    return lines


def _thresholds(cfg: DictConfig, start: Start, processes: int) -> list[str]:
    """Thresholds for the validations of the run, if its last step chooses others."""
    if not cfg.train.calibrate:
        return []
    if start.hmean is None:
        cfg.train.calibrate = False
        return ["train.calibrate=false: the validation images have no text"]
    if processes > 1:
        return ["decode: thresholds stay those of the starting weights, as several processes do not calibrate"]
    chosen = TRAINED | (LINES if start.longer else {})
    for key, value in chosen.items():
        OmegaConf.update(cfg, key, value)
    values = " ".join(f"{key}={as_typed(value)}" for key, value in chosen.items())
    return [f"{values}: until the end, when the best thresholds are chosen on the validation images"]


def _set(cfg: DictConfig, names: set[str], choices: Iterable[Choice]) -> list[str]:
    """Set what is not typed. Returns a line for each choice."""
    lines = []
    for key, value, reason in choices:
        if key in names:
            now = as_typed(OmegaConf.select(cfg, key))
            lines.append(f"{key}={now}: from the command line; the rules suggest {as_typed(value)}: {reason}")
        else:
            OmegaConf.update(cfg, key, value)
            lines.append(f"{key}={as_typed(value)}: {reason}")
    return lines


def keep_chosen(after: Any, before: Any, typed: Sequence[str]) -> None:
    """Take the chosen values of the saved run if its command is repeated with resume=…

    after: the config composed now, a DictConfig, changed here. before: that of the saved run. A typed group that is not
    that of the saved run keeps its own values."""
    if not (after.train.auto_hparams and OmegaConf.select(before, "train.auto_hparams")):
        return
    names = typed_keys(typed)
    if "input_size" in names:
        names |= {"input_size.height", "input_size.width"}
    for key in CHOSEN:
        section, name = key.split(".")
        if section in names and _is_other(after[section], before[section], names.union(CHOSEN), section):
            continue
        if key not in names and name in after[section] and name in before[section]:
            after[section][name] = before[section][name]


def _is_other(after: Any, before: Any, apart_from: set[str], section: str) -> bool:
    """Whether a section differs in other keys than these."""
    kept = {name for name in (*after, *before) if f"{section}.{name}" not in apart_from}
    return any(name not in after or name not in before or after[name] != before[name] for name in kept)
