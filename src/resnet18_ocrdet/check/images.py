"""What is wrong with the images of a set, told from one look at each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resnet18_ocrdet.check.look import THUMB_SIDE, Look
from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.letterbox import MAX_ASPECT
from resnet18_ocrdet.data.record import LabelRecord

STRIDE = 32  # px, of the network's coarsest map
LEAST_REACH = 40  # levels from dark to bright; of photos 1-900 of ICDAR 2015 the dullest has 111
LEAST_TEXT_CONTRAST = 20  # levels from ink to paper, half of the regions; the dullest of those photos has 31
LEAST_STEEPNESS = 0.25  # of an edge within a pixel, at 640 px: a Gaussian blur of 2 px or more; those photos: from 0.42
LEAST_TEXT_EDGES = 4.5  # widths of an edge in the height of the text; letters have run into one another below that
NEAR_LEVELS = 6  # of 255, at every one of the 32 x 32 points: what scaling and saving anew change
NEAR_MEAN = 2.0  # of 255, between the means of such images
NEAR_ASPECT = 0.02  # relative, between their aspect ratios

_BROKEN = ("IM051", "IM052", "IM053", "IM055", "IM060", "IM064", "FS077", "FS079")


def check_images(
    parts: Mapping[str, Sequence[LabelRecord]], looks: Mapping[str, Sequence[Look]], report: Report
) -> None:
    """Add what the looks say. What the report holds of an image already is not added again."""
    known = {(finding.code, finding.image or finding.path) for finding in report}
    broken = {path for code, path in known if code in _BROKEN}
    for part, records in parts.items():
        for record, look in zip(records, looks[part], strict=True):
            path = record.image_path
            if look.fault is not None:
                if path not in broken:
                    report.add(look.fault.code, path, 0, look.fault.detail, path)
                continue
            for code, detail in _problems(record, look):
                if (code, path) not in known:
                    report.add(code, path, 0, detail, path)
    _add_duplicates(parts, looks, report)


def is_poor(record: LabelRecord, look: Look) -> bool:
    """Whether an image can hardly teach: broken, plain, dull or blurred."""
    return look.fault is not None or any(code.startswith("QA") for code, _ in _problems(record, look))


def _problems(record: LabelRecord, look: Look) -> list[tuple[str, str]]:
    """Codes and details of one image that was decoded."""
    assert look.tone is not None
    found = []
    size = f"{look.width}x{look.height} px"
    if look.pages > 1:
        found.append(("IM062", f"{look.pages} pictures in the file, the first one is taken"))
    if max(look.height, look.width) > MAX_ASPECT * min(look.height, look.width):
        found.append(("IM066", f"{size}: one side is more than {MAX_ASPECT} times the other"))
    elif min(look.height, look.width) < STRIDE:
        found.append(("IM065", f"{size}, the network's stride is {STRIDE} px"))
    care = int((~record.ignore).sum())
    if look.constant:
        level = f"every pixel has level {look.tone.mean:.0f} of 255"
        found.append(("QA104", f"{level}, but {care} regions are labelled") if care else ("IM067", level))
        return found
    dull, blurred = dullness(look), blur(look)
    found += [("QA101", dull)] if dull else []
    found += [("QA102", blurred)] if blurred and look.tone.reach >= LEAST_REACH else []
    return found


def dullness(look: Look) -> str:
    """What shows that an image has too little contrast; empty where it has enough."""
    if look.tone is not None and look.tone.reach < LEAST_REACH:
        return f"{look.tone.reach:.0f} of 255 levels between dark and bright, {LEAST_REACH} are the least"
    if look.texts and (contrast := float(np.median([text.contrast for text in look.texts]))) < LEAST_TEXT_CONTRAST:
        return f"{contrast:.0f} of 255 levels between ink and paper, {LEAST_TEXT_CONTRAST} are the least"
    return ""


def blur(look: Look) -> str:
    """What shows that an image, or the text in it, is out of focus; empty where it is sharp."""
    if look.texts and (edges := float(np.median([text.edges for text in look.texts]))) < LEAST_TEXT_EDGES:
        return f"the edge of a letter takes 1/{edges:.1f} of its height, 1/{LEAST_TEXT_EDGES:g} is the most"
    if look.tone is not None and 0 < look.tone.steepness < LEAST_STEEPNESS:
        return f"its sharpest edges are {1 / look.tone.steepness:.1f} px wide, at 640 px for the longer side"
    return ""


def _add_duplicates(
    parts: Mapping[str, Sequence[LabelRecord]], looks: Mapping[str, Sequence[Look]], report: Report
) -> None:
    """Find equal pixels everywhere, and nearly equal ones in different parts, where they make a score mean little.

    Of the copies in two parts the one that is learnt from is reported."""
    first: dict[bytes, tuple[str, Path]] = {}
    again: set[Path] = set()
    names = [part for part in ("test", "val", "train") if part in parts]  # the copy in training is the one to remove
    for part in names:
        for record, look in zip(parts[part], looks[part], strict=True):
            if look.fault is not None or look.constant:
                continue
            there, owner = first.setdefault(look.digest, (part, record.image_path))
            if owner == record.image_path and there == part:
                continue
            code = "FS072" if there == part else "IM072"
            detail = f"the same pixels as {owner}" + ("" if there == part else f" of {there}")
            report.add(code, record.image_path, 0, detail, record.image_path)
            again.add(record.image_path)
    for number, part in enumerate(names):
        for other in names[number + 1 :]:
            for mine, theirs in near_pairs(looks[part], looks[other]):
                path, owner = parts[other][theirs].image_path, parts[part][mine].image_path
                if path not in again:
                    again.add(path)
                    report.add("IM072", path, 0, f"nearly the same pixels as {owner} of {part}", path)


def near_pairs(mine: Sequence[Look], theirs: Sequence[Look]) -> list[tuple[int, int]]:
    """Pairs of images, one of each side, that show the same: a copy scaled or saved anew.

    Every point of the thumbnails must agree within NEAR_LEVELS: photos of a burst and forms that are filled in
    differently do not."""
    left = [index for index, look in enumerate(mine) if _tells(look)]
    right = [index for index, look in enumerate(theirs) if _tells(look)]
    if not left or not right:
        return []
    thumbs = np.stack([_thumb(mine[index]) for index in left])  # (n, THUMB_SIDE²) int16
    means = thumbs.mean(axis=1)
    order = np.argsort(means)
    rising = means[order]
    found = []
    for index in right:
        thumb = _thumb(theirs[index])
        middle = float(thumb.mean())
        low, high = np.searchsorted(rising, (middle - NEAR_MEAN, middle + NEAR_MEAN))
        close = order[low:high]
        same = close[np.abs(thumbs[close] - thumb).max(axis=1) <= NEAR_LEVELS]
        found += [(left[place], index) for place in same if _same_shape(mine[left[place]], theirs[index])]
    return found


def _tells(look: Look) -> bool:
    """Whether an image has something to be recognised by."""
    return look.tone is not None and not look.constant and look.tone.reach >= LEAST_REACH and look.tone.spread >= 10


def _thumb(look: Look) -> NDArray[np.int16]:
    return np.frombuffer(look.thumb, np.uint8).astype(np.int16).reshape(THUMB_SIDE * THUMB_SIDE)


def _same_shape(one: Look, other: Look) -> bool:
    return abs(one.width * other.height / (one.height * other.width) - 1) <= NEAR_ASPECT
