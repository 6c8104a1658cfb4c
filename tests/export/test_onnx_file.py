"""An ONNX file is as old as its opset allows, so that the runtimes that people have read it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.export.graph import OPSET, write_onnx
from resnet18_ocrdet.export.onnx_file import write_model


def model(opset: int) -> onnx.ModelProto:
    """y = relu(x), as a later exporter writes it: IR version 10, and a domain that no node uses."""
    sides = [1, 3, 4, 5]
    x, y = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, sides) for name in "xy")
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "relu", [x], [y])
    domains = [onnx.helper.make_opsetid("", opset), onnx.helper.make_opsetid("ai.onnx.ml", 5)]
    made = onnx.helper.make_model(graph, opset_imports=domains, ir_version=10)
    onnx.helper.set_model_props(made, {"of": "another program"})
    return made


@pytest.mark.parametrize(("opset", "ir_version"), [(15, 8), (18, 8), (19, 9), (20, 9), (21, 10)])
def test_the_ir_version_is_the_lowest_of_the_opset(opset: int, ir_version: int, tmp_path: Path):
    write_model(model(opset), {"card": "{}"}, tmp_path / "m.onnx")
    written = onnx.load(tmp_path / "m.onnx")
    assert written.ir_version == ir_version
    assert [(each.domain, each.version) for each in written.opset_import] == [("", opset)]
    assert {each.key: each.value for each in written.metadata_props} == {"card": "{}"}


def test_the_installed_runtimes_read_it(tmp_path: Path):
    write_model(model(OPSET), {}, tmp_path / "m.onnx")
    x = np.linspace(-1, 1, 60, dtype=np.float32).reshape(1, 3, 4, 5)
    (y,) = onnxruntime.InferenceSession(str(tmp_path / "m.onnx")).run(None, {"x": x})
    network = cv2.dnn.readNetFromONNX(str(tmp_path / "m.onnx"))
    network.setInput(x)
    assert np.array_equal(y, x.clip(0)) and np.array_equal(network.forward(), x.clip(0))


def test_a_torch_that_cannot_export_is_one_line(tmp_path: Path, monkeypatch):
    def of_torch_24(mod, args, f=None, **others):
        raise AssertionError

    monkeypatch.setattr(torch.onnx, "export", of_torch_24)
    with pytest.raises(UserError, match=r"^a\.onnx: torch 2\.\S+ cannot export .*args.* pip install") as caught:
        write_onnx(None, {}, tmp_path / "a.onnx")
    assert "\n" not in str(caught.value)
