"""The loss of the first 40 steps of the quickstart, as recorded before the package was rearranged."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))  # scripts are no package

from golden import MOMENTARY, changed, cpu, record_losses, without  # noqa: E402


@pytest.mark.slow
def test_the_loss_curve_is_the_recorded_one(tmp_path: Path):
    """To the bit with the CPU and torch that recorded it. Others round differently, which 40 steps amplify."""
    (tmp_path / "out").mkdir()
    record_losses(tmp_path / "out", tmp_path)
    found = json.loads((tmp_path / "out/losses.json").read_text())
    recorded = json.loads((ROOT / "tests/golden/quickstart_losses.json").read_text())
    losses = recorded["losses"]
    if (recorded["cpu"], recorded["torch"]) == (cpu(), torch.__version__):
        assert found == losses
    assert found[:5] == pytest.approx(losses[:5], rel=1e-3)
    assert sum(found[-10:]) == pytest.approx(sum(losses[-10:]), rel=0.1)


def test_two_records_are_compared_place_by_place():
    old, new = {"a": [1, 2], "b": {"c": 3}}, {"a": [1, 4], "b": {"c": 3, "d": 5}}
    assert changed(old, new) == [(".a[1]", 2, 4), (".b.d", None, 5)]
    assert changed(old, old) == []


def test_a_record_holds_nothing_of_one_machine_or_call():
    found = {"hmean": 0.8, "seconds": 3.1, "images": [{"image": "a.jpg", "modified_ns": 5}], "data": {"root": "/x"}}
    assert without(found, MOMENTARY) == {"hmean": 0.8, "images": [{"image": "a.jpg"}], "data": {}}
