"""ocrdet-check checkpoint=PATH: find labels that a trained network disagrees with."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig

from ..check.label_audit import LabelAudit, Predictions, audit_labels
from ..data.image_io import read_image
from ..data.load_annotations import Reading
from ..data.record import LabelRecord
from ..data.targets import shrink_distances
from ..errors import UserError
from ..geometry.polygon import is_polygon, min_area_quads, offsets
from ..inference.loading import load_model
from ..inference.postprocess import ProbMap, means_inside
from ..inference.predictor import open_predictor
from ..model.bundled import BUNDLED_PATH, weights_path
from ..model.contract import Contract
from ..runtime.console import Display
from ..runtime.messages import count
from ..structures import Image, ResizeTransform
from .train_overlap import records_in_training


class LabelAuditor:
    """The network of cfg.checkpoint. Raises UserError for a checkpoint that cannot be used."""

    def __init__(self, cfg: DictConfig) -> None:
        path = weights_path(cfg.checkpoint)
        self.model = load_model(path)
        self.contract = Contract.from_dict(self.model.content["contract"])
        self.predictor, _ = open_predictor(self.model, self.contract, cfg.device, cfg.precision)
        self.predictor.decode = replace(self.predictor.decode, shape="polygon")  # quads would lose curved text
        self.name = "the bundled network" if path == BUNDLED_PATH else str(path)

    def __call__(self, reading: Reading, display: Display) -> LabelAudit:
        """Predict all images that have labels and can be read."""
        unlabelled = {finding.image for finding in reading.report.of("GT001", "GT006")}
        records = [r for part in reading.splits.values() for r in part if r.image_path not in unlabelled]
        display.lines([self.model.adopted])
        display.lines([self.predictor.network.note], "note: ")
        train_overlap = records_in_training(self.model.content, self.contract, records)
        if train_overlap is None:
            display.line(f"note: the training images of {self.name} are unavailable; overlap not checked")
        elif train_overlap:
            display.line(
                f"note: {train_overlap} of {count(len(records), 'image')} were in the training set of {self.name}, so "
                f"it has learned the mistakes in their labels; use a network that was not trained on them"
            )
        images = []
        with display.progress("labels", len(records)) as advance:
            for record in map(with_valid_polygons, records):
                image = None
                with suppress(UserError):  # an image that cannot be read is a finding already
                    image = read_image(record.image_path)
                if image is not None:  # not in the block above: a network that computes NaN must be reported
                    images.append((record, self._predict(record, image)))
                advance()
        return audit_labels(self.name, train_overlap, images)

    def _predict(self, record: LabelRecord, image: Image) -> Predictions:
        prob_map, transform = self.predictor.predict_map(image)
        found = self.predictor.decode(prob_map, transform)
        quads, _ = min_area_quads([each.polygon for each in found])
        boxes = [each._replace(polygon=quad) for each, quad in zip(found, quads, strict=True)]
        support = label_support(record, prob_map, transform, self.contract.shrink_ratio)
        return Predictions(boxes, [each.polygon for each in found], support)


def with_valid_polygons(record: LabelRecord) -> LabelRecord:
    """Replace invalid polygons by don't-care points, so that the other labels keep their index."""
    valid = np.array([is_polygon(polygon) for polygon in record.polygons], bool)
    pairs = zip(record.polygons, valid, strict=True)
    polygons = tuple(polygon if fine else np.zeros((3, 2), np.float32) for polygon, fine in pairs)
    return replace(record, polygons=polygons, ignore=record.ignore | ~valid)


def label_support(
    record: LabelRecord, prob_map: ProbMap, transform: ResizeTransform, shrink_ratio: float
) -> NDArray[np.float64]:
    """Mean probability inside each label, shrunk as in the training targets: (K,) 0..1."""
    labels = [transform.to_canvas(polygon) for polygon in record.polygons]
    shrunk = offsets(labels, -np.array(shrink_distances(labels, shrink_ratio)))
    cores = [np.asarray(core, np.float32) if len(core) else label for core, label in zip(shrunk, labels, strict=True)]
    return means_inside(prob_map, cores)


def issue_messages(labels: LabelAudit, root: Path) -> list[str]:
    """One line per kind of issue: number and the most suspicious one."""
    lines = []
    for kind in labels.kinds:
        ranked = labels.ranked(kind)
        image, issue = ranked[0]
        lines.append(f"label issue, {kind}: {len(ranked)}, first {image.place(issue, root)} ({issue.suspicion:.2f})")
    return lines or [f"no suspicious labels, compared with {labels.network}"]
