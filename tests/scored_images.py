"""Regions and detections for the tests of scores: boxes, and random images with many ties."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from resnet18_ocrdet.structures import Detection


def box(x, y, width, height):
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float32)


def shapes(vertices):
    """Outlines on a coarse grid, so that ties, crossings and shared edges are common."""
    points = st.tuples(st.integers(0, 12), st.integers(0, 12))
    return st.lists(points, min_size=vertices, max_size=vertices).map(lambda p: np.array(p, np.float32))


rectangles = st.builds(box, st.integers(0, 8), st.integers(0, 8), st.integers(0, 9), st.integers(1, 9))


outlines = st.one_of(rectangles, rectangles, shapes(3), shapes(4), shapes(6))


confidences = st.sampled_from([0.2, 0.5, 0.5, 0.9])


@st.composite
def images(draw):
    polygons = draw(st.lists(outlines, max_size=5))
    ignore = np.array(draw(st.lists(st.booleans(), min_size=len(polygons), max_size=len(polygons))), bool)
    near = st.sampled_from(polygons) if polygons else outlines
    detections = draw(st.lists(st.builds(Detection, st.one_of(near, outlines), confidences), max_size=6))
    return polygons, ignore, detections
