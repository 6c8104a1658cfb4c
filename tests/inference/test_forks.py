"""A detector that was opened, and has computed, before its process forked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hostile_files import card, write_onnx
from resnet18_ocrdet import Detector
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.inference.backends import open_exported
from resnet18_ocrdet.inference.exported import ExportedNetwork
from resnet18_ocrdet.inference.torch_network import TorchNetwork
from resnet18_ocrdet.runtime.device import Compute

PRELUDE = """
import json, multiprocessing, os, signal, sys
import numpy as np
from resnet18_ocrdet import Detector, UserError

image = np.zeros((96, 160, 3), np.uint8)
image[20:50, 30:120] = 230
signal.alarm(240)


def boxes(_=None):
    return [[each.polygon.tolist(), each.score] for each in detector(image)]


def from_child(work, leave=sys.exit):
    source, sink = os.pipe()
    if not (child := os.fork()):
        signal.alarm(60)
        with open(sink, "w") as out:
            json.dump(work(), out)
        leave(0)
    os.close(sink)
    with open(source) as answer:
        found = json.load(answer)
    assert os.waitpid(child, 0)[1] == 0, "the child was ended"
    return found
"""
# both children compute: a grandchild's parent may have started threads, or not
WORKS = """
expected = boxes()
assert expected
assert from_child(boxes) == expected
assert from_child(lambda: from_child(boxes)) == expected
assert from_child(lambda: [boxes(), from_child(boxes)]) == [expected, expected]
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(boxes, range(4)) == 4 * [expected]
assert boxes() == expected
"""
REFUSES = """
def refused():
    try:
        boxes()
    except UserError as error:
        return str(error)

assert boxes()
print(from_child(refused, os._exit))
assert boxes()
"""


def run(opening: str, rest: str, folder: Path) -> str:
    code = f"{PRELUDE}\ndetector = {opening}\n{rest}"
    around = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=around, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, (done.returncode, done.stderr)
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("threads", ["", ", threads=2"])
def test_children_find_the_same_in_torch(threads, tiny_run: Path, tmp_path: Path):
    settings = f"bin_thresh=0.3, box_thresh=0.0, input_size=(96, 160){threads}"
    run(f"Detector({str(tiny_run / 'checkpoints/last.pt')!r}, {settings})", WORKS, tmp_path)


@pytest.mark.slow
def test_children_find_the_same_in_openvino(tmp_path: Path):
    pytest.importorskip("openvino")
    write_bright(tmp_path)
    run('Detector("m.onnx", runtime="openvino", input_size=(96, 160))', WORKS, tmp_path)


@pytest.mark.slow
def test_onnx_runtime_is_refused_at_once(tmp_path: Path):
    pytest.importorskip("onnxruntime")
    write_bright(tmp_path)
    said = run('Detector("m.onnx", runtime="onnxruntime", input_size=(96, 160))', REFUSES, tmp_path)
    assert "after a fork" in said and "runtime=openvino" in said and said.count("\n") == 1


def write_bright(folder: Path) -> None:
    write_onnx(folder / "m.onnx", card())  # the probability is the brightness


class FakeGpu:
    """The device of a `Compute`."""

    type = "cuda"

    def __str__(self) -> str:
        return "cuda:0"


def test_a_gpu_is_refused_in_a_child(monkeypatch):
    network = TorchNetwork(nn.Sequential(), Compute(FakeGpu()))  # type: ignore[arg-type]
    monkeypatch.setattr("os.getpid", lambda: -1)
    with pytest.raises(UserError, match=r"device=cuda:0: a GPU cannot be used after a fork.*spawn"):
        network([np.zeros((32, 32, 3), np.uint8)])


def test_threads_of_torch(tiny_run: Path):
    before = torch.get_num_threads()
    try:
        Detector(tiny_run / "checkpoints/last.pt", threads=3)
        assert torch.get_num_threads() == 3
        Detector(tiny_run / "checkpoints/last.pt")
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    for wrong in (0, 1025, 1.5, "all"):
        with pytest.raises(ValueError, match="threads="):
            Detector(threads=wrong)


@pytest.mark.parametrize("threads", [3, None])
def test_threads_of_the_runtimes(threads, tmp_path: Path, monkeypatch):
    onnxruntime, openvino = pytest.importorskip("onnxruntime"), pytest.importorskip("openvino")
    write_bright(tmp_path)
    asked = []

    class Session(onnxruntime.InferenceSession):  # type: ignore[misc]
        def __init__(self, path, options, **rest):
            asked.append(options.intra_op_num_threads)
            super().__init__(path, options, **rest)

    class Core(openvino.Core):  # type: ignore[misc]
        def compile_model(self, model, device, hints):
            asked.append(hints["INFERENCE_NUM_THREADS"])
            return super().compile_model(model, device, hints)

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    monkeypatch.setattr(openvino, "Core", Core)
    for runtime in ("onnxruntime", "openvino"):
        ExportedNetwork(open_exported(tmp_path / "m.onnx", runtime, threads))
    assert asked == [threads or 0, threads or 0]
