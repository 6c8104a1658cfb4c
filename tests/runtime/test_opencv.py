"""OpenCV that does not load."""

from __future__ import annotations

import subprocess
import sys

import pytest

from conftest import assert_mentions

WITHOUT_LIBGL = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == "cv2":
            raise ImportError("libGL.so.1: cannot open shared object file")

sys.meta_path.insert(0, Missing())
"""
IN_PYTHON = """
from resnet18_ocrdet import UserError
try:
    from resnet18_ocrdet import Detector
except UserError as error:
    sys.exit(str(error))
"""
AS_COMMAND = """
from resnet18_ocrdet.cli import detect
sys.argv[1:] = ["input=."]
detect()
"""


@pytest.mark.parametrize("use", [IN_PYTHON, AS_COMMAND], ids=["python", "command"])
def test_a_missing_system_library_is_one_line_with_the_remedies(use, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_LIBGL + use], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == (2 if use is AS_COMMAND else 1)
    assert_mentions(done.stderr, "libGL.so.1", "apt install libgl1", "uninstall", "opencv-python-headless")
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
