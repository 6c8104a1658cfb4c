"""Neck and heads with less work: the same function of the same parameters, equal up to rounding.

The published form does redundant work in three places:

- A 3×3 convolution after nearest-neighbour upsampling by f sees each pixel several times. With its taps summed first,
  it is one stride-f transposed convolution of the small map: 2×2, (6/4)² or (10/8)² taps per pixel instead of 3×3.
- The finest level of the pyramid is a 1×1 convolution to 256 channels, an addition and a 3×3 convolution to 64. The
  two convolutions are merged into one 3×3; the added map goes through the transposed convolution above.
- The windows of a 2×2 stride-2 transposed convolution do not overlap, so it is a 1×1 convolution to four times the
  channels. Batch norm and ReLU do not depend on positions, so the pixels are rearranged only once, at the end.

Measured: docs/adr/011-quick-neck-and-heads.md. Legend: N images, C K channels in and out, h w pixels, f a factor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .layers import FeaturePyramid, MapHead


def fused_logits(
    neck: FeaturePyramid, heads: Sequence[MapHead], features: tuple[Tensor, Tensor, Tensor, Tensor]
) -> list[Tensor]:
    """The logits of each head for `neck(features)`.

    features: (N, C_i, H/s, W/s) for s = 4, 8, 16, 32. Returns (N, 1, H, W) for each head, in the precision of
    the convolutions."""
    c2, *coarser = features
    lateral: Any = neck.lateral
    smooth: Any = neck.smooth
    p3, p4, p5 = (conv(feature) for conv, feature in zip(lateral[1:], coarser, strict=True))
    p4 = p4 + F.interpolate(p5, scale_factor=2.0)
    p3 = p3 + F.interpolate(p4, scale_factor=2.0)
    s3, s4, s5 = (conv(level) for conv, level in zip(smooth[1:], (p3, p4, p5), strict=True))
    s2 = F.conv2d(c2, merged_weight(lateral[0].weight, smooth[0].weight), padding=1)
    s2 = s2 + conv_upsampled(p3, smooth[0].weight, 2)
    s45 = torch.cat([F.interpolate(s5, scale_factor=2.0), s4], dim=1)
    return [_head_logits(head, s2, s3, s45) for head in heads]


def _head_logits(head: MapHead, s2: Tensor, s3: Tensor, s45: Tensor) -> Tensor:
    """One head. s2, s3, s45: parts of the neck's map at strides 4, 8 and 16."""
    layers: Any = head
    conv, norm, relu, first, first_norm, first_relu, second = layers
    to_s45, to_s3, to_s2 = conv.weight.split([s45.shape[1], s3.shape[1], s2.shape[1]], dim=1)
    x = F.conv2d(s2, to_s2, conv.bias, padding=1) + conv_upsampled(s3, to_s3, 2) + conv_upsampled(s45, to_s45, 4)
    x = upsample_in_place(relu(norm(x)), first.weight, first.bias)
    return upsample_last(first_relu(first_norm(x)), second.weight, second.bias)


def conv_upsampled(x: Tensor, weight: Tensor, factor: int) -> Tensor:
    """`F.conv2d(F.interpolate(x, scale_factor=factor), weight, padding=1)` at the cost of the small map.

    x: (N, C, h, w). weight: (K, C, 3, 3). Returns (N, K, factor·h, factor·w)."""
    return F.conv_transpose2d(x, upsampled_weight(weight, factor), stride=factor, padding=1)


def upsampled_weight(weight: Tensor, factor: int) -> Tensor:
    """(K, C, 3, 3) of a convolution -> (C, K, f+2, f+2) of the transposed convolution.

    Upsampled pixel a (0 to f-1) of a small pixel is seen by tap t of the output pixel a + 1 - t. So a small pixel
    affects outputs -1 to f, and the one at index u with all taps t for which 0 <= u - 2 + t < f."""
    taps = torch.arange(3, device=weight.device)
    places = torch.arange(factor + 2, device=weight.device)
    large = places[:, None] - 2 + taps
    with torch.autocast(weight.device.type, enabled=False):
        seen = ((large >= 0) & (large < factor)).to(weight.dtype)
        return torch.einsum("ut,kctr,vr->ckuv", seen, weight, seen)


def merged_weight(narrow: Tensor, wide: Tensor) -> Tensor:
    """Merge a 1×1 and a following 3×3 convolution, both without bias.

    narrow: (M, C, 1, 1). wide: (K, M, 3, 3). Returns (K, C, 3, 3)."""
    with torch.autocast(wide.device.type, enabled=False):
        return torch.einsum("kmtr,mc->kctr", wide, _channels_last(narrow).reshape(narrow.shape[:2]))


def upsample_in_place(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A 2×2 stride-2 transposed convolution whose four output pixels stay next to each other.

    x: (N, C, h, w). weight: (C, K, 2, 2). Returns (N, K, h, 4w), the last axis in the order
    column, then (row, column) of the four."""
    n, channels, h, w = x.shape
    k = weight.shape[1]
    pixels = F.conv2d(x, weight.permute(2, 3, 1, 0).reshape(4 * k, channels, 1, 1), bias.repeat(4))
    return pixels.permute(0, 2, 3, 1).reshape(n, h, 4 * w, k).permute(0, 3, 1, 2)


def upsample_last(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The same again, to one channel, with all pixels rearranged to their positions.

    x: (N, C, h, 4w) of `upsample_in_place`. weight: (C, 1, 2, 2). Returns (N, 1, 4h, 4w)."""
    n, channels, h, w = x.shape
    w //= 4
    blocks = x.permute(0, 2, 3, 1).reshape(n, h, w, 4 * channels).permute(0, 3, 1, 2)
    # A matrix from the channels of the four pixels to the 4×4 output pixels, row by row. It is mostly zeros, but still
    # faster than rearranging 16 pixels afterwards
    eye = torch.eye(2, dtype=weight.dtype, device=weight.device)
    with torch.autocast(weight.device.type, enabled=False):
        matrix = torch.einsum("crt,ya,xb->yrxtabc", _channels_last(weight).reshape(channels, 2, 2), eye, eye).reshape(
            16, 4 * channels, 1, 1
        )
    rows = F.conv2d(blocks, matrix, bias.repeat(16)).permute(0, 2, 3, 1).reshape(n, h, w, 4, 4)
    return rows.transpose(2, 3).reshape(n, 1, 4 * h, 4 * w)


def _channels_last(weight: Tensor) -> Tensor:
    """(A, B, h, w) -> (A, h, w, B), as in memory.

    Indexing an axis of length 1 would give the gradient other strides than its weight, which DistributedDataParallel
    warns about."""
    return weight.permute(0, 2, 3, 1)
