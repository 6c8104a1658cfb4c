"""Networks of other programs, rewritten from their sources, for comparison."""

from __future__ import annotations

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

DB_MEAN, SERVED_MEAN = (122.67891434, 116.66876762, 104.00698793), (123.68, 116.78, 103.94)


def backbone(extra: bool) -> nn.Module:
    """A ResNet-18 with torchvision's names; extra: with the two unused layers of MhLiao/DB."""
    net = torchvision.models.resnet18(weights=None)
    del net.fc
    if extra:
        net.fc, net.smooth = nn.Linear(512, 1000), nn.Conv2d(2048, 256, 1)
    return net


def features(net: nn.Module, image: Tensor) -> list[Tensor]:
    """Strides 4, 8, 16, 32."""
    x = net.maxpool(net.relu(net.bn1(net.conv1(image))))
    found = []
    for layer in (net.layer1, net.layer2, net.layer3, net.layer4):
        found.append(x := layer(x))
    return found


def head(out: list[nn.Module]) -> nn.Sequential:
    """Convolution, norm, ReLU, two upsampling steps."""
    return nn.Sequential(
        nn.Conv2d(256, 64, 3, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.ConvTranspose2d(64, 64, 2, 2),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.ConvTranspose2d(64, 1, 2, 2),
        *out,
    )


class Decoder(nn.Module):
    """decoder.* of MhLiao/DB and of ModelScope."""

    def __init__(self) -> None:
        super().__init__()
        for level, channels in zip("5432", (512, 256, 128, 64), strict=True):
            setattr(self, f"in{level}", nn.Conv2d(channels, 256, 1, bias=False))
            smooth = nn.Conv2d(256, 64, 3, padding=1, bias=False)
            setattr(self, f"out{level}", smooth if level == "2" else nn.Sequential(smooth, nn.Identity()))
        self.binarize, self.thresh = head([nn.Sigmoid()]), head([nn.Sigmoid()])

    def forward(self, found: list[Tensor]) -> Tensor:
        c2, c3, c4, c5 = found
        p5 = self.in5(c5)
        p4 = self.in4(c4) + F.interpolate(p5, scale_factor=2)
        p3 = self.in3(c3) + F.interpolate(p4, scale_factor=2)
        p2 = self.in2(c2) + F.interpolate(p3, scale_factor=2)
        up = [F.interpolate(self.out5(p5), scale_factor=8), F.interpolate(self.out4(p4), scale_factor=4)]
        return self.binarize(torch.cat([*up, F.interpolate(self.out3(p3), scale_factor=2), self.out2(p2)], 1))


class DB(nn.Module):
    """MhLiao/DB with resnet18, or ModelScope's db_resnet18. image: (N, 3, H, W) uint8 RGB."""

    def __init__(self, mean: tuple[float, float, float], extra: bool) -> None:
        super().__init__()
        self.mean = mean
        self.backbone, self.decoder = backbone(extra), Decoder()

    def forward(self, image: Tensor) -> Tensor:
        blue_first = image.flip(1).float()
        return self.decoder(features(self.backbone, (blue_first - torch.tensor(self.mean).view(1, 3, 1, 1)) / 255))


class Named(nn.Module):
    """MMOCR's ConvModule without norm: a layer with the name `conv`."""

    def __init__(self, conv: nn.Module) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class MMOCR(nn.Module):
    """DBNet-R18 of MMOCR 1.x. image: (N, 3, H, W) uint8 RGB."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.neck, self.det_head = backbone(False), nn.Module(), nn.Module()
        channels = (64, 128, 256, 512)
        self.neck.lateral_convs = nn.ModuleList(Named(nn.Conv2d(c, 256, 1, bias=False)) for c in channels)
        self.neck.smooth_convs = nn.ModuleList(Named(nn.Conv2d(256, 64, 3, padding=1, bias=False)) for _ in channels)
        self.det_head.binarize, self.det_head.threshold = head([]), head([nn.Sigmoid()])

    def forward(self, image: Tensor) -> Tensor:
        mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)))
        found = features(self.backbone, (image.float() - mean) / std)
        levels = [conv(c) for conv, c in zip(self.neck.lateral_convs, found, strict=True)]
        for i in (3, 2, 1):
            levels[i - 1] = levels[i - 1] + F.interpolate(levels[i], size=levels[i - 1].shape[2:])
        outs = [conv(level) for conv, level in zip(self.neck.smooth_convs, levels, strict=True)]
        together = torch.cat([F.interpolate(out, size=outs[0].shape[2:]) for out in outs], 1)
        return self.det_head.binarize(together).sigmoid()
