"""Transparent images, and images of one colour."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from resnet18_ocrdet.data.rgb import as_rgb, is_blank

WHITE, BLACK, GREY = 255, 0, 128


def text(colour: tuple[int, ...], height: int = 120, width: int = 400, scale: float = 2) -> np.ndarray:
    """(H, W, 4) BGRA: a word in one colour on transparency, with smooth edges."""
    alpha = np.zeros((height, width), np.uint8)
    cv2.putText(alpha, "Word", (20, 80), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, round(3 * scale), cv2.LINE_AA)
    return np.dstack([np.full((height, width, 3), colour, np.uint8), alpha])


def ground_of(pixels: np.ndarray) -> int:
    return int(as_rgb(pixels)[0, 0, 0])


def window(colour: tuple[int, ...], ink: tuple[int, ...] = (0, 0, 0)) -> np.ndarray:
    """An opaque window with a word in it, and a transparent margin."""
    pixels = np.zeros((300, 500, 4), np.uint8)
    pixels[20:-20, 20:-20] = (*colour, 255)
    cv2.putText(pixels, "Word", (60, 150), cv2.FONT_HERSHEY_SIMPLEX, 2, (*ink, 255), 6)
    return pixels


def both(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.concatenate([one, other])


def glow(inner: tuple[int, ...], outer: tuple[int, ...]) -> np.ndarray:
    pixels = text(inner)
    rim = cv2.dilate(pixels[..., 3], np.ones((7, 7), np.uint8))
    pixels[..., :3] = np.where(pixels[..., 3:] > 127, pixels[..., :3], np.uint8(outer))
    pixels[..., 3] = rim
    return pixels


PHOTO = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
CUT_OUT = np.dstack(
    [cv2.resize(PHOTO, (200, 200)), cv2.circle(np.zeros((200, 200), np.uint8), (100, 100), 90, 255, -1)]
)


@pytest.mark.parametrize(
    ("pixels", "ground"),
    [
        (text((255, 255, 255)), BLACK),
        (text((240, 250, 245)), BLACK),
        (text((255, 255, 255), 900, 2400, scale=14), BLACK),  # strokes of 42 px
        (both(text((255, 255, 255)), text((0, 0, 0))), GREY),
        (both(text((255, 255, 255)), text((0, 0, 200))), BLACK),
        (text((0, 0, 0)), WHITE),
        (text((190, 190, 190)), WHITE),
        (text((0, 255, 255)), WHITE),  # yellow differs from white in one channel
        (window((255, 255, 255)), WHITE),
        (window((255, 255, 255), ink=(0, 0, 255)), WHITE),
        (window((0, 0, 0), ink=(255, 255, 255)), WHITE),
        (glow((0, 0, 0), (255, 255, 255)), WHITE),
        (glow((255, 255, 255), (0, 0, 0)), WHITE),
        (CUT_OUT, WHITE),
    ],
)
@pytest.mark.parametrize("bits", [8, 16])
def test_the_ground_shows_the_content(pixels: np.ndarray, ground: int, bits: int):
    found = as_rgb(pixels if bits == 8 else pixels.astype(np.uint16) * 257)
    alpha = pixels[..., 3:].astype(int)
    expected = (pixels[..., 2::-1] * alpha + ground * (255 - alpha) + 127) // 255
    np.testing.assert_array_equal(found, expected)


def test_opaque_and_unused_alpha_change_nothing():
    colours = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    for alpha in (0, 255):
        pixels = np.dstack([colours, np.full((40, 30), alpha, np.uint8)])
        np.testing.assert_array_equal(as_rgb(pixels), colours[..., ::-1])


def test_almost_blank():
    rng = np.random.default_rng(0)
    page = np.full((1100, 850, 3), 250, np.uint8)
    assert is_blank(page) and is_blank(np.zeros((1, 1, 3), np.uint8))
    assert is_blank(page - rng.integers(0, 20, page.shape, np.uint8))  # noise of a scanner
    speck = page.copy()
    speck[500, 400:418] = 0  # 18 of 935,000 pixels: 2e-5
    assert is_blank(speck)
    digit = cv2.putText(page.copy(), "3", (400, 500), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0))
    assert not is_blank(digit)
    red = page.copy()
    red[500:520, 400:420] = (250, 250, 0)  # differs in one channel
    assert not is_blank(red)
    assert not is_blank(np.linspace(0, 255, 300).astype(np.uint8)[None, :, None].repeat(200, 0).repeat(3, 2))
