"""Labels that a trained network disagrees with: which, why, and how much.

Both may be wrong: a doubt is a place to look at. What the network misses by itself, such as small text, must not drown
what is worth looking at, so a doubt weighs what the network is sure of.

Legend: K labelled regions and M detections of one image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, get_args

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray

from ..geometry.batched import HEIGHT_STEPS, text_sizes
from ..geometry.overlap import shared_areas, to_shapes
from ..geometry.polygon import min_area_quad
from ..structures import Detection, Polygon

Kind = Literal["missing label", "false label", "split", "merged", "too tight", "too loose", "curved in a quad"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MEANING: dict[Kind, str] = {
    "missing label": "text where no label is",
    "false label": "a label where the network sees no text, although it finds text of that height",
    "split": "several labels where the network sees one region",
    "merged": "one label where the network sees several regions",
    "too tight": "a label smaller than the region that the network sees",
    "too loose": "a label larger than the region that the network sees",
    "curved in a quad": "a label of four corners where the network sees a curve",
}
MOST = 0.5  # of an outline's area: it belongs to the other one
TOUCHING = 0.3  # of a detection's area on any label: then it is no text without a label
SAME_IOU = 0.3  # a label and a detection that overlap more are the same text
SIZES_APART = 1.2  # times, in both directions: a size that differs less is a matter of habit
GAP_HEIGHTS = 0.5  # between two labels, in heights: more is a space between words
ELONGATED = 2.0  # length over height from which a curve can be told
STRAIGHT = 0.4  # of its thickness, by which the middle of text may leave a straight line
BEND_PX = 96  # length at which an outline is looked at


class Seen(NamedTuple):
    """What the network says of one labelled image."""

    found: Sequence[Detection]  # M quads
    outlines: Sequence[Polygon]  # M: the same as polygons, which follow a curve
    support: NDArray[np.float64]  # (K,) mean probability within each shrunk label, 0..1


class Doubt(NamedTuple):
    """One disagreement."""

    kind: Kind
    regions: tuple[int, ...]  # labels; none for a missing one
    detections: tuple[int, ...]
    suspicion: float  # 0..1


def doubts_of(
    polygons: Sequence[Polygon], ignore: NDArray[np.bool_], seen: Seen, findable: NDArray[np.float64]
) -> list[Doubt]:
    """The disagreements about one image, the gravest first.

    ignore: (K,) don't-care labels, of which nothing is doubted. findable: (K,) share of the labels of like height, in
    the whole set, that the network finds, 0..1."""
    look = _Look(polygons, ignore, seen, findable)
    found = [doubt for part in (look.missing, look.false, look.split, look.merged, look.sizes) for doubt in part()]
    return sorted(found, key=lambda doubt: -doubt.suspicion)


def findable_shares(heights: NDArray[np.float64], support: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each label of a set the mean support of all labels of like height: (K,) 0..1.

    heights: of the text, px. support: as `Seen.support`."""
    group = np.searchsorted(HEIGHT_STEPS, heights, side="right")
    sums, counts = (np.bincount(group, weights, len(HEIGHT_STEPS) + 1) for weights in (support, None))
    return np.asarray((sums / np.maximum(counts, 1))[group], np.float64)


