"""Feature pyramid: four maps in, one map at stride 4 out (DB paper, fig. 3).

Legend: N images, H W input pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FeaturePyramid(nn.Module):
    """Lateral 1×1, top-down additions, 3×3 smoothing to a quarter of the width each, concatenation.

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
