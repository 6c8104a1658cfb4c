"""The fuzzer: its starting files are accepted, it reports every kind of fault, and the package passes some inputs."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from random import Random

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))  # scripts are not a package

from fuzzing import worker
from fuzzing.formats import mutate
from fuzzing.targets import CORPUS, TARGETS, Target
from fuzzing.worker import Folders, Input
from resnet18_ocrdet.data.image_io import IMAGE_SUFFIXES

SCRIPTS = Path(__file__).parents[2] / "scripts"
STARTS = sorted(path for path in CORPUS.rglob("*") if path.is_file())
SEEDS = [(target, seed) for target in TARGETS.values() for seed in range(len(target.seeds))]


def fuzz(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPTS / "fuzz.py"), *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600)


@pytest.mark.parametrize(("target", "seed"), SEEDS, ids=[f"{target.name}-{seed}" for target, seed in SEEDS])
def test_every_starting_folder_is_accepted(target: Target, seed: int, tmp_path: Path):
    file, data = next(iter(target.seeds[seed].items()))
    target.run(Folders(tmp_path).put(Input(target, 0, seed, file, data)))


def test_the_corpus_is_small_and_holds_every_kind_of_image():
    assert sum(path.stat().st_size for path in STARTS) < 200_000
    assert {path.suffix for path in (CORPUS / "image").iterdir()} == IMAGE_SUFFIXES


def test_the_same_number_gives_the_same_input():
    targets = list(TARGETS.values())
    for number in range(2 * len(targets)):
        assert worker.draw(targets, 5, number) == worker.draw(targets, 5, number)
    drawn = {worker.draw(targets, seed, 0).data for seed in range(20)}
    assert len(drawn) > 10


@pytest.mark.parametrize(
    "path", sorted(path for path in CORPUS.rglob("*") if path.is_file()), ids=lambda path: path.name
)
def test_mutations_change_any_file_and_keep_it_small(path: Path):
    data = path.read_bytes()
    changed = [mutate(data, Random(number), [data]) for number in range(50)]
    assert len({*changed} - {data}) > 25
    assert max(map(len, changed)) < 600_000


PLANTED = textwrap.dedent(
    """
    import os, signal, sys, time, warnings
    from pathlib import Path
    import fuzz
    from fuzzing import worker
    from fuzzing.targets import TARGETS, Target
    from resnet18_ocrdet.errors import UserError

    def busy():
        end = time.process_time() + 1.1
        while time.process_time() < end:
            pass

    def refuse():
        raise UserError("no")

    DEEDS = {
        "good": lambda: None,
        "refused": refuse,
        "traceback": lambda: {}["a"],
        "warning": lambda: warnings.warn("too large", RuntimeWarning),
        "left": lambda: sys.exit(3),
        "slow": busy,
        "large": lambda: bytearray(b"1" * 600_000_000),
        "limit": lambda: bytearray(10**11),
        "crash": lambda: os.kill(os.getpid(), signal.SIGSEGV),
        "hung": lambda: time.sleep(60),
    }
    worker.HANGS_SECONDS = 6.0
    TARGETS.clear()
    for name, deed in DEEDS.items():
        TARGETS[name] = Target(name, ({"a.txt": b"1 2 3"},), lambda folder, deed=deed: deed())
    sys.exit(fuzz.main(["--inputs", "10", "--keep", "kept"]))
    """
)


@pytest.mark.slow
def test_every_kind_of_fault_is_reported_and_kept(tmp_path: Path):
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(SCRIPTS)!r})\n{PLANTED}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("target"))
    kinds = lines[start].split()[2:]
    found = {}
    for line in lines[start + 1 : start + 11]:
        name, inputs, *numbers = line.split()
        assert inputs == "1"
        found[name] = kinds[numbers.index("1")]
    assert found == {
        "good": "accepted",
        "refused": "refused",
        "traceback": "traceback",
        "warning": "traceback",
        "left": "traceback",
        "slow": "slow",
        "large": "large",
        "limit": "large",
        "crash": "crashed",
        "hung": "hung",
    }
    assert "8 failed" in done.stdout
    reports = {path.parent.name: path.read_text() for path in (tmp_path / "kept").rglob("*.report")}
    assert reports.keys() == found.keys() - {"good", "refused"}
    assert "KeyError: 'a'" in reports["traceback"] and "RuntimeWarning" in reports["warning"]
    assert "SIGSEGV" in reports["crash"] and "seed 0" in reports["slow"]


@pytest.mark.slow
def test_the_package_passes_300_inputs(tmp_path: Path):
    done = fuzz("--inputs", "300", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "300 inputs" in done.stdout and " 0 failed" in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_kept_input_can_be_replayed(tmp_path: Path):
    kept = tmp_path / "split_list" / "17-s0-names.txt"
    kept.parent.mkdir()
    kept.write_text("nobody.jpg\n")
    done = fuzz("--replay", str(kept), cwd=tmp_path)
    assert done.returncode == 0 and "refused: " in done.stdout and "'nobody.jpg'" in done.stdout


@pytest.mark.slow
def test_the_package_passes_5_000_inputs(tmp_path: Path):
    done = fuzz("--inputs", "5000", "--seed", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