class _Look:
    def __init__(
        self, polygons: Sequence[Polygon], ignore: NDArray[np.bool_], seen: Seen, findable: NDArray[np.float64]
    ) -> None:
        self.ignore, self.seen, self.findable = ignore, seen, findable
        quads = [found.polygon for found in seen.found]
        self.scores = np.array([found.score for found in seen.found], np.float64)
        (shared,) = shared_areas([polygons], [quads], [""])
        self.iou, self.of_label, self.of_found, self.label_area, self.found_area = shared
        self.label_sizes, self.found_sizes = (np.stack(text_sizes(each), axis=1) for each in (polygons, quads))
        self.shapes = to_shapes([polygons], [""])
        self.corners = [len(polygon) for polygon in polygons]
        on_ignored = self.of_found[ignore].sum(axis=0) > MOST
        self.detections = np.flatnonzero(~on_ignored).tolist()
        self.labels = np.flatnonzero(~ignore).tolist()
        self.taken_labels, self.taken_found = set[int](), set[int]()

    def missing(self) -> Iterator[Doubt]:
        for m in self.detections:
            if self.of_found[:, m].sum() < TOUCHING:
                yield Doubt("missing label", (), (m,), float(self.scores[m]))

    def false(self) -> Iterator[Doubt]:
        for k in self.labels:
            if not (self.of_label[k].sum() > TOUCHING):
                yield Doubt("false label", (k,), (), float((1 - self.seen.support[k]) * self.findable[k]))

    def split(self) -> Iterator[Doubt]:
        for m in self.detections:
            parts = [k for k in self.labels if self.of_label[k, m] > MOST]
            if len(parts) > 1:
                self.taken_found.add(m)
                self.taken_labels.update(parts)
                shared = float((self.of_label[parts, m] * self.label_area[parts]).sum())
                both = shared / (self.found_area[m] + self.label_area[parts].sum() - shared)
                yield Doubt("split", tuple(parts), (m,), float(self.scores[m] * both * self._closeness(parts)))

    def merged(self) -> Iterator[Doubt]:
        for k in self.labels:
            parts = [m for m in self.detections if self.of_found[k, m] > MOST]
            if len(parts) > 1 and k not in self.taken_labels:
                self.taken_labels.add(k)
                self.taken_found.update(parts)
                shared = float((self.of_found[k, parts] * self.found_area[parts]).sum())
                both = shared / (self.label_area[k] + self.found_area[parts].sum() - shared)
                yield Doubt("merged", (k,), tuple(parts), float(self.scores[parts].min() * both))

    def sizes(self) -> Iterator[Doubt]:
        """One label, one detection: is the one much larger, in both directions, or bent?"""
        free = [k for k in self.labels if k not in self.taken_labels]
        for k in free:
            others = [m for m in self.detections if m not in self.taken_found]
            if not others:
                return
            m = max(others, key=lambda other: min(self.of_label[k, other] + self.of_found[k, other], 1.5))
            if max(self.of_label[k, m], self.of_found[k, m]) < 1 - TOUCHING:
                continue
            ratios = self.found_sizes[m] / self.label_sizes[k]
            score = float(self.scores[m])
            if ratios.min() > SIZES_APART:
                yield Doubt("too tight", (k,), (m,), score * (1 - 1 / float(ratios.min())))
            elif ratios.max() < 1 / SIZES_APART:
                yield Doubt("too loose", (k,), (m,), score * (1 - float(ratios.max())))
            elif self.corners[k] == 4 and self.iou[k, m] > SAME_IOU:
                yield from self._curved(k, m, score, self.seen.outlines[m])

    def _curved(self, k: int, m: int, score: float, outline: Polygon) -> Iterator[Doubt]:
        height, length = self.found_sizes[m]
        if length > ELONGATED * height and (bend := bend_of(outline)) > STRAIGHT:
            yield Doubt("curved in a quad", (k,), (m,), score * bend / (1 + bend))

    def _closeness(self, parts: list[int]) -> float:
        """1 where labels touch, 0 where there is a space between them."""
        height = float(self.label_sizes[parts, 0].mean())
        gaps = [min(float(shapely.distance(self.shapes[k], self.shapes[o])) for o in parts if o != k) for k in parts]
        return float(np.clip(1 - max(gaps) / (GAP_HEIGHTS * height), 0, 1))


def bend_of(outline: Polygon) -> float:
    """How far the middle line of an elongated outline leaves a straight line, from its one side to its other, in
    thicknesses of the outline: 0 of a bar, about 1 of an arc that rises by as much as its letters are high."""
    quad, height = min_area_quad(outline)
    if np.linalg.norm(quad[1] - quad[0]) < np.linalg.norm(quad[3] - quad[0]):
        quad = np.roll(quad, -1, axis=0)
    length = float(np.linalg.norm(quad[1] - quad[0]))
    along = (quad[1] - quad[0]) / max(length, 1e-6)
    scale = BEND_PX / max(length, 1e-6)
    local = (outline - quad[0]) @ np.stack([along, [-along[1], along[0]]], axis=1) * scale
    local[:, 1] -= local[:, 1].min()
    mask = np.zeros((int(np.ceil(height * scale)) + 2, BEND_PX + 1), np.uint8)
    cv2.fillPoly(mask, [np.rint(local).astype(np.int32)], 1)
    thickness = mask.sum(axis=0, dtype=np.float64)
    columns = np.flatnonzero(thickness > 0)
    if len(columns) < 2:
        return 0.0
    middle = (mask * np.arange(len(mask))[:, None]).sum(axis=0)[columns] / thickness[columns]
    straight = np.polyval(np.polyfit(columns, middle, 1), columns)
    return float(np.ptp(middle - straight) / np.median(thickness[columns]))
