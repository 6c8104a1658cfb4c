"""Advice for a data set: settings that follow from its measurements, each with its reason.

The rules are those of experiment=finetune: `train.lr_rules`, `train.size_rules` and `train.memory_model`.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from ..structures import Resize
from ..train.lr_rules import DEFAULT_LR, FEW_IMAGES, MANY_IMAGES, TrainingSet, learning_rate
from ..train.memory_model import BASE_BYTES, MEMORY_FRACTION, fits, largest_batch, step_bytes
from ..train.size_rules import MAX_SIDE, sides, wanted_scale
from ..train.step_rules import epochs_for

TYPICAL_STEPS = 3000  # 30 epochs of 800 images in batches of 8
MAX_EPOCHS = 300
DROPS = 3  # StepLR drops at the ends of so many parts of a run
STRONG_ZOOM = 8.0  # scale_max / scale_min from which augmentation is strong; the default has 6

SMALL_TEXT = 0.05  # this fraction of the text may be too small
MIN_BATCH = 4  # images, for useful batch-norm statistics


LARGER = ("resnet34", "resnet50")  # than resnet18, which the rates are for
SchedulerName = Literal["step", "cosine", "onecycle", "poly", "other"]


class AdviceInput(NamedTuple):
    """Measurements of the training split, which `advice_input` fills in, and the settings of the planned training."""

    images: int = 0
    care: int = 0  # regions that are not don't-care
    usable: int = 0  # care regions that can be trained on at this input size
    bad_images: int = 0  # broken, of one color, low contrast or blurred
    text_height: float = 0.0  # px after the resize, the LOW quantile of `data.text_sizes`; 0 without text
    text_median: float = math.inf  # px after the resize
    small_text: float = 0.0  # 0..1: fraction of the text below min_text_size after the resize
    height: int = 736  # px, input_size
    width: int = 1280
    resize: Resize = "keep"
    min_text_size: float = 8.0  # px
    batch_size: int = 8
    accumulate: int = 1
    epochs: int = 30
    optimizer: Literal["sgd", "adamw"] = "sgd"
    lr: float = DEFAULT_LR
    scheduler: SchedulerName = "step"
    step_size: int | None = 10  # epochs, of scheduler=step
    backbone: str = "resnet18"
    perspective: float = 0.0  # of the augmentation
    scale_min: float = 0.5
    scale_max: float = 3.0
    memory: int | None = None  # bytes that a training may use; None if unknown
    dont_care: int = 0  # regions


class Advice(NamedTuple):
    """One setting to change or to keep."""

    what: str  # "learning rate"
    reason: str
    override: str  # for the command line; "" if the current setting is right

    @property
    def text(self) -> str:
        """One line for the terminal."""
        return f"advice: {self.what}: {self.reason}" + (f" -> {self.override}" if self.override else "")


def advise(case: AdviceInput) -> list[Advice]:
    """Advice, most important first; empty for a data set without text."""
    if not case.images or (not case.usable and not case.text_height):
        return []
    size = _input_size(case)
    batch = _batch_size(case, size)
    epochs = _epochs(case)
    schedule = _scheduler(case if epochs is None else case._replace(step_size=None))  # more epochs also move the drops
    return [advice for advice in (_rate(case), schedule, epochs, size, batch) if advice]


def _rate(case: AdviceInput) -> Advice:
    what = "learning rate"
    if case.optimizer != "sgd":
        return Advice(what, f"the rates are for SGD; optimizer.lr={case.lr:g} stays", "")
    strong = case.perspective > 0 or case.scale_max >= STRONG_ZOOM * case.scale_min
    higher = ["the augmentation is strong"] if strong else []
    higher += [f"{case.backbone} is larger than resnet18"] if case.backbone in LARGER else []
    data = TrainingSet(
        case.images,
        usable=case.usable / case.care if case.care else 1.0,
        dont_care=case.dont_care / ((case.care + case.dont_care) or 1),
        bad_images=case.bad_images / (case.images or 1),
    )
    rate, reason = learning_rate(data, higher=higher)
    if math.isclose(rate, case.lr):
        return Advice(what, f"{reason}: {rate:g} is right", "")
    return Advice(what, reason, f"optimizer.lr={rate:g}")


def _scheduler(case: AdviceInput) -> Advice | None:
    what = "schedule"
    if case.images < FEW_IMAGES and case.scheduler != "cosine":
        return Advice(what, f"{case.images} images are few; a smooth decay overfits less", "scheduler=cosine")
    if case.images > MANY_IMAGES and case.scheduler != "onecycle":
        return Advice(what, f"{case.images} images make long epochs; one cycle is enough", "scheduler=onecycle")
    if case.scheduler == "step" and case.step_size is not None and case.step_size >= case.epochs:
        reason = f"the learning rate never drops: step_size is {case.step_size} epochs, the run has {case.epochs}"
        return Advice(what, reason, f"scheduler.step_size={max(1, case.epochs // DROPS)}")
    return None


def _epochs(case: AdviceInput) -> Advice | None:
    """More epochs for a small set; with StepLR its drops move too."""
    steps = max(1, case.images // (case.batch_size * case.accumulate))
    planned = steps * case.epochs
    if planned >= TYPICAL_STEPS / 2 or case.epochs >= MAX_EPOCHS:
        return None
    epochs = min(MAX_EPOCHS, math.ceil(epochs_for(TYPICAL_STEPS, steps) / 10) * 10)
    if epochs <= case.epochs:
        return None
    override = f"train.epochs={epochs}"
    if case.scheduler == "step" and case.images >= FEW_IMAGES:
        override += f" scheduler.step_size={max(1, epochs // DROPS)}"
    limit = f"; at most {MAX_EPOCHS} epochs" if epochs == MAX_EPOCHS else ""
    reason = f"{case.epochs} epochs of {case.images} images are {planned} steps, about {TYPICAL_STEPS} are usual"
    return Advice("epochs", reason + limit, override)


def _input_size(case: AdviceInput) -> Advice | None:
    """The size of this aspect ratio at which the text is as high as `wanted_scale` asks, within memory."""
    if case.small_text <= SMALL_TEXT or case.text_height <= 0:
        return None
    wanted = wanted_scale(case.text_height, case.text_median)
    cap = min(MAX_SIDE / max(case.height, case.width), _memory_scale(case))
    scale = min(wanted, cap)
    height, width = (min(side, MAX_SIDE) for side in sides(case.height * scale, case.width * scale, up=scale == wanted))
    if height * width <= case.height * case.width:
        return None
    reason = f"{case.small_text:.0%} of the text is below {case.min_text_size:g} px at {case.height}x{case.width}"
    if scale < wanted:
        whole = sides(case.height * wanted, case.width * wanted)
        limit = "memory" if _memory_scale(case) <= MAX_SIDE / max(case.height, case.width) else f"{MAX_SIDE} px"
        reason += f"; it would be readable at {whole[0]}x{whole[1]}, limited by {limit}"
    return Advice("input size", reason, f"input_size={height}x{width}")


def _memory_scale(case: AdviceInput) -> float:
    """Factor by which the sides may grow with the minimum batch size."""
    if case.memory is None:
        return math.inf
    room = case.memory * MEMORY_FRACTION - BASE_BYTES
    images = min(case.batch_size, MIN_BATCH)
    return math.sqrt(max(room, 0.0) / (step_bytes(case.backbone, case.height, case.width, images) - BASE_BYTES))


def _batch_size(case: AdviceInput, size: Advice | None) -> Advice | None:
    """The largest batch that fits, with gradient accumulation for the rest."""
    height, width = case.height, case.width
    if size:
        height, width = (int(side) for side in size.override.partition("=")[2].split("x"))
    if case.memory is None:
        return None
    if fits(case.backbone, height, width, case.batch_size, case.memory):
        return None
    needed, batch = (
        step_bytes(case.backbone, height, width, case.batch_size),
        largest_batch(case.backbone, height, width, case.memory),
    )
    gib = f"{needed / 2**30:.1f} GiB at {height}x{width}, {case.memory / 2**30:.1f} GiB are free"
    if not batch:
        return Advice("memory", f"a batch of {case.batch_size} needs about {gib}: not even one image fits", "")
    parts = case.batch_size * case.accumulate // batch
    override = f"train.batch_size={batch}" + (f" train.accumulate={parts}" if parts > 1 else "")
    return Advice("batch size", f"a batch of {case.batch_size} needs about {gib}", override)
