"""A whole check but for its words: images, regions and lines looked at, and what to try."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from resnet18_ocrdet.check import advice as rules
from resnet18_ocrdet.check.doubted import LabelCheck
from resnet18_ocrdet.check.images import check_images, is_poor
from resnet18_ocrdet.check.lines import check_lines
from resnet18_ocrdet.check.look import Look, look_at_all
from resnet18_ocrdet.check.regions import Facts, Scale, check_regions
from resnet18_ocrdet.data.load_annotations import Reading
from resnet18_ocrdet.data.splits import VAL_FRACTION
from resnet18_ocrdet.data.targets import TargetMaker


class Checked(NamedTuple):
    """What a check found."""

    root: Path
    reading: Reading  # its report holds the findings of the check too
    looks: dict[str, list[Look]]  # in the order of the records
    facts: dict[str, Facts]
    height: int  # px, the input size that text heights are stated for
    width: int
    min_text_size: float  # px
    advice: tuple[rules.Advice, ...] = ()
    labels: LabelCheck | None = None  # None: no network was asked
    seconds: float = 0.0


def check_set(
    root: Path,
    reading: Reading,
    make: TargetMaker,
    scale: Scale,
    height: int,
    width: int,
    advance: Callable[[], None] = lambda: None,
) -> Checked:
    """Look at everything once and add to the reading's report. advance: called after each image.

    make, scale, height, width: how a training would draw targets and resize images."""
    looks = look_at_all(reading.parts, advance)
    check_images(reading.parts, looks, reading.report)
    facts = {
        part: check_regions(root, part, records, looks[part], make, scale, reading.report)
        for part, records in reading.parts.items()
    }
    check_lines(root, reading.parts, reading.report)
    return Checked(root, reading, looks, facts, height, width, make.min_text_size)


def situation(checked: Checked, settings: rules.Situation) -> rules.Situation:
    """The settings of a training with what was measured of the part that it would learn from put in.

    Without a validation part a tenth of the images is held out, as `data.splits` does."""
    part = "train" if "train" in checked.facts else next(iter(checked.facts), "")
    if not part:
        return settings._replace(images=0, care=0, usable=0, poor_images=0, text_height=0.0, small_share=0.0)
    facts, records, looks = checked.facts[part], checked.reading.parts[part], checked.looks[part]
    heights = facts.heights
    held_out = 0 if "val" in checked.facts else max(1, round(VAL_FRACTION * facts.images))
    return settings._replace(
        images=max(facts.images - held_out, 1),
        care=facts.care,
        usable=facts.usable,
        poor_images=sum(is_poor(record, look) for record, look in zip(records, looks, strict=True)),
        text_height=float(np.quantile(heights, rules.SMALL_SHARE)) if len(heights) else 0.0,
        small_share=float((heights < checked.min_text_size).mean()) if len(heights) else 0.0,
        height=checked.height,
        width=checked.width,
        min_text_size=checked.min_text_size,
    )
