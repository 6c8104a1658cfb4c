"""Count the labelled regions that are usable for training, before it starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import ceil
from typing import NamedTuple

import numpy as np

from ..geometry.polygon import clip_to_image
from ..structures import Polygon, Resize, Source
from .ignore_causes import IgnoreCauses
from .labels import LabelledImages
from .letterbox import NO_LIMIT, scale_to
from .targets import TargetMaker, shorter_side

MAX_SAMPLED = 5000  # images of a large data set, spread evenly; all of them if none has a usable region
MIN_USABLE = 0.5  # share of the care regions; below it there is a note
MAX_DONT_CARE = 0.9  # share of the regions; above it there is a note


class RegionCounts(NamedTuple):
    """Number of regions of each kind."""

    regions: int
    dont_care: int
    outside: int  # entirely outside their image
    too_small: int  # lower than min_text_size after the resize, or without area
    usable: int
    height: float  # px after the resize: median of the care regions inside their image; 0 if there are none
    causes: IgnoreCauses = IgnoreCauses()  # of the don't-care regions in the data set

    @property
    def care(self) -> int:
        """Regions that are not don't-care."""
        return self.regions - self.dont_care

    def shares(self, at: str) -> str:
        """The unusable regions in percent of all regions. at: input size at which they are measured."""
        parts = (
            (self.dont_care, f"don't-care ({self.causes})"),
            (self.too_small, f"too small at {at}"),
            (self.outside, "outside their image"),
        )
        return ", ".join(f"{count / self.regions:.0%} {what}" for count, what in parts)


def training_scale(train: Source, height: int, width: int, resize: Resize) -> float:
    """How much images are enlarged in training: the 95th percentile of a sample, but at least 1.

    Rendered scenes have one size. A limit below 1 would shrink images that are smaller than those of training."""
    most = min(MAX_SAMPLED, len(train)) if isinstance(train, LabelledImages) else 1
    images = (train.open(round(place)) for place in np.linspace(0, len(train) - 1, most))
    scales = [max(scale_to(image.height, image.width, height, width, resize)) for image in images]
    return min(max(float(np.percentile(scales, 95)), 1.0), NO_LIMIT)


def count_regions_at(
    source: Source,
    make: TargetMaker,
    height: int,
    width: int,
    resize: Resize,
    zoom: float = 1.0,
    max_scale: float = NO_LIMIT,
) -> RegionCounts | None:
    """Count the regions of images resized to an input size and magnified `zoom` times; None for synthetic scenes.

    max_scale: as of `letterbox`."""
    if not isinstance(source, LabelledImages):
        return None
    whole = range(len(source))

    def counts(indices: Iterable[int]) -> RegionCounts:
        kinds: Counter[str] = Counter()
        heights: list[float] = []
        for image in map(source.open, indices):
            scale_y, scale_x = scale_to(image.height, image.width, height, width, resize, max_scale)
            for polygon, ignore in zip(image.polygons, image.ignore, strict=True):
                scaled: Polygon = polygon * np.array([zoom * scale_x, zoom * scale_y], np.float32)
                if ignore:
                    kinds["dont_care"] += 1
                elif not clip_to_image(polygon, image.height, image.width):
                    kinds["outside"] += 1
                else:
                    kinds["usable" if make.pieces(scaled) else "too_small"] += 1
                    heights.append(shorter_side(scaled))
        each = {kind: kinds[kind] for kind in ("dont_care", "outside", "too_small", "usable")}
        height_of_text = float(np.median(heights)) if heights else 0.0
        return RegionCounts(kinds.total(), **each, height=height_of_text, causes=source.causes)

    found = counts(sorted({round(place) for place in np.linspace(0, len(whole) - 1, min(MAX_SAMPLED, len(whole)))}))
    return found if found.usable or len(whole) <= MAX_SAMPLED else counts(whole)


def has_usable_region(
    source: LabelledImages, make: TargetMaker, height: int, width: int, resize: Resize, zoom: float = 1.0
) -> bool:
    """Whether `count_regions_at` would count a usable region: much faster if there is one."""
    for image in map(source.open, range(len(source))):
        scale_y, scale_x = scale_to(image.height, image.width, height, width, resize)
        factor = np.array([zoom * scale_x, zoom * scale_y], np.float32)
        for polygon, ignore in zip(image.polygons, image.ignore, strict=True):
            if not ignore and clip_to_image(polygon, image.height, image.width) and make.pieces(polygon * factor):
                return True
    return False


def no_usable_region_error(found: RegionCounts, at: str, min_text_size: float) -> str | None:
    """Why training cannot start: no region is usable; None if it can. at: largest size of the regions in training."""
    if found.usable:
        return None
    if not found.regions:
        return "data: the training images have no labelled regions: there is no text to train on"
    remedies = {
        found.outside: "are the coordinates in pixels of these images, x before y?",
        found.too_small: f"use a larger input_size, or a train.min_text_size smaller than {min_text_size:g}",
        found.dont_care: found.causes.remedy(),
    }
    remedy = remedies[max(remedies)]
    return (
        f"data: none of the {found.regions} training regions is usable: {found.shares(at)}; {remedy}. "
        f"train.preview=true shows the training targets"
    )


def low_usability_note(
    found: RegionCounts, split: str, at: str, min_text_size: float, scored: bool = False
) -> str | None:
    """A note if less than half of the care regions are usable, or almost all regions are don't-care; else None.

    split: name of the images. scored: they are evaluated, not trained on."""
    undefined = "; hmean is undefined" if scored else ""
    if not found.regions:
        return f"the {split} images have no labelled regions{undefined}"
    if not found.care:
        all_of_them = "the only region is" if found.regions == 1 else f"all {found.regions} regions are"
        return f"{split}: {all_of_them} don't-care ({found.causes}){undefined}"
    if found.usable >= MIN_USABLE * found.care:
        share = found.dont_care / found.regions
        masked = f"{split}: {share:.0%} of the regions are don't-care ({found.causes})"
        return masked if share > MAX_DONT_CARE else None
    usable = "large enough" if scored else "usable"
    care = "1 care region" if found.care == 1 else f"{found.care} care regions"
    lost = f"{found.too_small / found.care:.0%} too small at {at}, {found.outside / found.care:.0%} outside their image"
    more = f" (and {found.dont_care} don't-care)" if found.dont_care else ""
    hint = ""
    if 2 * found.too_small > found.care and 0 < found.height < min_text_size:
        hint = (
            f". The median text height is {found.height:.1f} px, the minimum {min_text_size:g} px: use an input_size "
            f"with {ceil(10 * min_text_size / found.height) / 10:.1f} times the sides"
        )
    return f"{split}: {found.usable} of {care} {usable}: {lost}{more}{hint}"
