"""The log of a run, also on a disk that cannot take it."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import TINY
from resnet18_ocrdet.model.checkpoint import load_checkpoint
from resnet18_ocrdet.structures import LossParts
from resnet18_ocrdet.train.engine import LossSums, StepRecord
from resnet18_ocrdet.train.guard import Verdict
from resnet18_ocrdet.train.logger import JsonLines, RunLogger


def record(step: int, verdict: Verdict = Verdict.GOOD) -> StepRecord:
    loss = dict.fromkeys(LossParts._fields, 1.0)
    return StepRecord(step, 0.0, 0.1, loss, 1.0, verdict, 1.0, True, 0.1, 0.2, ("a",), 1)


def epoch(number: int) -> dict[str, Any]:
    scores = dict.fromkeys(("precision", "recall", "hmean", "ap"), 0.5)
    return {"epoch": number, "step": 2 * number, "val_loss": {"total": 1.0}, **scores}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_resumed_run_drops_what_was_not_saved(tmp_path: Path):
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(epoch(n)) + "\n" for n in (1, 2, 3)) + '{"epo')
    (tmp_path / "guard.jsonl").write_text("".join(json.dumps({"step": n}) + "\n" for n in (3, 4, 5)))
    logger = RunLogger(tmp_path, 2, 4, print)
    assert [line["epoch"] for line in logger.records()] == [1, 2]
    assert lines(tmp_path / "metrics.jsonl") == logger.records()
    assert [line["step"] for line in lines(tmp_path / "guard.jsonl")] == [3, 4]
    logger.close()


def test_a_line_that_cannot_be_written_is_written_with_the_next(tmp_path: Path, monkeypatch):
    file = JsonLines(tmp_path / "log.jsonl")
    file.append({"a": 1})
    with monkeypatch.context() as patch:
        fill_disk(patch)
        with pytest.raises(OSError, match="No space left"):
            file.append({"a": 2})
    assert file.records == [{"a": 1}, {"a": 2}]
    file.append({"a": 3})
    file.append({"a": 4})
    assert lines(tmp_path / "log.jsonl") == [{"a": n} for n in (1, 2, 3, 4)]


def full(*_: Any, **__: Any) -> Any:
    raise OSError(28, "No space left on device")


def fill_disk(patch: pytest.MonkeyPatch) -> None:
    opened = Path.open
    patch.setattr(Path, "open", lambda self, *a, **k: full() if self.suffix == ".jsonl" else opened(self, *a, **k))


def test_a_full_disk_gives_one_warning_and_no_error(tmp_path: Path, monkeypatch):
    warnings: list[str] = []
    logger = RunLogger(tmp_path, 0, 0, warnings.append)
    fill_disk(monkeypatch)
    monkeypatch.setattr("torch.utils.tensorboard.SummaryWriter.add_scalar", full)
    for number in (1, 2):
        logger.step(record(number))
        logger.fault(record(number, Verdict.SKIP))
        logger.epoch(epoch(number))
    logger.close()
    assert [line["epoch"] for line in logger.records()] == [1, 2]
    (line,) = warnings
    assert "incomplete" in line and "No space left" in line


def test_a_step_skipped_by_the_fp16_scaler_is_not_a_bad_step():
    sums = LossSums()
    for verdict in (Verdict.OVERFLOW, Verdict.GOOD, Verdict.SKIP, Verdict.ROLL_BACK):
        sums.add(record(1, verdict))
    assert sums.steps == 1 and sums.skipped == 2


@pytest.mark.slow
@pytest.mark.parametrize("largest", [0, 100, 3_000, 200_000])  # bytes; no file can grow beyond it
def test_a_training_ends_without_a_traceback_on_a_full_disk(largest: int, tmp_path: Path):
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

    program = Path(sys.executable).with_name("ocrdet-train")
    call = [program, *TINY, "train.epochs=2", "run_dir=run"]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, timeout=300, preexec_fn=limit)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert len((done.stdout + done.stderr).splitlines()) > 0


@pytest.mark.slow
def test_a_log_that_cannot_grow_does_not_end_a_training(tmp_path: Path):
    """As on a disk that is full but for the blocks that the checkpoints have already."""
    code = (
        "import sys, torch\n"
        "from pathlib import Path\n"
        "from resnet18_ocrdet import cli\n"
        "from tensorboard.summary.writer.record_writer import RecordWriter\n"
        "def full(*_, **__): raise OSError(28, 'No space left on device')\n"
        "opened = Path.open\n"
        "Path.open = lambda self, *a, **k: full() if self.suffix == '.jsonl' else opened(self, *a, **k)\n"
        "RecordWriter.write = full\n"
        "cli.train()\n"
    )
    call = [sys.executable, "-c", code, *TINY, "train.epochs=2", "run_dir=run"]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("log of this run is incomplete") == 1
    assert "Traceback" not in done.stdout + done.stderr and "best hmean" in done.stdout
    assert load_checkpoint(tmp_path / "run/checkpoints/last.pt")["epoch"] == 2
