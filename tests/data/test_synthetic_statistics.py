"""The statistics of the synthetic scenes, which are read from docs/synthetic.md."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from conftest import opencv5
from resnet18_ocrdet.data.photometric import add_noise, blur, compress
from resnet18_ocrdet.data.synthetic.compose import Scene
from resnet18_ocrdet.data.synthetic.effects import blur_motion, cast_shadow
from resnet18_ocrdet.data.synthetic.render import SceneRegion, label_scene
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes

SIDE = 256
STATED = Path(__file__).parents[2] / "docs" / "synthetic.md"


def text_height(region: SceneRegion) -> float:
    return len(region.word.mask) * region.block.scale


def measure(scenes: list[Scene], labels: list[list[SceneRegion]]) -> dict[str, float]:
    """The quantities of docs/synthetic.md by name."""
    regions = [region for in_scene in labels for region in in_scene]
    care = [region for region in regions if not region.ignore]
    counts = np.array([len(in_scene) for in_scene in labels])
    effects = [change.func for scene in scenes for change in scene.effects]
    angle = np.abs([region.block.angle for region in regions])
    found = {
        "angle below 5°": (angle < 5).mean(),
        "angle 5° to 30°": ((angle >= 5) & (angle < 30)).mean(),
        "angle above 30°": (angle >= 30).mean(),
        "perspective or shear": np.mean([region.block.to_image[2, 0] != 0 for region in regions]),
        "curved": np.mean([region.block.bend is not None for region in regions]),
        "Chinese": np.mean([not region.word.text.isascii() for region in regions]),
        "don't-care": np.mean([region.ignore for region in regions]),
        "on a panel": np.mean([region.block.panel is not None for region in regions]),
        "regions per image, mean": counts.mean(),
        "regions per image, 95 %": np.percentile(counts, 95),
        "images without text": (counts == 0).mean(),
        "cluttered background": np.mean([bool(scene.background.clutter) for scene in scenes]),
        "shadow": effects.count(cast_shadow) / len(scenes),
        "blur": effects.count(blur) / len(scenes),
        "motion blur": effects.count(blur_motion) / len(scenes),
        "noise": effects.count(add_noise) / len(scenes),
        "JPEG": effects.count(compress) / len(scenes),
        "contrast below 40": np.mean([region.line.contrast < 40 for region in care]),
    }
    for percent in (5, 25, 50, 75, 95):
        found[f"text height, {percent} %"] = np.percentile([text_height(region) for region in regions], percent)
        found[f"contrast, {percent} %"] = np.percentile([region.line.contrast for region in care], percent)
    return found


def stated_bands(side: int) -> dict[str, tuple[float, float]]:
    """Rows `| name | measured | low | high |` below the heading of this size."""
    section = STATED.read_text(encoding="utf-8").split(f"## {side} × {side}")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| [\d.]+ \| ([\d.]+) \| ([\d.]+) \|$", section, re.MULTILINE)
    return {name.strip(): (float(low), float(high)) for name, low, high in rows}


def outside(found: dict[str, float], bands: dict[str, tuple[float, float]]) -> list[str]:
    return [
        f"{name}: {found[name]:.3f} not in {low}..{high}"
        for name, (low, high) in bands.items()
        if not low <= found[name] <= high
    ]


@opencv5
def test_statistics_at_256(scenes, labels):
    found, bands = measure(scenes, labels), stated_bands(256)
    assert set(bands) == set(found)
    assert outside(found, bands) == []


@opencv5
def test_statistics_at_640():
    source = SyntheticScenes(100, 640, 640, seed=0)
    scenes = [source.scene(index) for index in range(len(source))]
    found, bands = measure(scenes, [label_scene(scene) for scene in scenes]), stated_bands(640)
    assert len(bands) >= 8
    assert outside(found, bands) == []


def test_care_words_are_large_enough(labels):
    care = [region for regions in labels for region in regions if not region.ignore]
    assert min(text_height(region) for region in care) >= 9.0
