"""Input size and crops that suit the text of a set, for experiment=finetune and the advice of ocrdet-check.

The heights are those at which the bundled weights read words of ICDAR2015 (docs/results.md, recall by height: 8 to 12
px 0.20, 12 to 16 px 0.59, 16 to 24 px 0.76, larger ones 0.73 to 0.61).
"""

from __future__ import annotations

import math

from ..data.text_sizes import TextSizes

READABLE = 12.0  # px: the height of the smallest text, a tenth of it; most words below it are lost
BEST = 20.0  # px: the height of the median text, the middle of the range with the highest recall
STRIDE = 32  # px, of the network's coarsest features
SMALLEST = 512  # px, square root of the area: in a smaller input size, borders count for too much
MAX_SIDE = 2048  # px
EVAL_BYTES = 300  # of a validation on a CPU in float32, per pixel and image; 220 measured for resnet18 at 4x640x640

CROP = 416  # px: a step with 8 of them takes about a second on 2 cores
LARGE_CROP = 640  # px: of a GPU, and for large text
CROP_TEXTS = 4  # a crop holds so many heights of the largest text, all but a tenth


def wanted_scale(low: float, median: float) -> float:
    """The factor that makes text of these heights, in px, as high as READABLE and BEST ask; both may be exceeded."""
    return max(READABLE / low, BEST / median)


def sides(height: float, width: float, up: bool = True) -> tuple[int, int]:
    """Multiples of the stride, rounded up or down; at least one stride."""
    strides = height / STRIDE, width / STRIDE
    whole = (math.ceil(count - 1e-9) if up else math.floor(count + 1e-9) for count in strides)
    high, wide = (max(count, 1) * STRIDE for count in whole)
    return high, wide


def choose_input_size(text: TextSizes, batch_size: int, memory: int | None) -> tuple[int, int, str]:
    """Height and width at the aspect ratio of the images, with the reason. memory: bytes that may be used, if known."""
    side, why = wanted_scale(text.low, text.median), ""
    if side < SMALLEST:
        side, why = SMALLEST, f"; at least {SMALLEST}x{SMALLEST}"
    caps = {
        f"{MAX_SIDE} px a side": MAX_SIDE / math.sqrt(max(text.aspect, 1 / text.aspect)),
        "memory": math.inf if memory is None else math.sqrt(memory / (EVAL_BYTES * batch_size)),
    }
    limit = min(caps, key=caps.__getitem__)
    fits = side <= caps[limit]
    if not fits:
        side, why = caps[limit], f"; limited by {limit}"
    exact = side * math.sqrt(text.aspect), side / math.sqrt(text.aspect)
    height, width = sides(*exact, up=fits)
    if math.sqrt(height * width) > caps["memory"]:
        height, width = sides(*exact, up=False)
    side = math.sqrt(height * width)
    low, median = f"{text.low * side:.0f} px high", f"{text.median * side:.0f} px"
    wanted = f"{READABLE:g} and {BEST:g} px are read well"
    return height, width, f"a tenth of the text is then less than {low}, half of it less than {median}; {wanted}{why}"


def choose_crop(text: TextSizes, height: int, width: int, quick: bool) -> tuple[int, str]:
    """Side of a square crop in px, with the reason. quick: for a CPU, where larger crops take too long."""
    high = text.high * math.sqrt(height * width)
    wanted = sides(CROP_TEXTS * high, 0)[0]
    if not quick:
        return LARGE_CROP, "a GPU is quick enough"
    if wanted <= CROP:
        return CROP, f"a tenth of the text is more than {high:.0f} px high; small crops make quick steps on a CPU"
    return min(wanted, LARGE_CROP), f"a tenth of the text is more than {high:.0f} px high, and a crop must hold it"
