"""Parameter groups for the optimizer."""

from __future__ import annotations

from typing import Any

from torch import nn

from ..model.dbnet import DBNet


def param_groups(model: DBNet, weight_decay: float, layer_decay: float = 1.0) -> list[dict[str, Any]]:
    """Convolution weights, which decay, and batch-norm and bias parameters, which do not; without frozen ones.

    layer_decay: rate of each part of the backbone relative to the one after it, 0..1; neck and heads have the full
    rate. Each group has `lr_factor`, by which its rate differs from the run's (BEiT, Bao et al. 2022, for ResNets)."""
    if layer_decay == 1.0:
        return _groups(list(model.parameters()), weight_decay, 1.0)
    groups, below = [], set()
    stages = model.backbone.stages()
    for depth, modules in enumerate(stages):
        part = [parameter for module in modules for parameter in module.parameters()]
        below |= {id(parameter) for parameter in part}
        groups += _groups(part, weight_decay, layer_decay ** (len(stages) - depth))
    rest = [parameter for parameter in model.parameters() if id(parameter) not in below]
    return [group for group in groups + _groups(rest, weight_decay, 1.0) if group["params"]]


def _groups(parameters: list[nn.Parameter], weight_decay: float, lr_factor: float) -> list[dict[str, Any]]:
    trained = [p for p in parameters if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay, "lr_factor": lr_factor},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0, "lr_factor": lr_factor},
    ]
