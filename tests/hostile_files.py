"""Checkpoints and exported files with arbitrary metadata and graphs."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import TensorProto as T
from onnx import helper

from resnet18_ocrdet.inference.backends import KEY
from resnet18_ocrdet.model.bundled import BUNDLED_PATH
from resnet18_ocrdet.model.checkpoint import load_checkpoint


def raw() -> dict[str, Any]:
    """The content of the bundled weights, for the test to change."""
    content: dict[str, Any] = torch.load(BUNDLED_PATH, weights_only=True)
    return content


def card(**changes: Any) -> dict[str, Any]:
    """The metadata of an exported file. changes: replaced parts."""
    content = load_checkpoint(BUNDLED_PATH)
    contract = content["contract"] | {"height": 64, "width": 64, "precision": "fp32"}
    made = {
        "format": 1,
        "input": {"dtype": "uint8", "shape": ["batch", 3, "height", "width"]},
        "contract": contract,
        "config": content["config"],
        "about": {"version": "0"},
    }
    return copy.deepcopy(made | changes)


def brightness(output: str = "out") -> list[onnx.NodeProto]:
    """(N, 3, H, W) uint8 -> (N, 1, H, W) float, 0..1."""
    return [
        helper.make_node("Cast", ["image"], ["pixels"], to=T.FLOAT),
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[1]),
        helper.make_node("Div", ["mean", "most"], [output]),
    ]


def write_onnx(
    path: Path,
    metadata: Any,
    nodes: list[onnx.NodeProto] | None = None,
    kind: int = T.FLOAT,
    inputs: int = 1,
    outputs: tuple[str, ...] = ("out",),
) -> Path:
    """Write an ONNX file. metadata: its metadata, or a string instead. kind: data type of the output."""
    shape = ["batch", 3, "height", "width"]
    graph = helper.make_graph(
        brightness() if nodes is None else nodes,
        "graph",
        [helper.make_tensor_value_info(f"image{i or ''}", T.UINT8, shape) for i in range(inputs)],
        [helper.make_tensor_value_info(name, kind, None) for name in outputs],
        initializer=[
            helper.make_tensor("most", T.FLOAT, [], [255.0]),
            helper.make_tensor("true", T.BOOL, [], [True]),
            helper.make_tensor("nan", T.FLOAT, [], [float("nan")]),
            helper.make_tensor("many", T.FLOAT, [], [1e6]),
            helper.make_tensor("words", T.STRING, [1], [b"word"]),
            helper.make_tensor("halves", T.FLOAT, [4], [1.0, 1.0, 0.5, 0.5]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, {KEY: metadata if isinstance(metadata, str) else json.dumps(metadata)})
    onnx.save(model, path)
    return path


def endless(begins: str = "true") -> list[onnx.NodeProto]:
    """An endless loop. begins: "true", or "bright": only if a pixel is not black."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["goes_on"], ["still"]), helper.make_node("Identity", ["value"], ["same"])],
        "body",
        [
            helper.make_tensor_value_info("round", T.INT64, []),
            helper.make_tensor_value_info("goes_on", T.BOOL, []),
            helper.make_tensor_value_info("value", T.FLOAT, None),
        ],
        [helper.make_tensor_value_info("still", T.BOOL, []), helper.make_tensor_value_info("same", T.FLOAT, None)],
    )
    condition = [
        helper.make_node("ReduceMax", ["once"], ["most_of_it"], keepdims=0),
        helper.make_node("Cast", ["most_of_it"], ["bright"], to=T.BOOL),
    ]
    return [*brightness("once"), *condition, helper.make_node("Loop", ["", begins, "once"], ["out"], body=body)]
