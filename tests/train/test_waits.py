"""How often a training step makes the CPU wait for a GPU: once per value that is read from the device.

Counted on the CPU: reading a tensor counts, unless it came from `Tensor.cpu()`, which counts itself."""

from __future__ import annotations

from itertools import islice, repeat

import pytest
import torch
from torch import Tensor

from resnet18_ocrdet.model.dbnet import DBNet
from resnet18_ocrdet.model.loss import DBLoss
from resnet18_ocrdet.runtime.device import Compute
from resnet18_ocrdet.structures import Batch, Targets
from resnet18_ocrdet.train.engine import LossSums, TrainState, train_one_epoch
from resnet18_ocrdet.train.guard import Guard, Verdict
from resnet18_ocrdet.train.hard_negatives import MiningWarmup
from resnet18_ocrdet.train.optim import param_groups

READS = ("__float__", "__int__", "__bool__", "item", "tolist")  # numpy() of a GPU's tensor is an error anyway


class OnHost(Tensor):
    """What was brought to the CPU: whatever is made of it is there too."""


@pytest.fixture
def waits(monkeypatch) -> list[str]:
    """The name of each reading."""
    seen: list[str] = []

    def counted(name):
        original = getattr(Tensor, name)

        def read(self, *arguments):
            if not isinstance(self, OnHost):
                seen.append(name)
            return original(self, *arguments)

        return read

    def cpu(self):
        seen.append("cpu")
        return self.detach().as_subclass(OnHost)

    for name in READS:
        monkeypatch.setattr(Tensor, name, counted(name))
    monkeypatch.setattr(Tensor, "cpu", cpu)
    return seen


def test_every_kind_of_read_back_is_counted(waits):
    value = torch.tensor(1.0)
    float(value), bool(value), int(value), value.item(), value.tolist()
    assert len(waits) == 5
    float(value.cpu() + 1)
    assert waits[5:] == ["cpu"]


def test_a_step_waits_for_the_device_twice(waits):
    """Once in the loss, which asks how many pixels to mine, and once for all that the loop decides by."""
    torch.manual_seed(0)
    net = DBNet()
    optimizer = torch.optim.SGD(param_groups(net, 1e-4), lr=1e-3, momentum=0.9)
    state = TrainState(net, net, optimizer, torch.amp.GradScaler("cpu", enabled=False), MiningWarmup(1000), Guard(6.5))
    text = (torch.rand(2, 64, 64) < 0.2).to(torch.uint8)
    targets = Targets(text, torch.ones_like(text), text * 100 + 76, text)
    image = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    batch = Batch(image, targets, ("a", "b"), (), (), (), ())
    compute = Compute(torch.device("cpu"))
    steps = train_one_epoch(state, repeat((batch,)), 100, lambda epoch: 1e-3, DBLoss(), compute, clip_norm=5.0)
    sums, counts = LossSums(), []
    for record in islice(steps, 3):
        sums.add(record)
        assert record.verdict is Verdict.GOOD and record.has_text
        counts.append(len(waits))
        waits.clear()
    assert max(counts[1:]) <= 2, counts  # the first step may set things up
