"""ocrdet-check checkpoint=…: labels that a trained network disagrees with."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig

from .. import build
from ..check.doubted import LabelCheck, judge
from ..check.label_audit import Seen
from ..check.label_audit_html import place_of
from ..check.measure import drawable
from ..config.bundled import BUNDLED_PATH, weights_path
from ..data.image_io import read_image
from ..data.load_annotations import Reading
from ..data.record import LabelRecord
from ..errors import UserError
from ..geometry.batched import min_area_quads
from ..geometry.polygon import offset, shrink_distance
from ..inference.loading import load_model, where_to_run
from ..inference.postprocess import ProbMap, means_inside
from ..inference.predictor import Predictor
from ..model.contract import Contract
from ..runtime.console import Display
from ..runtime.messages import count
from ..structures import Image, ResizeTransform
from .train_overlap import taught_records


class LabelJudge:
    """The network of cfg.checkpoint, opened. Raises UserError for a checkpoint that cannot be used."""

    def __init__(self, cfg: DictConfig) -> None:
        path = weights_path(cfg.checkpoint)
        trained = load_model(path)
        device, precision = where_to_run(trained, cfg.device, cfg.precision)
        self.content, self.adopted = trained.content, trained.adopted
        self.contract = Contract.from_dict(self.content["contract"])
        compute, precision = build.build_compute(device, precision)
        self.decode = replace(build.build_decoder(self.contract), shape="polygon")  # quads would lose bent text
        model = build.build_network(trained, device, self.contract, precision)
        self.detector = Predictor(model, self.contract, self.decode, compute)
        self.name = "the bundled network" if path == BUNDLED_PATH else str(path)

    def __call__(self, reading: Reading, display: Display) -> LabelCheck:
        """Look at every image that has labels and can be read."""
        unlabelled = {finding.image for finding in reading.report.of("GT001", "GT006")}
        records = [r for part in reading.parts.values() for r in part if r.image_path not in unlabelled]
        if self.adopted is not None:
            display.line(self.adopted)
        taught = taught_records(self.content, self.contract, records)
        if taught is None:
            display.line(f"note: the images that taught {self.name} are not here: it is not known whether these did")
        elif taught:
            display.line(
                f"note: {taught} of {count(len(records), 'image')} taught {self.name}: it has learnt the mistakes in "
                f"their labels too; ask a network that has not seen them"
            )
        images = []
        with display.progress("labels", len(records)) as advance:
            for record in map(readable, records):
                if (image := readable_image(record)) is not None:
                    images.append((record, self._see(record, image)))
                advance()
        return judge(self.name, taught, images)

    def _see(self, record: LabelRecord, image: Image) -> Seen:
        prob_map, placement = self.detector.look(image)
        found = self.decode(prob_map, placement)
        quads, _ = min_area_quads([each.polygon for each in found])
        boxes = [each._replace(polygon=quad) for each, quad in zip(found, quads, strict=True)]
        support = support_of(record, prob_map, placement, self.contract.shrink_ratio)
        return Seen(boxes, [each.polygon for each in found], support)


def readable_image(record: LabelRecord) -> Image | None:
    """Its pixels; None for an image that cannot be read, which is a finding of the check already."""
    with suppress(UserError):
        return read_image(record.image_path)
    return None


def readable(record: LabelRecord) -> LabelRecord:
    """The labels with what is no outline as don't-care points: their numbers stay."""
    good = np.array([drawable(polygon) for polygon in record.polygons], bool)
    polygons = tuple(p if fine else np.zeros((3, 2), np.float32) for p, fine in zip(record.polygons, good, strict=True))
    return replace(record, polygons=polygons, ignore=record.ignore | ~good)


def support_of(
    record: LabelRecord, prob_map: ProbMap, placement: ResizeTransform, shrink_ratio: float
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
