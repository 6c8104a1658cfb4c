"""scripts/finetune_table.py: its folders of links, its mistakes in one line, and a row end to end."""

from __future__ import annotations

import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.viz.draw import write

SCRIPT = Path(__file__).parents[2] / "scripts/finetune_table.py"
sys.path.insert(0, str(SCRIPT.parent))  # scripts are not a package

import finetune_table  # noqa: E402


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *words], cwd=folder, capture_output=True, text=True, timeout=600)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "--receipts FOLDER, --photos FOLDER or --folder TRAIN TEST is missing"),
        (["--receipts", "few", "--numbers", "50", "101"], "--numbers 101: at most 100"),
        (["--receipts", "few"], "--receipts few: 0 images/*.jpg, at least 150"),
        (["--photos", "few"], "few/ch4_training_images/img_1.jpg: no such file"),
    ],
)
def test_a_mistake_is_one_line(words: list[str], told: str, tmp_path: Path):
    done = run(tmp_path, *words)
    assert done.returncode == 2 and done.stdout == ""
    assert told in done.stderr and len(done.stderr.splitlines()) == 1


def test_receipts_are_linked_by_name(tmp_path: Path):
    for number in range(150):
        for place, name in (("images", f"{number:03}.jpg"), ("gts", f"gt_{number:03}.txt")):
            (tmp_path / "set" / place).mkdir(parents=True, exist_ok=True)
            (tmp_path / "set" / place / name).touch()
    args = Namespace(receipts=tmp_path / "set", numbers=(100, 50), photos=None, folder=None, output=tmp_path / "out")
    first, second = finetune_table.trials(args)
    assert (first.name, second.name) == ("100 receipts", "50 receipts")
    dev = sorted(path.name for path in (tmp_path / "out/receipts_dev/images").iterdir())
    assert (dev[0], dev[-1], len(dev)) == ("100.jpg", "149.jpg", 50)
    trained = sorted(path.name for path in (first.train / "gts").iterdir())
    assert (trained[0], trained[-1], len(trained)) == ("gt_000.txt", "gt_099.txt", 100)
    assert len(list((second.train / "images").iterdir())) == 50


@pytest.mark.slow
def test_a_row(tmp_path: Path):
    scenes = SyntheticScenes(6, 96, 96, seed=0)
    for part, numbers in (("train", range(4)), ("test", range(4, 6))):
        (tmp_path / part).mkdir()
        for number in numbers:
            write(tmp_path / part / f"{number}.jpg", scenes.load(number).image)
            (tmp_path / part / f"{number}.txt").write_text("10,10,60,10,60,40,10,40,word\n")
    tiny = ("input_size=64x64", "augment.crop_size=64x64", "train.batch_size=2", "train.workers=0", "train.epochs=1")
    for _ in range(2):  # the second call has nothing left to do
        done = run(tmp_path, "--folder", "train", "test", "--output", "out", *tiny)
        assert done.returncode == 0, done.stdout + done.stderr
        cells = done.stdout.splitlines()[-1].split("|")
        assert cells[1].strip() == "train" and len(cells) == 8
        assert 0.0 <= float(cells[2]) <= 1.0 and 0.0 <= float(cells[4]) <= 1.0 and 0.0 < float(cells[6]) < 10.0
    assert "$ ocrdet-" not in done.stdout
