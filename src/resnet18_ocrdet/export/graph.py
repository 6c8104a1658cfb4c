"""The exported graph: pixels in, probabilities out.

Legend: N images, H W pixels, multiples of 32.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from ..model.dbnet import STRIDE, DBNet

InputDtype = Literal["uint8", "float"]

INPUT, OUTPUT = "image", "prob_map"
MAX_STRIDES = 4096  # of a dynamic side: 131,072 px


class ExportNet(nn.Module):
    """Normalization, backbone, neck and the head of the probability map, with the published layers.

    Every runtime supports these; the function is that of the faster form in `model/fused_head.py`."""

    def __init__(self, net: DBNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> Tensor:
        """image: (N, 3, H, W) RGB, 0..255, uint8 or float32. Returns (N, 1, H, W) float32, 0..1."""
        normalize = self.net.normalize
        features = self.net.backbone(image.float() * normalize.scale + normalize.shift)
        logits: Tensor = self.net.prob_head(self.net.neck(features))
        return logits.sigmoid()


def trace(net: DBNet, height: int, width: int, input_dtype: InputDtype, dynamic_shapes: bool) -> ExportedProgram:
    """The graph of a network on the CPU, in float32.

    height, width: multiples of 32. dynamic_shapes: any number of images of any size; else one image of that size."""
    dtype = torch.uint8 if input_dtype == "uint8" else torch.float32
    shape = (2, 3, 2 * STRIDE, 3 * STRIDE) if dynamic_shapes else (1, 3, height, width)
    sides = [STRIDE * Dim(name, min=1, max=MAX_STRIDES) for name in ("rows", "columns")]
    shapes: dict[str, Any] | None = {INPUT: {0: Dim("batch"), 2: sides[0], 3: sides[1]}} if dynamic_shapes else None
    return torch.export.export(ExportNet(net).eval(), (torch.zeros(shape, dtype=dtype),), dynamic_shapes=shapes)
