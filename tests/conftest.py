"""Shared by many tests: a tiny run, the ICDAR2015 photos if available, a check of messages by key words."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from resnet18_ocrdet.data.synthetic.glyphs import OPENCV_DRAWS

opencv5 = pytest.mark.skipif(not OPENCV_DRAWS, reason="OpenCV 4 has no fonts: Pillow draws the scenes, in Latin only")

TINY = (
    "input_size=64x64",
    "data.train_size=4",
    "data.val_size=2",
    "data.test_size=2",
    "train.batch_size=2",
    "train.workers=0",
    "train.log_every=1",
)


@pytest.fixture(scope="session")
def icdar2015() -> Path:
    """The folder of the ICDAR2015 training photos; skips the test if the variable is not set."""
    root = os.environ.get("OCRDET_ICDAR2015")
    if not root:
        pytest.skip("OCRDET_ICDAR2015 is not set (the folder that holds ch4_training_images/)")
    return Path(root)


def assert_mentions(text: str, *words: object) -> None:
    """Every word, number or path is in the text, in any case. Not whole sentences: prose may improve."""
    missing = [word for word in words if str(word).lower() not in text.lower()]
    assert not missing, f"{missing} not in: {text}"


def installed(command: str, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run an installed command as a user would."""
    program = Path(sys.executable).with_name(command)
    return subprocess.run([program, *words], cwd=cwd, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of two epochs, trained by the installed command."""
    folder = tmp_path_factory.mktemp("tiny")
    done = installed("ocrdet-train", *TINY, "train.epochs=2", "run_dir=run", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "run"
