"""ResNet features at four strides. The layers are torchvision's, so its weights load name by name."""

from __future__ import annotations

import torchvision
from torch import Tensor, nn

from .backbone import Backbone, Features

CHANNELS = {  # output channels at strides 4, 8, 16, 32 (He et al. 2016, table 1)
    "resnet18": (64, 128, 256, 512),
    "resnet34": (64, 128, 256, 512),
    "resnet50": (256, 512, 1024, 2048),
}


class ResNetFeatures(Backbone):
    """A torchvision ResNet without its classifier. ResNet-18 has 11,176,512 parameters here."""

    classifier = "fc."

    def __init__(self, name: str) -> None:
        super().__init__()
        net = torchvision.models.get_model(name, weights=None)
        self.name, self.channels = name, CHANNELS[name]
        self.imagenet = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"]
        self.conv1, self.bn1, self.relu, self.maxpool = net.conv1, net.bn1, net.relu, net.maxpool
        self.layer1, self.layer2, self.layer3, self.layer4 = net.layer1, net.layer2, net.layer3, net.layer4

    def forward(self, image: Tensor) -> Features:
        """See `Backbone.forward`."""
        stem = self.relu(self.maxpool(self.bn1(self.conv1(image))))  # pooled first: the same result, ReLU on a quarter
        c2 = self.layer1(stem)
        c3 = self.layer2(c2)
        c4 = self.layer3(c3)
        return c2, c3, c4, self.layer4(c4)

    def stages(self) -> tuple[list[nn.Module], ...]:
        """See `Backbone.stages`."""
        return [self.conv1, self.bn1], [self.layer1], [self.layer2], [self.layer3], [self.layer4]

    def residual_norms(self) -> list[nn.BatchNorm2d]:
        """See `Backbone.residual_norms`."""
        blocks = [block for layer in (self.layer1, self.layer2, self.layer3, self.layer4) for block in layer]
        return [getattr(block, "bn3", None) or block.bn2 for block in blocks]
