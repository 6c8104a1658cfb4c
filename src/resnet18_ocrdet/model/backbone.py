"""ResNet features at four strides. The layers are torchvision's, so its weights load name by name.

Legend: N images, H W input pixels.
"""

from __future__ import annotations

import torchvision
from torch import Tensor, nn

CHANNELS = {  # output channels at strides 4, 8, 16, 32 (He et al. 2016, table 1)
    "resnet18": (64, 128, 256, 512),
    "resnet34": (64, 128, 256, 512),
    "resnet50": (256, 512, 1024, 2048),
}


class ResNetFeatures(nn.Module):
    """A torchvision ResNet without its classifier.

    name: a key of CHANNELS. ResNet-18 has 11,176,512 parameters here.
    Raises ValueError for another name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        if name not in CHANNELS:
            raise ValueError(f"backbone '{name}': one of {', '.join(CHANNELS)}")
        net = torchvision.models.get_model(name, weights=None)
        self.conv1, self.bn1, self.relu, self.maxpool = net.conv1, net.bn1, net.relu, net.maxpool
        self.layer1, self.layer2, self.layer3, self.layer4 = net.layer1, net.layer2, net.layer3, net.layer4

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """image: (N, 3, H, W) normalised. Returns (N, C_i, H/s, W/s) for s = 4, 8, 16, 32."""
        stem = self.relu(self.maxpool(self.bn1(self.conv1(image))))  # the largest first: the same, of a quarter
        c2 = self.layer1(stem)
        c3 = self.layer2(c2)
        c4 = self.layer3(c3)
        return c2, c3, c4, self.layer4(c4)
