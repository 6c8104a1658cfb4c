"""Runs inputs in processes that may crash, hang or take too much, and says what came of each.

A worker is forked, handles some thousand inputs and ends. It writes a line for each input, so that its parent knows
which one it was at when it stopped.
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
MOST_SECONDS = 1.0  # of the processor, for one input
MOST_BYTES = 500 * 2**20  # of memory, for one input
HEADROOM_BYTES = 4 * 2**30  # of addresses, beyond what a worker has at its start
HANGS_SECONDS = 20.0  # by the clock
LOOK_SECONDS = 0.02  # of the processor, between two looks at what takes too much
NO_MEMORY = re.compile("bad_alloc|Insufficient memory|can't allocate memory|not enough memory")  # of libraries
OWN_FAULT = 70  # exit code of a worker
INPUTS_EACH = 2000  # of one worker
FAILURES = ("traceback", "slow", "large", "crashed", "hung")
KINDS = ("accepted", "refused", *FAILURES)
QUIET = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)  # as Python has it by default


class Input(NamedTuple):
    """A folder of the corpus with one file changed."""

    target: Target
    number: int
    seed: int  # of the target's seeds
    file: str
    data: bytes


class Outcome(NamedTuple):
    """What came of one input."""

    kind: str  # one of KINDS
    where: str = ""  # of a failure: the same for the same fault
    told: str = ""  # of a failure: a traceback, or what was measured


def draw(targets: Sequence[Target], seed: int, number: int) -> Input:
    """Input `number` of a session: the same for the same targets, seed and corpus."""
    target = targets[number % len(targets)]
    rng = Random(f"{seed} {target.name} {number}")
    chosen = rng.randrange(len(target.seeds))
    file = target.changeable(chosen, rng)
    others = list(rng.choice(target.seeds).values())
    return Input(target, number, chosen, file, target.mutate(target.seeds[chosen][file], rng, others))


class Folders:
    """Where inputs are laid out: a folder for each seed, in which only what changes is written."""

    def __init__(self, root: Path) -> None:
        self._root, self._changed = root, dict[Path, str]()

    def put(self, given: Input) -> Path:
        """The folder of an input, ready to be read."""
        folder = self._root / given.target.name / str(given.seed) / "data"
        files, changed = given.target.seeds[given.seed], self._changed.get(folder)
        if changed is None or not given.target.lasting:
            shutil.rmtree(folder, ignore_errors=True)
            lay_out(folder, files)
        elif changed != given.file:
            write(folder / changed, files[changed])
        write(folder / given.file, given.data)
        self._changed[folder] = given.file
        return folder


class Meter:
    """Measures this process: memory at its peak, where the system tells, and where its time goes."""

    def __init__(self) -> None:
        self.slow = self.large = ""  # where in the package one of the limits was passed
        self.warned: list[tuple[str, str]] = []  # where, what
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
        handler = logging.Handler(logging.WARNING)  # Python prints such records where nobody handles them
        handler.emit = lambda record: self._note(record.pathname, record.lineno, "log", record.getMessage())
        logging.getLogger().addHandler(handler)

    def run(self, target: Target, folder: Path, closely: bool = False) -> tuple[Outcome, float, int]:
        """What came of it, the seconds and the bytes that it took. closely: look where."""
        self.slow, self.large, self.warned = "", "", []
        self._before, self._began = self._memory(begin=True), time.process_time()
        if closely:
            signal.setitimer(signal.ITIMER_PROF, LOOK_SECONDS, LOOK_SECONDS)
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
        """Bytes at the peak, which begins anew where `begin` says so."""
        if self._clear < 0:
            return 0
        if begin:
            os.write(self._clear, b"5")
        line = next(line for line in os.pread(self._status, 8192, 0).splitlines() if line.startswith(b"VmHWM"))
        return int(line.split()[1]) * 1024

    def _note_place(self, number: int, frame: FrameType | None) -> None:
        if not self.slow and time.process_time() - self._began > MOST_SECONDS:
            self.slow = _place(traceback.extract_stack(frame))
        if not self.large and self._memory() - self._before > MOST_BYTES / 2:
            self.large = _place(traceback.extract_stack(frame))

    def _warn(self, message: Warning, category: type[Warning], filename: str, line: int, *_: object) -> None:
        self._note(filename, line, category.__name__, str(message))

    def _note(self, filename: str, line: int, kind: str, text: str) -> None:
        self.warned.append((f"{kind} {_short(filename)}:{line}", text))


def _place(frames: Sequence[traceback.FrameSummary]) -> str:
    """The innermost line of the package among them, or of anything."""
    own = [frame for frame in frames if frame.filename.startswith(PACKAGE)] or frames
    return f"{_short(own[-1].filename)}:{own[-1].lineno}" if own else ""


def _short(filename: str) -> str:
    return filename.removeprefix(PACKAGE + os.sep)


def judge(meter: Meter, folders: Folders, given: Input, goes_on: Callable[[], object]) -> Outcome:
    """Run an input; what takes too long is measured once more, as a machine may be busy: before that, `goes_on`."""
    outcome, took, grown = meter.run(given.target, folders.put(given))
    if outcome.kind in FAILURES or (took <= MOST_SECONDS and grown <= MOST_BYTES):
        return outcome
    goes_on()
    second, again, grown_again = meter.run(given.target, folders.put(given), closely=True)
    if second.kind in FAILURES:
        return second
    measured = f"{again:.1f} s, {grown / 2**20:.0f} MiB"
    if grown > MOST_BYTES and grown_again > MOST_BYTES / 2:  # some memory of the first time is still there
        return Outcome("large", meter.large or given.target.name, measured)
    if min(took, again) > MOST_SECONDS:
        return Outcome("slow", meter.slow or given.target.name, measured)
    return outcome


def work(targets: Sequence[Target], seed: int, numbers: range, root: Path, lines: int) -> None:
    """A worker's life: a line of JSON on the file `lines` for each input.

    It ends early behind an input that took much memory: not all of it may be free again."""
    set_up()
    sys.stderr = os.fdopen(os.dup(2), "w")  # for faults of the fuzzer itself
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # decoders write to them
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
    """Every input with what came of it, in their order."""
    done = 0
    while done < inputs:
        numbers = range(done, min(inputs, done + INPUTS_EACH))
        folder = root / str(done)
        for number, outcome in run_some(targets, seed, numbers, folder):
            yield number, outcome
            done = number + 1
        shutil.rmtree(folder, ignore_errors=True)


def run_some(targets: Sequence[Target], seed: int, numbers: range, root: Path) -> Iterator[tuple[int, Outcome]]:
    """The same for one worker; ends early, behind the input that ended the worker."""
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
            return  # by itself, behind an input that took much memory
        name = signal.Signals(ended).name if ended > 0 else f"exit code {-ended}"
        kind, told = ("hung", f"{HANGS_SECONDS:.0f} s without an answer") if hung else ("crashed", name)
        yield number, Outcome(kind, f"{targets[number % len(targets)].name} {told}", told)
