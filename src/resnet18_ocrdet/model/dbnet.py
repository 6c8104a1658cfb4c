"""DBNet: backbone, neck and heads joined (Liao et al., AAAI 2020).

Legend: N images, H W input pixels, multiples of 32.
"""

from __future__ import annotations

from torch import Tensor, nn

from ..structures import Maps
from .backbone import build_backbone
from .fused_head import fused_logits
from .layers import IMAGENET_MEAN, IMAGENET_STD, FeaturePyramid, MapHead, Normalize

STRIDE = 32  # of the deepest feature map: image sides must be multiples of it
INNER_CHANNELS = 256


class DBNet(nn.Module):
    """Text detector that returns a probability map and, while training, a threshold map.

    backbone: a key of backbone.BACKBONES; with "resnet18" 12,340,930 parameters in all. plain: neck and heads layer by
    layer, as published; else the same function with less work (fused_head.py). The parameters do not depend on it.
    mean, std: of the normalisation; weights converted from other programs may need others than ImageNet's."""

    def __init__(
        self,
        backbone: str = "resnet18",
        plain: bool = False,
        mean: tuple[float, ...] = IMAGENET_MEAN,
        std: tuple[float, ...] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.plain = plain
        self.normalize = Normalize(mean, std)
        self.backbone = build_backbone(backbone)
        self.neck = FeaturePyramid(self.backbone.channels, INNER_CHANNELS)
        self.prob_head = MapHead(INNER_CHANNELS)
        self.thresh_head = MapHead(INNER_CHANNELS)
        self._init_new_layers()
        self._frozen: list[nn.Module] = []

    def freeze(self, up_to: str | None, statistics: bool = False) -> None:
        """Freeze the backbone up to "stem", "layer1" … "layer4". statistics: also those of all its batch norms."""
        self._frozen = self.backbone.freeze(up_to, statistics)

    def train(self, mode: bool = True) -> DBNet:
        """Set the mode; frozen parts stay in evaluation mode."""
        super().train(mode)
        for part in self._frozen:
            part.eval()
        return self

    def forward(self, image: Tensor, with_thresh: bool = True) -> Maps:
        """image: (N, 3, H, W) uint8 RGB. Returns logits at full size.

        with_thresh: False leaves out the threshold head, which only training needs."""
        features = self.backbone(self.normalize(image))
        heads = [self.prob_head, self.thresh_head] if with_thresh else [self.prob_head]
        if self.plain:
            joined = self.neck(features)
            logits = [head(joined) for head in heads]
        else:
            logits = fused_logits(self.neck, heads, features)
        return Maps(logits[0], logits[1] if with_thresh else None)

    def _init_new_layers(self) -> None:
        """He initialisation where no ImageNet weights exist.

        Each output of a 2×2 stride-2 transposed convolution sees one input pixel, so its fan-in is the input channels;
        torch counts the output channels, and the first logits would be ±4 instead of ±1."""
        for part in (self.neck, self.prob_head, self.thresh_head):
            for layer in part.modules():
                if isinstance(layer, nn.Conv2d):
                    nn.init.kaiming_normal_(layer.weight)
                elif isinstance(layer, nn.ConvTranspose2d):
                    nn.init.normal_(layer.weight, std=(2.0 / layer.in_channels) ** 0.5)
                elif isinstance(layer, nn.BatchNorm2d):
                    nn.init.constant_(layer.bias, 1e-4)  # as in the DB reference
