"""Order, workers and collation of batches."""

from __future__ import annotations

import multiprocessing
import time

import numpy as np
import pytest
import torch

from random_scenes import SCENES, Scenes
from resnet18_ocrdet.data.augment import Augment
from resnet18_ocrdet.data.datasets import EvalDataset, TrainDataset
from resnet18_ocrdet.data.loader import EpochBatches, EvalLoader, TrainLoader, collate, collate_by_size, default_workers
from resnet18_ocrdet.data.targets import TargetMaker


def train_loader(workers, seed=3, batch_size=2):
    views = TrainDataset(SCENES, Augment(), TargetMaker(), 32, 64, seed)
    return TrainLoader(views, EpochBatches(len(views), batch_size, seed), workers, pin=False)


def orders(length, batch_size, seed, epoch):
    return list(EpochBatches(length, batch_size, seed).batches(epoch))


def content(batch):
    return [batch.image, *batch.targets, *map(torch.from_numpy, batch.ignore)], batch.names


def equal(left, right):
    (tensors, names), (others, other_names) = content(left), content(right)
    return names == other_names and all(map(torch.equal, tensors, others))


def test_each_image_at_most_once_and_only_full_batches():
    batches = orders(10, 3, 0, 0)
    assert [len(batch) for batch in batches] == [3, 3, 3]
    assert len(EpochBatches(10, 3, 0)) == 3
    keys = [key for batch in batches for key in batch]
    assert len(set(keys)) == 9 and {epoch for epoch, _ in keys} == {0}
    assert {index for _, index in keys} <= set(range(10))


def test_the_order_depends_only_on_seed_and_epoch():
    first = orders(50, 4, 1, 2)
    np.random.default_rng(0)
    torch.manual_seed(9)
    np.random.seed(5)
    assert orders(50, 4, 1, 2) == first
    sampler = EpochBatches(50, 4, 1)
    for epoch in (0, 1, 2):  # independent of earlier epochs
        last = list(sampler.batches(epoch))
    assert last == first
    indices = [[index for batch in orders(50, 4, *key) for _, index in batch] for key in [(1, 2), (1, 3), (2, 2)]]
    assert indices[0] != indices[1] and indices[0] != indices[2] and indices[1] != indices[2]


def test_over_the_epochs_every_image_is_used():
    # 5 images in batches of 4: each epoch drops a different one
    seen = {index for epoch in range(20) for batch in orders(5, 4, 0, epoch) for _, index in batch}
    assert seen == set(range(5))


@pytest.mark.parametrize(
    ("length", "batch_size", "steps", "size"), [(3, 8, 1, 3), (1, 8, 1, 1), (8, 8, 1, 8), (9, 8, 1, 8)]
)
def test_a_batch_larger_than_the_set_holds_every_image(length, batch_size, steps, size):
    batches = orders(length, batch_size, 0, 0)
    assert len(batches) == steps == len(EpochBatches(length, batch_size, 0))
    assert len({index for _, index in batches[0]}) == len(batches[0]) == size


@pytest.fixture(scope="module")
def alone():
    loader = train_loader(workers=0)
    return [[batch for (batch,) in loader.epoch(epoch)] for epoch in range(2)]


def test_results_do_not_depend_on_the_workers(alone):
    loader = train_loader(workers=2)
    assert len(loader) == 2 and loader.batch_size == 2
    for epoch in range(2):
        batches = [batch for (batch,) in loader.epoch(epoch)]
        assert len(batches) == len(alone[epoch]) == 2
        for ours, theirs in zip(batches, alone[epoch], strict=True):
            assert equal(ours, theirs)


def test_any_epoch_can_be_requested_first(alone):
    for ours, theirs in zip((batch for (batch,) in train_loader(workers=0).epoch(1)), alone[1], strict=True):
        assert equal(ours, theirs)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_can_be_interrupted_and_resumed(alone, workers):
    loader = train_loader(workers)
    assert equal(next(loader.epoch(0))[0], alone[0][0])
    rest = [batch for (batch,) in loader.epoch(0, 1)]
    assert len(rest) == 1 and equal(rest[0], alone[0][1])
    assert equal(next(loader.epoch(1))[0], alone[1][0])
    assert equal(next(loader.epoch(0))[0], alone[0][0])  # back to epoch 0 within another one
    for epoch in range(2):
        batches = [batch for (batch,) in loader.epoch(epoch)]
        assert len(batches) == 2 and all(map(equal, batches, alone[epoch]))
    assert list(loader.epoch(1, len(loader))) == []  # all of its steps are done
    assert equal(next(loader.epoch(2))[0], next(train_loader(0).epoch(2))[0])


