"""Learning rate for a data set, for experiment=finetune and the advice of ocrdet-check; and what is frozen.

The rates and image counts for SGD are those of a community article on this detector (batch size 8): 0.007 is its best
rate; "0.003 to 0.005, e.g. 0.004" for fewer than 500 images, poor labels or a large domain gap; 0.008 to 0.009 for more
than 5000 clean images, strong augmentation or a larger backbone (its own training was unsteady at 0.009, so 0.008 is
used here). The epochs are from the same article ("0.004 for 10-15 epochs" for few images, poor labels or a large domain
gap); `step_rules` overrules them where they make too few steps. The rates for AdamW are ours; docs/results.md, section
Fine-tuning, was measured with the first. Freezing with few images is what users of PaddleOCR and docTR recommend
(PaddleOCR#3429, docTR#1614). The article has no numbers for "poor", "clean", "large gap" and "good already"; those
below are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from ..runtime.messages import count
from .step_rules import Pace, choose_epochs, choose_val_every

DEFAULT_LR = 0.007
CAREFUL_LR = 0.004  # one reason for a lower rate
LOWEST_LR = 0.003  # several reasons
HIGH_LR = 0.008
ADAMW_LR = 0.001
ADAMW_GOOD_LR = 0.0005  # for weights that are good already, in about the proportion of the rates for SGD

FEW_IMAGES = 500  # fewer than this
MANY_IMAGES = 5000  # more than this

POOR_USABLE = 0.5  # below this fraction of the text, most labels are ignored in training
POOR_DONT_CARE = 0.75  # above this fraction of all regions; ICDAR2015, where the article found 0.007, has 0.62
POOR_IMAGES = 0.2  # above this fraction of bad images
CLEAN_USABLE = 0.9
CLEAN_DONT_CARE = 0.5
CLEAN_IMAGES = 0.05

DEFAULT_EPOCHS = 5  # default of the fine-tuning form of the article's WebUI
MORE_EPOCHS = 10  # article, the two ends of "10-15"
MOST_EPOCHS = 15

LARGE_GAP = 0.4  # hmean below this: less than about half of what a ResNet-18 DBNet reaches where it was trained
GOOD_ALREADY = 0.75  # hmean from this on: such detectors reach 0.75 to 0.83 on ICDAR2015

KEYS = ("optimizer.lr", "train.epochs", "train.val_every", "train.freeze", "train.freeze_statistics")
OptimizerName = Literal["sgd", "adamw", "other"]


class TrainingSet(NamedTuple):
    """The numbers that the rules need."""

    images: int
    usable: float = 1.0  # 0..1: fraction of the care regions that can be trained on
    dont_care: float = 0.0  # 0..1: fraction of all regions
    bad_images: float = 0.0  # 0..1: broken, of one color, low contrast or blurred; 0 if not measured

    def few(self) -> str:
        """The reason if there are few images, else empty."""
        few = f"{count(self.images, 'image')} {'is' if self.images == 1 else 'are'} fewer than {FEW_IMAGES}"
        return few if self.images < FEW_IMAGES else ""

    def poor(self) -> str:
        """The reason if labels or images are poor, else empty."""
        if self.usable < POOR_USABLE:
            return f"poor labels: only {self.usable:.0%} of the text can be trained on, less than {POOR_USABLE:.0%}"
        if self.dont_care > POOR_DONT_CARE:
            return f"poor labels: {self.dont_care:.0%} of the regions are don't-care, more than {POOR_DONT_CARE:.0%}"
        if self.bad_images > POOR_IMAGES:
            return f"{self.bad_images:.0%} of the images are broken, blurred or low in contrast"
        return ""

    def is_clean(self) -> bool:
        """Whether labels and images are good enough for a higher rate."""
        labels = self.usable >= CLEAN_USABLE and self.dont_care <= CLEAN_DONT_CARE
        return labels and self.bad_images <= CLEAN_IMAGES


def learning_rate(data: TrainingSet, lower: Sequence[str] = (), higher: Sequence[str] = ()) -> tuple[float, str]:
    """The rate for SGD, with its reason.

    lower, higher: further reasons for a lower or higher rate, which only the caller knows. Reasons for a lower rate
    take precedence."""
    careful = [reason for reason in (data.few(), data.poor(), *lower) if reason]
    if careful:
        return CAREFUL_LR if len(careful) == 1 else LOWEST_LR, "; ".join(careful)
    many = f"{data.images} images are more than {MANY_IMAGES}" if data.images > MANY_IMAGES else ""
    reasons = ([f"{many}, with clean labels"] if many and data.is_clean() else []) + list(higher)
    if reasons:
        return HIGH_LR, "; ".join(reasons)
    if not many:
        return DEFAULT_LR, f"{data.images} images are neither few nor more than {MANY_IMAGES}"
    shares = f"{data.usable:.0%} of the text can be trained on and {data.dont_care:.0%} of the regions are don't-care"
    bad = f", {data.bad_images:.0%} of the images are bad" if data.bad_images else ""
    return DEFAULT_LR, f"{many}, but not clean: {shares}{bad}"


class Start(NamedTuple):
    """What the starting weights do on the validation images."""

    hmean: float | None = None  # 0..1; None without text
    other_units: str = ""  # the reason if the labels mark other units than the weights; see `label_units`
    longer: bool = False  # these units are longer: lines

    def gap(self) -> str:
        """The reason if there is much to change, else empty."""
        low = ""
        if self.hmean is not None and self.hmean < LARGE_GAP:
            low = f"hmean {self.hmean:.3f} of the starting weights is a large gap, below {LARGE_GAP:g}"
        return "; ".join(filter(None, (low, self.other_units)))

    def good(self) -> str:
        """The reason if there is little to change, else empty."""
        if self.hmean is None or self.hmean < GOOD_ALREADY or self.gap():
            return ""
        return f"hmean {self.hmean:.3f} of the starting weights is good already, {GOOD_ALREADY:g} or more"


class Choice(NamedTuple):
    """A value for a key, with its reason."""

    key: str
    value: float | int | str | bool | None
    reason: str


def choose_hparams(
    data: TrainingSet, start: Start, pace: Pace, optimizer: OptimizerName = "sgd", typed_epochs: int | None = None
) -> list[Choice]:
    """One choice for each of KEYS, in their order, for a training that starts from a trained detector.

    optimizer: "other" gets no rate, and its list begins with the second of KEYS. typed_epochs: the validations follow
    them."""
    few, poor, gap = data.few(), data.poor(), start.gap()
    epochs, why_epochs = DEFAULT_EPOCHS, f"{data.images} images and no large gap"
    if few or gap:
        epochs, why_epochs = MOST_EPOCHS, few or gap
    elif poor:
        epochs, why_epochs = MORE_EPOCHS, poor
    epochs, why_epochs = choose_epochs(epochs, why_epochs, pace)
    val_every, why_val = choose_val_every(typed_epochs or epochs, pace)

    frozen, why_stem = False, f"{data.images} images are enough to train every layer"
    if few and gap:
        why_stem = f"{few}, but {gap}: every layer has to change"
    elif few:
        frozen, why_stem = True, f"{few}: keep the pretrained edges and colors"
    why_statistics = f"{few}: too few for new batch-norm statistics" if frozen else "as for train.freeze"

    rate, why_rate = _rate(data, start, optimizer)
    values = (rate, epochs, val_every, "stem" if frozen else None, frozen)
    choices = list(map(Choice, KEYS, values, (why_rate, why_epochs, why_val, why_stem, why_statistics)))
    return choices if optimizer != "other" else choices[1:]


def _rate(data: TrainingSet, start: Start, optimizer: OptimizerName) -> tuple[float, str]:
    good, (rate, why) = start.good(), learning_rate(data, lower=[start.gap()])
    if optimizer == "sgd":
        return (LOWEST_LR, good) if good else (rate, why)
    if good:
        return ADAMW_GOOD_LR, good
    return ADAMW_LR, f"of AdamW, which learns more in few steps; with optimizer=sgd it would be {rate:g}: {why}"
