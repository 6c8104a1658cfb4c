"""The wheel that users install: it holds conf/, and its commands work from any folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]


def test_wheel_made_from_the_sdist_composes_its_config(tmp_path: Path):
    subprocess.run([sys.executable, "-m", "build", "--outdir", tmp_path / "dist", ROOT], check=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site, wheel]
    subprocess.run(install, check=True)
    assert (site / "resnet18_ocrdet/conf/train.yaml").is_file()
    shown = subprocess.run(
        [sys.executable, "-c", "from resnet18_ocrdet.cli import train; train()", "--cfg", "job"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "lr: 0.007" in shown and "batch_size: 8" in shown
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dist", "site"]
