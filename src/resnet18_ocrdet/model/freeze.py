"""Parts of the backbone that a training leaves as they are."""

from __future__ import annotations

from torch import nn

from .backbone import ResNetFeatures

PARTS = ("stem", "layer1", "layer2", "layer3", "layer4")  # from the image on


def parts_of(backbone: ResNetFeatures) -> dict[str, list[nn.Module]]:
    """Modules of each of PARTS."""
    stem: list[nn.Module] = [backbone.conv1, backbone.bn1]
    return {"stem": stem, **{name: [getattr(backbone, name)] for name in PARTS[1:]}}


def freeze(backbone: ResNetFeatures, up_to: str | None, statistics: bool) -> list[nn.Module]:
    """Stop the gradients of all parts up to one of PARTS. statistics: keep those of every batch norm as well.

    Returns the modules that must stay in evaluation mode: of a frozen part also the statistics are kept."""
    held: list[nn.Module] = []
    parts = parts_of(backbone)
    for name in PARTS[: PARTS.index(up_to) + 1] if up_to is not None else ():
        for module in parts[name]:
            module.requires_grad_(False)
            held.append(module)
    if statistics:
        held += [layer for layer in backbone.modules() if isinstance(layer, nn.BatchNorm2d)]
    return held
