"""Normalise bytes as ImageNet weights expect, on the device of the network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

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
