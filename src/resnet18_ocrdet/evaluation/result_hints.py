"""Why result files fit their labels badly: coordinates that are exchanged, of another image size, or shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..data.findings import CODES
from ..data.polygon_repair import is_normalized
from ..structures import Polygon
from .metrics import EvalSample, IcdarMetric

LOW_HMEAN = 0.3  # below it other readings are tried
LEAST_GAIN = 2.0  # times the hmean, which another reading must reach to be named
LEAST_HMEAN = 0.2
MAX_IMAGES = 200  # on which they are tried
USUAL_SCALES = ((2.0, 2.0), (0.5, 0.5))

Change = Callable[[Polygon, int], Polygon]  # polygon and index of its image


def coordinate_hint(samples: Sequence[EvalSample], sizes: Sequence[tuple[int, int]], hmean: float) -> str | None:
    """One line if the detections fit the labels much better with x and y exchanged, or scaled.

    sizes: height and width of each image, px. hmean: of all samples as they are, 0..1."""
    found = [each.polygon for sample in samples for each in sample.detections]
    if hmean >= LOW_HMEAN or not found:
        return None
    if is_normalized(found):
        width_height = np.array([size[::-1] for size in sizes], np.float32)
        better = _rescored(samples[:MAX_IMAGES], lambda polygon, image: polygon * width_height[image])
        return f"{CODES['GT023'].title}: hmean is {better:.4f} with coordinates times width and height of each image"
    tried = samples[:MAX_IMAGES]
    before = _rescored(tried, lambda polygon, _: polygon)
    readings = [
        (_rescored(turned, _times(scale)), exchanged, scale)
        for exchanged, turned in ((False, tried), (True, _changed(tried, lambda polygon, _: polygon[:, ::-1])))
        for scale in ((1.0, 1.0), *USUAL_SCALES, *_estimated(turned))
    ]
    best, exchanged, scale = max(readings, key=lambda reading: reading[0])
    if best < max(LEAST_HMEAN, LEAST_GAIN * before):
        return None
    problems, remedies = [], []
    if exchanged:
        problems, remedies = [CODES["GT025"].title], ["x before y"]
    if scale != (1.0, 1.0):
        x, y = (f"{each:.3g}" for each in scale)
        problems.append("made for images of another size")
        remedies.append(f"coordinates times {x if x == y else f'{x} (x) and {y} (y)'}")
    return f"{', '.join(problems)}: hmean is {best:.4f} with {' and '.join(remedies)}"


def _times(scale: tuple[float, float]) -> Change:
    return lambda polygon, _: polygon * np.array(scale, np.float32)


def _changed(samples: Sequence[EvalSample], change: Change) -> list[EvalSample]:
    """The samples with changed detections."""
    changed = []
    for image, sample in enumerate(samples):
        found = [each._replace(polygon=change(each.polygon, image)) for each in sample.detections]
        changed.append(sample._replace(detections=found))
    return changed


def _rescored(samples: Sequence[EvalSample], change: Change) -> float:
    """hmean, 0..1, with changed detections."""
    metric = IcdarMetric()
    metric.update_all(_changed(samples, change))
    return metric.result().hmean or 0.0


def _estimated(samples: Sequence[EvalSample]) -> list[tuple[float, float]]:
    """The scales of x and y at which detections and labels have the same mean position, over the images; or nothing."""
    ratios = []
    for sample in samples:
        if sample.detections and sample.polygons:
            found = np.concatenate([each.polygon for each in sample.detections]).mean(axis=0)
            wanted = np.concatenate(sample.polygons).mean(axis=0)
            if (found > 0).all() and (wanted > 0).all():
                ratios.append(wanted / found)
    if not ratios:
        return []
    x, y = np.median(ratios, axis=0).tolist()
    return [(x, y)]
