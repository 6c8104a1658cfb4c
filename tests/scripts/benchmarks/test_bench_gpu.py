"""scripts/bench_gpu.py without a GPU: every part runs at 64x64, and what it compares with is what it says."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

SCRIPTS = Path(__file__).parents[3] / "scripts/benchmarks"
sys.path.insert(0, str(SCRIPTS))  # scripts are no package

import bench_gpu  # noqa: E402
import gpu_device  # noqa: E402
from gpu_report import goals, projection  # noqa: E402
from gpu_rows import Asked, Rows  # noqa: E402
from gpu_threshold_map import draw_band, edges_of, taught_regions  # noqa: E402

from resnet18_ocrdet.data.targets import TargetMaker  # noqa: E402

CPU = torch.device("cpu")


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    return Asked(CPU, True, time.time() + 60.0, tmp_path / "rows.jsonl")


def rows_of(asked: Asked) -> list[dict]:
    return [json.loads(line) for line in asked.path.read_text().splitlines()]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.slow
def test_without_a_gpu_it_says_so_in_one_line():
    done = subprocess.run([sys.executable, SCRIPTS / "bench_gpu.py"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("bench_gpu: no CUDA device here") and len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_every_part_runs_and_the_json_has_all_of_them(tmp_path):
    words = ["--device=cpu", "--tiny", "--minutes=8", f"--json={tmp_path}/gpu.json"]
    done = subprocess.run(
        [sys.executable, SCRIPTS / "bench_gpu.py", *words], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert list(found["sections"]) == list(bench_gpu.PARTS)
    assert all(how.startswith("done") for how in found["parts"].values())
    rows = [row for part in found["sections"].values() for row in part]
    assert not [row for row in rows if "failed" in row]
    assert all(row["images_s"] > 0 for part in ("step", "compile") for row in found["sections"][part])
    assert {"kept_batch", "compiled", "fed", "saves_minutes"} <= set(found["projection"])
    assert found["goals"] == []  # a CPU has none here
    assert "aten::convolution" in (tmp_path / "gpu.profile.txt").read_text()


def test_a_part_is_cut_off_when_its_time_is_over_and_its_rows_count(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_gpu, "GRACE", 0.0)
    words = argparse.Namespace(device="cpu", tiny=True)
    began = time.time()
    assert bench_gpu.run_apart("step", words, tmp_path / "rows.jsonl", began + 0.3).startswith("cut off after ")
    assert time.time() - began < 5.0


def test_a_row_that_fails_or_does_not_fit_costs_only_itself(asked, capsys):
    def broken():
        raise RuntimeError("no such\nkernel")

    rows = Rows(asked, "step")
    rows.measure("a", broken, size=64)
    rows.measure("b", lambda: {"ms": 1.0}, seconds=1e6)
    rows.measure("c", lambda: {"ms": 2.0})
    first, second, third = rows_of(asked)
    assert first == {"section": "step", "name": "a", "size": 64, "failed": "RuntimeError: no such kernel"}
    assert second["name"] == "b" and "1000000 needed" in second["left_out"]
    assert third == {"section": "step", "name": "c", "ms": 2.0}
    assert capsys.readouterr().out.count("step: ") == 3


def test_the_band_drawn_on_the_device_is_that_of_the_loader():
    rng, maker, size = np.random.default_rng(0), TargetMaker(), 160
    images, planes, drawn = [], [], []
    for regions in (0, 1, 12):
        polygons = [outline(rng, size) for _ in range(regions)]
        ignore = rng.random(regions) < 0.2
        planes.append(maker(polygons, ignore, size, size).thresh_map)
        images.append(taught_regions(maker, polygons, ignore, size, size))
        drawn.append(len(images[-1]))
    assert drawn[0] == 0 and drawn[2] >= 6
    band = draw_band(edges_of(images, size, size), maker, (3, size, size), CPU).numpy()
    gap = np.abs(band.astype(int) - np.stack(planes))
    assert (gap > 1).mean() < 1e-4  # a pixel that sees an edge at a right angle may be measured either way
    assert band[0].max() == round(255 * maker.thresh_min) and band[2].max() > 170


def outline(rng: np.random.Generator, size: int) -> np.ndarray:
    """A turned ellipse of 4 to 12 vertices, partly outside at times."""
    angles = np.linspace(0, 2 * np.pi, rng.integers(4, 13), endpoint=False) + rng.uniform(0, 6)
    points = np.stack([np.cos(angles) * rng.uniform(12, 40), np.sin(angles) * rng.uniform(8, 16)], axis=1)
    return (points + rng.uniform(0, size, 2)).astype(np.float32)


def test_waits_are_counted_by_place(asked, monkeypatch):
    told = []
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", told.append)

    def step():
        for _ in range(3):
            warnings.warn("called a synchronizing CUDA operation", stacklevel=1)
        warnings.warn("something else", stacklevel=1)

    found = gpu_device._waits(step, asked._replace(device=torch.device("cuda")))
    assert found["a_step"] == 3 and list(found["where"].values()) == [3]
    assert next(iter(found["where"])).startswith("test_bench_gpu.py:") and told == ["warn", "default"]


def test_the_projection_and_the_goals_follow_the_figures():
    rows = {
        "step": [{"name": "loop, bf16", "size": 640, "batch": 16, "images_s": 1200.0}],
        "loop": [
            {"name": "fed", "size": 640, "batch": 16, "images_s": 1000.0, "waiting": 0.2},
            {"name": "fed", "size": 800, "batch": 16, "images_s": 5000.0, "waiting": 0.0},
            {"name": "save", "seconds": 0.5},
        ],
        "profile": [{"name": "loss", "size": 640, "batch": 16, "difference": 0.001}],
    }
    projected = projection(rows)
    assert projected["fed"] == {"images_s": 1000.0, "batch": 16, "minutes": 20.0}  # 1,200,000 images
    assert projected["saves_minutes"] == pytest.approx(1200 * 2 * 0.5 / 60)
    assert "compiled" not in projected
    assert [goal["reached"] for goal in goals(rows, projected)] == [True, True, False, True]
    assert goals({"limits": []}, projection({"limits": []})) == []
