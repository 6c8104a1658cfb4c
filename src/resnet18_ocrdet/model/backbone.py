"""What a feature extractor must offer to the network, to freezing, to layer decay and to ImageNet weights.

Legend: N images, H W input pixels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

Features = tuple[Tensor, Tensor, Tensor, Tensor]

# A new feature extractor needs a subclass of Backbone, a line here and a file in conf/model.
BACKBONES = {  # name in conf/model and in checkpoints -> class that is called with it; imported when it is built
    "resnet18": "resnet18_ocrdet.model.resnet.ResNetFeatures",
    "resnet34": "resnet18_ocrdet.model.resnet.ResNetFeatures",
    "resnet50": "resnet18_ocrdet.model.resnet.ResNetFeatures",
}
PARTS = ("stem", "layer1", "layer2", "layer3", "layer4")  # from the image on, as in train.freeze


class Backbone(nn.Module, ABC):
    """Base class of all feature extractors."""

    name: str  # as in BACKBONES
    channels: tuple[int, int, int, int]  # of the maps at strides 4, 8, 16, 32
    imagenet: WeightsEnum | None = None  # what init.backbone=imagenet downloads
    classifier: str = ""  # prefix of the tensors in ImageNet weights that are not loaded

    @abstractmethod
    def forward(self, image: Tensor) -> Features:
        """image: (N, 3, H, W) normalised. Returns (N, C_i, H/s, W/s) for s = 4, 8, 16, 32."""

    @abstractmethod
    def stages(self) -> tuple[list[nn.Module], ...]:
        """The modules of each of PARTS: the stem, then what leads to each of the four maps."""

    def freeze(self, up_to: str | None, statistics: bool) -> list[nn.Module]:
        """Stop the gradients of all parts up to one of PARTS. statistics: freeze those of every batch norm.

        Returns the modules that must stay in evaluation mode: frozen parts keep their statistics too."""
        last = 0 if up_to is None else PARTS.index(up_to) + 1
        frozen = [module for stage in self.stages()[:last] for module in stage]
        for module in frozen:
            module.requires_grad_(False)
        if statistics:
            frozen += [layer for layer in self.modules() if isinstance(layer, nn.BatchNorm2d)]
        return frozen


def build_backbone(name: str) -> Backbone:
    """name: a key of BACKBONES. Raises ValueError for another one."""
    if name not in BACKBONES:
        raise ValueError(f"backbone '{name}': must be one of {', '.join(BACKBONES)}")
    module, _, cls = BACKBONES[name].rpartition(".")
    made: Backbone = getattr(import_module(module), cls)(name)
    return made
