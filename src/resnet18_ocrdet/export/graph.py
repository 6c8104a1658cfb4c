"""The network as it is shipped: pixels in, probabilities out, nothing else to know.

Legend: N images, H W pixels, multiples of 32.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from ..model.dbnet import STRIDE, DBNet

InputType = Literal["uint8", "float"]

INPUT, OUTPUT = "image", "prob_map"
MOST_STRIDES = 4096  # of a free side: 131,072 px


class ShippedNet(nn.Module):
    """Normalisation, backbone, neck and the head of the probability map, layer by layer as published.

    Plain layers, because every runtime knows them; the function is that of the quick form (`model/quick.py`)."""

    def __init__(self, net: DBNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> Tensor:
        """image: (N, 3, H, W) RGB, 0..255, uint8 or float32. Returns (N, 1, H, W) float32, 0..1."""
        normalize = self.net.normalize
        features = self.net.backbone(image.float() * normalize.scale + normalize.shift)
        logits: Tensor = self.net.prob_head(self.net.neck(features))
        return logits.sigmoid()


def trace(net: DBNet, height: int, width: int, input_type: InputType, free: bool) -> ExportedProgram:
    """The graph of a network on the CPU, in float32.

    height, width: of the images, multiples of 32. free: they and the batch may differ; else one image of that size."""
    dtype = torch.uint8 if input_type == "uint8" else torch.float32
    shape = (2, 3, 2 * STRIDE, 3 * STRIDE) if free else (1, 3, height, width)
    sides = [STRIDE * Dim(name, min=1, max=MOST_STRIDES) for name in ("rows", "columns")]
    shapes: dict[str, Any] | None = {INPUT: {0: Dim("batch"), 2: sides[0], 3: sides[1]}} if free else None
    return torch.export.export(ShippedNet(net).eval(), (torch.zeros(shape, dtype=dtype),), dynamic_shapes=shapes)
