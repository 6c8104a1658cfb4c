"""Plain reference implementation of DB targets, in float64 on whole maps, for comparison.

Written from the DB paper ("Label generation") and these rules: a region that cannot be trained on is masked, all pieces
of a shrunk region are text, text inside a don't-care region stays text, and regions that would vanish in whole pixels
are drawn in eighths of a pixel.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
import pyclipper
import shapely

RIGHT_ANGLE_TOLERANCE = 1e-5  # of the cosine


class Reference(NamedTuple):
    prob_map: np.ndarray  # (H, W) uint8
    prob_mask: np.ndarray
    thresh_low: np.ndarray  # (H, W) float64: the threshold, and
    thresh_high: np.ndarray  # the same with right angles measured the other way
    thresh_mask: np.ndarray


def make_targets(polygons, ignore, height, width, shrink_ratio=0.4, low=0.3, high=0.7, min_text_size=8.0):
    prob_map = np.zeros((height, width), np.uint8)
    prob_mask = np.ones((height, width), np.uint8)
    thresh_mask = np.zeros((height, width), np.uint8)
    nearness = np.zeros((2, height, width))  # for the two treatments of a right angle
    text = []

    for polygon, dont_care in zip(polygons, ignore, strict=True):
        shape = shapely.Polygon(polygon)
        distance = shape.area * (1 - shrink_ratio**2) / shape.length
        eighths = not _offset(polygon, -distance) and min(text_heights(polygon)) >= 1
        scale, bits = (8, 3) if eighths else (1, 0)
        shrunk = _offset(polygon * np.float32(scale), -distance * scale)
        if dont_care or max(text_heights(polygon)) < min_text_size or not shrunk:
            cv2.fillPoly(prob_mask, [np.round(polygon).astype(np.int32)], 0)
            continue
        text.extend((piece, bits) for piece in shrunk)
        grown = _offset(polygon * np.float32(scale), distance * scale)
        for outline in grown:
            cv2.fillPoly(thresh_mask, [outline], 1, shift=bits)
        everything = np.concatenate(grown) / scale
        window = np.zeros((height, width), bool)
        left, top = np.maximum(np.floor(everything.min(axis=0)), 0).astype(int)
        right, bottom = np.ceil(everything.max(axis=0)).astype(int)
        if right >= 0 and bottom >= 0:
            window[top : bottom + 1, left : right + 1] = True
        for reading, strict in enumerate((True, False)):
            gap = _distance_to_outline(polygon, height, width, strict)
            near = np.clip(1 - gap / distance, 0, 1)
            nearness[reading] = np.where(window, np.maximum(near, nearness[reading]), nearness[reading])

    for piece, bits in text:
        cv2.fillPoly(prob_map, [piece], 1, shift=bits)
        cv2.fillPoly(prob_mask, [piece], 1, shift=bits)
    thresh = low + (high - low) * nearness
    return Reference(prob_map, prob_mask, thresh.min(axis=0), thresh.max(axis=0), thresh_mask)


def _offset(polygon, distance):
    clipper = pyclipper.PyclipperOffset()
    clipper.AddPath([tuple(map(float, point)) for point in polygon], pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    return [np.array(path, np.int32) for path in clipper.Execute(distance)]


def text_heights(polygon):
    """Shorter sides of the smallest rectangles around the polygon; several if they are equally small.

    A smallest rectangle has a side along an edge of the convex hull."""
    corners = np.array(shapely.Polygon(polygon).convex_hull.exterior.coords)
    rectangles = []
    for start, end in pairwise(corners):
        along = (end - start) / np.linalg.norm(end - start)
        length, height = np.ptp(corners @ along), np.ptp(corners @ [-along[1], along[0]])
        rectangles.append((length * height, min(length, height)))
    smallest = min(rectangles)[0]
    return [height for size, height in rectangles if size <= smallest * 1.001]


def _distance_to_outline(polygon, height, width, strict):
    """(H, W) distance to the nearest edge, by the law of cosines in the triangle of the pixel and the edge."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    maps = []
    for i in range(len(polygon)):
        (x1, y1), (x2, y2) = np.float64(polygon[i]), np.float64(polygon[(i + 1) % len(polygon)])
        a = np.sqrt((x - x1) ** 2 + (y - y1) ** 2)
        b = np.sqrt((x - x2) ** 2 + (y - y2) ** 2)
        c = np.sqrt((x2 - x1) ** 2 + (y2 - y1) ** 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            cosine = (a**2 + b**2 - c**2) / (2 * a * b)
        sine = np.sqrt(np.clip(1 - cosine**2, 0, 1))
        altitude = a * b * sine / c
        acute = cosine > (RIGHT_ANGLE_TOLERANCE if strict else -RIGHT_ANGLE_TOLERANCE)
        distance = np.where(acute, np.minimum(a, b), altitude)
        distance[(a == 0) | (b == 0)] = 0.0  # the pixel is an end point
        maps.append(distance)
    return np.min(maps, axis=0)
