"""Changes files at random and has the package read them: nothing may come of it but an answer or one line of refusal.

    python scripts/fuzz.py --inputs 200000                       # all kinds of files; about ten minutes
    python scripts/fuzz.py --inputs 5000 --target coco labelme   # some of them
    python scripts/fuzz.py --replay found/coco/17-s2-a.json      # one input that was kept, with its traceback

Starts from the small files in tests/corpus and calls, in process, what the commands call: every dialect of labels, the
check of a data set, images, zips and folders of results and their scoring, lists of a split, the folder of a
detection, cards, contracts, recorded configs and checkpoints, the config.yaml of a run.

An input fails by an exception that is no UserError or a Python warning (traceback), by more than 1 s of the processor
(slow) or 500 MiB of memory (large), and by a process that ends or stands still (crashed, hung). One input of each fault
is kept with a text that says what happened. Exit code 1 if there was any. The same seed gives the same inputs, as long
as the corpus stays.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

from fuzzing.limits import set_up
from fuzzing.targets import TARGETS, Target
from fuzzing.worker import FAILURES, KINDS, Folders, Input, Outcome, draw, run_all
from resnet18_ocrdet.errors import UserError
from script_cli import Parser, run_script

MEMORY_DISK = Path("/dev/shm")  # in memory: some thousand files a second
TELL_SECONDS = 10.0
KEPT_NAME = re.compile(r"\d+-s(\d+)-(.+)")  # of an input: its number, the seed, the file


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line, run, report."""
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=20_000, help="how many (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="other inputs (default %(default)s)")
    parser.add_argument("--target", nargs="+", choices=tuple(TARGETS), help="kinds of files (default: all)")
    parser.add_argument("--keep", type=Path, default=Path("found"), help="for what fails (default %(default)s/)")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run this input, of the one --target")
    told = parser.parse_args(argv)
    if told.replay is not None:
        name = told.target[0] if told.target else told.replay.parent.name
        if name not in TARGETS:
            raise UserError(f"--replay {told.replay}: which --target is it of?")
        return replay(TARGETS[name], told.replay)
    if told.inputs < 1:
        raise UserError(f"--inputs {told.inputs}: needs a number above 0")
    chosen = [TARGETS[name] for name in dict.fromkeys(told.target or TARGETS)]
    return fuzz(chosen, told.seed, told.inputs, told.keep)


def fuzz(targets: Sequence[Target], seed: int, inputs: int, keep: Path) -> int:
    """Run all inputs and print the table. Returns 1 where any failed."""
    counts: dict[str, Counter[str]] = {target.name: Counter() for target in targets}
    faults: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], Path] = {}
    began = told = time.monotonic()
    root = Path(tempfile.mkdtemp(prefix="fuzz-", dir=MEMORY_DISK if MEMORY_DISK.is_dir() else None))
    try:
        for number, outcome in run_all(targets, seed, inputs, root):
            name = targets[number % len(targets)].name
            counts[name][outcome.kind] += 1
            if outcome.kind in FAILURES:
                fault = outcome.kind, outcome.where
                faults[fault] += 1
                if fault not in first:
                    first[fault] = keep_input(draw(targets, seed, number), outcome, seed, keep)
            if time.monotonic() - told > TELL_SECONDS:
                told = time.monotonic()
                rate = (number + 1) / (told - began)
                print(f"{number + 1:,} of {inputs:,} inputs, {rate:.0f} a second; {summary(counts)}", flush=True)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    took = time.monotonic() - began
    print_table(counts)
    print(f"{inputs:,} inputs in {took:.0f} s, {inputs / took:.0f} a second, seed {seed}; {summary(counts)}")
    for (kind, where), times in faults.most_common():
        print(f"{kind} {where}: {times} times, first {first[kind, where]}")
    return 1 if faults else 0


def summary(counts: dict[str, Counter[str]]) -> str:
    """All targets together, in words."""
    total = sum(counts.values(), Counter[str]())
    failures = sum(total[kind] for kind in FAILURES)
    return f"{total['accepted']:,} accepted, {total['refused']:,} refused, {failures:,} failed"


def print_table(counts: dict[str, Counter[str]]) -> None:
    """A row for each target."""
    print(f"\n{'target':16}{'inputs':>10}" + "".join(f"{kind:>11}" for kind in KINDS))
    for name, found in counts.items():
        print(f"{name:16}{found.total():10,}" + "".join(f"{found[kind]:11,}" for kind in KINDS))


def keep_input(given: Input, outcome: Outcome, seed: int, keep: Path) -> Path:
    """Write an input and, beside it, what came of it."""
    flat = given.file.replace("/", "__")
    path = keep / given.target.name / f"{given.number}-s{given.seed}-{flat}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(given.data)
    about = f"{outcome.kind} {outcome.where}\ntarget {given.target.name}, file {given.file}, seed {seed}\n\n"
    path.with_name(path.name + ".told").write_text(
        about + outcome.told + "\n", encoding="utf-8", errors="backslashreplace"
    )
    return path


def replay(target: Target, path: Path) -> int:
    """Run one file in the place of that of the corpus which it was made of; what it raises passes through."""
    match = KEPT_NAME.fullmatch(path.name)
    number = int(match[1]) if match and int(match[1]) < len(target.seeds) else 0
    names = sorted(target.seeds[number])
    file = next((name for name in names if match and name.replace("/", "__") == match[2]), None)
    file = file or target.changeable(number, Random(0))
    set_up()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as root:
        folder = Folders(Path(root)).put(Input(target, 0, number, file, path.read_bytes()))
        began = time.process_time()
        try:
            target.run(folder)
            print("accepted", end="")
        except UserError as error:
            print(f"refused: {error}", end="")
        print(f"; {time.process_time() - began:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(run_script("fuzz", main))
