"""The part of report.html about labels that a network doubts."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

from ..data.image_io import read_image
from ..errors import UserError
from ..runtime.messages import count
from ..viz.html import anchor, figure, table
from .doubted import Doubted, LabelCheck
from .label_audit import MEANING, Doubt
from .pictures import picture

EXAMPLES = 12  # pictures of each kind
WORST = 20  # images that are named


def doubts_part(labels: LabelCheck, root: Path) -> Iterator[str]:
    """Tables of kinds and images, and for each kind the gravest cases, drawn. root: of the set, left out of names."""
    yield f"<h2>Labels that {escape(labels.network)} doubts</h2>"
    if labels.taught:
        told = f"{labels.taught} of {count(len(labels.images), 'image')} taught this network"
        why = "it has learnt the mistakes of their labels too; ask one that has not seen them"
        yield f'<p class="warning">{told}: {why}.</p>'
    if not labels.kinds:
        yield "<p>None.</p>"
        return
    yield "<p>Each is a place to look at; the network may be wrong. Red: the labels. Orange: what the network sees.</p>"
    rows = [[f'<a href="#{anchor(kind)}">{kind}</a>', len(labels.ranked(kind)), MEANING[kind]] for kind in labels.kinds]
    yield table(("", "count", "what it is"), rows, [1])
    images = [[escape(_name(image, root)), len(image.doubts), f"{image.weight:.2f}"] for image in labels.worst[:WORST]]
    yield table(("images to look at first", "doubts", "weight"), images, [1, 2])
    for kind in labels.kinds:
        ranked = labels.ranked(kind)
        yield f'<h2 id="{anchor(kind)}">{kind.capitalize()}</h2>\n<p>{MEANING[kind]}, {count(len(ranked), "time")}.</p>'
        drawn = (_drawn(image, doubt, root) for image, doubt in ranked[:EXAMPLES])
        yield "\n".join(['<div class="pictures">', *drawn, "</div>"])


def place_of(image: Doubted, doubt: Doubt, root: Path) -> str:
    """`train/img_1.jpg; label 3 in line 4`; the labels are counted from 1."""
    lines = ((region, image.record.line(region)) for region in doubt.regions)
    labels = [f"label {region + 1}" + (f" in line {line}" if line else "") for region, line in lines]
    return "; ".join([_name(image, root), *labels])


def _drawn(image: Doubted, doubt: Doubt, root: Path) -> str:
    try:
        pixels = read_image(image.record.image_path)
    except UserError:
        return ""
    seen = [image.seen.found[m].polygon for m in doubt.detections]
    drawn = picture(pixels, image.record, doubt.regions, seen)
    return figure(drawn, f"{place_of(image, doubt, root)}: {doubt.suspicion:.2f}")


def _name(image: Doubted, root: Path) -> str:
    path = image.record.image_path
    return str(path.relative_to(root) if path.is_relative_to(root) else path)
