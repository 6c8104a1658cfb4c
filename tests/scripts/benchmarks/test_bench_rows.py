"""How the rows of the benchmarks are judged and printed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts/benchmarks"))  # scripts are not a package

import bench_detect
import bench_train
from bench_rows import Row, conclude, print_rows, reference_too_slow

LIMITS = {"fp32_gflops": 183.0, "fp32_conv_gflops": 456.0, "bf16_gflops": 703.0, "bf16_conv_gflops": 931.0}


@pytest.mark.parametrize(
    ("goals", "missed"),
    [
        ({"min_ratio": 4.0}, None),  # 9 / 2 = 4.5
        ({"min_ratio": 5.0}, "4.50 times faster than the original, the goal is 5"),
        ({"max_ours": 2.0}, None),
        ({"max_ours": 1.5, "min_ratio": 4.0}, "2.00 ms, the goal is 1.5"),
        ({}, None),
        ({"share": 0.96, "min_share": 0.95}, None),
        ({"share": 0.94, "min_share": 0.95}, "94% of the measured limit, the goal is 95%"),
        ({"share": None, "min_share": 0.95}, "- of the measured limit, the goal is 95%"),
        # a goal for the ratio and one for the share: it is enough to reach one
        ({"share": 0.96, "min_share": 0.95, "min_ratio": 5.0}, None),
        ({"share": 0.80, "min_share": 0.95, "min_ratio": 4.0}, None),
        (
            {"share": 0.80, "min_share": 0.95, "min_ratio": 5.0},
            "80% of the measured limit, the goal is 95%; 4.50",
        ),
    ],
)
def test_missed_goals(goals, missed):
    found = Row("a", "ms", 2.0, 9.0, "the original", **goals).missed
    assert found is None if missed is None else found.startswith("a: ") and missed in found


def test_a_row_without_figures_misses_its_goals():
    assert Row("a", "ms", None, 9.0, min_ratio=4.0).missed and Row("a", "ms", max_ours=4.0).missed


def training(milliseconds: float, published: float) -> list[Row]:
    """Rows of a training step in bf16 at 640x640."""
    steps = {"published": published, "published, bf16": 422.0, "plain": 344.0, "fp32": 466.0, "auto": milliseconds}
    result = {side: {"seconds": [each / 1000]} for side, each in steps.items()}
    return bench_train.make_rows(640, result, LIMITS, "bf16")


@pytest.mark.parametrize(
    ("milliseconds", "published", "share", "missed"),
    [
        (230.0, 1443.0, 0.805, False),  # 6.3 times: a machine with a fast convolution
        (200.0, 1010.0, 0.925, False),  # 5.05 times, near the limit
        (250.0, 1262.0, 0.740, True),  # 5.05 times, far from the limit
    ],
)
def test_a_training_step_is_judged_by_ratio_or_share(milliseconds, published, share, missed):
    row = training(milliseconds, published)[0]
    assert row.share == pytest.approx(share, abs=0.001)  # 172.3 GFLOP in that time, of 931 GFLOP/s
    assert bool(row.missed) == missed


def test_without_native_bf16_a_training_step_has_no_goal_for_bf16():
    limits = LIMITS | {"bf16_gflops": None, "bf16_conv_gflops": None}
    result = {side: {"seconds": [1.0]} for side in bench_train.SIDES}
    rows = bench_train.make_rows(640, result, limits, "fp32")
    assert [row.min_share for row in rows] == [None] * 4
    assert [row.min_ratio for row in rows] == [None, None, None, 1.4]


@pytest.mark.parametrize(
    ("network", "reference", "missed"),
    [
        (132.0, 740.0, set()),  # 82 % of the limit, 5.4 times: the ratio is enough
        (110.0, 500.0, set()),  # 98 %, 4.4 times: the share is enough
        (132.0, 500.0, {"whole, bf16", "fastest: bf16"}),
    ],
)
def test_detection_is_judged_by_ratio_or_share(network, reference, missed):
    def side(milliseconds):
        return [{"decode": 2.0, "preprocess": 1.0, "network": milliseconds, "post-processing": 1.0, "boxes": 5.0}]

    times = {"reference": side(reference), "bf16": side(network)}
    rows = bench_detect.make_rows(times, {}, LIMITS)
    names = {row.name for row in rows if row.missed}
    assert names - {"fastest: bf16"} == missed - {"fastest: bf16"}
    whole = next(row for row in rows if row.name == "whole, bf16")
    # 49.7 GFLOP at 640x640 are 114.3 at 736x1280
    assert whole.share == pytest.approx(114.31 / (network / 1000) / 931, rel=1e-3)


def test_a_reference_may_be_a_fifth_slower_than_the_original():
    # 10 ms at 200 GFLOP/s are 20 ms at 100, so 24 is the limit
    assert reference_too_slow("a", 24.0, 10.0, 200.0, 100.0) is None
    assert "24.1" in reference_too_slow("a", 24.1, 10.0, 200.0, 100.0)
    assert reference_too_slow("a", 24.0, 10.0, 200.0, 100.0, slower=1.9)  # the stricter of the two counts


def test_the_table_names_what_is_missed(capsys):
    print_rows([Row("one", "ms", 2.0, 9.0, "them", min_ratio=5.0, share=0.5, min_share=0.9)])
    _, one = capsys.readouterr().out.splitlines()
    assert one.split() == ["one", "2.00", "9.00", "4.50", "50%", "90%", "or", "5x", "MISSED", "ms,", "against", "them"]


def test_the_exit_status_and_the_file(tmp_path, capsys):
    good, bad = Row("good", "ms", 1.0, 5.0, min_ratio=4.0), Row("bad", "ms", 1.0, 3.0, "them", min_ratio=4.0)
    assert conclude([good], {}, [], None) == 0
    assert capsys.readouterr().out == ""
    assert conclude([good], {}, ["too slow"], None) == 1
    path = tmp_path / "figures.json"
    assert conclude([good, bad], {"cores": 2}, [], path, extra=7) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first == "MISSED: too slow" and second.startswith("MISSED: bad: 3.00")
    result = json.loads(path.read_text())
    assert [row["ratio"] for row in result["rows"]] == [5.0, 3.0]
    assert (len(result["missed"]), result["limits"], result["extra"]) == (1, {"cores": 2}, 7)
