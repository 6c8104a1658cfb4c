"""What was found of an image and what was not, drawn.

Thin green: regions that were found, and the detections that found them. Thin blue: other regions. Grey: don't-care.
Thick red: regions that a picture is about; thick orange: detections that it is about."""

from __future__ import annotations

from collections.abc import Sequence

from ..evaluation.metrics import ImageScore
from ..evaluation.records import EvalSample
from ..structures import Image
from ..viz.crops import crop_round, jpeg
from ..viz.draw import DONT_CARE, outline

FOUND = (0, 190, 0)
LABEL = (70, 140, 255)
WRONG_REGION = (230, 0, 0)
WRONG_DETECTION = (255, 150, 0)
WHOLE_SIDE = 900  # px, of a picture of a whole image


def draw_case(
    image: Image, answer: EvalSample, row: ImageScore, regions: Sequence[int], detections: Sequence[int], whole: bool
) -> bytes:
    """Draw an image, or the piece of it round these regions and detections, as JPEG."""
    about = [answer.polygons[k] for k in regions] + [answer.detections[m].polygon for m in detections]
    crop = crop_round(image, [], WHOLE_SIDE) if whole else crop_round(image, about)
    labels = [crop.place(polygon) for polygon in answer.polygons]
    boxes = [crop.place(found.polygon) for found in answer.detections]
    pairs = dict(row.pairs)
    plain = [k for k in range(len(labels)) if k not in regions]
    drawn = outline(crop.image, [labels[k] for k in plain if answer.ignore[k]], DONT_CARE, 1)
    drawn = outline(drawn, [labels[k] for k in plain if not answer.ignore[k] and k not in pairs], LABEL, 1)
    drawn = outline(drawn, [labels[k] for k in plain if k in pairs], FOUND, 1)
    drawn = outline(drawn, [boxes[m] for m in pairs.values() if m not in detections], FOUND, 1)
    drawn = outline(drawn, [labels[k] for k in regions], WRONG_REGION, 2)
    return jpeg(outline(drawn, [boxes[m] for m in detections], WRONG_DETECTION, 2))
