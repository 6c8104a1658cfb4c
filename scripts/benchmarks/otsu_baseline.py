"""Otsu's threshold on the synthetic scenes: the classical baseline for a trained network.

    python scripts/benchmarks/otsu_baseline.py

Grey image, Otsu's threshold in both polarities, dilation that joins letters to words, external contours, smallest
rectangles, union of the polarities. Every kernel of KERNELS is tried with every height of MIN_HEIGHTS_PX on the whole
set, and the best is the result: the baseline is tuned on the scenes it is scored on, the network is not.

Scenes: 200 at 256 × 256 px, seed 0, numbers from 2 000 000 000 on: split=test of data=synthetic.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence

import cv2
import numpy as np

from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.evaluation.metrics import IcdarMetric, Score
from resnet18_ocrdet.geometry.polygon import min_area_quad
from resnet18_ocrdet.structures import Detection, Polygon, Sample

HELD_OUT_FIRST = 2_000_000_000
HELD_OUT_COUNT = 200
HELD_OUT_SIDE = 256  # px

KERNELS = ((1, 1), (3, 1), (3, 3), (5, 3), (7, 3), (9, 3), (9, 5), (13, 5))  # (width, height) of the dilation, px
MIN_HEIGHTS_PX = (6.0, 8.0, 10.0, 12.0)  # of a rectangle; the least text that is scored is 9.5 px high
MAX_HEIGHT_SHARE = 0.5  # of the image's side
MAX_AREA_SHARE = 0.25  # of the image
MIN_FILL = 0.1  # of the rectangle is ink; thin frames have less


def detect(sample: Sample, kernel: tuple[int, int], min_height: float) -> list[Polygon]:
    """Quads of plausible size from both polarities."""
    grey = cv2.cvtColor(sample.image, cv2.COLOR_RGB2GRAY)
    _, light = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    quads: list[Polygon] = []
    for ink in (light, cv2.bitwise_not(light)):
        joined = cv2.dilate(ink, np.ones(kernel[::-1], np.uint8))
        contours, _ = cv2.findContours(joined, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        quads += [quad for contour in contours if (quad := _plausible_quad(contour, ink, min_height)) is not None]
    return quads


def _plausible_quad(contour: np.ndarray, ink: np.ndarray, min_height: float) -> Polygon | None:
    """The smallest rectangle around the ink inside a contour, without what the dilation added."""
    x, y, width, height = cv2.boundingRect(contour)
    inside = np.zeros((height, width), np.uint8)
    cv2.drawContours(inside, [contour], -1, 255, cv2.FILLED, offset=(-x, -y))
    points = cv2.findNonZero(cv2.bitwise_and(inside, ink[y : y + height, x : x + width]))
    if points is None or min(width, height) > MAX_HEIGHT_SHARE * ink.shape[0]:
        return None
    quad, side = min_area_quad(np.add(points.reshape(-1, 2), (x, y)))
    area = cv2.contourArea(quad)
    plausible = side >= min_height and area <= MAX_AREA_SHARE * ink.size and len(points) >= MIN_FILL * area
    return quad if plausible else None


def hmean(detections: Sequence[Sequence[Polygon]], samples: Sequence[Sample]) -> Score:
    """The score of the whole set with the package's metric."""
    metric = IcdarMetric()
    for quads, sample in zip(detections, samples, strict=True):
        found = [Detection(quad, score=1.0) for quad in quads]
        metric.update(sample.polygons, sample.ignore, found, sample.name)
    return metric.result()


def main() -> None:
    """Print one line per setting, and the best."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=HELD_OUT_COUNT, help="scenes (default: %(default)s)")
    count = parser.parse_args().count
    source = SyntheticScenes(count, HELD_OUT_SIDE, HELD_OUT_SIDE, seed=0, first=HELD_OUT_FIRST)
    samples = [source.load(index) for index in range(count)]
    best = 0.0
    for kernel, min_height in itertools.product(KERNELS, MIN_HEIGHTS_PX):
        score = hmean([detect(sample, kernel, min_height) for sample in samples], samples)
        setting = f"kernel {kernel[0]:2d}×{kernel[1]}, at least {min_height:2.0f} px"
        print(f"{setting}: P {score.precision or 0:.3f}  R {score.recall or 0:.3f}  hmean {score.hmean or 0:.3f}")
        best = max(best, score.hmean or 0.0)
    print(f"Otsu baseline, best setting: hmean {best:.3f} on {count} scenes")


if __name__ == "__main__":
    main()
