"""Random weights learn with the default optimizer, and do not without the mining warm-up (docs/adr/003)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conftest import installed

pytestmark = pytest.mark.slow

STEPS = 300
SETTING = (
    "optimizer=sgd",
    "optimizer.lr=0.007",
    "scheduler=step",
    "input_size=256x256",
    f"data.train_size={8 * STEPS}",
    "data.val_size=100",
    "augment=none",
    "train.epochs=1",
    "decode.box_thresh=0.4",  # after 300 steps the network is right before it is sure
)


@pytest.mark.parametrize(("warm_up", "low", "high"), [("true", 0.55, 1.0), ("false", 0.0, 0.0)])
def test_cold_start(warm_up: str, low: float, high: float, tmp_path: Path):
    done = installed("ocrdet-train", *SETTING, f"train.mining_warmup={warm_up}", "run_dir=run", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = [json.loads(text) for text in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert line["step"] == STEPS
    assert low <= line["hmean"] <= high, line
