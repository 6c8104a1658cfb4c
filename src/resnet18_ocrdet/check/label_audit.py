"""Compare labels with the predictions of a trained network, and rank the disagreements.

Either side may be wrong, so an issue is a place to review. The suspicion of an issue depends on the confidence of the
network, so that text it usually misses, such as small text, does not fill the list.

Legend: K labels and M detections of one image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
import shapely
from numpy.typing import NDArray

from ..data.record import LabelRecord
from ..geometry.overlap import shared_areas, to_shapes
from ..geometry.polygon import HEIGHT_STEPS, text_sizes
from ..structures import Detection, Polygon
from .curvature import bend_of

Flags = NDArray[np.bool_]
Numbers = NDArray[np.float64]
IssueKind = Literal["missing label", "false label", "split", "merged", "too tight", "too loose", "curved in a quad"]
KINDS: tuple[IssueKind, ...] = get_args(IssueKind)
MEANING: dict[IssueKind, str] = {
    "missing label": "text without a label",
    "false label": "a label without text, although the network finds text of that height elsewhere",
    "split": "several labels where the network predicts one region",
    "merged": "one label where the network predicts several regions",
    "too tight": "a label smaller than the predicted region",
    "too loose": "a label larger than the predicted region",
    "curved in a quad": "a label with four corners where the network predicts a curve",
}
MOST = 0.5  # of a polygon's area: it belongs to the other one
TOUCHING = 0.3  # of a detection's area on any label: it is not text without a label
SAME_IOU = 0.3  # a label and a detection that overlap more are the same text
SIZE_RATIO = 1.2  # in both directions: smaller differences are a matter of labelling style
GAP_HEIGHTS = 0.5  # between two labels, in heights: a larger gap is a space between words
ELONGATED = 2.0  # length / height from which a curve can be measured
MAX_BEND = 0.4  # deviation of the center line from a straight line, in thicknesses


class Predictions(NamedTuple):
    """The output of the network for one labelled image."""

    quads: Sequence[Detection]  # M
    polygons: Sequence[Polygon]  # M, the same detections as polygons, which follow a curve
    support: Numbers  # (K,) mean probability inside each shrunk label, 0..1


class LabelIssue(NamedTuple):
    """One disagreement between labels and predictions."""

    kind: IssueKind
    regions: tuple[int, ...]  # labels; empty for a missing label
    detections: tuple[int, ...]
    suspicion: float  # 0..1


class AuditedImage(NamedTuple):
    """The issues of one image, most suspicious first."""

    record: LabelRecord
    predictions: Predictions
    issues: tuple[LabelIssue, ...]

    @property
    def suspicion(self) -> float:
        """Sum over its issues."""
        return sum(issue.suspicion for issue in self.issues)

    def name(self, root: Path) -> str:
        """Path of the image, relative to the data set."""
        path = self.record.image_path
        return str(path.relative_to(root) if path.is_relative_to(root) else path)

    def place(self, issue: LabelIssue, root: Path) -> str:
        """`train/img_1.jpg; label 3 in line 4`; labels are counted from 1."""
        lines = ((region, self.record.line(region)) for region in issue.regions)
        labels = [f"label {region + 1}" + (f" in line {line}" if line else "") for region, line in lines]
        return "; ".join([self.name(root), *labels])


class LabelAudit(NamedTuple):
    """The issues of a whole data set."""

    network: str  # name in messages
    train_overlap: int | None  # images that the network was trained on; None: unknown
    images: tuple[AuditedImage, ...]  # all that could be read

    def ranked(self, kind: IssueKind) -> list[tuple[AuditedImage, LabelIssue]]:
        """All issues of a kind, most suspicious first."""
        found = [(image, issue) for image in self.images for issue in image.issues if issue.kind == kind]
        return sorted(found, key=lambda pair: -pair[1].suspicion)

    @property
    def kinds(self) -> list[IssueKind]:
        """Kinds with an issue."""
        present = {issue.kind for image in self.images for issue in image.issues}
        return [kind for kind in KINDS if kind in present]

    @property
    def worst(self) -> list[AuditedImage]:
        """Images with an issue, most suspicious first."""
        return sorted((image for image in self.images if image.issues), key=lambda image: -image.suspicion)


def audit_labels(
    network: str, train_overlap: int | None, images: Sequence[tuple[LabelRecord, Predictions]]
) -> LabelAudit:
    """Audit a data set. All its labels together show how well the network finds text of a given height."""
    heights, _ = text_sizes([polygon for record, _ in images for polygon in record.polygons])
    care = np.concatenate([np.zeros(0, bool), *(~record.ignore for record, _ in images)])
    support = np.concatenate([np.zeros(0), *(predictions.support for _, predictions in images)])
    findable = np.zeros(len(care))
    findable[care] = mean_support(heights[care], support[care])
    ends = np.cumsum([len(record.polygons) for record, _ in images], dtype=int)
    audited = (
        AuditedImage(record, predictions, tuple(find_issues(record.polygons, record.ignore, predictions, own)))
        for (record, predictions), own in zip(images, np.split(findable, ends), strict=False)  # the last one is empty
    )
    return LabelAudit(network, train_overlap, tuple(audited))


def mean_support(heights: Numbers, support: Numbers) -> Numbers:
    """For each label of a set the mean support of all labels of similar height: (K,) 0..1.

    heights: of the text, px. support: as `Predictions.support`."""
    group = np.searchsorted(HEIGHT_STEPS, heights, side="right")
    sums, counts = (np.bincount(group, weights, len(HEIGHT_STEPS) + 1) for weights in (support, None))
    return np.asarray((sums / np.maximum(counts, 1))[group], np.float64)


def find_issues(
    polygons: Sequence[Polygon], ignore: Flags, predictions: Predictions, findable: Numbers
) -> list[LabelIssue]:
    """The issues of one image, most suspicious first.

    ignore: (K,) don't-care labels, which have no issues. findable: (K,) `mean_support` of each label."""
    audit = _ImageAudit(polygons, ignore, predictions, findable)
    steps = (audit.missing, audit.false, audit.split, audit.merged, audit.sizes)
    return sorted((issue for step in steps for issue in step()), key=lambda issue: -issue.suspicion)


