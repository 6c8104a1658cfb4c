"""Validation pictures: their tiles, order and size."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from resnet18_ocrdet.structures import Batch, Detection, Maps, ResizeTransform, Targets
from resnet18_ocrdet.viz import draw
from resnet18_ocrdet.viz.overlays import MAX_OVERLAY_WIDTH, Overlays, preview

BOX = np.array([[8, 8], [24, 8], [24, 16], [8, 16]], np.float32)
BLACK, WHITE = draw.heat(np.zeros((1, 1)))[0, 0], draw.heat(np.ones((1, 1)))[0, 0]


def batch_of(count, height=32, width=64):
    """Black images with one region; every target plane has its own value."""

    def plane(value):
        return torch.full((count, height, width), value, dtype=torch.uint8)

    targets = Targets(prob_map=plane(1), prob_mask=plane(1), thresh_map=plane(102), thresh_mask=plane(1))
    return Batch(
        torch.zeros((count, 3, height, width), dtype=torch.uint8),
        targets,
        tuple(f"img_{n}.jpg" for n in range(count)),
        (ResizeTransform(height, width, 1.0, 1.0),) * count,
        ((BOX,),) * count,
        (np.array([False]),) * count,
        tuple(range(count)),
    )


def maps_of(batch, prob=0.0, thresh=None):
    shape = (len(batch.names), 1, *batch.image.shape[2:])
    return Maps(torch.full(shape, prob), None if thresh is None else torch.full(shape, thresh))


def test_tiles_and_their_order():
    batch = batch_of(1)
    overlays = Overlays(limit=4)
    overlays.add(batch, maps_of(batch, prob=100.0, thresh=-100.0), [[Detection(BOX + 4, 0.9)]])
    (picture,) = overlays.pictures
    assert picture.shape == (32, 5 * 64, 3) and picture.dtype == np.uint8
    boxes, prob, thresh, prob_target, thresh_target = np.split(picture, 5, axis=1)
    labelled = draw.labels(np.zeros((32, 64, 3), np.uint8), [BOX], np.array([False]))
    np.testing.assert_array_equal(boxes, draw.outline(labelled, [BOX + 4]))
    assert (prob == WHITE).all()  # sigmoid of 100 is 1
    assert (thresh == BLACK).all()  # of -100 it is 0
    assert (prob_target == WHITE).all()
    assert (thresh_target == draw.heat(np.full((1, 1), 102 / 255))[0, 0]).all()


def test_without_the_threshold_head():
    batch = batch_of(1)
    overlays = Overlays(limit=4)
    overlays.add(batch, maps_of(batch), [[]])
    (picture,) = overlays.pictures
    assert picture.shape == (32, 4 * 64, 3)
    assert (np.split(picture, 4, axis=1)[2] == WHITE).all()  # the probability target follows the prediction


def test_bfloat16_maps():
    batch = batch_of(1)
    overlays = Overlays(limit=1)
    overlays.add(batch, Maps(*(logits.bfloat16() for logits in maps_of(batch, 0.0, 0.0))), [[]])
    assert overlays.pictures[0].shape == (32, 5 * 64, 3)


def test_the_limit_holds_over_batches():
    overlays = Overlays(limit=3)
    for count in (2, 2, 2):
        batch = batch_of(count)
        overlays.add(batch, maps_of(batch, thresh=0.0), [[]] * count)
    assert len(overlays.pictures) == 3


def test_wide_rows_are_scaled_down():
    batch = batch_of(1, 320, 1024)  # 5 tiles: 5120 px, twice too wide
    overlays = Overlays(limit=1)
    overlays.add(batch, maps_of(batch, thresh=0.0), [[]])
    assert overlays.pictures[0].shape == (100, MAX_OVERLAY_WIDTH, 3)


@pytest.mark.parametrize("count", [1, 10])
def test_a_preview_has_one_row_per_image_and_at_most_eight(count):
    assert preview(batch_of(count)).shape == (min(count, 8) * (32 + 4), 4 * 64, 3)
