"""Learning rate for a data set: one table for experiment=finetune and for the advice of ocrdet-check.

The rates and image counts are those of a community article on this detector (SGD, batch size 8): 0.007 is its best
rate; "0.003 to 0.005, e.g. 0.004" for fewer than 500 images, poor labels or a large domain gap; 0.008 to 0.009 for more
than 5000 clean images, strong augmentation or a larger backbone (its own training was unsteady at 0.009, so 0.008 is
used here). The article has no numbers for "poor" and "clean"; those below are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

DEFAULT_LR = 0.007
CAREFUL_LR = 0.004  # one reason for a lower rate
LOWEST_LR = 0.003  # several reasons
HIGH_LR = 0.008

FEW_IMAGES = 500  # fewer than this
MANY_IMAGES = 5000  # more than this

POOR_USABLE = 0.5  # below this fraction of the text, most labels are ignored in training
POOR_DONT_CARE = 0.75  # above this fraction of all regions; ICDAR2015, where the article found 0.007, has 0.62
POOR_IMAGES = 0.2  # above this fraction of bad images
CLEAN_USABLE = 0.9
CLEAN_DONT_CARE = 0.5
CLEAN_IMAGES = 0.05


class TrainingSet(NamedTuple):
    """The numbers that the rules need."""

    images: int
    usable: float = 1.0  # 0..1: fraction of the care regions that can be trained on
    dont_care: float = 0.0  # 0..1: fraction of all regions
    bad_images: float = 0.0  # 0..1: broken, of one color, low contrast or blurred; 0 if not measured

    def few(self) -> str:
        """The reason if there are few images, else empty."""
        return f"{self.images} images are fewer than {FEW_IMAGES}" if self.images < FEW_IMAGES else ""

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
