"""Tiles of large images: every pixel once, no seams, no region twice."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoint_content import CONTRACT
from resnet18_ocrdet import Detector
from resnet18_ocrdet.data.image_io import read_image
from resnet18_ocrdet.data.load_annotations import read_data
from resnet18_ocrdet.evaluation.metrics import EvalSample, IcdarMetric
from resnet18_ocrdet.inference.postprocess import Decoder
from resnet18_ocrdet.inference.predictor import Predictor
from resnet18_ocrdet.inference.tiling import OVERLAP, Span, joined, spans, tiled_map
from resnet18_ocrdet.structures import Detection


def test_spans_by_hand():
    assert spans(100, 640) == [Span(0, 100, 0, 100)]
    assert spans(640, 640) == [Span(0, 640, 0, 640)]
    # 1000 px, tiles of 640, 256 in common: one step of 360 shares 280, half of it each
    assert spans(1000, 640) == [Span(0, 640, 0, 500), Span(360, 1000, 500, 1000)]


@given(st.integers(1, 9000), st.integers(1, 64))
def test_spans_cover_a_side_once(length: int, strides: int):
    tile = 32 * strides
    found, least = spans(length, tile), min(OVERLAP, tile // 2) // 2 - 1
    assert found[0].keep_from == 0 and found[-1].keep_to == length
    for span in found:
        assert 0 <= span.start <= span.keep_from < span.keep_to <= span.stop <= length
        assert span.stop - span.start == min(tile, length)
    for left, right in pairwise(found):
        assert left.keep_to == right.keep_from
        assert left.stop - right.start >= min(OVERLAP, tile // 2)
        assert left.stop - left.keep_to >= least and right.keep_from - right.start >= least
    assert len(found) <= 1 + 2 * length / tile  # small tiles must not overlap by more than half


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("size", [(300, 2000), (1500, 200), (1111, 1777)])
def test_the_map_is_joined_pixel_by_pixel(size, exact):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    asked = set()

    def look(tile):
        asked.add(tile.shape[:2])
        assert not any(side % 32 for side in tile.shape[:2])
        return tile[:, :, 0].astype(np.float32)

    assert np.array_equal(tiled_map(image, look, 640, 800, exact), image[:, :, 0])
    assert not exact or asked == {(640, 800)}


def box(x: float, y: float, w: float, h: float, score: float = 0.9) -> Detection:
    return Detection(np.float32([[x, y], [x + w, y], [x + w, y + h], [x, y + h]]), score)


def test_large_text_comes_from_the_whole_image():
    small = [box(0, 0, 100, 30), box(500, 500, 300, 250), box(2000, 2000, 80, 20)]
    large = [box(480, 480, 900, 300), box(0, 0, 110, 32)]  # 300 px is more than a quarter of 736; 32 is not
    found = joined(small, large, 184)
    wanted = (large[0], small[0], small[2])
    assert [each.polygon.tolist() for each in found] == [each.polygon.tolist() for each in wanted]
    assert joined([], large, 184) == large[:1] and joined(small, [], 184) == small and joined([], [], 184) == []


@pytest.mark.slow
def test_tiles_find_the_words_of_single_photos_in_a_mosaic(icdar2015: Path):
    records = {r.image_path.name: r for r in read_data(icdar2015, "icdar2015").splits["train"]}
    detector, without = (Detector(input_size=(736, 1280), tiling=tiling) for tiling in (True, False))
    mosaic, truth, alone = np.zeros((4000, 6000, 3), np.uint8), [], []
    for place, number in enumerate(range(801, 821)):
        record = records[f"img_{number}.jpg"]
        photo, y, x = read_image(record.image_path), 800 * (place // 4), 1480 * (place % 4)
        mosaic[y : y + 720, x : x + 1280] = photo
        truth += [
            (polygon + np.float32([x, y]), bool(flag))
            for polygon, flag in zip(record.polygons, record.ignore, strict=True)
        ]
        alone.append(EvalSample(str(number), tuple(record.polygons), record.ignore, detector(photo)))

    def found(answers) -> int:
        metric = IcdarMetric()
        metric.update_all(answers)
        return metric.result().matched

    polygons, flags = zip(*truth, strict=True)
    whole = EvalSample("mosaic", polygons, np.array(flags), detector(mosaic))
    words = found(alone)
    assert words > 35
    assert found([whole]) >= 0.95 * words
    assert found([whole._replace(detections=without(mosaic))]) < 0.5 * words  # without tiles


def test_both_passes_over_a_large_image_have_the_limit_of_all_tiles():
    def network(canvases):
        plane = np.zeros((64, 64), np.float32)
        for top in (8, 26, 44):
            plane[top : top + 8, 10:54] = 0.9
        return [plane for _ in canvases]

    contract = replace(CONTRACT, height=64, width=64, resize="keep")
    predictor = Predictor(network, contract, Decoder(max_candidates=1), tiling=True)  # type: ignore[arg-type]
    found, stages, *_ = predictor.trace(np.zeros((256, 256, 3), np.uint8))  # 49 tiles; three regions in the first pass
    assert 1 < len(found) < 49 and stages.surplus == 0
