"""The wheel contains conf/ and the weights, and its commands work from any folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.viz.draw import write

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package, installed from a wheel that was built from the sdist."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "build", "--outdir", folder / "dist", ROOT], check=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder / "site", wheel]
    subprocess.run(install, check=True)
    return folder / "site"


def call(site: Path, command: str, *words: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", f"from resnet18_ocrdet.cli import {command}; {command}()", *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_contains_the_config(site: Path, tmp_path: Path):
    assert (site / "resnet18_ocrdet/conf/train.yaml").is_file()
    assert list((site / "resnet18_ocrdet/viz/templates").glob("*.html*"))
    shown = call(site, "train", "--cfg", "job", cwd=tmp_path)
    assert "lr: 0.007" in shown and "batch_size: 8" in shown
    assert list(tmp_path.iterdir()) == []


def test_the_wheel_detects_with_the_bundled_weights(site: Path, tmp_path: Path):
    write(tmp_path / "a.png", SyntheticScenes(1, 736, 1280, seed=0).load(0).image)
    assert "bundled weights" in call(site, "detect", "input=a.png", "output=found", cwd=tmp_path)
    record = json.loads((tmp_path / "found/detections.jsonl").read_text())
    assert len(record["scores"]) >= 1
