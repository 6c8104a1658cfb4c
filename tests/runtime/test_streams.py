"""A command continues when its output is closed; a run saves when its terminal is closed."""

from __future__ import annotations

import io
import os
import pty
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from conftest import TINY
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.model.checkpoint import load_checkpoint
from resnet18_ocrdet.runtime.console import Display
from resnet18_ocrdet.runtime.signals import Interrupt
from resnet18_ocrdet.runtime.streams import SafeStream, exit_code

PROGRAM = Path(sys.executable).with_name("ocrdet-train")


def into_a_closed_pipe() -> SafeStream:
    reading, writing = os.pipe()
    os.close(reading)
    return SafeStream(os.fdopen(writing, "w"))


def test_writing_into_a_closed_pipe_is_reported_once_and_ends_nothing(capsys):
    stream = into_a_closed_pipe()
    stream.notice = "closed"
    for _ in range(3):
        assert stream.write("a line\n") == 7
        stream.flush()
    stream.close()  # nothing is left in it that would fail now
    assert not stream.lost_text
    assert capsys.readouterr().err == "closed (Broken pipe)\n"


def test_everything_else_is_passed_on():
    inner = io.StringIO()
    stream = SafeStream(inner)
    print("a line", file=stream)
    assert inner.getvalue() == "a line\n" and not stream.isatty()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(("code", "ends_with"), [(0, 1), (2, 2)])
def test_text_lost_on_a_full_disk_is_a_failure(code: int, ends_with: int, monkeypatch):
    stream = SafeStream(os.fdopen(os.open("/dev/full", os.O_WRONLY), "w"))
    monkeypatch.setattr(sys, "stdout", stream)
    print("a line")
    assert exit_code(code) == ends_with and stream.lost_text


def test_a_closed_pipe_is_not_a_failure(monkeypatch):
    monkeypatch.setattr(sys, "stdout", into_a_closed_pipe())
    print("a line")
    assert exit_code(0) == 0


@pytest.mark.parametrize("no_color", [True, False])
def test_no_color(no_color: bool, monkeypatch, capsys):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    with Display().progress("training", 2) as advance:
        advance(1, "note")
    out = capsys.readouterr().out
    assert "training" in out
    assert bool(re.search(r"\x1b\[[\d;]*3\d", out)) is not no_color


