"""Random weights learn with the default optimizer (docs/adr/003)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conftest import installed

pytestmark = pytest.mark.soak

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


def test_cold_start(tmp_path: Path):
    done = installed("ocrdet-train", *SETTING, "run_dir=run", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = [json.loads(text) for text in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert line["step"] == STEPS
    assert line["hmean"] >= 0.55, line
