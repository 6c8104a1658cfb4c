"""A thousand images of a thousand sizes, pages among them: memory, a kill, and one item for each page."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from conftest import installed
from detect_calls import PROGRAM, memory_by_images, mixture, without_seconds

IMAGES = 940  # and two files of 30 pages
GROWTH = 100.0  # MiB
SIZE = "input_size=160x256"


@pytest.mark.slow
def test_a_thousand_sizes(tmp_path: Path):
    names = mixture(tmp_path / "in", 0)
    for number in range(IMAGES):
        shape = 40 + number % 97 * 3, 50 + number // 97 * 31, 3
        pixels = np.random.default_rng(number).integers(0, 256, shape, np.uint8)
        PIL.Image.fromarray(pixels).save(tmp_path / f"in/{number}.png")
    words = ["input=in", SIZE, "tiling=off", "vis=false", "output=out"]
    lines = tmp_path / "out/detections.jsonl"
    killed = memory_by_images(subprocess.Popen([PROGRAM, *words], cwd=tmp_path), lines, stop_at=400)
    assert 400 <= max(killed) < 1000
    process = subprocess.Popen([PROGRAM, *words], cwd=tmp_path)
    used = memory_by_images(process, lines)
    assert process.returncode == 0
    early, late = (max(used[done] for done in used if abs(done - at) < 20) for at in (max(killed) + 100, 980))
    print(
        f"{early:.0f} MiB after 100 images of the second call, {late:.0f} at the end, {max(used.values()):.0f} at most"
    )
    assert late - early < GROWTH
    images = [json.loads(line)["image"] for line in lines.read_text().splitlines()]
    assert sorted(images) == sorted([*names, *(f"{number}.png" for number in range(IMAGES))])
    words[-1] = "output=whole"
    assert installed("ocrdet-detect", *words, cwd=tmp_path).returncode == 0
    assert without_seconds(tmp_path / "out") == without_seconds(tmp_path / "whole")
