"""scripts/trials.py: its list and its table."""

from __future__ import annotations

import itertools
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
    plan = trials.read_list(written(tmp_path, "common: [seed=1]\nbase: []\ncrop-512: [a=1, b=2]\n"))
    assert plan == (("seed=1",), [trials.Trial("base", ()), trials.Trial("crop-512", ("a=1", "b=2"))], {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("base: [", "cannot be read"),
        ("[a, b]", "NAME: [KEY=VALUE"),
        ("base: optimizer.lr=1", "base: must be a list of overrides"),
        ("base: [1]", "base: must be a list of overrides"),
        ("../base: []", "letters, digits"),
        ("common: [seed=1]", "no trials"),
        ("base: []\nfactors: [a=1]", "factors: must be at most 11 settings"),
        ("base: []\nfactors: {" + ", ".join(f"f{i}: [a=1]" for i in range(12)) + "}", "at most 11 settings"),
        ("base: []\nfactors: {fast: a=1}", "fast: must be a list of overrides"),
    ],
)
def test_a_wrong_list_is_refused_in_one_line(tmp_path: Path, text, words):
    with pytest.raises(UserError) as caught:
        trials.read_list(written(tmp_path, text))
    assert str(caught.value).startswith(f"{tmp_path / 'list.yaml'}: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_repository_s_own_list_is_read():
    plan = trials.read_list(trials.LIST)
    assert "experiment=icdar2015" in plan.common
    assert len({trial.name for trial in plan.trials}) == len(plan.trials) >= 12


@pytest.mark.parametrize("number", [1, 7, 11])
def test_each_setting_is_in_six_of_the_twelve_trainings_and_each_pair_in_three(number: int):
    factors = {f"f{index}": (f"a.f{index}=1",) for index in range(number)}
    designed = trials.design(factors)
    assert len(designed) == 11  # the twelfth is the first of the list, without settings
    for trial in designed:
        assert trial.overrides == tuple(f"a.{name}=1" for name in factors if name in trial.factors)
    for name in factors:
        assert sum(name in trial.factors for trial in designed) == 6
    for pair in itertools.combinations(factors, 2):
        assert sum(set(pair) <= trial.factors for trial in designed) == 3


def test_overrides_of_a_trial_replace_those_of_all():
    assert trials.last_of_each(("a=1", "b=2", "+a=3")) == ["+a=3", "b=2"]


def finished(folder: Path, matched: list[int]) -> Path:
    """A trial with two epochs; images of 10 words and 10 detections, of which so many match."""
    (folder / "run").mkdir(parents=True)
    (folder / "score").mkdir()
    (folder / "run/metrics.jsonl").write_text('{"step": 100, "seconds": 90}\n{"step": 200, "seconds": 60.0}\n')
    heads = "image,precision,recall,hmean,matched,care_regions,care_detections"
    lines = [f"{index}.jpg,0,0,0,{number},10,10" for index, number in enumerate(matched)]
    (folder / "score/per_image.csv").write_text("\n".join([heads, *lines]) + "\n")
    return folder


def test_a_row_has_minutes_steps_and_the_difference_from_the_first(tmp_path: Path):
    base = trials.read_row(trials.Trial("base", ()), finished(tmp_path / "base", [5, 5]))
    other = trials.read_row(trials.Trial("crop", ("augment.flip=0",)), finished(tmp_path / "crop", [7, 7]))
    assert trials.read_row(trials.Trial("none", ()), tmp_path / "none") is None
    failed = {trials.Trial("sgd", ("optimizer=sgd",)): 3}
    assert trials.as_table([base, other], failed).splitlines()[2:] == [
        "| base | – | 2 | 200 | **0.500** | 0.500 to 0.500 |  |",
        "| crop | `augment.flip=0` | 2 | 200 | **0.700** | 0.700 to 0.700 | +0.200 (+0.200 to +0.200) |",
        "| sgd | `optimizer=sgd` | | | exit code 3 | | |",
    ]


def test_what_a_setting_is_worth_is_the_difference_of_two_means(tmp_path: Path):
    """hmean 0.5, and 0.1 more with "good", 0.1 less with "bad"; "idle" changes nothing."""
    factors = {"good": ("a=1",), "bad": ("b=1",), "idle": ("c=1",)}
    rows = []
    for trial in [trials.Trial("base", (), frozenset()), *trials.design(factors)]:
        matched = 5 + ("good" in trial.factors) - ("bad" in trial.factors)
        rows.append(trials.read_row(trial, finished(tmp_path / trial.name, [matched, matched])))
    assert trials.worth_table(factors, rows).splitlines()[2:] == [
        "| good | `a=1` | +0.100 (+0.100 to +0.100) |",
        "| bad | `b=1` | -0.100 (-0.100 to -0.100) |",
        "| idle | `c=1` | +0.000 (+0.000 to +0.000) |",
    ]
