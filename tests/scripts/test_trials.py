"""scripts/trials.py: its list and its table."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from resnet18_ocrdet.errors import UserError

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))  # scripts are no package

import trials


def written(folder: Path, text: str) -> Path:
    path = folder / "list.yaml"
    path.write_text(text)
    return path


def test_a_list_names_its_trials(tmp_path: Path):
    common, found = trials.read_list(written(tmp_path, "common: [seed=1]\nbase: []\ncrop-512: [a=1, b=2]\n"))
    assert common == ("seed=1",)
    assert found == [trials.Trial("base", ()), trials.Trial("crop-512", ("a=1", "b=2"))]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("base: [", "cannot be read"),
        ("[a, b]", "NAME: [KEY=VALUE"),
        ("base: optimizer.lr=1", "base: must be a list of overrides"),
        ("base: [1]", "base: must be a list of overrides"),
        ("../base: []", "letters, digits"),
        ("common: [seed=1]", "no trials"),
    ],
)
def test_a_wrong_list_is_refused_in_one_line(tmp_path: Path, text, words):
    with pytest.raises(UserError) as caught:
        trials.read_list(written(tmp_path, text))
    assert str(caught.value).startswith(f"{tmp_path / 'list.yaml'}: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_repository_s_own_list_is_read():
    common, found = trials.read_list(trials.LIST)
    assert "experiment=icdar2015" in common
    assert len({trial.name for trial in found}) == len(found) >= 12


def test_a_row_has_minutes_steps_and_the_difference_from_the_first(tmp_path: Path):
    (tmp_path / "run").mkdir()
    (tmp_path / "score").mkdir()
    (tmp_path / "run/metrics.jsonl").write_text('{"step": 100, "seconds": 90}\n{"step": 200, "seconds": 60.0}\n')
    metrics = {"hmean": 0.5, "interval_95": {"hmean": [0.45, 0.55]}}
    (tmp_path / "score/metrics.json").write_text(json.dumps(metrics))
    base = trials.read_row(trials.Trial("base", ()), tmp_path)
    assert base == (("base", ()), 2.5, 200, 0.5, (0.45, 0.55), None)
    change = {"by": {"hmean": 0.02}, "interval_95": {"hmean": [-0.01, 0.05]}}
    (tmp_path / "score/metrics.json").write_text(json.dumps(metrics | {"baseline": {"change": change}}))
    other = trials.read_row(trials.Trial("crop", ("augment.flip=0",)), tmp_path)
    assert other.difference == (0.02, -0.01, 0.05)
    failed = {trials.Trial("sgd", ("optimizer=sgd",)): 3}
    assert trials.as_table([base, other], failed).splitlines()[2:] == [
        "| base | – | 2 | 200 | **0.500** | 0.450 to 0.550 |  |",
        "| crop | `augment.flip=0` | 2 | 200 | **0.500** | 0.450 to 0.550 | +0.020 (-0.010 to +0.050) |",
        "| sgd | `optimizer=sgd` | | | exit code 3 | | |",
    ]
