"""Findings about images: broken, duplicate, blurred, low contrast, odd shapes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..data.error_policy import RecordsBySplit
from ..data.findings import Report
from ..data.letterbox import MAX_ASPECT
from ..data.record import LabelRecord
from .image_stats import THUMB_SIDE, ImageStats

STRIDE = 32  # px, of the network's coarsest features
MIN_RANGE = 40  # levels from dark to bright; the lowest of photos 1-900 of ICDAR 2015 is 111
MIN_TEXT_CONTRAST = 20  # levels from ink to paper, median of the regions; the lowest of those photos is 31
MIN_SHARPNESS = 0.25  # at 640 px: below is a Gaussian blur of 2 px or more; the lowest of those photos is 0.42
MIN_TEXT_SHARPNESS = 4.5  # text height / edge width; below that, letters are merged
NEAR_LEVELS = 6  # of 255, at each of the 32 x 32 points: the effect of scaling and saving again
NEAR_MEAN = 2.0  # of 255, difference of the means
NEAR_ASPECT = 0.02  # relative difference of the aspect ratios

BROKEN = ("IM051", "IM052", "IM053", "IM055", "IM060", "IM064")  # images that cannot be decoded


def check_images(parts: RecordsBySplit, stats: dict[str, list[ImageStats]], report: Report) -> None:
    """Add findings from the statistics, except those that the report already has."""
    known = {(finding.code, finding.image or finding.path) for finding in report}
    broken = {path for code, path in known if code in (*BROKEN, "FS077", "FS079")}
    for split, records in parts.items():
        for record, image in zip(records, stats[split], strict=True):
            path = record.image_path
            for code, detail in _problems(record, image):
                if not (path in broken if image.fault else (code, path) in known):
                    report.add(code, path, 0, detail, path)
    _add_duplicates(parts, stats, report)


def is_bad(record: LabelRecord, image: ImageStats) -> bool:
    """Whether an image is of little use for training: broken, of one color, low contrast or blurred."""
    return image.fault is not None or any(code.startswith("QA") for code, _ in _problems(record, image))


def _problems(record: LabelRecord, image: ImageStats) -> Iterator[tuple[str, str]]:
    """Codes and details for one image."""
    if image.fault:
        yield image.fault
    if image.grey is None:
        return
    size = f"{image.width}x{image.height} px"
    if image.pages > 1:
        yield "IM062", f"{image.pages} images in the file, only the first one is used"
    if max(image.height, image.width) > MAX_ASPECT * min(image.height, image.width):
        yield "IM066", f"{size}: one side is more than {MAX_ASPECT} times the other"
    elif min(image.height, image.width) < STRIDE:
        yield "IM065", f"{size}, the network's stride is {STRIDE} px"
    if image.constant:
        care = int((~record.ignore).sum())
        level = f"all pixels have level {image.grey.mean:.0f} of 255"
        yield ("QA104", f"{level}, but {care} regions are labelled") if care else ("IM067", level)
        return
    if dull := low_contrast(image):
        yield "QA101", dull
    if (blurred := blur(image)) and image.grey.range >= MIN_RANGE:
        yield "QA102", blurred


def low_contrast(image: ImageStats) -> str:
    """Why an image has too little contrast; empty if it has enough."""
    if image.grey is not None and image.grey.range < MIN_RANGE:
        return f"{image.grey.range:.0f} of 255 levels between dark and bright, less than {MIN_RANGE}"
    if image.texts and (contrast := float(np.median([text.contrast for text in image.texts]))) < MIN_TEXT_CONTRAST:
        return f"{contrast:.0f} of 255 levels between ink and paper, less than {MIN_TEXT_CONTRAST}"
    return ""


def blur(image: ImageStats) -> str:
    """Why an image or its text is blurred; empty if it is sharp."""
    if image.texts and (sharpness := float(np.median([text.sharpness for text in image.texts]))) < MIN_TEXT_SHARPNESS:
        return f"the edge of a letter takes 1/{sharpness:.1f} of its height, more than 1/{MIN_TEXT_SHARPNESS:g}"
    if image.grey is not None and 0 < image.grey.sharpness < MIN_SHARPNESS:
        return f"its sharpest edges are {1 / image.grey.sharpness:.1f} px wide when the longer side is 640 px"
    return ""


def _add_duplicates(parts: RecordsBySplit, stats: dict[str, list[ImageStats]], report: Report) -> None:
    """Find equal images everywhere, and nearly equal ones in different splits, where they invalidate a score.

    Of copies in two splits, the one used in training is reported."""
    first: dict[bytes, tuple[str, Path]] = {}
    again: set[Path] = set()
    names = [split for split in ("test", "val", "train") if split in parts]  # train last: its copy is reported
    for split in names:
        for record, image in zip(parts[split], stats[split], strict=True):
            if image.fault is not None or image.constant:
                continue
            there, owner = first.setdefault(image.digest, (split, record.image_path))
            if owner == record.image_path and there == split:
                continue
            code = "FS072" if there == split else "IM072"
            detail = f"the same pixels as {owner}" + ("" if there == split else f" of {there}")
            report.add(code, record.image_path, 0, detail, record.image_path)
            again.add(record.image_path)
    for split, other in combinations(names, 2):
        for mine, theirs in near_pairs(stats[split], stats[other]):
            path, owner = parts[other][theirs].image_path, parts[split][mine].image_path
            if path not in again:
                again.add(path)
                report.add("IM072", path, 0, f"nearly the same pixels as {owner} of {split}", path)


def near_pairs(mine: Sequence[ImageStats], theirs: Sequence[ImageStats]) -> Iterator[tuple[int, int]]:
    """Pairs of images, one from each side, where one is a scaled or re-saved copy of the other; in the order of theirs.

    Every point of the thumbnails must agree within NEAR_LEVELS, so photos of a burst and forms with different entries
    are not pairs."""
    left, right = ([i for i, image in enumerate(side) if _has_content(image)] for side in (mine, theirs))
    if not left or not right:
        return
    thumbs = np.stack([_thumb(mine[index]) for index in left])  # (n, THUMB_SIDE²) int16
    means = thumbs.mean(axis=1)
    order = np.argsort(means)
    for index in right:
        thumb = _thumb(theirs[index])
        middle = float(thumb.mean())
        low, high = np.searchsorted(means, (middle - NEAR_MEAN, middle + NEAR_MEAN), sorter=order)
        close = order[low:high]
        same = close[np.abs(thumbs[close] - thumb).max(axis=1) <= NEAR_LEVELS]
        yield from ((left[place], index) for place in same if _same_shape(mine[left[place]], theirs[index]))


def _has_content(image: ImageStats) -> bool:
    """Whether an image has enough contrast to be recognized."""
    return image.grey is not None and not image.constant and image.grey.range >= MIN_RANGE and image.grey.std >= 10


def _thumb(image: ImageStats) -> NDArray[np.int16]:
    return np.frombuffer(image.thumb, np.uint8).astype(np.int16).reshape(THUMB_SIDE * THUMB_SIDE)


def _same_shape(one: ImageStats, other: ImageStats) -> bool:
    return abs(one.width * other.height / (one.height * other.width) - 1) <= NEAR_ASPECT
