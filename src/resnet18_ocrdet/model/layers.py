"""The layers of DBNet around its backbone, as published; fused_head.py computes neck and heads with less work.

Legend: N images, C channels, H W input pixels.
"""

from __future__ import annotations

import copy
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

# RGB, of values scaled to 0..1; from torchvision's ImageNet weights.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Normalize(nn.Module):
    """(x / 255 - mean) / std, channel by channel, as one multiplication and one addition.

    Part of the network, so that training, evaluation, detection and export use the same."""

    scale: Tensor
    shift: Tensor

    def __init__(self, mean: tuple[float, ...] = IMAGENET_MEAN, std: tuple[float, ...] = IMAGENET_STD) -> None:
        super().__init__()
        mean_t, std_t = torch.tensor(mean).view(1, 3, 1, 1), torch.tensor(std).view(1, 3, 1, 1)
        self.register_buffer("scale", 1.0 / (255.0 * std_t), persistent=False)
        self.register_buffer("shift", -mean_t / std_t, persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """image: (N, 3, H, W) uint8 RGB. Returns the same shape in float32, about -2.2..2.7."""
        if not image.is_contiguous(memory_format=torch.channels_last):
            return torch.addcmul(self.shift, image.float(), self.scale)
        count, channels, height, width = image.shape  # as loaders return it: whole rows at once are faster
        rows = image.permute(0, 2, 3, 1).reshape(count * height, width * channels).float()
        scale, shift = (each.flatten().repeat(width) for each in (self.scale, self.shift))
        torch.addcmul(shift, rows, scale, out=rows)
        return rows.view(count, height, width, channels).permute(0, 3, 1, 2)


class FeaturePyramid(nn.Module):
    """Four maps in, one at stride 4 out (DB paper, fig. 3): lateral 1×1, top-down additions, 3×3 smoothing to a quarter
    of the width each, concatenation.

    in_channels: of strides 4, 8, 16, 32. inner_channels: width of the pyramid and of the result.
    With ResNet-18 and 256: 835,584 parameters."""

    def __init__(self, in_channels: tuple[int, int, int, int], inner_channels: int = 256) -> None:
        super().__init__()
        part = inner_channels // 4
        self.lateral = nn.ModuleList(nn.Conv2d(c, inner_channels, 1, bias=False) for c in in_channels)
        self.smooth = nn.ModuleList(nn.Conv2d(inner_channels, part, 3, padding=1, bias=False) for _ in in_channels)

    def forward(self, features: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
        """features: (N, C_i, H/s, W/s) for s = 4, 8, 16, 32. Returns (N, inner_channels, H/4, W/4)."""
        p2, p3, p4, p5 = (conv(feature) for conv, feature in zip(self.lateral, features, strict=True))
        p4 = p4 + F.interpolate(p5, scale_factor=2.0)
        p3 = p3 + F.interpolate(p4, scale_factor=2.0)
        p2 = p2 + F.interpolate(p3, scale_factor=2.0)
        s2, s3, s4, s5 = (conv(level) for conv, level in zip(self.smooth, (p2, p3, p4, p5), strict=True))
        up = [F.interpolate(level, scale_factor=f) for level, f in ((s5, 8.0), (s4, 4.0), (s3, 2.0))]
        return torch.cat([*up, s2], dim=1)


class MapHead(nn.Sequential):
    """The stride-4 map to full-size logits, once for probability and once for threshold: 3×3 convolution, then two
    stride-2 transposed convolutions, (N, C, H/4, W/4) -> (N, 1, H, W).

    With 256 channels in: 164,417 parameters."""

    def __init__(self, in_channels: int = 256) -> None:
        inner = in_channels // 4
        super().__init__(
            nn.Conv2d(in_channels, inner, 3, padding=1, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(inner, inner, 2, stride=2),
            nn.BatchNorm2d(inner),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(inner, 1, 2, stride=2),
        )


def folded(net: nn.Module) -> nn.Module:
    """A copy of `net` in evaluation mode, each batch norm folded into the convolution registered directly before it:
    one pass over memory less for each.

    Equal up to rounding. A network without batch norms is not copied."""
    if not any(isinstance(part, nn.BatchNorm2d) for part in net.modules()):
        return net.eval()
    net = copy.deepcopy(net).eval()
    for part in net.modules():
        for (before, conv), (after, norm) in pairwise(list(part.named_children())):
            if isinstance(conv, nn.Conv2d | nn.ConvTranspose2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(part, before, fuse_conv_bn_eval(conv, norm, transpose=isinstance(conv, nn.ConvTranspose2d)))
                setattr(part, after, nn.Identity())
    return net
