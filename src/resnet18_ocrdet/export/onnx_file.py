"""ONNX: the graph with its contract in the metadata."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from ..inference.backends import KEY
from .graph import INPUT, OUTPUT

OPSET = 18  # supported by ONNX Runtime, OpenVINO and OpenCV's dnn of 2026
AXES = ("batch", "channels", "height", "width")  # names of dynamic axes


def write_onnx(program: ExportedProgram, card: dict[str, Any], path: Path) -> None:
    """Write the graph with `card` as JSON in its metadata, without paths of this machine."""
    import onnx

    with warnings.catch_warnings():  # of the exporter, about its own code
        warnings.simplefilter("ignore")
        made = torch.onnx.export(
            program, dynamo=True, opset_version=OPSET, input_names=[INPUT], output_names=[OUTPUT], verbose=False
        )
    assert made is not None
    model = made.model_proto
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]  # source lines with paths of this machine
    del graph.value_info[:]
    for value in (graph.input[0], graph.output[0]):
        for dim, name in zip(value.type.tensor_type.shape.dim, AXES, strict=True):
            if dim.dim_param:
                dim.dim_param = name
    onnx.helper.set_model_props(model, {KEY: json.dumps(card, ensure_ascii=False)})
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
