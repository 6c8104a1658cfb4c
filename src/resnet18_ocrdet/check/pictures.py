"""Small pictures of what a finding means: the region in red on a piece of its image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.structures import Image, Polygon
from resnet18_ocrdet.viz.crops import crop_round, jpeg
from resnet18_ocrdet.viz.draw import DONT_CARE, outline

WRONG = (230, 0, 0)
RIGHT = (0, 190, 0)
SEEN = (255, 150, 0)


def picture(image: Image, record: LabelRecord, regions: Sequence[int], seen: Sequence[Polygon] = ()) -> bytes:
    """Draw the labels of an image, those of a finding in red, and encode it as JPEG.

    regions: the numbers of those the finding is about; without any, and nothing seen, the whole image is shown. seen:
    outlines that a network sees there, drawn too."""
    polygons = [np.nan_to_num(polygon, posinf=0, neginf=0) for polygon in record.polygons]
    crop = crop_round(image, [*(polygons[region] for region in regions), *seen])
    moved = [crop.place(polygon) for polygon in polygons]
    others = [region for region in range(len(moved)) if region not in regions]
    drawn = outline(crop.image, [moved[r] for r in others if record.ignore[r]], DONT_CARE, 1)
    drawn = outline(drawn, [moved[r] for r in others if not record.ignore[r]], RIGHT, 1)
    drawn = outline(drawn, [moved[region] for region in regions], WRONG, 2)
    return jpeg(outline(drawn, [crop.place(polygon) for polygon in seen], SEEN, 2))
