"""How many labelled regions a training can learn from, counted before it starts.

Legend: K regions of one image.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from math import ceil
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..geometry.polygon import clip_to_image, min_area_quad
from ..structures import Outline, Polygon, Resize, Source
from .labels import LabelledImages
from .letterbox import scale_to
from .targets import TargetMaker

LOOKED_AT = 5000  # images of a large set, spread over it; all of them before a refusal
HALF = 0.5
MANY = 0.9  # of the regions don't-care: a note although enough of the others are usable


class Outlined(Protocol):
    """A source that knows its labels without decoding its images."""

    def __len__(self) -> int:
        """Count the images."""

    def outline(self, index: int) -> Outline:
        """Size and labels of image `index`."""


class Usable(NamedTuple):
    """Regions by what becomes of them."""

    regions: int
    dont_care: int
    outside: int  # no part of it lies in its image
    too_small: int  # lower than min_text_size after the resize, or without area
    usable: int
    height: float  # px after the resize: median of those inside their image that are no don't-care; 0 without any

    @property
    def care(self) -> int:
        """Those that count: no don't-care."""
        return self.regions - self.dont_care

    def shares(self, at: str) -> str:
        """The losses in percent of all regions. at: the size they are measured at."""
        parts = (
            (self.dont_care, "don't-care (###)"),
            (self.too_small, f"too small at {at}"),
            (self.outside, "outside their image"),
        )
        return ", ".join(f"{count / self.regions:.0%} {what}" for count, what in parts)


def count_usable(source: Outlined, make: TargetMaker, scale: Callable[[int, int], tuple[float, float]]) -> Usable:
    """Sort the regions of a source. scale: (height, width) of an image -> factors (y, x) of its resize."""
    whole = range(len(source))
    chosen = sorted({round(place) for place in np.linspace(0, len(whole) - 1, min(LOOKED_AT, len(whole)))})
    found = _count(source, chosen, make, scale)
    if found.usable == 0 and len(chosen) < len(whole):
        found = _count(source, whole, make, scale)
    return found


def usable_at(
    source: Source, make: TargetMaker, height: int, width: int, resize: Resize, zoom: float = 1.0
) -> Usable | None:
    """Count the regions of images brought to an input size, magnified `zoom` times. None for rendered scenes, whose
    labels follow from their text."""
    if not isinstance(source, LabelledImages):
        return None

    def scale(image_height: int, image_width: int) -> tuple[float, float]:
        down, across = scale_to(image_height, image_width, height, width, resize)
        return zoom * down, zoom * across

    return count_usable(source, make, scale)


def refusal(found: Usable, at: str, min_text_size: float) -> str | None:
    """Why a training cannot start; None when it can. at: the largest size a region is shown at."""
    if found.usable:
        return None
    if not found.regions:
        return "data: the training images have no labelled regions at all: there is no text to learn"
    remedies = {
        found.outside: "are they written in pixels of these images, x before y?",
        found.too_small: f"a larger input_size, or a smaller train.min_text_size than {min_text_size:g}",
        found.dont_care: "a region whose text is ### is never learnt: write any other text, or none",
    }
    remedy = remedies[max(remedies)]
    return (
        f"data: none of the {found.regions} training regions can be learnt: {found.shares(at)}; {remedy}. "
        f"train.preview=true shows what is taught"
    )


def doubt(found: Usable, part: str, at: str, min_text_size: float) -> str | None:
    """A note when less than half of the regions that count are usable, or hardly any counts.

    part: "training", or what the images are called that are scored."""
    undefined = "; hmean is undefined" if part != "training" else ""
    if not found.regions:
        return f"the {part} images have no labelled regions{undefined}"
    if not found.care:
        all_of_them = "the only region is" if found.regions == 1 else f"all {found.regions} regions are"
        return f"{part}: {all_of_them} don't-care (###){undefined}"
    if found.usable >= HALF * found.care:
        share = found.dont_care / found.regions
        return f"{part}: {share:.0%} of the regions are don't-care (###)" if share > MANY else None
    are = "is" if found.care == 1 else "are"
    verb = "can be learnt" if part == "training" else f"{are} large enough to be found"
    counted = "1 region that counts" if found.care == 1 else f"{found.care} regions that count"
    lost = f"{found.too_small / found.care:.0%} too small at {at}, {found.outside / found.care:.0%} outside their image"
    more = f" (and {found.dont_care} don't-care)" if found.dont_care else ""
    hint = ""
    if found.too_small > HALF * found.care and 0 < found.height < min_text_size:
        hint = (
            f". Text is {found.height:.1f} px high in the middle, {min_text_size:g} is the least: the input_size "
            f"needs {ceil(10 * min_text_size / found.height) / 10:.1f} times its sides"
        )
    return f"{part}: {found.usable} of {counted} {verb}: {lost}{more}{hint}"


def _count(
    source: Outlined, indices: list[int] | range, make: TargetMaker, scale: Callable[[int, int], tuple[float, float]]
) -> Usable:
    kinds: Counter[str] = Counter()
    heights: list[float] = []
    for index in indices:
        image = source.outline(index)
        scale_y, scale_x = scale(image.height, image.width)
        for kind, height in _sort(image, np.array([scale_x, scale_y], np.float32), make):
            kinds[kind] += 1
            heights += [height] if kind in ("too_small", "usable") else []
    counts = {name: kinds[name] for name in ("dont_care", "outside", "too_small", "usable")}
    return Usable(kinds.total(), **counts, height=float(np.median(heights)) if heights else 0.0)


def _sort(image: Outline, scale: NDArray[np.float32], make: TargetMaker) -> Iterator[tuple[str, float]]:
    """What becomes of each region, and its height in px after the resize."""
    for polygon, ignore in zip(image.polygons, image.ignore, strict=True):
        scaled: Polygon = polygon * scale
        height = min_area_quad(scaled)[1]
        if ignore:
            yield "dont_care", height
        elif not clip_to_image(polygon, image.height, image.width):
            yield "outside", height
        elif not make.pieces(scaled):
            yield "too_small", height
        else:
            yield "usable", height
