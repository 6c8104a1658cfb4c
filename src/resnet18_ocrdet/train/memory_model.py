"""Memory of a training on a CPU, measured, and the batch that fits."""

from __future__ import annotations

import math

BASE_BYTES = 0.8 * 2**30  # of a training process before its first batch: libraries, weights, momentum
# Bytes of a training step per pixel and image: peak memory of the process minus its memory before the first batch, in
# float32 on a CPU. resnet18: 1,741 to 1,890 at 320² and 512² with batches of 2 and 4; bfloat16 takes 0.6 of it.
PIXEL_BYTES = {"resnet18": 1900, "resnet34": 2050, "resnet50": 3550}
MEMORY_FRACTION = 0.8  # of the free memory may be used; loader processes and the system need the rest


def step_bytes(backbone: str, height: int, width: int, batch_size: int) -> float:
    """Memory of a training on a CPU, without its loader processes."""
    return BASE_BYTES + PIXEL_BYTES.get(backbone, max(PIXEL_BYTES.values())) * height * width * batch_size


def fits(backbone: str, height: int, width: int, batch_size: int, memory: int) -> bool:
    """Whether a training uses no more than its fraction of `memory` bytes."""
    return step_bytes(backbone, height, width, batch_size) <= memory * MEMORY_FRACTION


def largest_batch(backbone: str, height: int, width: int, memory: int) -> int:
    """The largest power of two of images that fits into `memory` bytes; 0 if not even one does."""
    one = step_bytes(backbone, height, width, 1) - BASE_BYTES
    images = int((memory * MEMORY_FRACTION - BASE_BYTES) // one)
    return 2 ** int(math.log2(images)) if images >= 1 else 0
