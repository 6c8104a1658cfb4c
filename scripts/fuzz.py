"""Change files at random and let the package read them: each must be accepted or refused with one line.

    python scripts/fuzz.py --inputs 200000                       # all kinds of files; about ten minutes
    python scripts/fuzz.py --inputs 5000 --target coco labelme   # some kinds
    python scripts/fuzz.py --replay found/coco/17-s2-a.json      # a kept input, with its traceback

Starts from the small files in tests/corpus and calls, in process, what the commands call: all label formats, the check
of a data set, images, zips and folders of results and their scoring, split lists, the output folder of a detection,
cards, contracts, recorded configs and checkpoints, the config.yaml of a run.

An input fails with an exception other than UserError or a Python warning (traceback), with more than 1 s of CPU time
(slow) or 500 MiB of memory (large), or when the process ends or hangs (crashed, hung). One input of each fault is kept
with a report. Exit code 1 if there are faults. The same seed and corpus give the same inputs.
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

MEMORY_DISK = Path("/dev/shm")  # fast enough for thousands of files per second
PRINT_SECONDS = 10.0  # between progress lines
KEPT_NAME = re.compile(r"\d+-s(\d+)-(.+)")  # of a kept input: number, starting folder, file


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code. Raises UserError for wrong arguments."""
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=20_000, help="number of inputs (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the random changes (default: %(default)s)")
    parser.add_argument("--target", nargs="+", choices=tuple(TARGETS), help="kinds of files (default: all)")
    parser.add_argument("--keep", type=Path, default=Path("found"), help="folder for failures (default: %(default)s/)")
    parser.add_argument(
        "--replay",
        type=Path,
        metavar="FILE",
        help="run this input, of its folder or of --target",
    )
    options = parser.parse_args(argv)
    if options.replay is not None:
        name = options.target[0] if options.target else options.replay.parent.name
        if name not in TARGETS:
            raise UserError(f"--replay {options.replay}: give its --target")
        return replay(TARGETS[name], options.replay)
    if options.inputs < 1:
        raise UserError(f"--inputs {options.inputs}: must be above 0")
    chosen = [TARGETS[name] for name in dict.fromkeys(options.target or TARGETS)]
    return fuzz(chosen, options.seed, options.inputs, options.keep)


def fuzz(targets: Sequence[Target], seed: int, inputs: int, keep: Path) -> int:
    """Run all inputs and print the table. Returns 1 if any failed."""
    counts: dict[str, Counter[str]] = {target.name: Counter() for target in targets}
    faults: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], Path] = {}
    began = printed = time.monotonic()
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
            if time.monotonic() - printed > PRINT_SECONDS:
                printed = time.monotonic()
                rate = (number + 1) / (printed - began)
                print(f"{number + 1:,} of {inputs:,} inputs, {rate:.0f} per second; {summary(counts)}", flush=True)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    took = time.monotonic() - began
    print_table(counts)
    print(f"{inputs:,} inputs in {took:.0f} s, {inputs / took:.0f} per second, seed {seed}; {summary(counts)}")
    for (kind, where), times in faults.most_common():
        print(f"{kind} {where}: {times} times, first {first[kind, where]}")
    return 1 if faults else 0


def summary(counts: dict[str, Counter[str]]) -> str:
    """Counts over all targets."""
    total = sum(counts.values(), Counter[str]())
    failures = sum(total[kind] for kind in FAILURES)
    return f"{total['accepted']:,} accepted, {total['refused']:,} refused, {failures:,} failed"


def print_table(counts: dict[str, Counter[str]]) -> None:
    """One row per target."""
    print(f"\n{'target':16}{'inputs':>10}" + "".join(f"{kind:>11}" for kind in KINDS))
    for name, found in counts.items():
        print(f"{name:16}{found.total():10,}" + "".join(f"{found[kind]:11,}" for kind in KINDS))


def keep_input(given: Input, outcome: Outcome, seed: int, keep: Path) -> Path:
    """Write an input and a report about it."""
    flat = given.file.replace("/", "__")
    path = keep / given.target.name / f"{given.number}-s{given.seed}-{flat}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(given.data)
    about = f"{outcome.kind} {outcome.where}\ntarget {given.target.name}, file {given.file}, seed {seed}\n\n"
    report = path.with_name(path.name + ".report")
    report.write_text(about + outcome.details + "\n", encoding="utf-8", errors="backslashreplace")
    return path


def replay(target: Target, path: Path) -> int:
    """Run one file in place of its corpus file. Exceptions other than UserError are not caught."""
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
