"""What several test files share: a tiny run, and the real photos where there are any."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
    """The folder of ICDAR2015's training half; tests that need it skip where it is not named."""
    root = os.environ.get("OCRDET_ICDAR2015")
    if not root:
        pytest.skip("OCRDET_ICDAR2015 is not set (the folder that holds ch4_training_images/)")
    return Path(root)


def installed(command: str, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run an installed command as a user would."""
    program = Path(sys.executable).with_name(command)
    return subprocess.run([program, *words], cwd=cwd, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of two epochs, made by the installed command."""
    folder = tmp_path_factory.mktemp("tiny")
    done = installed("ocrdet-train", *TINY, "train.epochs=2", "run_dir=run", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "run"
