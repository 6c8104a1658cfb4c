"""Rate, length and freezing of a training that starts from a trained detector, chosen from what was measured.

The rates, the epochs and the image counts are those of a community article on this detector (SGD, batch 8): its peak
is 0.007; 0.003 to 0.005, "e.g. 0.004 for 10–15 epochs", with fewer than 500 images, poor labels or a large domain gap;
0.008 to 0.009 with more than 5000 clean images. Freezing with few images is what users of PaddleOCR and docTR arrived
at (PaddleOCR#3429, docTR#1614). The article gives no numbers for "poor", "clean", "large gap" and "good already": those
below are ours.
"""

from __future__ import annotations

from typing import NamedTuple

FEW_IMAGES = 500  # fewer than that; article
MANY_IMAGES = 5000  # more than that; article

USUAL_RATE = 0.007  # article, the peak of its experiment
CAREFUL_RATE = 0.004  # article, where one thing calls for care
LEAST_RATE = 0.003  # article, the low end: where several do, or where little is left to learn
BOLD_RATE = 0.008  # article, the lower end of its 0.008–0.009: at 0.009 its training was unsteady

USUAL_EPOCHS = 5  # default of the fine-tuning form of the article's WebUI
MORE_EPOCHS = 10  # article, the two ends of "10–15"
MOST_EPOCHS = 15

LARGE_GAP = 0.4  # hmean below it: less than about half of what a ResNet-18 DBNet reaches where it was trained
GOOD_ALREADY = 0.75  # hmean from it on: what such detectors reach on ICDAR2015 (0.75 to 0.83)

POOR_USABLE = 0.5  # share of the regions meant as text; with less, most labels teach nothing
POOR_DONT_CARE = 0.75  # share of all regions; ICDAR2015, on which the article found 0.007, has 0.62
CLEAN_USABLE = 0.9
CLEAN_DONT_CARE = 0.5

KEYS = ("optimizer.lr", "train.epochs", "train.freeze", "train.freeze_statistics")


class Start(NamedTuple):
    """What is known before the first step."""

    images: int  # to learn from
    usable: float  # 0..1: share of the regions meant as text that can be learnt
    dont_care: float  # 0..1: share of all regions
    hmean: float | None  # of the starting weights on the validation images; None where they have no text


class Choice(NamedTuple):
    """A value for one of KEYS, and why."""

    key: str
    value: float | int | str | bool | None
    reason: str


def choose(start: Start) -> list[Choice]:
    """One choice for each of KEYS, in their order."""
    return [_rate(start), _epochs(start), *_freezing(start)]


def _rate(start: Start) -> Choice:
    key = KEYS[0]
    if start.hmean is not None and start.hmean >= GOOD_ALREADY:
        return Choice(key, LEAST_RATE, f"{_hmean(start)} is good already, {GOOD_ALREADY:g} or more")
    care = [reason for reason in (_few(start), _poor(start), _gap(start)) if reason]
    if care:
        return Choice(key, CAREFUL_RATE if len(care) == 1 else LEAST_RATE, "; ".join(care))
    if start.images <= MANY_IMAGES:
        return Choice(key, USUAL_RATE, f"{start.images} images are neither few nor more than {MANY_IMAGES}")
    many = f"{start.images} images are more than {MANY_IMAGES}"
    if start.usable >= CLEAN_USABLE and start.dont_care <= CLEAN_DONT_CARE:
        return Choice(key, BOLD_RATE, f"{many}, with clean labels")
    return Choice(
        key, USUAL_RATE, f"{many}, but {start.usable:.0%} of the text can be learnt and {_dont_care(start)}: not clean"
    )


def _epochs(start: Start) -> Choice:
    key = KEYS[1]
    if reason := _few(start) or _gap(start):
        return Choice(key, MOST_EPOCHS, reason)
    if reason := _poor(start):
        return Choice(key, MORE_EPOCHS, reason)
    return Choice(key, USUAL_EPOCHS, f"{start.images} images and a start that is not far off need no more")


def _freezing(start: Start) -> list[Choice]:
    few, gap = _few(start), _gap(start)
    if not few:
        why = f"{start.images} images are enough to train every layer"
        return [Choice(KEYS[2], None, why), Choice(KEYS[3], False, why)]
    if gap:
        why = f"{few}, but {gap}: every layer has to change"
        return [Choice(KEYS[2], None, why), Choice(KEYS[3], False, why)]
    return [
        Choice(KEYS[2], "stem", f"{few}: edges and colours stay as they were learnt from more"),
        Choice(KEYS[3], True, f"{few}: too few for new batch-norm statistics"),
    ]


def _few(start: Start) -> str:
    """Why one says so; empty where one does not. Likewise the next two."""
    return f"{start.images} images are fewer than {FEW_IMAGES}" if start.images < FEW_IMAGES else ""


def _poor(start: Start) -> str:
    if start.usable < POOR_USABLE:
        return f"labels teach little, {start.usable:.0%} of the text can be learnt, less than {POOR_USABLE:.0%}"
    if start.dont_care > POOR_DONT_CARE:
        return f"labels teach little, {_dont_care(start)}, more than {POOR_DONT_CARE:.0%}"
    return ""


def _gap(start: Start) -> str:
    if start.hmean is None or start.hmean >= LARGE_GAP:
        return ""
    return f"{_hmean(start)} is a large gap, below {LARGE_GAP:g}"


def _hmean(start: Start) -> str:
    return f"hmean {start.hmean:.3f} of the starting weights"


def _dont_care(start: Start) -> str:
    return f"{start.dont_care:.0%} of the regions are don't-care"
