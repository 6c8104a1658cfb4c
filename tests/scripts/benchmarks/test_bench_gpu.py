"""bench_gpu.py without a GPU: every part runs at 64x64, and its helpers are right."""

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
from gpu_rows import Options, Rows  # noqa: E402
from gpu_threshold_map import draw_thresholds, edges_of, text_regions  # noqa: E402
from resnet18_ocrdet.data.targets import TargetMaker  # noqa: E402

CPU = torch.device("cpu")


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(CPU, True, time.time() + 60.0, tmp_path / "rows.jsonl")


def rows_of(options: Options) -> list[dict]:
    return [json.loads(line) for line in options.path.read_text().splitlines()]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.slow
def test_message_without_a_gpu():
    done = subprocess.run([sys.executable, SCRIPTS / "bench_gpu.py"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stdout == ""
    assert "no CUDA device" in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_every_part_runs_and_is_in_the_json(tmp_path):
    args = ["--device=cpu", "--tiny", "--minutes=8", f"--json={tmp_path}/gpu.json"]
    done = subprocess.run(
        [sys.executable, SCRIPTS / "bench_gpu.py", *args], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert list(found["sections"]) == list(bench_gpu.PARTS)
    assert all(how.startswith("done") for how in found["parts"].values())
    rows = [row for part in found["sections"].values() for row in part]
    assert not [row for row in rows if "failed" in row]
    assert all(row["images_s"] > 0 for part in ("step", "compile") for row in found["sections"][part])
    assert {"kept_batch", "compiled", "fed", "saves_minutes"} <= set(found["projection"])
    assert found["goals"] == []  # a CPU has no goals
    assert "aten::convolution" in (tmp_path / "gpu.profile.txt").read_text()


def test_a_part_is_stopped_when_its_time_is_over(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_gpu, "GRACE", 0.0)
    args = argparse.Namespace(device="cpu", tiny=True)
    began = time.time()
    assert bench_gpu.run_apart("step", args, tmp_path / "rows.jsonl", began + 0.3).startswith("stopped after ")
    assert time.time() - began < 5.0


def test_a_row_that_fails_or_does_not_fit_does_not_stop_the_others(options, capsys):
    def broken():
        raise RuntimeError("no such\nkernel")

    rows = Rows(options, "step")
    rows.measure("a", broken, size=64)
    rows.measure("b", lambda: {"ms": 1.0}, seconds=1e6)
    rows.measure("c", lambda: {"ms": 2.0})
    first, second, third = rows_of(options)
    assert first == {"section": "step", "name": "a", "size": 64, "failed": "RuntimeError: no such kernel"}
    assert second["name"] == "b" and "1000000 needed" in second["left_out"]
    assert third == {"section": "step", "name": "c", "ms": 2.0}
    assert capsys.readouterr().out.count("step: ") == 3


def test_thresholds_drawn_on_the_device_equal_those_of_the_loader():
    rng, maker, size = np.random.default_rng(0), TargetMaker(), 160
    images, planes, drawn = [], [], []
    for regions in (0, 1, 12):
        polygons = [outline(rng, size) for _ in range(regions)]
        ignore = rng.random(regions) < 0.2
        planes.append(maker(polygons, ignore, size, size).thresh_map)
        images.append(text_regions(maker, polygons, ignore, size, size))
        drawn.append(len(images[-1]))
    assert drawn[0] == 0 and drawn[2] >= 6
    plane = draw_thresholds(edges_of(images, size, size), maker, (3, size, size), CPU).numpy()
    gap = np.abs(plane.astype(int) - np.stack(planes))
    assert (gap > 1).mean() < 1e-4  # rounding decides for pixels at a right angle to the end of an edge
    assert plane[0].max() == round(255 * maker.thresh_min) and plane[2].max() > 170


def outline(rng: np.random.Generator, size: int) -> np.ndarray:
    """A rotated ellipse of 4 to 12 vertices, sometimes partly outside."""
    angles = np.linspace(0, 2 * np.pi, rng.integers(4, 13), endpoint=False) + rng.uniform(0, 6)
    points = np.stack([np.cos(angles) * rng.uniform(12, 40), np.sin(angles) * rng.uniform(8, 16)], axis=1)
    return (points + rng.uniform(0, size, 2)).astype(np.float32)


def test_waits_are_counted_by_place(options, monkeypatch):
    modes = []
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", modes.append)

    def step():
        for _ in range(3):
            warnings.warn("called a synchronizing CUDA operation", stacklevel=1)
        warnings.warn("something else", stacklevel=1)

    found = gpu_device._waits(step, options._replace(device=torch.device("cuda")))
    assert found["a_step"] == 3 and list(found["where"].values()) == [3]
    assert next(iter(found["where"])).startswith("test_bench_gpu.py:") and modes == ["warn", "default"]


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
