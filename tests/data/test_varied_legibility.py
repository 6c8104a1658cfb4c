"""What of a varied scene counts as legible: contrast with the surroundings, size in the image, light that is left."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from resnet18_ocrdet.data.synthetic.colour import draw_tint
from resnet18_ocrdet.data.synthetic.region import Region
from resnet18_ocrdet.data.synthetic.varied import light as lights
from resnet18_ocrdet.data.synthetic.varied.legibility import Drawn, Painted, judge, thickness
from resnet18_ocrdet.data.synthetic.varied.lettering import Inks, paint_neon
from resnet18_ocrdet.data.synthetic.varied.light import GRID, Light

BAR = np.array([[20, 20], [60, 20], [60, 30], [20, 30]], np.float32)  # 40 × 10 px
SHARES = ("DARK", "GLARE", "BLUR", "MOTION", "NOISE", "JPEG", "SHADOW")


def painted(ground: float, ink: float, glow: float, coverage: int = 255) -> Painted:
    """A bar on 80 × 50 px, and a glow that reaches 10 px beyond it."""
    before = np.full((50, 80), ground, np.uint8)
    mask, after = np.zeros_like(before), before.copy()
    after[10:40, 10:70] = glow
    mask[20:31, 20:61] = coverage
    after[mask > 0] = round(glow + (ink - glow) * coverage / 255)
    return Painted(mask, before, after, np.array([100, 200]))


@pytest.mark.parametrize(
    ("ink", "glow", "coverage", "contrast"),
    [(40, 100, 255, 60), (180, 100, 255, 80), (180, 170, 255, 10), (40, 100, 128, 60)],
)
def test_contrast_is_that_of_ink_with_the_paint_around_it(ink, glow, coverage, contrast):
    measured, clutter = painted(100, ink, glow, coverage).contrast(BAR + np.float32([100, 200]))
    assert measured == pytest.approx(contrast, abs=1) and clutter == 0


def test_a_rim_on_the_other_side_adds_to_the_contrast():
    paint = painted(100, 180, 60)  # the rim is as wide as the glow elsewhere
    paint.mask[19, 20:61] = paint.mask[31, 20:61] = 20  # what is left of the ink at its edge, where the rim shows
    assert paint.contrast(BAR + np.float32([100, 200]))[0] == pytest.approx(120, abs=1)


def test_clutter_is_the_deviation_of_the_ground():
    paint = painted(100, 40, 100)
    paint.before[:, ::2] = 160
    assert paint.contrast(BAR + np.float32([100, 200]))[1] == pytest.approx(30, abs=0.5)


def test_neon_is_brighter_than_its_glow_also_on_a_light_ground():
    mask = np.zeros((120, 200), np.uint8)
    cv2.putText(mask, "open", (30, 75), cv2.FONT_HERSHEY_SIMPLEX, 1.5, 255, 5)
    for ground in (40, 120, 200):
        for seed in range(5):
            patch = np.full((*mask.shape, 3), ground, np.uint8)
            inks = Inks(255.0, 0.0, float(ground), draw_tint(np.random.default_rng(seed)))
            paint_neon(patch, mask, inks, 32.0, np.random.default_rng(seed))
            grey = cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY)
            box = np.array([[25, 35], [175, 35], [175, 90], [25, 90]], np.float32)
            assert Painted(mask, grey, grey, np.zeros(2, int)).contrast(box)[0] > 30


def test_thickness_is_measured_across_the_reading_direction():
    assert thickness(BAR, False) == pytest.approx(10) and thickness(BAR, True) == pytest.approx(40)
    assert thickness(BAR + np.float32([[0, 0], [0, 0], [30, 0], [30, 0]]), False) == pytest.approx(10)  # sheared
    far = np.array([[0, 0], [40, 3], [40, 7], [0, 10]], np.float32)  # 10 px high at one end and 4 at the other
    assert thickness(far, False) == pytest.approx(7, abs=0.1)
    turns = np.linspace(np.pi, 0, 7)
    around = np.stack([np.cos(turns), -np.sin(turns)], 1)
    arc = np.concatenate([100 * around, 90 * around[::-1]]).astype(np.float32)
    assert thickness(arc, False) == pytest.approx(10, rel=0.05)


def test_text_is_scored_only_if_it_can_be_read():
    def is_care(contrast=60.0, thick=10.0, clutter=0.0, **light) -> bool:
        drawn = Drawn(Region(BAR, False, "word", 10.0, "line", contrast), thick, clutter)
        return not judge(
            drawn, Light(**{"gain": 1.0, "kept": None, "blur": 0.0, "noise": 0.0} | light), 100, 100
        ).ignore

    half = np.full((GRID, GRID), 0.5, np.float32)
    assert is_care() and is_care(contrast=33, kept=half) and not is_care(contrast=31, kept=half)
    assert is_care(thick=5.6) and not is_care(thick=5.4) and not is_care(thick=8.9, contrast=44)
    assert is_care(clutter=80) and not is_care(clutter=90)  # 0.7 standard deviations
    assert not is_care(blur=1.2) and is_care(blur=1.0) and not is_care(noise=50)


@pytest.mark.parametrize("effects", [("SHADOW",), ("GLARE",), ("SHADOW", "GLARE", "DARK")])
def test_light_tells_what_it_leaves_of_contrasts(effects, monkeypatch):
    """Two grey images 40 levels apart, in the same light."""
    for name in SHARES:
        monkeypatch.setattr(lights, f"{name}_SHARE", float(name in effects))
    lowest = 1.0
    for seed in range(12):
        (dark, light), (bright, _) = (
            lights.apply_light(np.random.default_rng(seed), np.full((96, 128, 3), grey, np.uint8), 15.0)
            for grey in (60, 100)
        )
        ratios = (bright[..., 0].astype(float) - dark[..., 0]) / 40
        for y, x in ((8, 10), (50, 70), (90, 120)):
            lowest = min(lowest, light.left(x / 128, y / 96))
            assert light.left(x / 128, y / 96) == pytest.approx(min(ratios[y, x], 1.0), abs=0.2)
    assert lowest < 0.8
