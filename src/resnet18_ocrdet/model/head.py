"""The head that turns the stride-4 map into full-size logits; one for probability, one for threshold.

As published; fused_head.py computes the same with less work.
Legend: N images, C channels in, H W input pixels.
"""

from __future__ import annotations

from torch import nn


class MapHead(nn.Sequential):
    """3×3 convolution, then two stride-2 transposed convolutions: (N, C, H/4, W/4) -> (N, 1, H, W) logits.

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
