"""Outlines of shapes other than polygons: turned boxes, ellipses, lines.

Angles are in radians and turn clockwise on the screen, where y points down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from ...structures import Polygon
from .location import LabelError
from .points import MIN_VERTICES, flat_polygon

ELLIPSE_CORNERS = 64  # of the polygon that stands for it; 0.12 % of its radius inside it at most
CLOSED_GAP = 0.05  # between the ends of a line, in lengths of the line; above it the line encloses nothing

Point = tuple[float, float]


def turned(points: Sequence[Point], centre: Point, angle: float) -> Polygon:
    """Turn corners around a point, px; (V, 2) float32. Raises LabelError for an angle that is not finite."""
    if not math.isfinite(angle):
        raise LabelError("GT021", f"the angle is {angle}")
    if angle == 0:
        return flat_polygon([number for point in points for number in point])
    cos, sin, flat = math.cos(angle), math.sin(angle), []
    for x, y in points:
        across, down = x - centre[0], y - centre[1]
        flat += [centre[0] + across * cos - down * sin, centre[1] + across * sin + down * cos]
    return flat_polygon(flat)


def turned_box(left: float, top: float, right: float, bottom: float, angle: float) -> Polygon:
    """A box turned around its centre, px; (4, 2) float32, from its top left corner clockwise, before the turn."""
    points = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return turned(points, ((left + right) / 2, (top + bottom) / 2), angle)


def ellipse(centre: Point, radii: Point, angle: float = 0.0) -> Polygon:
    """The outline of an ellipse with these radii along x and y before it is turned; (ELLIPSE_CORNERS, 2) float32."""
    steps = (2 * math.pi * step / ELLIPSE_CORNERS for step in range(ELLIPSE_CORNERS))
    points = [(centre[0] + radii[0] * math.cos(step), centre[1] + radii[1] * math.sin(step)) for step in steps]
    return turned(points, centre, angle)


def closed_line(line: Polygon) -> Polygon:
    """A line whose ends meet, as outline. Raises LabelError for any other line: it does not enclose a region."""
    corners = line.tolist()
    gap, length = math.dist(corners[0], corners[-1]), sum(math.dist(*step) for step in pairwise(corners))
    if len(corners) <= MIN_VERTICES or gap > CLOSED_GAP * length:
        ends = f"a line of {len(corners)} corners whose ends are {gap:.0f} px apart"
        raise LabelError("GT022", f"{ends} does not enclose a region; draw a polygon")
    return without_end(line)


def without_end(polygon: Polygon) -> Polygon:
    """An outline without its last corner if that repeats the first one, as some tools write it."""
    return polygon[:-1] if len(polygon) > MIN_VERTICES and (polygon[0] == polygon[-1]).all() else polygon
