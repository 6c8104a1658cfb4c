"""Draw a document."""

from __future__ import annotations

import numpy as np

from ....structures import Image
from ..corpus import Corpus
from ..fonts import Fonts
from ..region import Region


def draw_document(
    rng: np.random.Generator, height: int, width: int, fonts: Fonts, corpus: Corpus
) -> tuple[Image, list[Region]]:
    """A document of height × width px: (height, width, 3) RGB, and its regions."""
    return np.full((height, width, 3), int(rng.integers(200, 256)), np.uint8), []
