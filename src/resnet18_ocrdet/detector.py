"""A trained network on one image after the other."""

from __future__ import annotations

import torch
from torch import nn

from .contract import Contract
from .data.letterbox import letterbox
from .engine import Compute
from .postprocess import Decoder, ProbMap
from .structures import Detection, Image, Placement


class Detector:
    """Image in, regions out. Holds no state between images."""

    def __init__(self, model: nn.Module, contract: Contract, decode: Decoder, compute: Compute) -> None:
        """model: a DBNet on the device of `compute`. contract: how its images are prepared."""
        self.model = model.eval()
        self.contract, self.decode, self.compute = contract, decode, compute

    def __call__(self, image: Image) -> list[Detection]:
        """image: (H, W, 3) uint8 RGB, any size. Returns regions in its own pixels."""
        return self.decode(*self.look(image))

    @torch.inference_mode()
    def look(self, image: Image) -> tuple[ProbMap, Placement]:
        """The probability map of an image, (H', W') float32 0..1, and how the image lies on it."""
        canvas, placement = letterbox(image, self.contract.height, self.contract.width, self.contract.resize)
        batch = torch.from_numpy(canvas).permute(2, 0, 1)[None]
        with self.compute.autocast():
            maps = self.model(self.compute.image(batch), with_thresh=False)
        return maps.prob_map[0, 0].cpu().numpy(), placement
