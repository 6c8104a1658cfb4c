"""Input size and crop for the text of a set, by hand."""

from __future__ import annotations

from math import sqrt

from hypothesis import example, given
from hypothesis import strategies as st

from resnet18_ocrdet.data.text_sizes import TextSizes
from resnet18_ocrdet.train.memory_model import fits, largest_batch
from resnet18_ocrdet.train.size_rules import MAX_SIDE, choose_crop, choose_input_size, wanted_scale

GIB = 2**30


def test_small_text_is_made_readable_and_half_of_it_high():
    assert wanted_scale(6.0, 20.0) == 2.0
    assert wanted_scale(12.0, 10.0) == 2.0
    assert wanted_scale(48.0, 80.0) == 0.25


def test_the_input_size_has_the_aspect_ratio_of_the_images():
    # a side of 1200 makes the smallest text 12 px: 1697 x 849 for images twice as high as wide
    height, width, why = choose_input_size(TextSizes(0.01, 0.02, 0.03, aspect=2.0), 8, None)
    assert (height, width) == (1728, 864)
    assert "12 px" in why and "24 px" in why  # at a side of 1222
    assert choose_input_size(TextSizes(0.01, 0.01, 0.03, aspect=1.0), 8, None)[:2] == (2016, 2016)  # 20 px: 2000


def test_the_input_size_is_neither_tiny_nor_too_large_for_the_memory():
    assert choose_input_size(TextSizes(0.2, 0.3, 0.4, aspect=1.0), 8, None)[:2] == (512, 512)
    height, width, why = choose_input_size(TextSizes(0.001, 0.002, 0.003, aspect=0.5), 8, None)
    assert (height, width) == (1024, 2048) and "2048" in why
    # 300 bytes for each pixel of 8 images: 2 GiB are enough for a side of 945, rounded down
    height, width, why = choose_input_size(TextSizes(0.01, 0.02, 0.03, aspect=1.0), 8, 2 * GIB)
    assert (height, width) == (928, 928) and "memory" in why


def test_a_crop_holds_the_largest_text():
    text = TextSizes(0.01, 0.02, 0.1, aspect=1.0)
    assert choose_crop(text, 800, 800, quick=True)[0] == 416  # 80 px
    assert choose_crop(text, 1280, 1280, quick=True)[0] == 512  # 128 px
    assert choose_crop(text, 2048, 2048, quick=True)[0] == 640  # 205 px
    assert choose_crop(text, 800, 800, quick=False)[0] == 640


def test_the_largest_batch_that_fits():
    # 416²: 0.306 GiB an image. 80 % of 4 GiB less 0.8 are 2.4: seven images, so four
    assert largest_batch("resnet18", 416, 416, 4 * GIB) == 4
    assert fits("resnet18", 416, 416, 7, 4 * GIB) and not fits("resnet18", 416, 416, 8, 4 * GIB)
    assert largest_batch("resnet18", 416, 416, GIB) == 0


fraction = st.floats(0.001, 0.9)


@example(0.5, 0.5, 0.01453961830594232, 0.5, 5, GIB)  # fits, but not when its sides are rounded up
@given(fraction, fraction, fraction, st.floats(0.05, 20), st.integers(1, 64), st.none() | st.integers(GIB, 64 * GIB))
def test_any_set_has_a_size(low: float, median: float, high: float, aspect: float, batch: int, memory: int | None):
    text = TextSizes(*sorted((low, median, high)), aspect)
    height, width, _ = choose_input_size(text, batch, memory)
    assert height % 32 == width % 32 == 0 and min(height, width) >= 32 and max(height, width) <= MAX_SIDE
    assert memory is None or height * width * batch * 300 <= memory or min(height, width) == 32
    if max(height, width) < MAX_SIDE and min(height, width) >= 512:
        assert sqrt(height / width / aspect) < 1.1 and sqrt(aspect * width / height) < 1.1
