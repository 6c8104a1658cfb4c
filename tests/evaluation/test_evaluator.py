"""A pass over a labelled set: order, the thread that decodes, and memory."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from resnet18_ocrdet.evaluation.evaluator import evaluate
from resnet18_ocrdet.inference.postprocess import Decoder
from resnet18_ocrdet.runtime.device import Compute
from resnet18_ocrdet.structures import Batch, LossParts, Maps, ResizeTransform, Targets
from scored_images import box

SIDE = 64
WORD = box(10, 10, 30, 15)


class Painter(nn.Module):
    """Predicts text where the first plane of the image is white."""

    def forward(self, image):
        return Maps((image[:, :1] - 0.5) * 20, None)


def criterion(maps, targets, mining):
    term = maps.prob_map.mean()
    return LossParts(term, term, term, term)


criterion.terms = LossParts._fields


def batch_of(numbers, height=SIDE, width=SIDE):
    """Images with the core of WORD; every third one is empty."""
    image = np.zeros((len(numbers), 3, height, width), np.float32)
    for plane, number in zip(image, numbers, strict=True):
        if number % 3:
            cv2.rectangle(plane[0], (14, 14), (36, 21), 1.0, -1)
    empty = torch.zeros((len(numbers), height, width), dtype=torch.uint8)
    count = len(numbers)
    return Batch(
        torch.from_numpy(image),
        Targets(empty, empty, empty, empty),
        tuple(f"{number}.png" for number in numbers),
        (ResizeTransform(height, width, 1.0, 1.0),) * count,
        ((WORD,),) * count,
        (np.array([False]),) * count,
        tuple(numbers),
    )


class Unchanged(Compute):
    """Images are already as the network takes them."""

    def image(self, image):
        return image


def score(loader, decode=None, watch=None):
    compute = Unchanged(torch.device("cpu"))
    more = {} if watch is None else {"watch": watch}
    return evaluate(Painter(), loader, criterion, decode or Decoder().trace, compute, **more)


def test_samples_are_in_the_order_of_the_set():
    # as a loader groups images of like size: 0 2 | 1 3, then 5 | 4
    result = score([[batch_of([0, 2]), batch_of([1, 3])], [batch_of([5]), batch_of([4])]])
    assert [sample.name for sample in result.samples] == [f"{number}.png" for number in range(6)]
    assert [row.name for row in result.metric.images] == [sample.name for sample in result.samples]
    assert [row.matched for row in result.metric.images] == [0, 1, 1, 0, 1, 1]
    assert result.decode_stats.boxes == 4 and result.score.recall == pytest.approx(4 / 6)


def test_the_watcher_gets_each_batch_with_its_own_detections():
    seen = []

    def watch(batch, maps, found):
        seen.append((batch.names, [len(each) for each in found], threading.current_thread() is threading.main_thread()))

    score([[batch_of([0, 1])], [batch_of([2])], [batch_of([3, 4, 5])]], watch=watch)
    assert seen == [
        (("0.png", "1.png"), [0, 1], True), (("2.png",), [1], True), (("3.png", "4.png", "5.png"), [0, 1, 1], True)
    ]  # fmt: skip


def test_an_error_while_decoding_is_raised():
    def decode(prob_map, transform):
        raise ValueError("odd map")

    with pytest.raises(ValueError, match="odd map"):
        score([[batch_of([1])], [batch_of([2])]], decode=decode)


def test_an_empty_set():
    result = score([])
    assert result.samples == [] and result.score.hmean is None
    assert result.loss == dict.fromkeys(LossParts._fields, 0.0)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the memory of a process from /proc")
def test_memory_does_not_grow_with_the_set():
    """In another process: memory that other tests left behind changes what the allocator does."""
    helpers = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, timeout=300, env=helpers)
    assert done.returncode == 0, done.stderr
    images, growth = done.stdout.split()
    assert int(images) == 1000
    assert float(growth) < 50


def print_growth():
    """Score 1,000 maps of 320x320; print how many, and the growth in MiB from image 100 to image 1,000.

    With larger maps, the reserve of the allocator hides the rest."""
    used = {}

    def watch(batch, maps, found):
        if batch.indices[-1] in (99, 999):
            used[batch.indices[-1]] = int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

    loader = ([batch_of(range(first, first + 4), 320, 320)] for first in range(0, 1000, 4))
    result = score(loader, watch=watch)
    print(len(result.samples), used[999] - used[99])


if __name__ == "__main__":
    print_growth()
