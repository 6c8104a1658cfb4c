"""A second look at half the size: when, at what, and what it finds."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoint_content import CONTRACT
from large_words import ink_box, overlap, single_words
from resnet18_ocrdet import Detector
from resnet18_ocrdet.data.letterbox import letterbox
from resnet18_ocrdet.inference.postprocess import Decoder
from resnet18_ocrdet.inference.predictor import Predictor
from resnet18_ocrdet.inference.second_look import LARGE_CORE, coarse_contours, smaller_canvas


def map_with_box(height: int, width: int, value: float = 0.9, angle: float = 0.0) -> np.ndarray:
    """A map of 640x960 with one rectangle in its middle."""
    corners = cv2.boxPoints(((480, 320), (width, height), angle)).round().astype(np.int32)
    return cv2.fillPoly(np.zeros((640, 960), np.float32), [corners], value)


def suggests_large_text(prob_map: np.ndarray, bin_thresh: float) -> bool:
    return coarse_contours(prob_map, bin_thresh).are_large


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0])
def test_a_large_core_suggests_large_text(angle):
    assert suggests_large_text(map_with_box(LARGE_CORE + 12, 400, angle=angle), 0.3)
    assert not suggests_large_text(map_with_box(LARGE_CORE - 12, 400, angle=angle), 0.3)


def test_an_empty_map_suggests_nothing_and_half_of_the_threshold_counts():
    assert not suggests_large_text(np.zeros((64, 96), np.float32), 0.3)
    for value, large in ((0.2, True), (0.1, False)):  # half of 0.3 is 0.15
        assert suggests_large_text(map_with_box(200, 400, value), 0.3) is large


def test_pieces_of_a_large_word_are_seen_together():
    prob_map = map_with_box(200, 400, 0.2)
    for left in range(290, 660, 60):  # letters above the threshold, 30 px wide
        prob_map[220:420, left : left + 30] = 0.9
    assert suggests_large_text(prob_map, 0.3)


def test_canvas_of_the_second_look_by_hand():
    image = np.full((100, 200, 3), 200, np.uint8)
    contract = replace(CONTRACT, height=256, width=512, resize="keep")
    # sqrt(256 * 512 / (100 * 200)) = 2.56; half of it is 1.28
    canvas, placed = smaller_canvas(image, contract)
    assert canvas.shape == (128, 256, 3) and (placed.scale_y, placed.scale_x) == (1.28, 1.28)
    # at most 1.6 in the first look, so 0.8: 80 x 160
    canvas, placed = smaller_canvas(image, replace(contract, max_scale=1.6))
    assert canvas.shape == (96, 160, 3) and (placed.scale_y, placed.scale_x) == (0.8, 0.8)


@pytest.mark.parametrize("resize", ["fit", "stretch"])
def test_a_network_of_one_size_gets_that_size(resize):
    image = np.full((100, 400, 3), 200, np.uint8)
    contract = replace(CONTRACT, height=96, width=128, resize=resize)
    canvas, placed = smaller_canvas(image, contract)
    _, first = letterbox(image, *contract.resizing)
    assert canvas.shape == (96, 128, 3)
    assert (placed.scale_y, placed.scale_x) == (first.scale_y / 2, first.scale_x / 2)
    rows, columns = round(100 * placed.scale_y), round(400 * placed.scale_x)
    assert (canvas[: rows - 1, : columns - 1] == 200).all() and not canvas[rows + 1 :].any()
    assert not canvas[:, columns + 1 :].any()


@given(st.integers(1, 400), st.integers(1, 400), st.sampled_from(["keep", "short_side", "fit"]), st.floats(0.1, 9))
@settings(max_examples=60, deadline=None)
def test_the_second_look_has_half_the_scale(height, width, resize, max_scale):
    contract = replace(CONTRACT, height=96, width=128, resize=resize, max_scale=max_scale)
    image = np.full((height, width, 3), 200, np.uint8)
    _, first = letterbox(image, *contract.resizing)
    _, second = smaller_canvas(image, contract)
    for side, whole, half in (
        (height, first.scale_y, second.scale_y),
        (width, first.scale_x, second.scale_x),
    ):
        assert side * half == pytest.approx(side * whole / 2, abs=1)  # sides are whole pixels, one at least


class Brightness:
    """A network whose map is the red channel."""

    batch_size, note = 1, None

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []

    def __call__(self, canvases):
        self.seen += [canvas.shape[:2] for canvas in canvases]
        return [canvas[:, :, 0].astype(np.float32) / 255 for canvas in canvases]


@pytest.mark.parametrize(
    ("scales", "text_height", "looks"),
    [("auto", 300, 2), ("auto", 40, 1), ("1", 300, 1), ("1+0.5", 40, 2)],
)
def test_when_a_second_look_is_taken(scales, text_height, looks):
    network = Brightness()
    contract = replace(CONTRACT, height=640, width=960)
    image = np.repeat((map_with_box(text_height, 500) * 255).astype(np.uint8)[..., None], 3, axis=2)
    found = Predictor(network, contract, Decoder.of(contract), scales=scales)(image)
    assert network.seen == [(640, 960), (320, 480)][:looks]
    assert len(found) == 1  # not once for each look


def found_in(detector: Detector, images: list[np.ndarray]) -> int:
    """Images in which one region covers the word, and no other region is found."""
    count = 0
    for image in images:
        found = [(*each.polygon.min(axis=0), *each.polygon.max(axis=0)) for each in detector(image)]
        count += len(found) == 1 and overlap(found[0], ink_box(image)) >= 0.5
    return count


SINGLE = (80, 95, 110, 125, 140, 150, 165, 180)


@pytest.mark.slow
def test_single_large_words_in_small_images():
    detector = Detector()
    sizes = {(300, 400): SINGLE, (480, 640): SINGLE, (720, 1280): SINGLE}
    found = [found_in(detector, single_words(*size, heights)) for size, heights in sizes.items()]
    assert sum(found) >= 20, found  # 21 with the bundled weights; those before found 22


@pytest.mark.slow
def test_very_large_words_are_found_by_a_second_look():
    images = single_words(720, 1280, (280, 310, 340, 370, 400, 420))
    assert found_in(Detector(scales="1+0.5"), images) >= 5
    assert found_in(Detector(scales="1"), images) <= 1
