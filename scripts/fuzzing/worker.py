"""Run inputs in processes that may crash, hang or use too much, and report the outcome of each.

A worker is forked, runs up to INPUTS_EACH inputs and ends. It writes a line per input, so that its parent knows which
input it was running when it stopped.
"""

from __future__ import annotations

import json
import logging
import os
import re
import resource
import select
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from types import FrameType
from typing import NamedTuple

import resnet18_ocrdet
from fuzzing.limits import set_up
from fuzzing.targets import Target, lay_out, write
from resnet18_ocrdet.errors import UserError

PACKAGE = str(Path(resnet18_ocrdet.__file__).parent)
MAX_SECONDS = 1.0  # of CPU time per input
MAX_BYTES = 500 * 2**20  # of memory per input
HEADROOM_BYTES = 4 * 2**30  # of address space, beyond that of a new worker
HANGS_SECONDS = 20.0  # of wall time
PROFILE_SECONDS = 0.02  # of CPU time between two samples of a slow or large input
NO_MEMORY = re.compile("bad_alloc|Insufficient memory|can't allocate memory|not enough memory")  # messages of libraries
OWN_FAULT = 70  # exit code of a worker
INPUTS_EACH = 2000  # per worker
FAILURES = ("traceback", "slow", "large", "crashed", "hung")
KINDS = ("accepted", "refused", *FAILURES)
QUIET = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)  # ignored by Python by default


class Input(NamedTuple):
    """A folder of the corpus with one file changed."""

    target: Target
    number: int
    seed: int  # of the target's seeds
    file: str
    data: bytes


class Outcome(NamedTuple):
    """The outcome of one input."""

    kind: str  # one of KINDS
    where: str = ""  # of a failure, the same for the same fault
    details: str = ""  # of a failure: a traceback or the measurement


def draw(targets: Sequence[Target], seed: int, number: int) -> Input:
    """Input `number`, the same for the same targets, seed and corpus."""
    target = targets[number % len(targets)]
    rng = Random(f"{seed} {target.name} {number}")
    chosen = rng.randrange(len(target.seeds))
    file = target.changeable(chosen, rng)
    others = list(rng.choice(target.seeds).values())
    return Input(target, number, chosen, file, target.mutate(target.seeds[chosen][file], rng, others))


class Folders:
    """Writes inputs: one folder per starting folder, in which only changed files are written."""

    def __init__(self, root: Path) -> None:
        self._root, self._changed = root, dict[Path, str]()

    def put(self, given: Input) -> Path:
        """Write an input; returns its folder."""
        folder = self._root / given.target.name / str(given.seed) / "data"
        files, changed = given.target.seeds[given.seed], self._changed.get(folder)
        if changed is None or not given.target.read_only:
            shutil.rmtree(folder, ignore_errors=True)
            lay_out(folder, files)
        elif changed != given.file:
            write(folder / changed, files[changed])
        write(folder / given.file, given.data)
        self._changed[folder] = given.file
        return folder


class Meter:
    """Measures this process: peak memory, if the system reports it, and CPU time, with the place of excess."""

    def __init__(self) -> None:
        self.slow = self.large = ""  # line of the package at which a limit was exceeded
        self.warned: list[tuple[str, str]] = []  # place, text
        self._began, self._before = 0.0, 0
        try:
            self._clear = os.open("/proc/self/clear_refs", os.O_WRONLY)
            self._status = os.open("/proc/self/status", os.O_RDONLY)
            os.write(self._clear, b"5")
        except OSError:
            self._clear = -1
        signal.signal(signal.SIGPROF, self._note_place)
        warnings.simplefilter("always")
        for kind in QUIET:
            warnings.simplefilter("ignore", kind)
        warnings.showwarning = self._warn  # type: ignore[assignment]
        handler = logging.Handler(logging.WARNING)  # Python prints these records if nothing handles them
        handler.emit = lambda record: self._note(record.pathname, record.lineno, "log", record.getMessage())
        logging.getLogger().addHandler(handler)

    def run(self, target: Target, folder: Path, profile: bool = False) -> tuple[Outcome, float, int]:
        """Outcome, CPU seconds and bytes. profile: also find the line that exceeds a limit."""
        self.slow, self.large, self.warned = "", "", []
        self._before, self._began = self._memory(begin=True), time.process_time()
        if profile:
            signal.setitimer(signal.ITIMER_PROF, PROFILE_SECONDS, PROFILE_SECONDS)
        try:
            target.run(folder)
            outcome = Outcome("accepted")
        except UserError:
            outcome = Outcome("refused")
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            short = isinstance(error, MemoryError) or NO_MEMORY.search(str(error))
            where = f"{type(error).__name__} {_place(traceback.extract_tb(error.__traceback__))}"
            outcome = Outcome("large" if short else "traceback", where, traceback.format_exc())
        signal.setitimer(signal.ITIMER_PROF, 0)
        took = time.process_time() - self._began
        if self.warned and outcome.kind not in FAILURES:
            outcome = Outcome("traceback", *self.warned[0])
        return outcome, took, self._memory() - self._before

    def _memory(self, begin: bool = False) -> int:
        """Peak in bytes. begin: reset it first."""
        if self._clear < 0:
            return 0
        if begin:
            os.write(self._clear, b"5")
        line = next(line for line in os.pread(self._status, 8192, 0).splitlines() if line.startswith(b"VmHWM"))
        return int(line.split()[1]) * 1024

    def _note_place(self, number: int, frame: FrameType | None) -> None:
        if not self.slow and time.process_time() - self._began > MAX_SECONDS:
            self.slow = _place(traceback.extract_stack(frame))
        if not self.large and self._memory() - self._before > MAX_BYTES / 2:
            self.large = _place(traceback.extract_stack(frame))

    def _warn(self, message: Warning, category: type[Warning], filename: str, line: int, *_: object) -> None:
        self._note(filename, line, category.__name__, str(message))

    def _note(self, filename: str, line: int, kind: str, text: str) -> None:
        self.warned.append((f"{kind} {_short(filename)}:{line}", text))


