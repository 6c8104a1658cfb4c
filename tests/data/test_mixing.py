"""Several sets in one training: how many images of each, which ones, and with which augmentation."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resnet18_ocrdet.data.augment import Augment
from resnet18_ocrdet.data.datasets import TrainDataset
from resnet18_ocrdet.data.loader import EpochBatches, TrainLoader
from resnet18_ocrdet.data.mixing import MixedDataset, shown_per_epoch
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.data.targets import TargetMaker

WHOLE = Augment(flip=0, rotate=0, scale_min=1, scale_max=1, color=0, crop=False)


def mixture(sizes: list[int], shown: list[int], augments: list[Augment] | None = None) -> MixedDataset:
    """Sets of scenes of 64 px, seeds 0, 1, 2 …"""
    sets: list[TrainDataset] = []
    for seed, size in enumerate(sizes):
        first = sets[-1].first + len(sets[-1]) if sets else 0
        augment = augments[seed] if augments else WHOLE
        sets.append(TrainDataset(SyntheticScenes(size, 64, 64, seed), augment, TargetMaker(), 64, 64, 7, first))
    return MixedDataset(sets, shown)


@pytest.mark.parametrize(
    ("main", "shares", "shown"),
    [
        (6, [0.25], [2]),  # of 8
        (800, [0.25, 0.15], [333, 200]),  # of 1333
        (800, [], []),
        (4, [0.01], [1]),  # at least one
        (1, [0.9], [9]),
    ],
)
def test_the_share_of_each_set_is_that_of_the_epoch(main, shares, shown):
    assert shown_per_epoch(main, shares) == shown


def test_which_images_an_epoch_shows():
    """5 images in steps of 3, the number next to 0.618 * 5: 0, 3, 1, 4, 2, and again."""
    mixed = mixture([3, 5], [3, 2])
    assert len(mixed) == 5
    main = [[(epoch, 0), (epoch, 1), (epoch, 2)] for epoch in range(3)]
    keys = [[mixed.key(epoch, place) for place in range(5)] for epoch in range(3)]
    assert [each[:3] for each in keys] == main
    assert [each[3:] for each in keys] == [[(0, 3), (0, 6)], [(0, 4), (0, 7)], [(0, 5), (1, 3)]]


@given(size=st.integers(1, 40), shown=st.integers(1, 60), epochs=st.integers(1, 6))
def test_images_of_a_mixed_set_are_shown_equally_often_and_never_twice_alike(size, shown, epochs):
    mixed = mixture([2, size], [2, shown])
    keys = [mixed.key(epoch, 2 + place) for epoch in range(epochs) for place in range(shown)]
    assert len(set(keys)) == len(keys)  # the key is the seed of the augmentation
    often = Counter(index for _, index in keys)
    assert set(often) <= set(range(2, 2 + size))
    least = min(often.values()) if len(often) == size else 0
    assert max(often.values()) - least <= 1


def test_a_key_leads_to_its_set_and_its_augmentation():
    negative = Augment(flip=1, rotate=0, scale_min=1, scale_max=1, color=0, crop=False)
    mixed = mixture([2, 3], [2, 1], [WHOLE, negative])
    scenes = SyntheticScenes(3, 64, 64, seed=1)
    assert np.array_equal(mixed[0, 1].image, SyntheticScenes(2, 64, 64, seed=0).load(1).image)
    mirrored = mixed[0, 4]
    assert mirrored.number == 4 and mirrored.original.name == "synthetic_0000002"
    assert np.abs(mirrored.image.astype(int) - scenes.load(2).image[:, ::-1]).mean() < 3  # resampled


def test_batches_hold_the_mixture_and_can_begin_in_mid_epoch():
    mixed = mixture([12, 5], [12, 4])
    order = EpochBatches(len(mixed), 4, 3, key=mixed.key)
    epoch = list(order.batches(2))
    assert len(epoch) == len(order) == 4
    indices = [index for batch in epoch for _, index in batch]
    assert sorted(index for index in indices if index < 12) == list(range(12))
    assert sum(index >= 12 for index in indices) == 4
    assert list(order.batches(2, first=3)) == epoch[3:]
    loader = TrainLoader(mixed, order, workers=0, pin=False)
    whole = [batch.image for (batch,) in loader.epoch(2)]
    rest = [batch.image for (batch,) in loader.epoch(2, first=2)]
    assert all(np.array_equal(one, other) for one, other in zip(whole[2:], rest, strict=True))


def test_a_single_set_is_shown_as_without_mixing():
    alone = mixture([6], [6])
    plain = EpochBatches(6, 2, 5)
    assert list(EpochBatches(6, 2, 5, key=alone.key).batches(3)) == list(plain.batches(3))
    assert np.array_equal(alone[3, 4].image, alone.sets[0][3, 4].image)
