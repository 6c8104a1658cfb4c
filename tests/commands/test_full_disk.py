"""A disk that becomes full: one line, and results that are the previous ones or complete."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.runtime.atomic_write import HIDDEN
from resnet18_ocrdet.viz.draw import write

WORDS = {
    "detect": ["input=in", "output=out", "checkpoint={run}", "crops=true", "labelme=true", "coco=true"],
    "eval": ["output=out", "checkpoint={run}", "data=synthetic", "data.val_size=2", "split=val", "workers=0"],
    "check": ["output=out", "data.root=set", "fix=true"],
    "export": ["output=out/model.onnx", "checkpoint={run}", "input=in"],
}
AGAIN = {"check": ("overwrite=true",)}  # an existing copy is refused
FEW = (0, 3_000, 200_000)  # bytes: limit of the size of each file
MORE = (0, 30, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 20_000_000)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for folder in ("in", "set/images", "set/gts"):
        (tmp_path / folder).mkdir(parents=True)
    for number, folder in enumerate(("in", "in", "set/images")):
        write(tmp_path / folder / f"{number}.jpg", SyntheticScenes(3, 96, 128, seed=1).load(number).image)
    (tmp_path / "set/gts/2.txt").write_text("10,10,40,10,40,30,10,30,word\n")
    return tmp_path


def call(command: str, run: Path, place: Path, largest: int | None, *more: str) -> tuple[int, str]:
    words = [word.format(run=run / "checkpoints/best.pt") for word in WORDS[command]] + list(more)

    def limit() -> None:
        if largest is not None:  # a write beyond the limit fails as on a full disk
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

    program = Path(sys.executable).with_name(f"ocrdet-{command}")
    done = subprocess.run([program, *words], cwd=place, capture_output=True, text=True, timeout=300, preexec_fn=limit)
    return done.returncode, done.stdout + done.stderr


def results(folder: Path) -> dict[str, int]:
    """Names and sizes of the files in a folder, without hidden ones."""
    files = (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
    return {str(file.relative_to(folder)): file.stat().st_size for file in files if not file.name.startswith(".")}


def hidden(folder: Path) -> list[str]:
    return [name for _, folders, names in os.walk(folder) for name in [*folders, *names] if HIDDEN.fullmatch(name)]


@pytest.mark.parametrize(
    "sizes",
    [pytest.param(FEW, marks=pytest.mark.slow, id="few"), pytest.param(MORE, marks=pytest.mark.soak, id="more")],
)
@pytest.mark.parametrize("command", list(WORDS))
def test_every_write_may_fail(command: str, sizes: tuple[int, ...], tiny_run: Path, place: Path):
    for number, largest in enumerate(sizes):
        (place / "out").mkdir()
        code, output = call(command, tiny_run, place, largest)
        assert code in (0, 1, 2) and "Traceback" not in output, (largest, output)
        found = results(place / "out")
        assert code or found, output
        assert not hidden(place / "out"), largest
        if command != "detect":  # which keeps finished images
            whole = {"eval": 8, "check": 2, "export": 2}[command]
            reports = {name for name in found if not name.startswith("fixed/")}
            assert len(reports) in (0, whole), (largest, reports)
            assert all(found[name] for name in reports if not name.startswith("boxes/"))
        code, output = call(command, tiny_run, place, None, *AGAIN.get(command, ()))  # with space it succeeds
        assert code in (0, 1) and "Traceback" not in output, (largest, output)
        (place / "out").rename(place / f"done {number}")
