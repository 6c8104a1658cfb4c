"""ocrdet-check checkpoint=…: labels that a trained network disagrees with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig

from .. import build
from ..bundled import BUNDLED_PATH, weights_path
from ..check.doubted import LabelCheck, judge
from ..check.doubts import Seen
from ..check.doubts_html import place_of
from ..check.measure import drawable
from ..checkpoint import load_checkpoint
from ..contract import Contract
from ..data.image_io import read_image
from ..data.record import LabelRecord
from ..detector import Detector
from ..device import choose_device
from ..display import Display
from ..errors import UserError
from ..geometry import offset, shrink_distance
from ..postprocess import ProbMap, means_inside
from ..structures import Placement
from ..wording import count
from .taught import taught_records


def check_labels(cfg: DictConfig, records: list[LabelRecord], display: Display) -> LabelCheck:
    """Let the network of cfg.checkpoint look at every image that can be read."""
    path = weights_path(cfg.checkpoint)
    content = load_checkpoint(path)
    contract = Contract.from_dict(content["contract"])
    device = choose_device(cfg.device)
    compute, _ = build.build_compute(device, cfg.precision)
    decoder = replace(build.build_decoder(contract), shape="quad")
    detector = Detector(build.build_trained(content, path, device), contract, decoder, compute)
    named = "the bundled network" if path == BUNDLED_PATH else str(path)
    taught = taught_records(content, contract, records)
    if taught:
        display.line(
            f"note: {taught} of {count(len(records), 'image')} taught {named}: it has learnt the mistakes in their "
            f"labels too; ask a network that has not seen them"
        )
    images = []
    with display.progress("labels", len(records)) as advance:
        for record in map(readable, records):
            try:
                prob_map, placement = detector.look(read_image(record.image_path))
            except UserError:
                advance()
                continue  # a finding of the check already
            found = decoder(prob_map, placement)
            outlines = [each.polygon for each in replace(decoder, shape="polygon")(prob_map, placement)]
            support = support_of(record, prob_map, placement, contract.shrink_ratio)
            images.append((record, Seen(found, outlines if len(outlines) == len(found) else None, support)))
            advance()
    return judge(named, taught, images)


def readable(record: LabelRecord) -> LabelRecord:
    """The labels with what is no outline as don't-care points: their numbers stay."""
    good = np.array([drawable(polygon) for polygon in record.polygons], bool)
    polygons = tuple(p if fine else np.zeros((3, 2), np.float32) for p, fine in zip(record.polygons, good, strict=True))
    return replace(record, polygons=polygons, ignore=record.ignore | ~good)


def support_of(
    record: LabelRecord, prob_map: ProbMap, placement: Placement, shrink_ratio: float
) -> NDArray[np.float64]:
    """Mean probability within each label as the network was taught to see it, shrunk: (K,) 0..1."""
    outlines = []
    for polygon in record.polygons:
        outline = placement.to_canvas(polygon)
        shrunk = offset(outline, -shrink_distance(outline, shrink_ratio))
        outlines.append(shrunk[0] if shrunk else outline)
    return means_inside(prob_map, outlines)


def told(labels: LabelCheck, root: Path) -> list[str]:
    """A line for each kind of doubt: how many, and the gravest."""
    lines = []
    for kind in labels.kinds:
        ranked = labels.ranked(kind)
        image, doubt = ranked[0]
        lines.append(f"doubt {kind}: {len(ranked)}, first {place_of(image, doubt, root)} ({doubt.suspicion:.2f})")
    return lines or [f"{labels.network} doubts no label"]