def _place(frames: Sequence[traceback.FrameSummary]) -> str:
    """The innermost line of the package, else the innermost line."""
    own = [frame for frame in frames if frame.filename.startswith(PACKAGE)] or frames
    return f"{_short(own[-1].filename)}:{own[-1].lineno}" if own else ""


def _short(filename: str) -> str:
    return filename.removeprefix(PACKAGE + os.sep)


def judge(meter: Meter, folders: Folders, given: Input, still_alive: Callable[[], object]) -> Outcome:
    """Run an input, and again if it exceeds a limit, because the machine may be busy. still_alive: called between."""
    outcome, took, grown = meter.run(given.target, folders.put(given))
    if outcome.kind in FAILURES or (took <= MAX_SECONDS and grown <= MAX_BYTES):
        return outcome
    still_alive()
    second, again, grown_again = meter.run(given.target, folders.put(given), profile=True)
    if second.kind in FAILURES:
        return second
    measured = f"{again:.1f} s, {grown / 2**20:.0f} MiB"
    if grown > MAX_BYTES and grown_again > MAX_BYTES / 2:  # some memory of the first run is not freed
        return Outcome("large", meter.large or given.target.name, measured)
    if min(took, again) > MAX_SECONDS:
        return Outcome("slow", meter.slow or given.target.name, measured)
    return outcome


def work(targets: Sequence[Target], seed: int, numbers: range, root: Path, lines: int) -> None:
    """Run a worker: write a line of JSON per input to the file descriptor `lines`.

    Ends early after an input that used much memory, because it may not be freed."""
    set_up()
    sys.stderr = os.fdopen(os.dup(2), "w")  # for errors of the fuzzer itself
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # decoders write to these
        os.dup2(nowhere, stream)
    if sys.platform == "linux":
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + HEADROOM_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
    meter, folders = Meter(), Folders(root)
    for number in numbers:
        outcome = judge(meter, folders, draw(targets, seed, number), lambda: os.write(lines, b"\n"))
        os.write(lines, json.dumps([number, *outcome]).encode() + b"\n")
        if outcome.kind == "large":
            return


def run_all(targets: Sequence[Target], seed: int, inputs: int, root: Path) -> Iterator[tuple[int, Outcome]]:
    """Number and outcome of every input, in order."""
    done = 0
    while done < inputs:
        numbers = range(done, min(inputs, done + INPUTS_EACH))
        folder = root / str(done)
        for number, outcome in run_some(targets, seed, numbers, folder):
            yield number, outcome
            done = number + 1
        shutil.rmtree(folder, ignore_errors=True)


def run_some(targets: Sequence[Target], seed: int, numbers: range, root: Path) -> Iterator[tuple[int, Outcome]]:
    """The same for one worker; ends early after an input that ended the worker."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reading)
            work(targets, seed, numbers, root, writing)
            code = 0
        except KeyboardInterrupt:
            code = 130
        except BaseException:
            code = OWN_FAULT
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(code)
    os.close(writing)
    number, hung, status = numbers.start, False, -1
    try:
        with os.fdopen(reading, "rb", buffering=0) as lines:
            rest = b""
            while True:
                hung = not select.select([lines], [], [], HANGS_SECONDS)[0]
                chunk = b"" if hung else lines.read(65536)
                if not chunk:
                    break
                *whole, rest = (rest + chunk).split(b"\n")
                for line in filter(None, whole):
                    number, *outcome = json.loads(line)
                    yield number, Outcome(*outcome)
                    number += 1
    finally:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    if number < numbers.stop:
        ended = 0 if hung else -os.waitstatus_to_exitcode(status)
        if ended == -OWN_FAULT:
            raise RuntimeError(f"the fuzzer itself failed at input {number}")
        if ended == 0 and not hung:
            return  # after an input that used much memory
        name = signal.Signals(ended).name if ended > 0 else f"exit code {-ended}"
        kind, details = ("hung", f"{HANGS_SECONDS:.0f} s without an answer") if hung else ("crashed", name)
        yield number, Outcome(kind, f"{targets[number % len(targets)].name} {details}", details)
