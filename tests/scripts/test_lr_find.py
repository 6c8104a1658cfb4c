"""scripts/lr_find.py: rates, smoothing, end and suggestion computed by hand, and a range test of 12 steps."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))  # scripts are not a package

import lr_find  # noqa: E402
from conftest import TINY  # noqa: E402
from lr_curve import Point, Suggestion, diverged, draw, rate_at, read_points, report, smooth, suggest  # noqa: E402
from resnet18_ocrdet.errors import UserError  # noqa: E402

WORDS = [*TINY, "train.batch_size=2", "data.train_size=10", "augment=none", "device=cpu"]  # 5 steps an epoch
STEPS = 12
CALL = ["--steps", str(STEPS), "--low", "1e-5", "--high", "1e-2", *WORDS]


def test_rates_grow_by_equal_factors():
    # 1e-5 to 1 in 6 steps: five factors of 10
    assert [rate_at(step, 1e-5, 1.0, 6) for step in range(6)] == pytest.approx([1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0])


def test_the_mean_has_bias_correction():
    # after 2, 4: (0.9 · 0.1 · 2 + 0.1 · 4) / (1 - 0.81) = 0.58 / 0.19
    assert smooth([2.0]) == pytest.approx(2.0)
    assert smooth([2.0, 4.0]) == pytest.approx(0.58 / 0.19)
    assert smooth([3.0] * 50) == pytest.approx(3.0)


def curve(smoothed: list[float], low: float = 1e-5, high: float = 1.0) -> list[Point]:
    """A test whose smoothed loss is given."""
    rates = [rate_at(index, low, high, len(smoothed)) for index in range(len(smoothed))]
    return [Point(n, lr, loss, loss, True) for n, (lr, loss) in enumerate(zip(rates, smoothed, strict=True), 1)]


def test_steepest_is_the_middle_of_a_smooth_fall():
    # 101 rates, 20 a decade from 1e-5; a falling S-curve is steepest in its middle, index 50: 10^(-5 + 2.5)
    points = curve([5.0 - 4.0 / (1.0 + math.exp(-(index - 50) / 4.0)) for index in range(101)])
    found = suggest(points, 101)
    assert found.steepest == pytest.approx(10**-2.5)
    # it does not diverge and falls to the end: a tenth of 1 is above the steepest
    assert (found.lowest, found.diverged, found.safe) == (pytest.approx(1.0), None, pytest.approx(0.1))
    assert found.lr == found.steepest


def test_the_smallest_rate_wins_among_equal_slopes():
    # flat to index 40, then a straight line down; windows have 5 on each side, so index 45 is the first with all of it
    points = curve([10.0 - 0.1 * max(index - 40, 0) for index in range(101)])
    assert suggest(points, 101).steepest == pytest.approx(10 ** (-5 + 45 / 20))


def test_the_first_tenth_of_the_steps_is_ignored():
    # 100 steps: a plunge within the first 8, then a gentle fall that ends at index 60, then a rise
    losses = [8.0 - 0.5 * min(index, 8) - 0.01 * max(min(index, 60) - 8, 0) + 0.02 * max(index - 60, 0)
              for index in range(100)]  # fmt: skip
    found = suggest(curve(losses), 100)
    # the window of index 10 (5 … 15) has part of the plunge, so it is the steepest; index 0 … 9 are not allowed
    assert found.steepest == pytest.approx(rate_at(10, 1e-5, 1.0, 100))
    assert found.lowest == pytest.approx(rate_at(60, 1e-5, 1.0, 100))
    assert found.safe == pytest.approx(0.1 * rate_at(60, 1e-5, 1.0, 100))


def test_a_diverging_loss_limits_the_suggestion():
    # 101 rates planned, steepest at index 50 (10^-2.5), the loss diverges at index 60 (10^-2): a tenth is 10^-3
    losses = [5.0 - 4.0 / (1.0 + math.exp(-(index - 50) / 1.5)) for index in range(58)]
    points = [*curve([*losses, 1.2, 3.0, 9.0, *[0.0] * 40])][:61]
    assert diverged(points) and not diverged(points[:60])
    found = suggest(points, 101)
    assert found.diverged == pytest.approx(1e-2)
    assert (found.safe, found.lr) == (pytest.approx(1e-3), pytest.approx(1e-3))
    assert found.steepest == pytest.approx(10**-2.5)


@pytest.mark.parametrize(
    ("last", "ends"),
    [
        (Point(3, 0.1, 7.9, 7.9, True), False),  # best 2.0: the limit is 8
        (Point(3, 0.1, 8.1, 8.1, True), True),
        (Point(3, 0.1, None, None, False), True),  # loss not finite
        (Point(3, 0.1, 2.0, 2.0, False), True),  # gradient not finite
    ],
)
def test_the_end(last: Point, ends: bool):
    assert diverged([*curve([2.0, 3.0]), last]) is ends
    assert not diverged([])


def test_no_suggestion_if_the_loss_only_rises():
    found = suggest(curve([1.0 + 0.01 * index for index in range(100)]), 100)
    assert (found.steepest, found.lr) == (None, None)


def test_no_suggestion_if_the_first_step_is_not_finite(tmp_path: Path):
    points = [Point(1, 1e-5, None, None, False)]
    found = suggest(points, 100)
    assert found == Suggestion(None, None, 1e-5, None, None)
    draw(tmp_path / "x.png", points, found)
    (line,) = report([], points, found)
    assert "diverged at 1e-05" in line and "no suggestion" in line


def test_the_suggested_command_is_quoted():
    words = ["data=custom", "data.root=my photos", "optimizer.lr=0.1"]
    points = curve([5.0, 4.0])
    lines = report(words, points, Suggestion(0.01234, 0.5, None, 0.05, 0.01234))
    assert lines == [
        "the smoothed loss fell most steeply at 0.012 and was lowest at 0.5; the loss did not diverge up to 1; "
        "largest safe rate 0.05",
        "suggested: ocrdet-train optimizer.lr=0.012 data=custom 'data.root=my photos'",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--low 1 --high 0.1", "--low 1: must be below --high 0.1"),
        ("--low 1", "--low 1: must be below --high 1"),
        ("--low x", "--low x: must be a number above 0"),
        ("--high inf", "--high inf: must be a number above 0"),
        ("--steps 9", "--steps 9: must be a whole number, 10 or more"),
        ("--steps 1e3", "--steps 1e3: must be a whole number, 10 or more"),
        ("run_dir=x", "run_dir=x: this script sets run_dir itself; use --output"),
    ],
)
def test_refused_arguments(words: str, message: str):
    with pytest.raises(UserError) as refused:
        lr_find.parse(words.split())
    assert str(refused.value) == message


def test_lines_from_one_cut_off_by_a_kill_are_ignored(tmp_path: Path):
    lines = [json.dumps(point._asdict()) for point in curve([3.0, 2.0])]
    (tmp_path / "x.jsonl").write_text("\n".join([*lines, lines[0][:20], ""]))
    assert read_points(tmp_path / "x.jsonl") == curve([3.0, 2.0])
    assert read_points(tmp_path / "none.jsonl") == []


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a range test without interruption."""
    folder = tmp_path_factory.mktemp("whole")
    call = [sys.executable, SCRIPTS / "lr_find.py", "--output", "out", *CALL]
    done = subprocess.run(call, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode in (0, 1), done.stdout + done.stderr  # 12 steps may give no suggestion
    assert "wrote out/lr_find.jsonl and lr_find.png" in done.stdout
    return folder / "out"


@pytest.mark.slow
def test_a_range_test(whole: Path):
    points = read_points(whole / "lr_find.jsonl")
    assert [point.step for point in points] == list(range(1, STEPS + 1))
    assert [point.lr for point in points] == pytest.approx([rate_at(n, 1e-5, 1e-2, STEPS) for n in range(STEPS)])
    losses = [point.loss for point in points if point.loss is not None]
    assert [point.smoothed for point in points] == pytest.approx([smooth(losses[:n]) for n in range(1, STEPS + 1)])
    assert (whole / "lr_find.png").read_bytes().startswith(b"\x89PNG")
    assert not (whole / "lr_find.pt").exists()


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Let the script end after the line of `step`, as by a kill."""
    original = lr_find.append_point

    def append(path: Path, point: Point) -> None:
        original(path, point)
        if point.step == step:
            raise SystemExit(9)

    monkeypatch.setattr(lr_find, "append_point", append)


@pytest.mark.parametrize(("step", "resumed"), [(9, "after step 8"), (3, None)])  # a save every 4 steps
@pytest.mark.slow
def test_a_killed_test_resumes_with_the_same_result(
    step: int, resumed: str | None, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    call = ["--output", str(tmp_path), *CALL]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lr_find, "SAVE_EVERY", 4)
        stop_at(patch, step)
        with pytest.raises(SystemExit):
            lr_find.main(call)
    assert len(read_points(tmp_path / "lr_find.jsonl")) == step
    capsys.readouterr()
    assert lr_find.main(call) in (0, 1)
    output = capsys.readouterr().out
    assert resumed in output if resumed else "resuming" not in output
    assert (tmp_path / "lr_find.jsonl").read_text() == (whole / "lr_find.jsonl").read_text()


@pytest.mark.slow
def test_an_interrupted_test_resumes_with_the_same_result(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    call, original = ["--output", str(tmp_path), *CALL], lr_find.append_point

    def append(path: Path, point: Point) -> None:
        original(path, point)
        if point.step == 5:
            signal.raise_signal(signal.SIGTERM)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lr_find, "append_point", append)
        assert lr_find.main(call) == 143
    assert "step 5 is saved" in capsys.readouterr().out
    assert lr_find.main(call) in (0, 1)
    assert "resuming after step 5" in capsys.readouterr().out
    assert (tmp_path / "lr_find.jsonl").read_text() == (whole / "lr_find.jsonl").read_text()


@pytest.mark.slow
def test_overflows_of_fp16_are_not_counted_and_the_scaler_is_saved(tmp_path: Path):
    """The first overflows halve the scaler's factor and do not end the test; a resumed test keeps the factor."""
    from resnet18_ocrdet.runtime.console import Display

    words = [*(word for word in WORDS if not word.startswith("precision=")), "precision=fp16"]
    options = lr_find.parse(["--output", str(tmp_path), "--steps", str(STEPS), "--high", "1e-4", *words])
    cfg = lr_find.compose(options.overrides)
    assert not isinstance(cfg, int)
    test = lr_find.RangeTest(cfg, options, Display())
    test.state.scaler.load_state_dict(test.state.scaler.state_dict() | {"scale": 2.0**40})  # every gradient overflows
    records = list(islice(test.records(), 3))
    assert [record.step for record in records] == [1, 2, 3]
    assert [record.lr for record in records] == pytest.approx([rate_at(n, 1e-5, 1e-4, STEPS) for n in range(3)])
    assert all(math.isfinite(record.gradient_norm) for record in records)
    scale = test.state.scaler.get_scale()
    assert scale < 2.0**40
    test.save()
    again = lr_find.RangeTest(cfg, options, Display())
    again.restore(3)
    assert (again.state.step, again.state.scaler.get_scale()) == (test.state.step, scale)


def test_base_batch_size_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match=r"optimizer\.base_batch_size=16: .*range test"):
        lr_find.main(["--output", str(tmp_path / "out"), *CALL, "optimizer.base_batch_size=16"])
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_finished_test_is_not_run_again(whole: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lr_find, "measure", pytest.fail)
    (whole / "lr_find.png").unlink()
    assert lr_find.main(["--output", str(whole), *CALL]) in (0, 1)
    assert (whole / "lr_find.png").exists()


@pytest.mark.parametrize(
    ("words", "part"),
    [(["--high", "0.1"], "--high 0.01, this call has 0.1"), (["seed=7"], "seed 0, this call has 7")],
)
@pytest.mark.slow
def test_other_settings_in_the_same_folder_are_refused(words: list[str], part: str, whole: Path):
    before = (whole / "lr_find.jsonl").read_text()
    with pytest.raises(UserError, match=part):
        lr_find.main(["--output", str(whole), *CALL, *words])
    assert (whole / "lr_find.jsonl").read_text() == before


def test_overrides_are_checked_as_in_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert lr_find.main(["--output", str(tmp_path / "out"), "optimzer.lr=1"]) == 2
    assert "no key 'optimzer.lr': did you mean optimizer.lr?" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_bad_arguments_end_in_one_line(tmp_path: Path):
    call = [sys.executable, SCRIPTS / "lr_find.py", "--low", "2"]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "lr_find: --low 2: must be below --high 1\n")
