"""The network as published (MhLiao/DB, plain convolutions), written plainly: what a GPU benchmark compares with.

Same function and same number of weights as the product's; transposed convolutions, concatenation and upsampling are
torch's own. Legend: N images, H W pixels, multiples of 32.
"""

from __future__ import annotations

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

from resnet18_ocrdet.model.normalize import IMAGENET_MEAN, IMAGENET_STD
from resnet18_ocrdet.structures import Maps

CHANNELS = (64, 128, 256, 512)  # of ResNet-18 at strides 4, 8, 16, 32
INNER = 256


class PublishedNet(nn.Module):
    """DBNet with ResNet-18: 12,340,930 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = torchvision.models.resnet18()
        del self.backbone.fc
        self.lateral = nn.ModuleList(nn.Conv2d(channels, INNER, 1, bias=False) for channels in CHANNELS)
        self.smooth = nn.ModuleList(nn.Conv2d(INNER, INNER // 4, 3, padding=1, bias=False) for _ in CHANNELS)
        self.prob, self.thresh = published_head(), published_head()
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))

    def forward(self, image: Tensor) -> Maps:
        """image: (N, 3, H, W) uint8 RGB. Returns logits of both maps, (N, 1, H, W)."""
        net, x = self.backbone, (image.float() / 255.0 - self.mean) / self.std
        x = net.maxpool(net.relu(net.bn1(net.conv1(x))))
        levels = []
        for layer in (net.layer1, net.layer2, net.layer3, net.layer4):
            x = layer(x)
            levels.append(x)
        p2, p3, p4, p5 = (conv(level) for conv, level in zip(self.lateral, levels, strict=True))
        p4 = p4 + F.interpolate(p5, scale_factor=2.0)
        p3 = p3 + F.interpolate(p4, scale_factor=2.0)
        p2 = p2 + F.interpolate(p3, scale_factor=2.0)
        smoothed = [conv(level) for conv, level in zip(self.smooth, (p2, p3, p4, p5), strict=True)]
        same_size = [F.interpolate(level, scale_factor=float(2**i)) for i, level in enumerate(smoothed) if i]
        features = torch.cat([*same_size[::-1], smoothed[0]], dim=1)
        return Maps(self.prob(features), self.thresh(features))


def published_head() -> nn.Sequential:
    """3×3 convolution and two transposed ones, four times the size, without the sigmoid (the loss takes logits)."""
    part = INNER // 4
    return nn.Sequential(
        nn.Conv2d(INNER, part, 3, padding=1, bias=False),
        nn.BatchNorm2d(part),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(part, part, 2, stride=2),
        nn.BatchNorm2d(part),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(part, 1, 2, stride=2),
    )
