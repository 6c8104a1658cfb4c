"""All random states of the process, as tensors and plain values.

The data do not use them: the augmentation of an image depends on seed, epoch and index only.
"""

from __future__ import annotations

import random
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor


class RandomState(TypedDict):
    """What a resumed run continues with."""

    torch: Tensor  # uint8
    cuda: list[Tensor]  # one per GPU
    numpy: tuple[list[int], int, int, float]  # key, position, has_gauss, cached_gaussian
    python: tuple[int, list[int], float | None]


def capture() -> RandomState:
    """Read the states."""
    _, key, position, has_gauss, cached = np.random.get_state(legacy=True)
    version, numbers, gauss = random.getstate()
    return RandomState(
        torch=torch.get_rng_state(),
        cuda=torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        numpy=([int(word) for word in key], int(position), int(has_gauss), float(cached)),
        python=(version, list(numbers), gauss),
    )


def restore(state: RandomState) -> None:
    """Set the states. Those of GPUs that this machine does not have are skipped."""
    torch.set_rng_state(state["torch"])
    for gpu, words in enumerate(state["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(words, gpu)
    key, position, has_gauss, cached = state["numpy"]
    np.random.set_state(("MT19937", np.array(key, np.uint32), position, has_gauss, cached))
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
