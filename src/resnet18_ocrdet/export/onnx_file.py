"""Writes an ONNX model so that as many runtimes as possible read it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx


def write_model(model: onnx.ModelProto, metadata: dict[str, str], path: Path) -> None:
    """Write a model with this metadata and no other, as the lowest IR version that its opset needs.

    A runtime refuses a file of a later IR version than its own, even if it has every operator of the file."""
    import onnx

    domains = {node.domain for node in model.graph.node}
    used = [each for each in model.opset_import if each.domain in domains]
    del model.opset_import[:]
    model.opset_import.extend(used)  # the quantizer adds opsets that need a later IR version
    model.ir_version = onnx.helper.find_min_ir_version_for(used, ignore_unknown=True)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
