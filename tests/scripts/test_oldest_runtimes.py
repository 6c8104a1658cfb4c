"""Exported files run in the oldest supported versions of the runtimes, installed for this test."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts/oldest_runtimes.py"


@pytest.mark.slow
def test_every_file_runs_in_the_oldest_runtimes():
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, timeout=800)
    assert done.returncode == 0, done.stdout + done.stderr
    for runtime in (r"ONNX Runtime 1\.17", r"OpenVINO 2023\.3", r"OpenCV 4\.10"):
        assert len(re.findall(rf"^(?:fp32|fp16|int8|hw) +{runtime}.*probability", done.stdout, re.MULTILINE)) == 4
    assert done.stdout.count("scores agree") == 2