class Watched(TrainDataset):
    """Records the latest epoch that a loader process has started."""

    latest = multiprocessing.get_context("fork").Value("i", -1)

    def __getitem__(self, key):
        with self.latest.get_lock():
            self.latest.value = max(self.latest.value, key[0])
        return super().__getitem__(key)


def test_the_next_epoch_is_prefetched():
    views = Watched(SCENES, Augment(), TargetMaker(), 32, 64, seed=3)
    loader = TrainLoader(views, EpochBatches(len(views), 2, 3), workers=1, pin=False)
    assert len(list(loader.epoch(0))) == 2
    until = time.monotonic() + 20.0
    while views.latest.value < 1 and time.monotonic() < until:  # epoch 1 was not requested
        time.sleep(0.01)
    assert views.latest.value >= 1
    loader.close()


def test_epochs_and_seeds_differ(alone):
    other = [batch for (batch,) in train_loader(workers=0, seed=4).epoch(0)]
    images = [
        {name: image for batch in batches for name, image in zip(batch.names, batch.image, strict=True)}
        for batches in (*alone, other)
    ]
    for left, right in [(0, 1), (0, 2)]:
        common = images[left].keys() & images[right].keys()
        assert common
        assert not any(torch.equal(images[left][name], images[right][name]) for name in common)


def test_shapes_and_dtypes_of_a_batch(alone):
    batch = alone[0][0]
    assert batch.image.shape == (2, 3, 32, 64) and batch.image.dtype == torch.uint8
    assert batch.image.is_contiguous(memory_format=torch.channels_last)
    for plane in batch.targets:
        assert plane.shape == (2, 32, 64) and plane.dtype == torch.uint8
    assert len(batch.names) == len(batch.transforms) == len(batch.polygons) == len(batch.ignore) == 2
    for polygons, ignore in zip(batch.polygons, batch.ignore, strict=True):
        assert len(polygons) == len(ignore) and ignore.dtype == np.bool_
    assert all(transform == (32, 64, 1.0, 1.0) for transform in batch.transforms)


def test_collate_keeps_the_order():
    views = EvalDataset(SCENES, TargetMaker(), 32, 64, "stretch")
    batch = collate([views[2], views[0]])
    for row, index in enumerate((2, 0)):
        view = views[index]
        np.testing.assert_array_equal(batch.image[row].permute(1, 2, 0).numpy(), view.image)
        for plane, expected in zip(batch.targets, view.planes, strict=True):
            np.testing.assert_array_equal(plane[row].numpy(), expected)
        assert batch.names[row] == f"{index}.jpg"
        # labels in pixels of the original image are scored
        np.testing.assert_array_equal(batch.polygons[row][0], SCENES.load(index).polygons[0])
        assert batch.transforms[row] == (48, 64, 32 / 48, 1.0)
    assert views[0].original.image.size == 0  # not sent between processes


def test_one_batch_for_each_size():
    views = EvalDataset(Scenes([(32, 64), (64, 32), (32, 64), (32, 96)]), TargetMaker(), 32, 64, "short_side")
    batches = collate_by_size([views[index] for index in range(4)])
    assert [batch.names for batch in batches] == [("0.jpg", "2.jpg"), ("1.jpg",), ("3.jpg",)]
    assert [tuple(batch.image.shape) for batch in batches] == [(2, 3, 32, 64), (1, 3, 64, 32), (1, 3, 32, 96)]


@pytest.mark.parametrize("workers", [0, 1])
def test_evaluation_sees_every_image_once_in_order(workers):
    views = EvalDataset(SCENES, TargetMaker(), 32, 64, "keep")
    loader = EvalLoader(views, batch_size=2, workers=workers, pin=False)
    names = [name for group in loader for batch in group for name in batch.names]
    assert names == [f"{index}.jpg" for index in range(5)]


@pytest.mark.parametrize(
    ("wanted", "shown"), [(1, "01"), (2, "01"), (3, "0145"), (4, "0123"), (6, "012345"), (9, "012345")]
)
def test_a_sample_is_spread_over_the_whole_set(wanted: int, shown: str):
    views = EvalDataset(Scenes([(32, 64)] * 6), TargetMaker(), 32, 64, "keep")
    loader = EvalLoader(views, batch_size=2, workers=0, pin=False)
    names = [name for group in loader.spread(wanted) for batch in group for name in batch.names]
    assert names == [f"{index}.jpg" for index in shown]
    assert len(list(loader)) == 3


def test_default_workers():
    assert 1 <= default_workers() <= 8
