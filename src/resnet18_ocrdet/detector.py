"""A trained network on one image after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
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

    def look(self, image: Image) -> tuple[ProbMap, Placement]:
        """The probability map of an image, (H', W') float32 0..1, and how the image lies on it."""
        canvas, placement = self.prepare(image)
        return self.maps([canvas])[0], placement

    def prepare(self, image: Image) -> tuple[Image, Placement]:
        """The canvas that the network looks at, (H', W', 3) uint8, and how the image lies on it."""
        return letterbox(image, self.contract.height, self.contract.width, self.contract.resize)

    @torch.inference_mode()
    def maps(self, canvases: Sequence[Image]) -> list[ProbMap]:
        """The probability maps, (H', W') float32 0..1 each, of canvases of one size."""
        batch = torch.from_numpy(np.stack(canvases)).permute(0, 3, 1, 2)
        with self.compute.autocast():
            maps = self.model(self.compute.image(batch), with_thresh=False)
        return list(maps.prob_map[:, 0].cpu().numpy())
