"""bench_scaling.py: when a cost grows too fast, and what a tiny run writes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[3] / "scripts/benchmarks"
sys.path.insert(0, str(SCRIPTS))  # scripts are no package

import bench_scaling  # noqa: E402
from bench_scaling import Curve  # noqa: E402


def curve(inputs, cost, base=False) -> Curve:
    """cost: of an input, seconds."""
    return Curve("made up", "things", inputs, lambda point: cost(inputs[point]), base)


@pytest.mark.parametrize(
    ("inputs", "cost", "base", "slopes", "faults"),
    [
        ((1, 2, 4), lambda x: 3.0 * x, False, [None, 1, 1], []),
        ((1, 2, 4), lambda x: x * x, False, [None, 2, 2], [1, 2]),
        ((1, 4), lambda x: 5.0, False, [None, 0], []),
        # 7 + x²: x² shows only after the 7 is subtracted
        ((0, 1, 2), lambda x: 7.0 + x * x, True, [None, None, 2], [2]),
        ((0, 1, 2), lambda x: 7.0 + x, True, [None, None, 1], []),
        ((0, 1, 2), lambda x: 7.0 - x, True, [None, None, None], []),  # noise: faster with regions
    ],
)
def test_exponents(inputs, cost, base, slopes, faults):
    made = curve(inputs, cost, base)
    bench_scaling.measure([made], until=float("inf"))
    assert made.exponents() == [None if slope is None else pytest.approx(slope) for slope in slopes]
    assert made.too_fast() == faults


def test_a_disturbed_pair_is_measured_again():
    calls = 0

    def cost(x: float) -> float:
        nonlocal calls
        calls += 1
        return x * (9.0 if x == 2 and calls <= 2 * bench_scaling.ROUNDS else 1.0)

    made = curve((1, 2), cost)
    bench_scaling.measure([made], until=float("inf"))
    assert made.seconds == [1.0, 2.0] and made.too_fast() == []
    assert calls == 2 * bench_scaling.ROUNDS + 2


def test_every_point_is_measured_at_least_once():
    made = curve((1, 2), lambda x: float(x))
    bench_scaling.measure([made], until=-1.0)
    assert made.seconds == [1.0, 2.0]


@pytest.mark.parametrize(("cost", "status"), [(lambda x: float(x), 0), (lambda x: float(x) ** 1.3, 1)])
def test_the_exit_status_and_the_message(cost, status, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench_scaling, "machine_limits", lambda: {})
    monkeypatch.setattr(bench_scaling, "described", lambda limits: "")
    monkeypatch.setattr(bench_scaling, "step_curves", lambda tiny: [curve((1, 2), cost)])
    monkeypatch.setattr(bench_scaling, "loader_curves", lambda folder, tiny: [])
    monkeypatch.setattr(bench_scaling, "keep_freed_memory", lambda: None)
    assert bench_scaling.main([f"--json={tmp_path}/s.json", f"--png={tmp_path}/s.png"]) == status
    found = json.loads((tmp_path / "s.json").read_text())
    message = "GROWS TOO FAST: made up: from 1 to 2 things, exponent 1.30"
    assert (message in capsys.readouterr().out) == bool(status) == bool(found["faults"])
    assert [point["ms"] for point in found["curves"][0]["points"]] == [1000.0, pytest.approx(1000.0 * cost(2))]
    assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("seconds", ["x", "0", "nan"])
def test_a_wrong_time_is_refused(seconds, capsys):
    with pytest.raises(SystemExit) as refused:
        bench_scaling.parse(["--seconds", seconds])
    assert refused.value.code == 2 and "--seconds" in capsys.readouterr().err


@pytest.mark.slow
def test_a_tiny_run_measures_every_curve(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_scaling, "keep_freed_memory", lambda: None)  # it would last for later tests
    status = bench_scaling.main(["--tiny", "--seconds", "1", f"--json={tmp_path}/s.json"])
    found = json.loads((tmp_path / "s.json").read_text())
    assert status in (0, 1) and len(found["curves"]) == 5  # the times of this machine are not judged
    assert all(point["ms"] > 0 for curve in found["curves"] for point in curve["points"])