class _ImageAudit:
    """Overlaps and sizes of one image; each method finds issues of one kind, in the order of `find_issues`."""

    def __init__(self, polygons: Sequence[Polygon], ignore: Flags, predictions: Predictions, findable: Numbers) -> None:
        self.predictions, self.findable = predictions, findable
        quads = [found.polygon for found in predictions.quads]
        self.scores = np.array([found.score for found in predictions.quads], np.float64)
        self.iou, self.of_label, self.of_found, self.label_area, self.found_area = shared_areas(polygons, quads)
        self.label_sizes, self.found_sizes = (np.stack(text_sizes(each), axis=1) for each in (polygons, quads))
        self.shapes = to_shapes([polygons], [""])
        self.corners = [len(polygon) for polygon in polygons]
        on_ignored = self.of_found[ignore].sum(axis=0) > MOST
        self.detections = np.flatnonzero(~on_ignored).tolist()
        self.labels = np.flatnonzero(~ignore).tolist()
        self.taken_labels, self.taken_found = set[int](), set[int]()

    def missing(self) -> Iterator[LabelIssue]:
        for m in self.detections:
            if self.of_found[:, m].sum() < TOUCHING:
                yield LabelIssue("missing label", (), (m,), float(self.scores[m]))

    def false(self) -> Iterator[LabelIssue]:
        for k in self.labels:
            if not (self.of_label[k].sum() > TOUCHING):
                suspicion = float((1 - self.predictions.support[k]) * self.findable[k])
                yield LabelIssue("false label", (k,), (), suspicion)

    def split(self) -> Iterator[LabelIssue]:
        for m in self.detections:
            parts = [k for k in self.labels if self.of_label[k, m] > MOST]
            if len(parts) > 1:
                self.taken_found.add(m)
                self.taken_labels.update(parts)
                shared = float((self.of_label[parts, m] * self.label_area[parts]).sum())
                iou = shared / (self.found_area[m] + self.label_area[parts].sum() - shared)
                yield LabelIssue("split", tuple(parts), (m,), float(self.scores[m] * iou * self._closeness(parts)))

    def merged(self) -> Iterator[LabelIssue]:
        for k in self.labels:
            parts = [m for m in self.detections if self.of_found[k, m] > MOST]
            if len(parts) > 1 and k not in self.taken_labels:
                self.taken_labels.add(k)
                self.taken_found.update(parts)
                shared = float((self.of_found[k, parts] * self.found_area[parts]).sum())
                iou = shared / (self.label_area[k] + self.found_area[parts].sum() - shared)
                yield LabelIssue("merged", (k,), tuple(parts), float(self.scores[parts].min() * iou))

    def sizes(self) -> Iterator[LabelIssue]:
        """One label, one detection: is one much larger in both directions, or curved?"""
        for k in (k for k in self.labels if k not in self.taken_labels):
            others = [m for m in self.detections if m not in self.taken_found]
            if not others:
                return
            m = max(others, key=lambda other: min(self.of_label[k, other] + self.of_found[k, other], 1.5))
            if max(self.of_label[k, m], self.of_found[k, m]) < 1 - TOUCHING:
                continue
            ratios = self.found_sizes[m] / self.label_sizes[k]
            score = float(self.scores[m])
            if ratios.min() > SIZE_RATIO:
                yield LabelIssue("too tight", (k,), (m,), score * (1 - 1 / float(ratios.min())))
            elif ratios.max() < 1 / SIZE_RATIO:
                yield LabelIssue("too loose", (k,), (m,), score * (1 - float(ratios.max())))
            elif self.corners[k] == 4 and self.iou[k, m] > SAME_IOU:
                height, length = self.found_sizes[m]
                if length > ELONGATED * height and (bend := bend_of(self.predictions.polygons[m])) > MAX_BEND:
                    yield LabelIssue("curved in a quad", (k,), (m,), score * bend / (1 + bend))

    def _closeness(self, parts: list[int]) -> float:
        """1 for labels that touch, 0 for labels with a space between them."""
        height = float(self.label_sizes[parts, 0].mean())
        gaps = [min(float(shapely.distance(self.shapes[k], self.shapes[o])) for o in parts if o != k) for k in parts]
        return float(np.clip(1 - max(gaps) / (GAP_HEIGHTS * height), 0, 1))
