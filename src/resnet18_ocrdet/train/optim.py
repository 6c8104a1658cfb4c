"""What the optimizer changes, in groups, and the moving average of what comes out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ..model.dbnet import DBNet


def param_groups(
    model: DBNet,
    weight_decay: float,
    layer_decay: float = 1.0,
    pretrained: Collection[str] = (),
    pretrained_lr_scale: float = 1.0,
    with_frozen: bool = False,
) -> list[dict[str, Any]]:
    """Convolution weights, which decay, and batch-norm and bias parameters, which do not.

    layer_decay: rate of each part of the backbone relative to the one after it, 0..1; neck and heads have the full
    rate (BEiT, Bao et al. 2022, for ResNets). pretrained: names of parameters, whose rate is multiplied by
    pretrained_lr_scale as well. with_frozen: include frozen ones, which are trained later; otherwise they are left out.
    Each group has `lr_factor`, by which its rate differs from the run's."""
    stages = model.backbone.stages()
    depths = {
        id(parameter): len(stages) - depth
        for depth, modules in enumerate(stages)
        for module in modules
        for parameter in module.parameters()
    }
    by_factor: dict[float, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad and not with_frozen:
            continue
        factor = layer_decay ** depths.get(id(parameter), 0) * (pretrained_lr_scale if name in pretrained else 1.0)
        by_factor.setdefault(factor, []).append(parameter)
    groups: list[dict[str, Any]] = []
    for factor, part in by_factor.items():
        for decay, chosen in ((weight_decay, [p for p in part if p.ndim > 1]), (0.0, [p for p in part if p.ndim <= 1])):
            groups += [{"params": chosen, "weight_decay": decay, "lr_factor": factor}] if chosen else []
    return groups


def total_norm(tensors: Iterable[Tensor]) -> Tensor:
    """Euclidean norm of all tensors together, a scalar on their device. torch 2.4 has no get_total_norm."""
    norm: Tensor = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(tensor) for tensor in tensors]))
    return norm


class ModelEma:
    """Exponential moving average of all parameters and batch-norm statistics, validated and shipped in their place.

    Updated after every good step. decay: 0..1, share of the average that is kept per step. It is at most
    (1 + n) / (10 + n) after n steps, so that the random initial weights are forgotten (the rule of TensorFlow's
    ExponentialMovingAverage)."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self._averaged = AveragedModel(model, multi_avg_fn=self._blend, use_buffers=True)

    @property
    def model(self) -> nn.Module:
        """The network with the averaged weights."""
        return self._averaged.module

    def update(self, model: nn.Module) -> None:
        """Add the weights after one step."""
        self._averaged.update_parameters(model)

    def state_dict(self) -> dict[str, Any]:
        """Tensors under the names of the network, and the number of steps."""
        return {"steps": int(self._averaged.n_averaged), "model": self.model.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        self.model.load_state_dict(state["model"])
        self._averaged.n_averaged.fill_(state["steps"])

    def _blend(self, averaged: Sequence[Tensor], now: Sequence[Tensor], steps: Tensor | int) -> None:
        n = float(steps)
        blend = get_ema_multi_avg_fn(min(self.decay, (1.0 + n) / (10.0 + n)))  # type: ignore[no-untyped-call]
        blend(averaged, now, steps)
