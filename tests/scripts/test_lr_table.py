"""scripts/lr_table.py: what a first and a second call run, and one real run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))  # scripts are not a package

import lr_rows  # noqa: E402
import lr_table  # noqa: E402
from conftest import TINY  # noqa: E402
from lr_jobs import make_job  # noqa: E402
from lr_rows import FINISHED, STOPPED, UNFINISHED  # noqa: E402
from resnet18_ocrdet.errors import UserError  # noqa: E402
from resnet18_ocrdet.runtime.console import Display  # noqa: E402
from resnet18_ocrdet.runtime.lock import run_lock  # noqa: E402

WORDS = [word for word in TINY if word != "data.test_size=2"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--rates 0.003,x", "--rates x: must be a number above 0"),
        ("--rates 0.003,-1", "--rates -1: must be a number above 0"),
        ("--rates 0.003,nan", "--rates nan: must be a number above 0"),
        ("--rates 0.003,3e-3", "--rates 0.003,3e-3: 0.003 appears twice"),
        ("--epochs 0", "--epochs 0: must be a whole number, 1 or more"),
        ("--epochs 2 train.epochs=3", "train.epochs=3: this script sets train.epochs itself; give it once"),
        ("optimizer.lr=0.1", "optimizer.lr=0.1: this script sets optimizer.lr itself; use --rates"),
        ("--epoch", "argument --epochs: expected one argument"),
        ("--eboch 3", "unrecognized arguments: --eboch"),
    ],
)
def test_refused_arguments(words: str, message: str):
    with pytest.raises(UserError) as refused:
        lr_table.parse(words.split())
    assert str(refused.value) == message


def test_the_overrides_of_the_jobs():
    plain = lr_table.parse([])
    assert plain.rates == [0.003, 0.005, 0.007, 0.009, 0.01]
    assert {"optimizer=sgd", "scheduler=cosine", "input_size=256x256", "train.epochs=5"} <= set(plain.overrides)
    assert lr_table.parse(["--epochs", "9"]).overrides[-1:] == ["train.epochs=9"]
    assert lr_table.parse(["data=custom", "--epochs", "2", "data.root=a b"]).overrides == [
        "data=custom", "data.root=a b", "train.epochs=2"
    ]  # fmt: skip


def test_a_job_belongs_to_the_rate_in_its_config(tmp_path: Path):
    make_job(tmp_path / "sweep/0", 0.01, saved=False)  # killed before its first save
    done = make_job(tmp_path / "sweep/1", 0.003, finished=True)
    (make_job(tmp_path / "sweep/2", 0.005) / "config.yaml").write_text("optimi")  # killed while it was written
    stopped = make_job(tmp_path / "sweep/3", 0.007)
    (stopped / "stopped").mkdir()
    half = make_job(tmp_path / "sweep-2/0", 0.01)
    make_job(tmp_path / "sweep-2/1", 0.003)  # not as far as the finished one
    assert lr_table.find_jobs(tmp_path) == {
        0.003: (FINISHED, done),
        0.007: (STOPPED, stopped),
        0.01: (UNFINISHED, half),
    }


class Commands:
    """Replaces ocrdet-train: records its arguments and writes finished jobs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, code: int = 0) -> None:
        self.seen: list[tuple[str, ...]] = []
        self.code = code
        monkeypatch.setattr(lr_table, "call", self.call)

    def call(self, command: str, *words: str) -> int:
        self.seen.append(words)
        if self.code:
            return self.code
        if words[0].startswith("resume="):
            Path(words[0].partition("=")[2], "summary.txt").touch()
            return 0
        values = dict(word.split("=", 1) for word in words[1:])
        for number, rate in enumerate(values["optimizer.lr"].split(",")):
            make_job(Path(values["run_dir"]) / str(number), float(rate), (0.5,), finished=True)
        return 0


def test_a_second_call_runs_only_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    make_job(Path("out/sweep/0"), 0.003, (0.6, 0.7), finished=True)
    make_job(Path("out/sweep/1"), 0.005, (0.4,))
    commands = Commands(monkeypatch)
    call = ["--output", "out", "--rates", "0.003,0.005,0.007,0.01", "seed=1"]
    assert lr_table.main(call) == 0
    assert commands.seen == [
        ("resume=out/sweep/1",),
        ("-m", "optimizer.lr=0.007,0.01", "run_dir=out/sweep-2", "seed=1"),
    ]
    page = Path("out/lr_table.md").read_text()
    assert "0.003 is best with hmean 0.700, 0.200 above 0.007" in page
    assert "python scripts/lr_table.py --output out --rates 0.003,0.005,0.007,0.01 seed=1" in page
    assert lr_table.main(call) == 0
    assert len(commands.seen) == 2  # nothing was missing


def test_other_settings_in_the_same_folder_are_refused_and_more_rates_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    Commands(monkeypatch)
    call = ["--output", str(tmp_path / "out"), "--rates"]
    assert lr_table.main([*call, "0.003", "seed=1"]) == 0
    with pytest.raises(UserError, match="its results have overrides seed=1, this call has seed=2"):
        lr_table.main([*call, "0.003", "seed=2"])
    assert lr_table.main([*call, "0.003,0.005", "seed=1"]) == 0


