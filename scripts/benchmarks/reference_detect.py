"""Plain reference for bench_detect.py: detection as MhLiao/DB does it, written from scratch.

Decode to float32, resize, subtract and divide in float32, transpose; the network as published, layer by layer,
in float32 and contiguous; sigmoid. reference_eval.decode continues from its map.

Legend: N images, H W pixels of the network's input.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
import torchvision
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

MEAN = np.array([122.67891434, 116.66876762, 104.00698793])  # MhLiao/DB, RGB; it subtracts them from BGR
INNER = 256  # channels of the pyramid


class PublishedDBNet(nn.Module):
    """ResNet-18 DBNet without its threshold head. Parameters have the names of the package."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = torchvision.models.resnet18(weights=None)
        del self.backbone.avgpool, self.backbone.fc
        self.neck = nn.Module()
        self.neck.lateral = nn.ModuleList(nn.Conv2d(c, INNER, 1, bias=False) for c in (64, 128, 256, 512))
        self.neck.smooth = nn.ModuleList(nn.Conv2d(INNER, INNER // 4, 3, padding=1, bias=False) for _ in range(4))
        self.prob_head = nn.Sequential(
            nn.Conv2d(INNER, INNER // 4, 3, padding=1, bias=False),
            nn.BatchNorm2d(INNER // 4),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(INNER // 4, INNER // 4, 2, stride=2),
            nn.BatchNorm2d(INNER // 4),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(INNER // 4, 1, 2, stride=2),
            nn.Sigmoid(),
        )

    def forward(self, image: Tensor) -> Tensor:
        """image: (N, 3, H, W) float32, normalised. Returns the probability map, (N, 1, H, W), 0..1."""
        return self.prob_head(self.joined(image))

    def joined(self, image: Tensor) -> Tensor:
        """Input of the heads, (N, 256, H/4, W/4)."""
        net = self.backbone
        x = net.maxpool(net.relu(net.bn1(net.conv1(image))))
        features = []
        for layer in (net.layer1, net.layer2, net.layer3, net.layer4):
            x = layer(x)
            features.append(x)
        p2, p3, p4, p5 = (conv(feature) for conv, feature in zip(self.neck.lateral, features, strict=True))
        p4 = F.interpolate(p5, scale_factor=2) + p4
        p3 = F.interpolate(p4, scale_factor=2) + p3
        p2 = F.interpolate(p3, scale_factor=2) + p2
        s2, s3, s4, s5 = (conv(level) for conv, level in zip(self.neck.smooth, (p2, p3, p4, p5), strict=True))
        up = [F.interpolate(level, scale_factor=times) for level, times in ((s5, 8), (s4, 4), (s3, 2))]
        return torch.cat([*up, s2], dim=1)


def read(path: Path) -> NDArray[np.float32]:
    """(H, W, 3) BGR, 0..255."""
    return cv2.imread(str(path), cv2.IMREAD_COLOR).astype(np.float32)


def prepare(image: NDArray[np.float32], height: int, width: int) -> Tensor:
    """Resize and normalise to (1, 3, height, width); `image` may have any size."""
    resized = cv2.resize(image, (width, height))
    resized -= MEAN
    resized /= 255.0
    return torch.from_numpy(np.ascontiguousarray(resized.transpose(2, 0, 1))).unsqueeze(0)


@torch.no_grad()
def predict(net: PublishedDBNet, image: Tensor) -> NDArray[np.float32]:
    """The probability map of one image, (H, W)."""
    return net(image)[0, 0].numpy()
