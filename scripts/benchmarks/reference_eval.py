"""Plain reference for bench_eval.py: scoring and post-processing as MhLiao/DB does them, written from scratch.

Scoring: the ICDAR 2015 protocol, every region with every detection, with new shapely polygons for each pair, and the
union computed as well as the intersection. Post-processing: one contour after the other: smallest rectangle, mean
inside it, grown by pyclipper, smallest rectangle again, whole pixels. Two properties of the original that the package
does not have are kept: self-crossing outlines are skipped, and boxes may reach x = width.

Legend: H W pixels of the map, K regions, M detections or boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import pyclipper
from numpy.typing import NDArray
from shapely.geometry import Polygon

MATCH_IOU = 0.5
DONT_CARE_SHARE = 0.5  # of a detection's area on one don't-care region
BIN_THRESH, BOX_THRESH, UNCLIP_RATIO, MAX_CANDIDATES = 0.3, 0.6, 1.5, 1000
MIN_SIDE = 3  # px of the map; 2 more after the growth

Points = NDArray[np.floating]


class Counts(NamedTuple):
    """Of one image or a set."""

    matched: int
    care_regions: int
    care_detections: int


class Rates(NamedTuple):
    """Of a set, 0..1; 0 where the denominator is 0."""

    precision: float
    recall: float
    hmean: float


def score_image(regions: Sequence[Points], ignore: Sequence[bool], found: Sequence[Points]) -> Counts:
    """Count one image. regions: K of (V, 2), with their don't-care flags; found: M of (V, 2)."""
    truth, dont_care = [], []
    for points, flag in zip(regions, ignore, strict=True):
        if not Polygon(points).is_valid or not Polygon(points).is_simple:
            continue
        if flag:
            dont_care.append(len(truth))
        truth.append(points)
    detected, not_counted = [], []
    for points in found:
        if not Polygon(points).is_valid or not Polygon(points).is_simple:
            continue
        detected.append(points)
        for region in dont_care:
            area = Polygon(points).area
            if (intersection(truth[region], points) / area if area else 0) > DONT_CARE_SHARE:
                not_counted.append(len(detected) - 1)
                break
    iou = np.zeros((len(truth), len(detected)))
    for region in range(len(truth)):
        for detection in range(len(detected)):
            iou[region, detection] = intersection_over_union(detected[detection], truth[region])
    region_taken, detection_taken = np.zeros(len(truth), bool), np.zeros(len(detected), bool)
    for region in range(len(truth)):
        for detection in range(len(detected)):
            free = not region_taken[region] and not detection_taken[detection]
            if free and region not in dont_care and detection not in not_counted and iou[region, detection] > MATCH_IOU:
                region_taken[region] = detection_taken[detection] = True
    return Counts(int(region_taken.sum()), len(truth) - len(dont_care), len(detected) - len(not_counted))


def intersection(first: Points, second: Points) -> float:
    """px²."""
    return float(Polygon(first).intersection(Polygon(second)).area)


def intersection_over_union(first: Points, second: Points) -> float:
    """0..1; both outlines have an area."""
    return intersection(first, second) / float(Polygon(first).union(Polygon(second)).area)


def combine(images: Sequence[Counts]) -> Rates:
    """Scores of a set from the sums of its counts."""
    matched, care_regions, care_detections = (sum(column) for column in zip(*images, strict=True))
    precision = matched / care_detections if care_detections else 0.0
    recall = matched / care_regions if care_regions else 0.0
    both = precision + recall
    return Rates(precision, recall, 2 * precision * recall / both if both else 0.0)


def decode(prob_map: NDArray[np.float32], height: int, width: int) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """The boxes of one map, in pixels of an image of height×width: (M, 4, 2), clockwise from top-left; scores (M,).

    prob_map: (H, W), 0..1."""
    bitmap = prob_map > BIN_THRESH
    contours, _ = cv2.findContours((bitmap * 255).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    boxes, scores = [], []
    for contour in contours[:MAX_CANDIDATES]:
        core, side = smallest_box(contour)
        if side < MIN_SIDE:
            continue
        score = mean_inside(prob_map, core)
        if score < BOX_THRESH:
            continue
        box, side = smallest_box(grow(core).reshape(-1, 1, 2))
        if side < MIN_SIDE + 2:
            continue
        box[:, 0] = np.clip(np.round(box[:, 0] / prob_map.shape[1] * width), 0, width)
        box[:, 1] = np.clip(np.round(box[:, 1] / prob_map.shape[0] * height), 0, height)
        boxes.append(box.astype(np.int16))
        scores.append(score)
    return np.array(boxes, np.int16).reshape(-1, 4, 2), np.array(scores, np.float32)


def smallest_box(contour: NDArray[np.int32]) -> tuple[NDArray[np.float32], float]:
    """Smallest rectangle round (V, 1, 2) points: corners clockwise from top-left, and its shorter side, px."""
    rectangle = cv2.minAreaRect(contour)
    a, b, c, d = sorted(cv2.boxPoints(rectangle), key=lambda corner: corner[0])
    top_left, bottom_left = (a, b) if b[1] > a[1] else (b, a)
    top_right, bottom_right = (c, d) if d[1] > c[1] else (d, c)
    return np.array([top_left, top_right, bottom_right, bottom_left]), min(rectangle[1])


def mean_inside(prob_map: NDArray[np.float32], box: NDArray[np.float32]) -> float:
    """Mean of the map over the pixels of a box, 0..1."""
    height, width = prob_map.shape
    left = np.clip(np.floor(box[:, 0].min()).astype(int), 0, width - 1)
    right = np.clip(np.ceil(box[:, 0].max()).astype(int), 0, width - 1)
    top = np.clip(np.floor(box[:, 1].min()).astype(int), 0, height - 1)
    bottom = np.clip(np.ceil(box[:, 1].max()).astype(int), 0, height - 1)
    mask = np.zeros((bottom - top + 1, right - left + 1), np.uint8)
    local = box.copy()
    local[:, 0] -= left
    local[:, 1] -= top
    cv2.fillPoly(mask, local.reshape(1, -1, 2).astype(np.int32), 1)
    return float(cv2.mean(prob_map[top : bottom + 1, left : right + 1], mask)[0])


def grow(box: NDArray[np.float32]) -> NDArray[np.int32]:
    """The box moved out by A · ratio / L with round corners, (V, 2)."""
    shape = Polygon(box)
    mover = pyclipper.PyclipperOffset()
    mover.AddPath(box, pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    return np.array(mover.Execute(shape.area * UNCLIP_RATIO / shape.length)[0], np.int32)
