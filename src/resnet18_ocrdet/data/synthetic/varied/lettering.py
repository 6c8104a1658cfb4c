"""Ways to paint letters: each is `(patch, mask, ink, height, rng) -> None` and paints into a part of the image.

patch: (h, w, 3) uint8 RGB. mask: (h, w) coverage 0..255. height: of capitals, image px.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from ....structures import Image
from ..colour import GREY, Colour, Tint, tinted
from ..render import blend

GLOW_PER_HEIGHT = 0.25  # standard deviation of neon's glow
NOISE_SIDE = 64  # cells of the noise that wears paint off


class Inks(NamedTuple):
    """Luminances of a block, 0..255, and its hue."""

    ink: float  # of the text
    rim: float  # on the other side of the background
    ground: float  # mean of the background
    tint: Tint

    @property
    def colour(self) -> Colour:
        """Of the text."""
        return tinted(self.ink, self.tint)


Painter = Callable[[Image, MatLike, Inks, float, np.random.Generator], None]


def _shifted(mask: MatLike, x: int, y: int) -> MatLike:
    """The mask moved by (x, y) px, zero where nothing comes in."""
    height, width = mask.shape[:2]
    moved = np.zeros_like(mask)
    into = (slice(max(y, 0), height + min(y, 0)), slice(max(x, 0), width + min(x, 0)))
    source = (slice(max(-y, 0), height + min(-y, 0)), slice(max(-x, 0), width + min(-x, 0)))
    moved[into] = mask[source]
    return moved


def _wider(mask: MatLike, px: int) -> MatLike:
    return cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * px + 1, 2 * px + 1)))


def _scaled(mask: MatLike, share: float) -> MatLike:
    return cv2.convertScaleAbs(mask, alpha=share)


def _offset(rng: np.random.Generator, height: float, share: float) -> tuple[int, int]:
    """A shift of at least 1 px, to the lower right in most draws."""
    px = max(1, round(height * share * float(rng.uniform(0.5, 1.0))))
    return (px if rng.random() < 0.8 else -px), (px if rng.random() < 0.8 else -px)


def paint_flat(patch: Image, mask: MatLike, inks: Inks, height: float, rng: np.random.Generator) -> None:
    """One colour."""
    blend(patch, mask, inks.colour)


def paint_faded(patch: Image, mask: MatLike, inks: Inks, height: float, rng: np.random.Generator) -> None:
    """Translucent, and worn off in blotches."""
    cells = rng.integers(110, 256, (max(2, mask.shape[0] // 6), max(2, mask.shape[1] // 6)), np.uint8)
    wear = cv2.resize(cells, mask.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    blend(patch, cv2.multiply(mask, wear, scale=1 / 255), inks.colour)


def paint_gradient(patch: Image, mask: MatLike, inks: Inks, height: float, rng: np.random.Generator) -> None:
    """From the ink to a colour nearer to the background."""
    share = float(rng.uniform(0.0, 0.35))
    other = tinted(inks.ink + share * (inks.ground - inks.ink), GREY if rng.random() < 0.5 else inks.tint)
    ramp = np.linspace(0, 255, mask.shape[0]).astype(np.uint8)[:, None].repeat(mask.shape[1], axis=1)
    blend(patch, mask, inks.colour)
    blend(patch, cv2.multiply(mask, ramp, scale=1 / 255), other)


def paint_outlined(patch: Image, mask: MatLike, inks: Inks, height: float, rng: np.random.Generator) -> None:
    """With a rim on the other side of the background."""
    px = max(1, round(height * float(rng.uniform(0.03, 0.1))))
    blend(patch, _wider(mask, px), tinted(inks.rim, GREY))
    blend(patch, mask, inks.colour)


def paint_hollow(patch: Image, mask: MatLike, inks: Inks, height: float, rng: np.random.Generator) -> None:
    """Only the outline; flat if the text is too small for one."""
    px = max(1, round(height * 0.045))
    inside = cv2.erode(mask, np.ones((2 * px + 1, 2 * px + 1), np.uint8))
    blend(patch, mask if height < 24 else cv2.subtract(mask, inside), inks.colour)


def paint_shadowed(patch: Image, mask: MatLike, inks: Inks, height: float, rng: np.random.Generator) -> None:
    """With a soft or hard shadow beside it."""
    shadow = _shifted(mask, *_offset(rng, height, 0.14))
    if rng.random() < 0.6:
        shadow = cv2.GaussianBlur(shadow, (0, 0), max(0.6, 0.05 * height))
    dark = tinted(max(0.0, inks.ground - float(rng.uniform(40, 130))), GREY)
    blend(patch, _scaled(shadow, float(rng.uniform(0.5, 0.95))), dark)
    blend(patch, mask, inks.colour)


def paint_raised(patch: Image, mask: MatLike, inks: Inks, height: float, rng: np.random.Generator) -> None:
    """Letters of wood or metal: several shifted copies in another shade."""
    x, y = _offset(rng, height, 0.1)
    shade = tinted(inks.ink + 0.55 * (inks.ground - inks.ink) - 20, inks.tint)
    for step in range(max(abs(x), abs(y)), 0, -1):
        blend(patch, _shifted(mask, step * int(np.sign(x)), step * int(np.sign(y))), shade)
    blend(patch, mask, inks.colour)


def paint_embossed(patch: Image, mask: MatLike, inks: Inks, height: float, rng: np.random.Generator) -> None:
    """In the colour of the ground, with a light and a dark edge; carved where they are exchanged."""
    px = max(1, round(0.05 * height))
    step = max(40.0, abs(inks.ink - inks.ground))
    light, dark = min(255.0, inks.ground + step), max(0.0, inks.ground - step)
    if rng.random() < 0.5:
        light, dark = dark, light
    blend(patch, cv2.subtract(_shifted(mask, px, px), mask), tinted(dark, GREY))
    blend(patch, cv2.subtract(_shifted(mask, -px, -px), mask), tinted(light, GREY))
    blend(patch, _scaled(mask, 0.5), inks.colour)


def paint_neon(patch: Image, mask: MatLike, inks: Inks, height: float, rng: np.random.Generator) -> None:
    """Bright tubes with a coloured glow on a dark ground."""
    hue = np.roll((1.0, float(rng.uniform(0.0, 0.7)), float(rng.uniform(0.0, 0.3))), int(rng.integers(3)))
    glow = cv2.GaussianBlur(_wider(mask, max(1, round(0.04 * height))), (0, 0), max(1.0, GLOW_PER_HEIGHT * height))
    blend(patch, _scaled(glow, 2.0), tinted(0.3 * inks.ground, GREY))
    light = cv2.merge([_scaled(glow, 0.6 * float(part)) for part in hue])
    cv2.add(patch, light, patch)
    red, green, blue = (round(255 * (0.55 + 0.45 * float(part))) for part in hue)
    blend(patch, mask, (red, green, blue))


def paint_dotted(patch: Image, mask: MatLike, inks: Inks, height: float, rng: np.random.Generator) -> None:
    """A grid of lamps or dots; flat if the text is too small for one."""
    period = max(3, round(height / float(rng.uniform(7, 12))))
    if height < 30:
        return blend(patch, mask, inks.colour)
    dot = np.zeros((period, period), np.uint8)
    cv2.circle(dot, (period // 2, period // 2), max(1, round(0.4 * period)), 255, -1, cv2.LINE_AA)
    tall, wide = -(-mask.shape[0] // period), -(-mask.shape[1] // period)
    dots = np.tile(dot, (tall, wide))[: mask.shape[0], : mask.shape[1]]
    return blend(patch, cv2.multiply(mask, dots, scale=1 / 255), inks.colour)


PAINTERS: tuple[tuple[float, Painter], ...] = (
    (0.52, paint_flat),
    (0.07, paint_faded),
    (0.06, paint_gradient),
    (0.07, paint_outlined),
    (0.05, paint_hollow),
    (0.10, paint_shadowed),
    (0.05, paint_raised),
    (0.035, paint_embossed),
    (0.03, paint_neon),
    (0.015, paint_dotted),
)
_SHARES: NDArray[np.float64] = np.cumsum([share for share, _ in PAINTERS])


def draw_painter(rng: np.random.Generator) -> Painter:
    """A random way to paint."""
    return PAINTERS[min(int(np.searchsorted(_SHARES, rng.random() * _SHARES[-1])), len(PAINTERS) - 1)][1]
