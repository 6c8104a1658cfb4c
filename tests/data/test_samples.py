"""Training samples from hostile images and labels, and the memory of loader processes."""

from __future__ import annotations

import os
from multiprocessing import active_children
from pathlib import Path

import cv2
import numpy as np
import pytest

from resnet18_ocrdet.data.augment import Augment
from resnet18_ocrdet.data.datasets import TrainDataset
from resnet18_ocrdet.data.labels import LabelledImages
from resnet18_ocrdet.data.loader import EpochBatches, TrainLoader
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.data.targets import TargetMaker
from resnet18_ocrdet.structures import Sample

STRONG = Augment(0.5, 45.0, 0.2, 5.0, 0.3, 1.0, 0.4, 0.3, 0.3, 0.1, 0.4)
AUGMENTS = (Augment(), STRONG, Augment(crop=False), Augment(crop=False, resize="stretch"), Augment(resize="short_side"))
SIZES = ((64, 96), (96, 64), (32, 128))
MIB = 1 << 20


class Hostile:
    """Images from 1x1, with regions that are tiny, huge, thin, crossed, flat, repeated, traced or outside the image."""

    def __len__(self):
        return 1 << 30

    def open(self, index):
        rng = np.random.default_rng([7, index])
        height, width = (
            int(side) for side in np.exp(rng.uniform(0, np.log(400), 2)).astype(int) + (index % 3 == 0) * 60
        )
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        polygons = tuple(self._polygon(rng, height, width) for _ in range(int(rng.integers(0, 9))))
        return Sample(f"{index}", image, polygons, rng.random(len(polygons)) < 0.3)

    def _polygon(self, rng, height, width):
        centre = rng.uniform(-0.3, 1.3, 2) * (width, height)
        w, h = np.exp(rng.uniform(np.log(0.5), np.log(600), 2))
        kind = rng.integers(7)
        box = np.array([[-w, -h], [w, -h], [w, h], [-w, h]]) / 2
        if kind == 0:
            box = box[[0, 2, 1, 3]]  # a bow tie
        elif kind == 1:
            box[:, 1] *= 1 / 200
        elif kind == 2:
            box = np.repeat(box, int(rng.integers(1, 4)), axis=0)[: int(rng.integers(3, 12))]
        elif kind == 3:
            angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 400))))
            box = np.stack([w * np.cos(angles), h * np.sin(angles)], axis=1) * rng.uniform(0.4, 0.5, (len(angles), 1))
        elif kind == 4:
            box = np.rint(box)
        angle = rng.uniform(0, 2 * np.pi)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        polygon = box @ turn + centre
        return (np.rint(polygon) if kind == 5 else polygon).astype(np.float32)

    def load(self, index):
        return self.open(index)

    def fingerprint(self):
        return ()


def check(number):
    """Check what the loss relies on, for one sample."""
    height, width = SIZES[number % len(SIZES)]
    make = TargetMaker(min_text_size=(8.0, 2.0, 0.0)[number % 3])
    views = TrainDataset(Hostile(), AUGMENTS[number % len(AUGMENTS)], make, height, width, 0)
    view = views[number % 4, number]
    assert view.image.shape == (height, width, 3) and view.image.dtype == np.uint8
    polygons, ignore = view.original.polygons, view.original.ignore
    assert len(polygons) == len(ignore) and ignore.dtype == np.bool_
    for polygon in polygons:
        assert polygon.dtype == np.float32 and polygon.shape[1:] == (2,) and len(polygon) >= 3
        assert (polygon >= 0).all() and (polygon <= np.float32([width - 1, height - 1])).all()
    prob_map, prob_mask, thresh_map, thresh_mask = view.planes
    for plane in view.planes:
        assert plane.shape == (height, width) and plane.dtype == np.uint8
    for plane in (prob_map, prob_mask, thresh_mask):
        assert plane.max() <= 1
    assert thresh_map.min() >= 76 and thresh_map.max() <= 179  # 255 · 0.3 and 255 · 0.7
    assert (prob_mask[prob_map == 1] == 1).all()  # all text is in the loss
    alone = [make([polygon], np.array([flag]), height, width) for polygon, flag in zip(polygons, ignore, strict=True)]
    text = np.zeros((height, width), np.uint8)
    background = np.ones((height, width), np.uint8)
    for polygon, flag, planes in zip(polygons, ignore, alone, strict=True):
        if flag or not planes.thresh_mask.any():  # ignored in training: fully masked
            cv2.fillPoly(background, [np.rint(polygon).astype(np.int32)], 0)
            assert not planes.prob_map.any()
        text |= planes.prob_map
    np.testing.assert_array_equal(prob_map, text)
    np.testing.assert_array_equal(prob_mask, background | text)  # text wins
    again = views[number % 4, number]
    np.testing.assert_array_equal(view.image, again.image)
    np.testing.assert_array_equal(thresh_map, again.planes.thresh_map)


def test_hostile_samples_keep_every_invariant():
    for number in range(200):
        check(number)


@pytest.mark.slow
def test_ten_thousand_hostile_samples_keep_every_invariant():
    for number in range(200, 10_200):
        check(number)


def own_bytes(process):
    """Private memory of a process on Linux."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


@pytest.mark.slow
@pytest.mark.parametrize("cache", ["none", "ram"])
def test_loader_processes_do_not_grow(tmp_path, cache):
    if not Path(f"/proc/{os.getpid()}/smaps_rollup").exists():
        pytest.skip("no /proc/PID/smaps_rollup here")
    records = []
    for number in range(200):
        path = tmp_path / f"{number}.jpg"
        small = np.random.default_rng(number).integers(0, 256, (30, 40, 3), dtype=np.uint8)
        cv2.imwrite(str(path), cv2.resize(small, (640, 480)))
        quads = tuple(np.float32([[x, 50], [x + 60, 50], [x + 60, 80], [x, 80]]) for x in range(20, 560, 90))
        flags = np.zeros(len(quads), bool)
        records.append(LabelRecord(path, None, quads, flags, ("word",) * len(quads), size=(480, 640)))
    views = TrainDataset(LabelledImages(records, cache=cache), Augment(), TargetMaker(), 320, 320, 0)
    loader = TrainLoader(views, EpochBatches(200, 8, 0), workers=2, pin=False)
    taken = []
    for epoch in range(5):
        for _ in loader.epoch(epoch):
            pass
        taken.append([own_bytes(worker.pid) for worker in active_children()])
    loader.close()
    # 200 decoded images are 176 MiB: a copy in each process would show
    grown = [(last - first) / MIB for first, last in zip(taken[0], taken[-1], strict=True)]
    print(cache, "MiB of its own after epoch 1:", [round(t / MIB) for t in taken[0]], "grown by", grown)
    assert max(grown) < 50
    if cache == "ram":
        assert views.source._cache._filled.sum() == 200
