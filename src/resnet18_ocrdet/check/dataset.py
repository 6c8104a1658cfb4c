"""The whole check of a data set: images, regions, lines, and the input for the advice."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..data.load_annotations import Reading
from ..data.splits import VAL_FRACTION
from ..data.targets import TargetMaker
from ..data.text_sizes import LOW
from .advice import Advice, AdviceInput
from .image_stats import ImageStats, measure_images
from .images import check_images, is_bad
from .label_audit import LabelAudit
from .regions import ResizeFactors, SplitStats, check_regions
from .text_lines import check_lines


class CheckResult(NamedTuple):
    """Everything that the reports show."""

    root: Path
    reading: Reading  # its report includes the findings of the check
    images: dict[str, list[ImageStats]]  # in the order of the records
    splits: dict[str, SplitStats]
    height: int  # px, the input size for text heights
    width: int
    min_text_size: float  # px
    advice: tuple[Advice, ...] = ()
    labels: LabelAudit | None = None  # None without a checkpoint
    seconds: float = 0.0


def check_dataset(
    root: Path,
    reading: Reading,
    make: TargetMaker,
    scale: ResizeFactors,
    height: int,
    width: int,
    advance: Callable[[], None] = lambda: None,
) -> CheckResult:
    """Check everything once and add the findings to the report of the reading. advance: called after each image.

    make, scale, height, width: targets, resize and input size of the planned training."""
    images = measure_images(reading.splits, advance)
    check_images(reading.splits, images, reading.report)
    splits = {
        split: check_regions(root, split, records, images[split], make, scale, reading.report)
        for split, records in reading.splits.items()
    }
    check_lines(root, reading.splits, reading.report)
    return CheckResult(root, reading, images, splits, height, width, make.min_text_size)


def advice_input(result: CheckResult, planned: AdviceInput) -> AdviceInput:
    """The planned training, with the measurements of its training split filled in.

    Without a validation split, a tenth of the images is held out, as in `data.splits`."""
    split = "train" if "train" in result.splits else next(iter(result.splits), "")
    if not split:
        return planned._replace(images=0, care=0, usable=0, bad_images=0, text_height=0.0, small_text=0.0)
    stats, records, images = result.splits[split], result.reading.splits[split], result.images[split]
    heights = stats.heights
    held_out = 0 if "val" in result.splits else max(1, round(VAL_FRACTION * stats.images))
    return planned._replace(
        images=max(stats.images - held_out, 1),
        care=stats.care,
        usable=stats.usable,
        dont_care=stats.dont_care,
        bad_images=sum(is_bad(record, image) for record, image in zip(records, images, strict=True)),
        text_height=float(np.quantile(heights, LOW)) if len(heights) else 0.0,
        text_median=float(np.median(heights)) if len(heights) else math.inf,
        small_text=float((heights < result.min_text_size).mean()) if len(heights) else 0.0,
        height=result.height,
        width=result.width,
        min_text_size=result.min_text_size,
    )
