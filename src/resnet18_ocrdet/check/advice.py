"""What to try with this set: settings that follow from what was measured, each with its reason.

The rates and image counts are those of a community article on this detector, see `finetune.py` of this package for
what it says; the text height is that below which targets are masked; the memory model is measured.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from ..structures import Resize

FEW_IMAGES = 500  # fewer than that; article
MANY_IMAGES = 5000  # more than that; article
USUAL_RATE = 0.007  # article, and the default of optimizer=sgd
FEW_RATE = 0.005  # article, the upper end of its 0.003-0.005 where one thing calls for care
LEAST_RATE = 0.003  # and the lower end, where both do
BOLD_RATE = 0.008  # article, for many clean images, strong augmentation or a larger backbone
BOLDEST_RATE = 0.009  # and for several of them
POOR_SHARE = 0.2  # of the images can hardly be read, or of the text meant to be learnt cannot be
CLEAN_SHARE = 0.05
STEPS_WANTED = 3000  # of the weights: what 30 epochs of 800 images in batches of 8 make
MOST_EPOCHS = 300
DROPS = 3  # pieces of a run between whose ends StepLR drops
STRONG_ZOOM = 8.0  # scale_max over scale_min from which an augmentation counts as strong; the default has 6

SMALL_SHARE = 0.05  # of the text may stay too small
SIDE_STEP = 32  # px, the network's stride
MOST_SIDE = 2048  # px
LEAST_BATCH = 4  # images, from which on batch norm's statistics are worth having
BASE_BYTES = 0.8 * 2**30  # of a training process before its first batch: libraries, weights, momentum
# Bytes of a training step for each pixel of each image: peak of the process less what it took before its first batch,
# in float32 on a CPU. With resnet18 1,741 to 1,890 at 320² and 512² and batches of 2 and 4; bfloat16 takes 0.6 of it.
PIXEL_BYTES = {"resnet18": 1900, "resnet34": 2050, "resnet50": 3550}
MEMORY_SHARE = 0.8  # of what is free may be planned with: loader processes and the system need some


SchedulerName = Literal["step", "cosine", "onecycle", "poly"]


class Situation(NamedTuple):
    """What was measured, and the settings it is meant for."""

    images: int  # of the training part
    care: int  # regions that are no don't-care
    usable: int  # of them, at this input size
    poor_images: int  # broken, plain, dull or blurred
    text_height: float  # px after the resize: SMALL_SHARE of the text is lower; 0 without text
    small_share: float  # 0..1: of the text, lower than min_text_size after the resize
    height: int  # px, input_size
    width: int
    resize: Resize = "keep"
    min_text_size: float = 8.0  # px
    batch_size: int = 8
    accumulate: int = 1
    epochs: int = 30
    optimizer: Literal["sgd", "adamw"] = "sgd"
    lr: float = USUAL_RATE
    scheduler: SchedulerName = "step"
    step_size: int | None = 10  # epochs, of scheduler=step
    backbone: str = "resnet18"
    perspective: float = 0.0  # of the augmentation
    scale_min: float = 0.5
    scale_max: float = 3.0
    memory: int | None = None  # bytes that a training may take; None where unknown

    @property
    def poor(self) -> float:
        """0..1: share of what can hardly teach, of images or of text, whichever is larger."""
        images = self.poor_images / self.images if self.images else 0.0
        return max(images, 1 - self.usable / self.care if self.care else 0.0)


class Advice(NamedTuple):
    """One setting to try."""

    what: str  # "learning rate"
    reason: str
    override: str  # words of a command line; "" where the setting that is there is right

    @property
    def text(self) -> str:
        """In one line."""
        return f"advice: {self.what}: {self.reason}" + (f" → type {self.override}" if self.override else "")


def advise(case: Situation) -> list[Advice]:
    """What to try, most important first; nothing for a set without text to learn."""
    if not case.images or (not case.usable and not case.text_height):
        return []
    size = _input_size(case)
    batch = _batch_size(case, size)
    epochs = _epochs(case)
    schedule = _scheduler(case if epochs is None else case._replace(step_size=None))  # more epochs set the drops too
    return [advice for advice in (_rate(case), schedule, epochs, size, batch) if advice]


def step_bytes(backbone: str, height: int, width: int, batch_size: int) -> float:
    """Memory that a training takes on a CPU, without its loader processes."""
    return BASE_BYTES + PIXEL_BYTES.get(backbone, max(PIXEL_BYTES.values())) * height * width * batch_size


def _rate(case: Situation) -> Advice:
    what = "learning rate"
    if case.optimizer != "sgd":
        return Advice(what, f"{USUAL_RATE:g} and its neighbours are for SGD, optimizer.lr={case.lr:g} stays", "")
    care = []
    if case.images < FEW_IMAGES:
        care.append(f"{case.images} images are fewer than {FEW_IMAGES}")
    if case.poor > POOR_SHARE:
        care.append(f"{case.poor:.0%} of the images or of the text can hardly teach")
    if care:
        rate, reason = FEW_RATE if len(care) == 1 else LEAST_RATE, " and ".join(care)
    elif bold := _bold(case):
        rate, reason = BOLD_RATE if len(bold) == 1 else BOLDEST_RATE, " and ".join(bold)
    else:
        rate, reason = USUAL_RATE, f"{case.images} images, neither few nor many and clean"
    if math.isclose(rate, case.lr):
        return Advice(what, f"{reason}: {rate:g} is right", "")
    return Advice(what, reason, f"optimizer.lr={rate:g}")


def _bold(case: Situation) -> list[str]:
    """What lets a net bear a higher rate."""
    clean = case.poor <= CLEAN_SHARE
    return [
        reason
        for reason, holds in (
            (f"{case.images} clean images are more than {MANY_IMAGES}", case.images > MANY_IMAGES and clean),
            ("the augmentation is strong", case.perspective > 0 or case.scale_max >= STRONG_ZOOM * case.scale_min),
            (f"{case.backbone} is larger than resnet18", case.backbone != "resnet18"),
        )
        if holds
    ]


def _scheduler(case: Situation) -> Advice | None:
    what = "schedule"
    if case.images < FEW_IMAGES and case.scheduler != "cosine":
        return Advice(what, f"{case.images} images are few, a smooth end fits them less tightly", "scheduler=cosine")
    if case.images > MANY_IMAGES and case.scheduler != "onecycle":
        return Advice(what, f"{case.images} images make epochs long, one rise and one fall", "scheduler=onecycle")
    if case.scheduler == "step" and case.step_size is not None and case.step_size >= case.epochs:
        drop = max(1, case.epochs // DROPS)
        reason = f"the rate would drop after {case.step_size} epochs, the run has {case.epochs}: it never does"
        return Advice(what, reason, f"scheduler.step_size={drop}")
    return None


def _epochs(case: Situation) -> Advice | None:
    """More passes over a small set; where StepLR stays, its drops move along."""
    a_step = case.batch_size * case.accumulate
    steps = max(1, case.images // a_step)
    if steps * case.epochs >= STEPS_WANTED / 2 or case.epochs >= MOST_EPOCHS:
        return None
    epochs = min(MOST_EPOCHS, math.ceil(STEPS_WANTED / steps / 10) * 10)
    if epochs <= case.epochs:
        return None
    override = f"train.epochs={epochs}"
    if case.scheduler == "step" and case.images >= FEW_IMAGES:
        override += f" scheduler.step_size={max(1, epochs // DROPS)}"
    least = f", {MOST_EPOCHS} epochs at most" if epochs == MOST_EPOCHS else ""
    reason = (
        f"{case.epochs} epochs of {case.images} images are {steps * case.epochs} steps, about {STEPS_WANTED} are usual"
    )
    return Advice("epochs", reason + least, override)


def _input_size(case: Situation) -> Advice | None:
    """The smallest size at this aspect at which nearly all text is high enough, as far as memory allows."""
    if case.small_share <= SMALL_SHARE or case.text_height <= 0:
        return None
    wanted = case.min_text_size / case.text_height
    cap = min(MOST_SIDE / max(case.height, case.width), _memory_scale(case))
    scale = min(wanted, cap)
    height, width = _sides(case, scale, up=scale == wanted)
    if height * width <= case.height * case.width:
        return None
    reason = f"{case.small_share:.0%} of the text is below {case.min_text_size:g} px at {case.height}x{case.width}"
    if scale < wanted:
        sides = _sides(case, wanted, up=True, most=None)
        limit = "memory" if _memory_scale(case) <= MOST_SIDE / max(case.height, case.width) else f"{MOST_SIDE} px"
        reason += f"; {sides[0]}x{sides[1]} would lift all but {SMALL_SHARE:.0%} of it, {limit} allows less"
    return Advice("input size", reason, f"input_size={height}x{width}")


def _sides(case: Situation, scale: float, up: bool, most: int | None = MOST_SIDE) -> tuple[int, int]:
    """Both sides times `scale`, multiples of the stride, rounded up or down."""
    height, width = (case.height * scale / SIDE_STEP, case.width * scale / SIDE_STEP)
    sides = [(math.ceil(side - 1e-9) if up else max(1, math.floor(side))) * SIDE_STEP for side in (height, width)]
    return min(sides[0], most or sides[0]), min(sides[1], most or sides[1])


def _memory_scale(case: Situation) -> float:
    """How many times as large the sides may become with as many images a batch as batch norm needs."""
    if case.memory is None:
        return math.inf
    room = case.memory * MEMORY_SHARE - BASE_BYTES
    images = min(case.batch_size, LEAST_BATCH)
    return math.sqrt(max(room, 0.0) / (step_bytes(case.backbone, case.height, case.width, images) - BASE_BYTES))


def _batch_size(case: Situation, size: Advice | None) -> Advice | None:
    """The largest batch that fits, its images made up for by accumulation."""
    height, width = case.height, case.width
    if size:
        height, width = (int(side) for side in size.override.partition("=")[2].split("x"))
    if case.memory is None:
        return None
    needed = step_bytes(case.backbone, height, width, case.batch_size)
    if needed <= case.memory * MEMORY_SHARE:
        return None
    one = step_bytes(case.backbone, height, width, 1) - BASE_BYTES
    fits = int((case.memory * MEMORY_SHARE - BASE_BYTES) // one)
    gib = f"{needed / 2**30:.1f} GiB at {height}x{width}, {case.memory / 2**30:.1f} are free"
    if fits < 1:
        return Advice("memory", f"a batch of {case.batch_size} takes about {gib}: not even one image fits", "")
    batch = 2 ** int(math.log2(fits))
    parts = case.batch_size * case.accumulate // batch
    override = f"train.batch_size={batch}" + (f" train.accumulate={parts}" if parts > 1 else "")
    return Advice("batch size", f"a batch of {case.batch_size} takes about {gib}", override)
