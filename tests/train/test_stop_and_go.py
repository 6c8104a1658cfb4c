"""A run that is stopped at any time and resumed equals an uninterrupted one."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from conftest import TINY, installed
from resnet18_ocrdet.model.checkpoint import load_checkpoint
from resnet18_ocrdet.runtime.signals import Interrupt
from resnet18_ocrdet.train import engine
from resnet18_ocrdet.train.engine import StepRecord
from train_runner import same, train

WORDS = (
    *TINY,
    "data.train_size=8",
    "train.epochs=3",
    "scheduler.step_size=1",
    "train.mining_warmup_cap=5",
)  # 4 steps each
STEPS = 12
MACHINE = ("seconds", "images_per_second", "data_wait", "memory_gib")  # keys that no two runs share


class Spy:
    """Notes every step's loss and does something at one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.losses: dict[int, float] = {}
        self.at: dict[int, Any] = {}
        original = engine.StepRecord

        def record(*fields: Any) -> StepRecord:
            made = original(*fields)
            self.losses[made.step] = made.loss["total"]
            self.at.get(made.step, lambda: None)()
            return made

        monkeypatch.setattr(engine, "StepRecord", record)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Path, dict[int, float]]:
    """A run never stopped."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        spy = Spy(patch)
        assert train(patch, *WORDS, f"run_dir={folder}/run") == 0
    assert list(spy.losses) == list(range(1, STEPS + 1))
    return folder / "run", spy.losses


def assert_same_run(one: Path, other: Path) -> None:
    for name in ("last.pt", "best.pt"):
        first, second = (load_checkpoint(run / "checkpoints" / name) for run in (one, other))
        assert first["step"] == second["step"]
        for part in ("model", "mining", "guard", "best_hmean"):
            assert same(first[part], second[part]), f"{name}: {part}"
        assert same(first["optimizer"]["state"], second["optimizer"]["state"]), name
    lines = [
        [
            {key: value for key, value in json.loads(line).items() if key not in MACHINE}
            for line in (run / "metrics.jsonl").read_text().splitlines()
        ]
        for run in (one, other)
    ]
    assert lines[0] == lines[1]


# In mid-epoch, and on the last step of one: 4, 12.
@pytest.mark.parametrize(
    ("number", "step"),
    [
        pytest.param(signal.SIGTERM, 6, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, 1, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, 4, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, 7, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, 12, marks=pytest.mark.slow),
    ],
)
def test_a_signal_loses_nothing(whole, number, step, tmp_path: Path, monkeypatch, capsys):
    run, losses = whole
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("this signal is ignored here, for example by nohup")
    spy = Spy(monkeypatch)
    spy.at[step] = lambda: os.kill(os.getpid(), number)
    assert train(monkeypatch, *WORDS, f"run_dir={tmp_path}/run") == 128 + number
    assert f"interrupted; step {step} is saved; resume with" in capsys.readouterr().out
    assert max(spy.losses) == step  # the step in hand was finished, and no other begun
    spy.at.clear()
    assert train(monkeypatch, f"resume={tmp_path}/run") == 0
    assert spy.losses == losses
    assert_same_run(run, tmp_path / "run")


def test_a_second_signal_quits_at_once(tmp_path: Path, monkeypatch):
    spy = Spy(monkeypatch)
    monkeypatch.setattr(Interrupt, "SAME_SECONDS", 0.0)

    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    spy.at[2] = twice
    assert train(monkeypatch, *WORDS, f"run_dir={tmp_path}/run") == 130
    assert not (tmp_path / "run/checkpoints/last.pt").exists()  # it did not even save


@pytest.mark.slow
def test_a_stop_during_validation_repeats_the_validation_only(whole, tmp_path: Path, monkeypatch):
    from resnet18_ocrdet.commands import train as command

    run, losses = whole
    spy = Spy(monkeypatch)
    original = command.evaluate

    def interrupted(*arguments: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return original(*arguments)

    monkeypatch.setattr(command, "evaluate", interrupted)
    assert train(monkeypatch, *WORDS, f"run_dir={tmp_path}/run") == 143
    monkeypatch.setattr(command, "evaluate", original)
    assert max(spy.losses) == 4
    assert train(monkeypatch, f"resume={tmp_path}/run") == 0
    assert spy.losses == losses
    assert_same_run(run, tmp_path / "run")


@pytest.mark.slow
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(whole, tmp_path: Path, monkeypatch, capsys):
    run, losses = whole
    spy = Spy(monkeypatch)
    spy.at[6] = lambda: os.kill(os.getpid(), signal.SIGTERM)
    assert train(monkeypatch, *WORDS, f"run_dir={tmp_path}/run") == 143
    last = tmp_path / "run/checkpoints/last.pt"
    last.write_bytes(last.read_bytes()[:1000])
    spy.at.clear()
    assert train(monkeypatch, f"resume={tmp_path}/run") == 0
    out = capsys.readouterr().out
    assert f"{last}: not a checkpoint, or damaged" in out and "continuing from" in out
    assert spy.losses == losses
    assert_same_run(run, tmp_path / "run")
    assert last.with_name("last.pt.damaged").is_file()  # no rotation may put it over a whole file


@pytest.mark.slow
def test_two_live_runs_in_one_folder_are_refused(tmp_path: Path):
    first = start(*WORDS, "train.epochs=1000", "run_dir=run", cwd=tmp_path)
    try:
        until(lambda: (tmp_path / "run/checkpoints/last.pt").exists())
        second = installed("ocrdet-train", "resume=run", cwd=tmp_path)
        assert second.returncode == 2
        assert f"process {first.pid} on" in second.stderr and len(second.stderr.strip().splitlines()) == 1
    finally:
        first.kill()
        first.wait()
    # the dead one's lock is not in the way
    third = start("resume=run", cwd=tmp_path)
    try:
        before = (tmp_path / "run/checkpoints/last.pt").stat().st_mtime_ns
        until(lambda: (tmp_path / "run/checkpoints/last.pt").stat().st_mtime_ns != before)
    finally:
        third.kill()
        third.wait()


@pytest.mark.slow
def test_a_full_disk_is_reported_and_the_previous_checkpoint_stays(tmp_path: Path):
    assert installed("ocrdet-train", *WORDS, "train.epochs=1", "run_dir=run", cwd=tmp_path).returncode == 0
    before = (tmp_path / "run/checkpoints/last.pt").read_bytes()
    limited = (
        "import resource; from resnet18_ocrdet.cli import train; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20)); train()"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, "resume=run", "train.epochs=2"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "last.pt: cannot be written (" in done.stdout and "Traceback" not in done.stdout + done.stderr
    assert (tmp_path / "run/checkpoints/last.pt").read_bytes() == before
    assert not list((tmp_path / "run").rglob(".ocrdet-tmp-*"))


@pytest.mark.parametrize("kills", [pytest.param(4, marks=pytest.mark.slow), pytest.param(20, marks=pytest.mark.soak)])
def test_a_run_killed_many_times_equals_an_uninterrupted_one(kills: int, whole, tmp_path: Path):
    """kill -9 in the middle of a save and at random moments, by turns; there is a save after every step."""
    words = (*WORDS, "train.epochs=12", "train.save_minutes=0.000001", "train.workers=1")
    assert installed("ocrdet-train", *words, "run_dir=whole", cwd=tmp_path).returncode == 0
    dice, in_save, last = random.Random(0), 0, tmp_path / "halves/checkpoints/last.pt"
    for turn in range(kills):
        process = start(*(["resume=halves"] if last.exists() else [*words, "run_dir=halves"]), cwd=tmp_path)
        until_saved(last, process)
        if turn % 2 == 0:
            until(lambda: process.poll() is not None or half_written(last.parent), every=0.0002)  # noqa: B023
        else:
            time.sleep(dice.uniform(0.0, 0.6))
        process.kill()
        process.wait()
        in_save += half_written(last.parent)
        for path in (tmp_path / "halves/checkpoints").glob("[!.]*.pt"):
            load_checkpoint(path)  # raises when it cannot be read
        if (tmp_path / "halves/summary.txt").exists():
            break
    assert in_save >= max(1, kills // 10), in_save
    assert installed("ocrdet-train", "resume=halves", cwd=tmp_path).returncode == 0
    assert_same_run(tmp_path / "whole", tmp_path / "halves")


@pytest.mark.parametrize("loaders_too", [False, True])
@pytest.mark.slow
def test_sigterm_to_the_whole_group_saves_and_exits_with_143(loaders_too: bool, tmp_path: Path):
    """`timeout` signals the process group, service managers every process of the run."""
    words = (*WORDS, "train.epochs=1000", "train.workers=2", "run_dir=run")
    with (tmp_path / "out").open("wb") as out:
        process = start(*words, cwd=tmp_path, output=out)
    until(lambda: (tmp_path / "run/checkpoints/last.pt").exists())
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.killpg(process.pid, signal.SIGTERM)
    for child in children if loaders_too else []:
        os.kill(int(child), signal.SIGTERM)
    assert process.wait(60) == 143
    text = (tmp_path / "out").read_text()
    assert "is saved; resume with: ocrdet-train resume=run" in text and "Traceback" not in text, text
    content = load_checkpoint(tmp_path / "run/checkpoints/last.pt")
    assert f"step {content['step']} is saved" in text


def start(*words: str, cwd: Path, output: Any = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """In a separate process group, as from a shell."""
    program = Path(sys.executable).with_name("ocrdet-train")
    return subprocess.Popen([program, *words], cwd=cwd, stdout=output, stderr=output, start_new_session=True)


def until_saved(path: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until the file is replaced or the process has ended."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    until(lambda: process.poll() is not None or (path.exists() and path.stat().st_mtime_ns != before))


def half_written(folder: Path) -> bool:
    return any(folder.glob(".ocrdet-tmp-*"))


def until(condition: Any, seconds: float = 120.0, every: float = 0.005) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(every)
