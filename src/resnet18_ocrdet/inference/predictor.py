"""A trained network on one image after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from ..data.letterbox import letterbox, scale_to
from ..errors import UserError
from ..model.contract import Contract
from ..model.fold import folded
from ..runtime.compute import Compute
from ..structures import Detection, Image, ResizeTransform
from .postprocess import Decoder, ProbMap
from .tiling import SHRINK, joined, spans, tiled_map


class Predictor:
    """Image in, regions out. Holds no state between images."""

    def __init__(
        self, model: nn.Module, contract: Contract, decode: Decoder, compute: Compute, tiling: bool = False
    ) -> None:
        """model: a DBNet on the device of `compute`. contract: how its images are prepared. tiling: large images are
        looked at in tiles as well."""
        self.model = folded(model)
        self.contract, self.decode, self.compute, self.tiling = contract, decode, compute, tiling

    def __call__(self, image: Image) -> list[Detection]:
        """image: (H, W, 3) uint8 RGB, any size. Returns regions in its own pixels."""
        whole = self.decode(*self.look(image))
        return self._with_tiles(image, whole) if self.tiling and self.scale(image) < SHRINK else whole

    def scale(self, image: Image) -> float:
        """How much larger or smaller the network sees the image: canvas px per image px, the smaller of both sides."""
        height, width = image.shape[:2]
        return min(scale_to(height, width, self.contract.height, self.contract.width, self.contract.resize))

    def _with_tiles(self, image: Image, whole: list[Detection]) -> list[Detection]:
        height, width = self.contract.height, self.contract.width
        exact = self.contract.resize in ("fit", "stretch")  # an exported network may take one size only
        prob_map = tiled_map(image, lambda tile: self.maps([tile])[0], height, width, exact)
        tiles = len(spans(image.shape[0], height)) * len(spans(image.shape[1], width))
        decode = replace(self.decode, max_candidates=self.decode.max_candidates * tiles)
        return joined(decode(prob_map, ResizeTransform(image.shape[0], image.shape[1], 1.0, 1.0)), whole, height)

    def look(self, image: Image) -> tuple[ProbMap, ResizeTransform]:
        """The probability map of an image, (H', W') float32 0..1, and how the image lies on it."""
        canvas, placement = self.prepare(image)
        return self.maps([canvas])[0], placement

    def prepare(self, image: Image) -> tuple[Image, ResizeTransform]:
        """The canvas that the network looks at, (H', W', 3) uint8, and how the image lies on it."""
        return letterbox(image, self.contract.height, self.contract.width, self.contract.resize)

    @torch.inference_mode()
    def maps(self, canvases: Sequence[Image]) -> list[ProbMap]:
        """The probability maps, (H', W') float32 0..1 each, of canvases of one size.

        Raises UserError where the network computes no numbers: that is no image without text."""
        batch = torch.from_numpy(np.stack(canvases)).permute(0, 3, 1, 2)
        with self.compute.autocast():
            maps = self.model(self.compute.image(batch), with_thresh=False)
        found = maps.prob_map[:, 0].cpu().numpy()
        if not np.isfinite(found).all():
            raise UserError("the network's map holds NaN: it cannot be computed with these weights")
        return list(found)
