"""A data set of random images, for the tests of loaders."""

from __future__ import annotations

import numpy as np

from resnet18_ocrdet.structures import Sample


class Scenes:
    """Images of random bytes with one word each, of the given sizes."""

    def __init__(self, sizes):
        self.sizes = sizes

    def __len__(self):
        return len(self.sizes)

    def load(self, index):
        rng = np.random.default_rng(index)
        height, width = self.sizes[index]
        word = np.array([[4, 4], [width - 5, 4], [width - 5, height - 5], [4, height - 5]], np.float32)
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        return Sample(f"{index}.jpg", image, (word,), np.array([index % 2 == 1]))

    open = load  # a `Sample` is also a `Picture`


SCENES = Scenes([(48, 64)] * 5)
