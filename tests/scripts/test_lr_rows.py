"""scripts/lr_rows.py: rows, table and conclusion from hand-made run folders."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))  # scripts are not a package

import lr_rows
from lr_jobs import make_job
from lr_rows import FINISHED, NOT_STARTED, STOPPED, UNFINISHED, Row


def test_a_row(tmp_path: Path):
    faults = ((4, "skip", True), (7, "skip", False), (8, "roll back", False))
    folder = make_job(tmp_path / "0", 0.01, (0.2, 0.6, None, 0.5, 0.6), faults)
    # best 0.6, first in epoch 2, its AP 0.3; falls: 0.6 -> 0.5 (the epoch without a validation in between is left out)
    row = lr_rows.read_row(0.01, FINISHED, folder)
    assert row == Row(0.01, FINISHED, 5, 0.6, 0.3, pytest.approx(0.1), 3, 1, 4, 8, 7)
    assert lr_rows.stability(row) == "unsteady, 3 skipped, 1 roll-backs, largest fall 0.100"


def test_a_step_repeated_after_a_resume_counts_once(tmp_path: Path):
    folder = make_job(tmp_path / "0", 0.01, (0.5,), ((4, "skip", False), (4, "skip", False)))
    assert lr_rows.read_row(0.01, FINISHED, folder).skipped == 1


def test_an_overflow_of_fp16_is_not_a_bad_step(tmp_path: Path):
    faults = ((1, "overflow", False), (2, "overflow", False), (9, "skip", True))
    row = lr_rows.read_row(0.01, FINISHED, make_job(tmp_path / "0", 0.01, (0.5, 0.6), faults))
    assert (row.skipped, row.first_bad, row.last_bad, row.first_not_finite) == (1, 9, 9, None)
    row = lr_rows.read_row(0.01, FINISHED, make_job(tmp_path / "1", 0.01, (0.5, 0.6), faults[:2]))
    assert lr_rows.stability(row) == "steady, largest fall 0.000"


def test_a_line_cut_off_by_a_kill_is_ignored(tmp_path: Path):
    folder = make_job(tmp_path / "0", 0.01, (0.5,))
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 2, "hm')
    assert lr_rows.read_row(0.01, UNFINISHED, folder).epochs == 1


def test_the_table_of_runs_in_every_state(tmp_path: Path):
    made = [
        (0.003, FINISHED, make_job(tmp_path / "0", 0.003, (0.1, 0.7))),
        (0.005, FINISHED, make_job(tmp_path / "1", 0.005, (0.71, 0.68))),
        (0.007, FINISHED, make_job(tmp_path / "2", 0.007, (None, None))),  # nothing to score in the validation set
        (0.009, STOPPED, make_job(tmp_path / "3", 0.009, (0.4,), ((2, "skip", True), (12, "skip", False)))),
        (0.01, UNFINISHED, make_job(tmp_path / "4", 0.01, (0.3, 0.2))),
        (0.02, NOT_STARTED, None),
    ]
    rows = [lr_rows.read_row(*job) for job in made]
    lines = lr_rows.table(rows, ("the command",)).splitlines()
    assert lines[2:8] == [
        "| 0.003 | 0.700 | 0.350 | steady, largest fall 0.000 | none |",
        "| 0.005 | 0.710 | 0.355 | steady, largest fall 0.030 | none |",
        "| 0.007 | – | – | no bad step, fewer than two validations | none |",
        "| 0.009 | 0.400 | 0.200 | **stopped by the guard** at step 12 (exit code 3), 2 skipped | "
        "12 (first bad step: 2) |",
        "| 0.01 | 0.300 | 0.150 | not finished, 2 epochs done, largest fall 0.100 | none |",
        "| 0.02 | – | – | not run | – |",
    ]
    assert lines[9].startswith("0.005 is best with hmean 0.710, 0.010 above 0.003, the next; 0.007 has no result. ")
    assert lines[9].endswith(": 0.003 is within the noise.")
    assert "the command" in lines


def row(rate: float, hmean: float | None, state: str = FINISHED) -> Row:
    return Row(rate, state, 5, hmean, hmean, 0.0, 0, 0, None, None, None)


@pytest.mark.parametrize(
    ("rows", "begin", "end"),
    [
        ([row(0.003, 0.5), row(0.007, 0.75)], "0.007 is best with hmean 0.750, 0.250 above 0.003, the next; so 0.007 is"
         " best.", "no other finished rate is within the noise."),
        ([row(0.003, 0.75), row(0.007, 0.5)], "0.003 is best with hmean 0.750, 0.250 above 0.007, the next; "
         "0.007 is 0.250 below.", "no other finished rate is within the noise."),
        ([row(0.003, 0.7), row(0.007, 0.7), row(0.01, 0.69), row(0.02, 0.68)], "0.003 and 0.007 are best with hmean "
         "0.700, 0.010 above 0.01, the next; so 0.007 is among the best.", ": 0.01 and 0.02 are within the noise."),
        ([row(0.003, 0.7)], "0.003 is best with hmean 0.700; 0.007 is not among the rates.", "no other finished rate "
         "is within the noise."),
        # a run that the guard stopped does not count, whatever its score
        ([row(0.003, 0.5), row(0.007, 0.9, STOPPED)], "0.003 is best with hmean 0.500; 0.007 has no result.", "noise."),
        ([row(0.003, 0.0), row(0.007, None)], "No finished rate has a hmean above 0", "nothing to compare."),
    ],
)  # fmt: skip
def test_the_conclusion(rows: list[Row], begin: str, end: str):
    text = lr_rows.conclusion(rows)
    assert text.startswith(begin), text
    assert text.endswith(end), text


def test_a_fall_above_the_noise_is_unsteady():
    fell = [row(0.003, 0.7)._replace(fall=fall) for fall in (None, 0.03, 0.031)]
    assert [lr_rows.stability(each).split(",")[0] for each in fell] == ["no bad step", "steady", "unsteady"]


def test_the_plot(tmp_path: Path):
    folder = make_job(tmp_path / "0", 0.003, (None, 0.5))
    lr_rows.draw(tmp_path / "x.png", [(0.003, folder), (0.005, None)])
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
