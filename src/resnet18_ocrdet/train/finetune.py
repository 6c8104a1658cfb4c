"""Learning rate, epochs and freezing for a training that starts from a trained detector.

Rates and image counts: see `lr_rules`. The epochs are from the same article ("0.004 for 10-15 epochs" for few images,
poor labels or a large domain gap). Freezing with few images is what users of PaddleOCR and docTR recommend
(PaddleOCR#3429, docTR#1614). The article has no numbers for "large gap" and "good already"; those below are ours.
"""

from __future__ import annotations

from typing import NamedTuple

from .lr_rules import LOWEST_LR, TrainingSet, learning_rate

DEFAULT_EPOCHS = 5  # default of the fine-tuning form of the article's WebUI
MORE_EPOCHS = 10  # article, the two ends of "10-15"
MOST_EPOCHS = 15

LARGE_GAP = 0.4  # hmean below this: less than about half of what a ResNet-18 DBNet reaches where it was trained
GOOD_ALREADY = 0.75  # hmean from this on: such detectors reach 0.75 to 0.83 on ICDAR2015

KEYS = ("optimizer.lr", "train.epochs", "train.freeze", "train.freeze_statistics")


class StartingPoint(NamedTuple):
    """What is known before the first step."""

    data: TrainingSet
    hmean: float | None  # of the starting weights on the validation images; None if those have no text

    @property
    def gap(self) -> str:
        """The reason if the starting weights are far off, else empty."""
        if self.hmean is None or self.hmean >= LARGE_GAP:
            return ""
        return f"hmean {self.hmean:.3f} of the starting weights is a large gap, below {LARGE_GAP:g}"


class Choice(NamedTuple):
    """A value for one of KEYS, with its reason."""

    key: str
    value: float | int | str | bool | None
    reason: str


def choose_hparams(start: StartingPoint) -> list[Choice]:
    """One choice for each of KEYS, in their order."""
    lr, epochs, freeze, statistics = KEYS
    frozen, why_stem, why_statistics = _freezing(start)
    return [
        Choice(lr, *_rate(start)),
        Choice(epochs, *_epochs(start)),
        Choice(freeze, "stem" if frozen else None, why_stem),
        Choice(statistics, frozen, why_statistics),
    ]


def _rate(start: StartingPoint) -> tuple[float, str]:
    if start.hmean is not None and start.hmean >= GOOD_ALREADY:
        return LOWEST_LR, f"hmean {start.hmean:.3f} of the starting weights is good already, {GOOD_ALREADY:g} or more"
    return learning_rate(start.data, lower=[start.gap])


def _epochs(start: StartingPoint) -> tuple[int, str]:
    if reason := start.data.few() or start.gap:
        return MOST_EPOCHS, reason
    if reason := start.data.poor():
        return MORE_EPOCHS, reason
    return DEFAULT_EPOCHS, f"{start.data.images} images and no large gap: enough"


def _freezing(start: StartingPoint) -> tuple[bool, str, str]:
    """Whether to freeze, and the reasons for the stem and for the batch-norm statistics."""
    few = start.data.few()
    if not few:
        reason = f"{start.data.images} images are enough to train every layer"
        return False, reason, reason
    if start.gap:
        reason = f"{few}, but {start.gap}: every layer has to change"
        return False, reason, reason
    return True, f"{few}: keep the pretrained edges and colors", f"{few}: too few for new batch-norm statistics"
