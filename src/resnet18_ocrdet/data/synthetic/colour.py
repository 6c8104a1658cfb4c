"""Luminance and colour. Luminance is 0..255 with the weights of Rec. 601, as cv2.COLOR_RGB2GRAY."""

from __future__ import annotations

import numpy as np

Colour = tuple[int, int, int]
"""RGB, 0..255."""

Tint = tuple[float, float, float]
"""Colour without luminance, RGB, about -1..1, to be added to a grey level."""

GREY: Tint = (0.0, 0.0, 0.0)
WEIGHTS = (0.299, 0.587, 0.114)  # ITU-R BT.601, red green blue
TINT_REACH = 110.0  # change of a channel by a tint of 1, grey levels, within 0..255


def tinted(luminance: float, tint: Tint) -> Colour:
    """The RGB colour of this luminance and tint; the tint is reduced where a channel would be clipped."""
    level = min(max(luminance, 0.0), 255.0)
    reach = TINT_REACH
    for part in tint:
        room = (255.0 - level) if part > 0 else level
        if abs(part) * reach > room:
            reach = room / abs(part)
    red, green, blue = (round(level + reach * part) for part in tint)
    return red, green, blue


def draw_tint(rng: np.random.Generator, strongest: float = 1.0) -> Tint:
    """A greyish tint in half of the draws, in the other half one of up to `strongest`, 0..1."""
    raw = rng.uniform(-1.0, 1.0, 3) * strongest * (0.25 if rng.random() < 0.5 else 1.0)
    red, green, blue = (float(part) for part in raw - raw @ np.array(WEIGHTS))
    return red, green, blue
