"""Exponential moving average of the weights, validated and shipped in place of the weights themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class ModelEma:
    """Averages all parameters and batch-norm statistics, updated after every good step.

    decay: 0..1, share of the average that is kept per step. It is at most (1 + n) / (10 + n) after n steps, so that the
    random initial weights are forgotten (the rule of TensorFlow's ExponentialMovingAverage)."""

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
