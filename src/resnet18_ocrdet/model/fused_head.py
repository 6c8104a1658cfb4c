"""Neck and heads with less work: the same function of the same parameters, equal up to rounding.

Three things that the published form computes and nobody needs:

- A 3×3 convolution of a map that was only copied f times larger sees the same pixel several times. Its taps are
  summed beforehand, and it becomes one stride-f transposed convolution of the small map: 2×2, (6/4)² or (10/8)² taps
  a pixel instead of 3×3.
- The finest level of the pyramid is a 1×1 convolution to 256 channels that a 3×3 one brings back to 64, with nothing
  but an addition between. The two are one 3×3 convolution; what is added takes the way above.
- A 2×2 stride-2 transposed convolution has windows that do not overlap: it is a 1×1 convolution to four times the
  channels. Its pixels stay side by side, since normalisation does not look at places, and take theirs once, at the end.

Measured: docs/adr/011-quick-neck-and-heads.md. Legend: N images, C K channels in and out, h w pixels, f a factor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .head import MapHead
from .neck import FeaturePyramid


def fused_logits(
    neck: FeaturePyramid, heads: Sequence[MapHead], features: tuple[Tensor, Tensor, Tensor, Tensor]
) -> list[Tensor]:
    """The logits of each head of `neck(features)`.

    features: (N, C_i, H/s, W/s) for s = 4, 8, 16, 32. Returns (N, 1, H, W) for each head, in the precision of
    the convolutions."""
    c2, *coarser = features
    lateral: Any = neck.lateral
    smooth: Any = neck.smooth
    p3, p4, p5 = (conv(feature) for conv, feature in zip(lateral[1:], coarser, strict=True))
    p4 = p4 + F.interpolate(p5, scale_factor=2.0)
    p3 = p3 + F.interpolate(p4, scale_factor=2.0)
    s3, s4, s5 = (conv(level) for conv, level in zip(smooth[1:], (p3, p4, p5), strict=True))
    s2 = F.conv2d(c2, joined_weight(lateral[0].weight, smooth[0].weight), padding=1)
    s2 = s2 + conv_of_enlarged(p3, smooth[0].weight, 2)
    s45 = torch.cat([F.interpolate(s5, scale_factor=2.0), s4], dim=1)
    return [_head_logits(head, s2, s3, s45) for head in heads]


def _head_logits(head: MapHead, s2: Tensor, s3: Tensor, s45: Tensor) -> Tensor:
    """One head on the parts of the neck's map: at stride 4, at stride 8, and the two coarsest at stride 16."""
    layers: Any = head
    conv, norm, relu, first, first_norm, first_relu, second = layers
    to_s45, to_s3, to_s2 = conv.weight.split([s45.shape[1], s3.shape[1], s2.shape[1]], dim=1)
    x = F.conv2d(s2, to_s2, conv.bias, padding=1) + conv_of_enlarged(s3, to_s3, 2) + conv_of_enlarged(s45, to_s45, 4)
    x = quadrupled(relu(norm(x)), first.weight, first.bias)
    return last_quadrupled(first_relu(first_norm(x)), second.weight, second.bias)


def conv_of_enlarged(x: Tensor, weight: Tensor, factor: int) -> Tensor:
    """`F.conv2d(F.interpolate(x, scale_factor=factor), weight, padding=1)` at the cost of the small map.

    x: (N, C, h, w). weight: (K, C, 3, 3). Returns (N, K, factor·h, factor·w)."""
    return F.conv_transpose2d(x, enlarged_weight(weight, factor), stride=factor, padding=1)


def enlarged_weight(weight: Tensor, factor: int) -> Tensor:
    """(K, C, 3, 3) of a convolution -> (C, K, f+2, f+2) of the transposed one.

    Large pixel a of a small pixel, counted from 0 to f-1, is seen by tap t of the large pixel a + 1 - t: the small
    pixel reaches from -1 to f, and at place u it counts with all taps for which 0 <= u - 2 + t < f."""
    taps = torch.arange(3, device=weight.device)
    places = torch.arange(factor + 2, device=weight.device)
    large = places[:, None] - 2 + taps
    with torch.autocast(weight.device.type, enabled=False):
        seen = ((large >= 0) & (large < factor)).to(weight.dtype)
        return torch.einsum("ut,kctr,vr->ckuv", seen, weight, seen)


def joined_weight(narrow: Tensor, wide: Tensor) -> Tensor:
    """A 1×1 and then a 3×3 convolution, both without bias, as one.

    narrow: (M, C, 1, 1). wide: (K, M, 3, 3). Returns (K, C, 3, 3)."""
    with torch.autocast(wide.device.type, enabled=False):
        return torch.einsum("kmtr,mc->kctr", wide, _last_first(narrow).reshape(narrow.shape[:2]))


def quadrupled(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A 2×2 stride-2 transposed convolution whose four pixels stay side by side.

    x: (N, C, h, w). weight: (C, K, 2, 2). Returns (N, K, h, 4w): along the last axis column, then (row, column)."""
    n, channels, h, w = x.shape
    k = weight.shape[1]
    pixels = F.conv2d(x, weight.permute(2, 3, 1, 0).reshape(4 * k, channels, 1, 1), bias.repeat(4))
    return pixels.permute(0, 2, 3, 1).reshape(n, h, 4 * w, k).permute(0, 3, 1, 2)


def last_quadrupled(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The same once more, to one channel, with every pixel in its place.

    x: (N, C, h, 4w) of `quadrupled`. weight: (C, 1, 2, 2). Returns (N, 1, 4h, 4w)."""
    n, channels, h, w = x.shape
    w //= 4
    blocks = x.permute(0, 2, 3, 1).reshape(n, h, w, 4 * channels).permute(0, 3, 1, 2)
    # A matrix from the four pixels' channels to the 4×4 of their 2×2 each, row by row: mostly zeros, and still faster
    # than to sort 16 pixels afterwards, one by one
    eye = torch.eye(2, dtype=weight.dtype, device=weight.device)
    with torch.autocast(weight.device.type, enabled=False):
        matrix = torch.einsum("crt,ya,xb->yrxtabc", _last_first(weight).reshape(channels, 2, 2), eye, eye).reshape(
            16, 4 * channels, 1, 1
        )
    rows = F.conv2d(blocks, matrix, bias.repeat(16)).permute(0, 2, 3, 1).reshape(n, h, w, 4, 4)
    return rows.transpose(2, 3).reshape(n, 1, 4 * h, 4 * w)


def _last_first(weight: Tensor) -> Tensor:
    """(A, B, h, w) -> (A, h, w, B), as it lies in memory.

    An axis of length 1 taken away by an index would give the gradient other strides than its weight has, and
    DistributedDataParallel complains of that."""
    return weight.permute(0, 2, 3, 1)
