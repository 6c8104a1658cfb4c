"""The exported graph, pixels in and probabilities out, and its two file formats: ONNX and torch.export.

Legend: N images, H W pixels, multiples of 32.
"""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from ..errors import UserError
from ..inference.backends import KEY
from ..inference.exported import ExportedFile, short_reason
from ..model.dbnet import STRIDE, DBNet
from ..model.layers import folded
from .onnx_file import write_model

InputDtype = Literal["uint8", "float"]
OutputShape = Literal["n1hw", "hw"]

INPUT, OUTPUT = "image", "prob_map"
MAX_STRIDES = 4096  # of a dynamic side: 131,072 px
OPSET = 18  # of ONNX; supported by ONNX Runtime, OpenVINO and OpenCV's dnn of 2026
AXES = ("batch", "channels", "height", "width")  # names of dynamic axes
TRACES = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn")  # source lines with paths of this machine
CARD = "card.json"  # in the archive of torch.export


class ExportNet(nn.Module):
    """Normalization, backbone, neck and the head of the probability map, with the published layers.

    Every runtime supports these; the function is that of the faster form in `model/fused_head.py`."""

    def __init__(self, net: DBNet, output_shape: OutputShape = "n1hw", half: bool = False) -> None:
        """half: compute in float16 between normalization and logits."""
        super().__init__()
        self.normalize, self.output_shape = net.normalize, output_shape
        self.dtype = torch.float16 if half else torch.float32
        # A batch norm's variance may be 0 in float16, so it is folded first.
        net = cast(DBNet, folded(copy.deepcopy(net)).half()) if half else net
        self.layers = nn.Sequential(net.backbone, net.neck, net.prob_head)

    def forward(self, image: Tensor) -> Tensor:
        """image: (N, 3, H, W) RGB, 0..255, uint8 or float32. Returns (N, 1, H, W), or (H, W) of one image, float32,
        0..1."""
        pixels = image.float() * self.normalize.scale + self.normalize.shift
        prob_map: Tensor = self.layers(pixels.to(self.dtype)).float().sigmoid()
        return prob_map.squeeze((0, 1)) if self.output_shape == "hw" else prob_map


def trace(
    net: DBNet,
    height: int,
    width: int,
    input_dtype: InputDtype,
    dynamic_shapes: bool,
    output_shape: OutputShape = "n1hw",
    half: bool = False,
) -> ExportedProgram:
    """The graph of a network on the CPU. half: in float16, else float32.

    height, width: multiples of 32. dynamic_shapes: any number of images of any size, for "hw" one image of any size;
    else one image of that size."""
    dtype = torch.uint8 if input_dtype == "uint8" else torch.float32
    batch = 2 if dynamic_shapes and output_shape == "n1hw" else 1
    shape = (batch, 3, 2 * STRIDE, 3 * STRIDE) if dynamic_shapes else (1, 3, height, width)
    sides = [STRIDE * Dim(name, min=1, max=MAX_STRIDES) for name in ("rows", "columns")]
    axes: dict[int, Any] = {2: sides[0], 3: sides[1]} | ({0: Dim("batch")} if batch > 1 else {})
    shapes = {INPUT: axes} if dynamic_shapes else None
    module = ExportNet(net, output_shape, half).eval()
    return torch.export.export(module, (torch.zeros(shape, dtype=dtype),), dynamic_shapes=shapes)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what torch raises into a UserError, without its warnings about its own code."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (OSError, MemoryError):
        raise
    except Exception as error:  # of any type: torch before 2.7 cannot export every part, or with another onnxscript
        raise UserError(
            f"{path.name}: torch {torch.__version__} cannot export the network ({short_reason(error)}); torch 2.7 can: "
            "pip install --upgrade torch torchvision 'resnet18-ocrdet[export]'"
        ) from None


def write_onnx(program: ExportedProgram, card: dict[str, Any], path: Path) -> None:
    """Write an ONNX file with `card` as JSON in its metadata, without paths of this machine."""
    with _explained(path):
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
        dims = value.type.tensor_type.shape.dim
        for dim, name in zip(dims, AXES[-len(dims) :], strict=True):
            if dim.dim_param:
                dim.dim_param = name
    write_model(model, {KEY: json.dumps(card, ensure_ascii=False)}, path)


def write_torch(program: ExportedProgram, card: dict[str, Any], path: Path) -> None:
    """Write an archive for programs that use torch without this package, with `card`, without paths of this machine."""
    for node in program.graph.nodes:
        for key in TRACES:
            node.meta.pop(key, None)
    with path.open("wb") as file, _explained(path):
        torch.export.save(program, file, extra_files={CARD: json.dumps(card, ensure_ascii=False)})


def open_torch(path: Path, card: dict[str, Any]) -> ExportedFile:
    """Open an archive that was just written."""
    with path.open("rb") as file, _explained(path):
        network = torch.export.load(file).module()

    @torch.inference_mode()
    def run(images: NDArray[Any]) -> NDArray[np.float32]:
        return np.asarray(network(torch.from_numpy(images)).numpy(), np.float32)

    return ExportedFile(path, "torch", card, lambda precision: run)
