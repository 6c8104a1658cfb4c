"""The branch that turns the stride-4 map into full-size logits; one for probability, one for threshold.

Legend: N images, C channels in, K channels out, H W input pixels.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class MapHead(nn.Sequential):
    """3×3 convolution, then two stride-2 transposed convolutions: (N, C, H/4, W/4) -> (N, 1, H, W) logits.

    With 256 channels in: 164,417 parameters."""

    def __init__(self, in_channels: int = 256) -> None:
        inner = in_channels // 4
        super().__init__(
            nn.Conv2d(in_channels, inner, 3, padding=1, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(inplace=True),
            Quadruple(inner, inner),
            nn.BatchNorm2d(inner),
            nn.ReLU(inplace=True),
            Quadruple(inner, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """features: (N, C, h, w). Returns (N, 1, 4h, 4w)."""
        n, _, h, w = features.shape
        rows: Tensor = super().forward(features)  # type: ignore[no-untyped-call]
        # (N, 1, h, 16w): each pixel's 2×2 pixels, and again their 2×2
        return rows.reshape(n, h, w, 2, 2, 2, 2).permute(0, 1, 3, 5, 2, 4, 6).reshape(n, 1, 4 * h, 4 * w)


class Quadruple(nn.ConvTranspose2d):
    """2×2 stride-2 transposed convolution whose four output pixels stay side by side instead of in their places.

    Their windows do not overlap, so the layer is a 1×1 convolution to 4K channels, whose backward is several times
    faster than the transposed one's. Normalisation and activation do not look at places, so the order is restored
    once, on the single channel at the end. Parameters are those of the transposed convolution."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 2, stride=2)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """x: (N, C, h, w). Returns (N, K, h, 4w); along the last axis: column, then (row, column) of its 2×2."""
        n, c, h, w = x.shape
        k = self.out_channels
        weight = self.weight.permute(2, 3, 1, 0).reshape(4 * k, c, 1, 1)
        assert self.bias is not None
        pixels = F.conv2d(x, weight, self.bias.repeat(4)).permute(0, 2, 3, 1)
        return pixels.reshape(n, h, 4 * w, k).permute(0, 3, 1, 2)