def test_after_an_interrupt_the_table_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    make_job(tmp_path / "sweep/0", 0.003, (0.6,))
    commands = Commands(monkeypatch, code=130)
    assert lr_table.main(["--output", str(tmp_path), "--rates", "0.003,0.005"]) == 130
    assert len(commands.seen) == 1  # the sweep was not started
    assert "| 0.003 | 0.600 | 0.300 | not finished, 1 epochs done" in (tmp_path / "lr_table.md").read_text()


def test_a_refused_sweep_writes_no_table_and_can_be_corrected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    call = ["--output", str(tmp_path), "--rates", "0.003"]
    Commands(monkeypatch, code=2)
    assert lr_table.main([*call, "sed=1"]) == 2
    assert not (tmp_path / "lr_table.md").exists()
    Commands(monkeypatch)
    assert lr_table.main([*call, "seed=1"]) == 0


def test_a_job_that_is_still_training_is_refused(tmp_path: Path):
    job = make_job(tmp_path / "sweep/0", 0.003)
    holder = subprocess.Popen(
        [sys.executable, "-c",
         "import sys; from pathlib import Path; from resnet18_ocrdet.runtime.lock import run_lock\n"
         f"with run_lock(Path({str(job / 'run.lock')!r})): print('held', flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"process {holder.pid} on .* is training in it"):
            lr_table.main(["--output", str(tmp_path)])
    finally:
        holder.communicate("")
    with run_lock(job / "run.lock"):
        pass


def test_a_signal_is_forwarded_to_the_running_command(tmp_path: Path):
    child = (
        "import signal, sys, time; from pathlib import Path\n"
        "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), Path('saved').touch(), sys.exit(143)))\n"
        "Path('ready').touch(); time.sleep(60)"
    )
    script = (
        f"import sys; sys.path.insert(0, {str(SCRIPTS)!r})\n"
        f"import lr_table; sys.exit(lr_table.call('python', '-c', {child!r}))"
    )
    asked = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, stdout=subprocess.DEVNULL)
    wait_for(tmp_path / "ready")
    asked.send_signal(signal.SIGTERM)
    assert asked.wait(timeout=30) == 143
    assert (tmp_path / "saved").exists()


def test_the_exit_code_of_a_killed_command():
    assert lr_table.call("python", "-c", "import os; os.kill(os.getpid(), 9)") == 137


def wait_for(path: Path, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < until, f"no {path}"
        time.sleep(0.05)


def wait_until_free(lock: Path, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            with run_lock(lock):
                return
        except UserError:
            assert time.monotonic() < until, f"{lock} is still locked"
            time.sleep(0.05)


@pytest.mark.slow
def test_a_real_run_with_a_rate_that_the_guard_stops(tmp_path: Path):
    words = [*WORDS, "train.guard.patience=1", "train.guard.rollbacks=0", "augment=none"]
    done = subprocess.run(
        [sys.executable, SCRIPTS / "lr_table.py", "--rates", "0.003,100", "--epochs", "1", "--output", "out", *words],
        cwd=tmp_path, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 3, done.stdout + done.stderr
    page = (tmp_path / "out/lr_table.md").read_text()
    assert page.splitlines()[2].startswith("| 0.003 | 0.000 |")
    assert page.splitlines()[3].startswith("| 100 | – | – | **stopped by the guard** ")
    assert (tmp_path / "out/lr_table.png").read_bytes().startswith(b"\x89PNG")
    assert "100: stopped by the guard, see out/sweep/1/train.log" in done.stdout


def test_bad_arguments_end_in_one_line(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, SCRIPTS / "lr_table.py", "--rates", "a"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (2, "lr_table: --rates a: must be a number above 0\n")


@pytest.mark.slow
def test_killed_and_called_again(tmp_path: Path):
    call = [sys.executable, SCRIPTS / "lr_table.py", "--rates", "0.003,0.005", "--epochs", "4", "--output", "out"]
    call += [*WORDS, "data.train_size=16"]
    first = subprocess.Popen(call, cwd=tmp_path, start_new_session=True)
    wait_for(tmp_path / "out/sweep/0/checkpoints/last.pt")
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    wait_until_free(tmp_path / "out/sweep/0/run.lock")  # the training is a grandchild and may not have ended yet
    assert not (tmp_path / "out/sweep/0/summary.txt").exists()
    again = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "$ ocrdet-train resume=out/sweep/0" in again.stdout
    assert "-m optimizer.lr=0.005 run_dir=out/sweep-2" in again.stdout
    for job in ("sweep/0", "sweep-2/0"):
        assert [line["epoch"] for line in lr_rows.read_lines(tmp_path / "out" / job / "metrics.jsonl")] == [1, 2, 3, 4]


def test_a_call_first_prints_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    make_job(tmp_path / "sweep/0", 0.003, finished=True)
    make_job(tmp_path / "sweep/1", 0.005)
    Commands(monkeypatch)
    lr_table.run_missing(lr_table.Options([0.003, 0.005, 0.007], tmp_path, []), Display())
    assert capsys.readouterr().out == "3 rates: 1 done, 1 to resume, 1 to start\n"