@pytest.mark.parametrize(("words", "code"), [("--help", 0), ("--cfg job", 0), ("optimzer.lr=1", 2)])
def test_reading_only_the_beginning_leaves_no_traceback(words: str, code: int, tmp_path: Path):
    process = subprocess.Popen(
        [PROGRAM, *words.split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, text=True
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    error = process.stderr.read()
    assert process.wait(60) == code
    assert "Traceback" not in error and "BrokenPipe" not in error


@pytest.mark.slow
def test_a_run_continues_when_its_output_is_cut_off(tmp_path: Path):
    """`ocrdet-train … | head -1`"""
    words = (*TINY, "train.epochs=2", "run_dir=run")
    process = subprocess.Popen(
        [PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, text=True
    )
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline().startswith("note: ")
    process.stdout.close()
    error = process.stderr.read()
    assert error.startswith("stdout is closed") and error.endswith("(Broken pipe)\n") and error.count("\n") == 1
    assert process.wait(60) == 0
    assert "epoch 2/2" in (tmp_path / "run/train.log").read_text()
    assert load_checkpoint(tmp_path / "run/checkpoints/last.pt")["epoch"] == 2


@pytest.mark.parametrize(("before", "caught"), [(signal.SIG_DFL, signal.SIGHUP), (signal.SIG_IGN, None)])
def test_a_hangup_counts_except_under_nohup(before: Any, caught: int | None):
    outside = signal.signal(signal.SIGHUP, before)
    try:
        with Interrupt() as interrupt:
            os.kill(os.getpid(), signal.SIGHUP)
            assert interrupt.signal == caught
        assert signal.getsignal(signal.SIGHUP) == before
    finally:
        signal.signal(signal.SIGHUP, outside)


@pytest.mark.slow
def test_closing_the_terminal_saves_and_exits_with_129(tmp_path: Path):
    process, terminal = pty.fork()
    if process == 0:  # its session's leader: closing the terminal hangs it up
        os.chdir(tmp_path)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # these tests may run under nohup themselves
        os.execv(PROGRAM, [str(PROGRAM), *TINY, "train.workers=1", "train.epochs=1000", "run_dir=run"])
    last = tmp_path / "run/checkpoints/last.pt"
    os.set_blocking(terminal, False)
    until(lambda: drain(terminal) and last.exists())
    os.close(terminal)
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 129
    (farewell,) = [line for line in (tmp_path / "run/train.log").read_text().splitlines() if "interrupted" in line]
    assert f"step {load_checkpoint(last)['step']} is saved" in farewell


@pytest.mark.slow
def test_a_loader_process_that_is_killed_is_one_line_and_everything_is_saved(tmp_path: Path):
    words = (*TINY, "train.workers=1", "train.epochs=1000", "run_dir=run")
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen([PROGRAM, *words], stdout=out, stderr=out, cwd=tmp_path, start_new_session=True)
    last = tmp_path / "run/checkpoints/last.pt"
    until(last.exists)
    child = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]
    os.kill(int(child), signal.SIGKILL)
    assert process.wait(60) == 1
    text = (tmp_path / "out").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("stopped: ")]
    assert f"loader process {child} was ended by signal 9 (Killed); possible causes are a damaged image" in line
    assert "train.workers=0 shows which image" in line and "Traceback" not in text
    step = load_checkpoint(last)["step"]
    assert f"stopped; step {step} is saved; resume with: ocrdet-train resume=run" in text


@pytest.mark.slow
def test_full_shared_memory_ends_the_run_instead_of_hanging_it(tmp_path: Path):
    small = "mount -t tmpfs -o size=64k tmpfs /dev/shm"
    if subprocess.run(["unshare", "-Urm", "sh", "-c", small], capture_output=True).returncode:
        pytest.skip("a separate /dev/shm needs user namespaces")
    words = " ".join((*TINY, "train.workers=1", "train.epochs=1", "run_dir=run"))
    command = ["unshare", "-Urm", "sh", "-c", f"{small} && exec {PROGRAM} {words}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("stopped: ")]
    assert re.search(r"No space left .*: use train\.workers=0, or make /dev/shm larger", line)
    assert "Traceback" not in done.stdout + done.stderr
    assert re.search(r"stopped; step [01] is saved", done.stdout)  # the first batch may have had room


def drain(terminal: int) -> bool:
    """Read what is there: a full terminal would stop the run. True."""
    with suppress(BlockingIOError):
        os.read(terminal, 100_000)
    return True


def until(condition: Any, seconds: float = 120.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


AWKWARD = "\x1b]0;gone\x07\x1b[31mred\u202e\x85.jpg"


def test_a_file_name_cannot_control_the_terminal(capsys):
    display = Display()
    display.line(f"{AWKWARD} 日本　語\udcff\nnext")
    out = capsys.readouterr().out
    assert out == "\\x1b]0;gone\\x07\\x1b[31mred\\u202e\\x85.jpg 日本　語\\udcff\\nnext\n"
    assert run_command("detect", lambda cfg, _: 1 / 0, [f"input={AWKWARD}"]) == 2
    error = capsys.readouterr().err
    assert "\x1b" not in error and "\\x1b[31mred" in error and len(error.splitlines()) == 1


@pytest.mark.slow
def test_a_character_missing_in_the_encoding_loses_no_result(tmp_path: Path):
    (tmp_path / "語.jpg").write_bytes(b"no image")
    program = Path(sys.executable).with_name("ocrdet-detect")
    environment = {**os.environ, "PYTHONIOENCODING": "iso8859-1"}
    words = ["input=語.jpg", "output=out", "vis=false"]
    done = subprocess.run([program, *words], cwd=tmp_path, env=environment, capture_output=True, timeout=120)
    assert done.returncode == 1 and b"Traceback" not in done.stderr, done.stderr
    assert b"\\u8a9e.jpg: not an image" in done.stdout and (tmp_path / "out/errors.json").is_file()


def test_the_numbers_of_closed_streams_are_not_reused(tmp_path: Path):
    code = (
        "import os, sys; from resnet18_ocrdet.runtime.streams import protect_streams; protect_streams()\n"
        "opened = os.open('lock', os.O_RDWR | os.O_CREAT); os.write(2, b'of a library')\n"
        "sys.exit(0 if opened > 2 and os.fstat(opened).st_size == 0 else 1)"
    )
    done = subprocess.run(["sh", "-c", 'exec "$0" -c "$1" 0<&- 1>&- 2>&-', sys.executable, code], cwd=tmp_path)
    assert done.returncode == 0
