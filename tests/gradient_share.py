"""One process of tests/train/test_many_processes.py: the gradients of its half of a batch, exchanged, to a file."""

from __future__ import annotations

import sys

import torch

from resnet18_ocrdet.data.augment import Augment
from resnet18_ocrdet.data.datasets import TrainDataset
from resnet18_ocrdet.data.loader import EpochBatches, TrainLoader
from resnet18_ocrdet.data.splits import synthetic
from resnet18_ocrdet.data.targets import TargetMaker
from resnet18_ocrdet.model.dbnet import DBNet
from resnet18_ocrdet.model.loss import DBLoss
from resnet18_ocrdet.runtime.device import Compute, gradient_scaler
from resnet18_ocrdet.runtime.distributed import join_world
from resnet18_ocrdet.train.engine import TrainState, add_up_gradients, finish_gradients
from resnet18_ocrdet.train.guard import Guard
from resnet18_ocrdet.train.hard_negatives import MiningWarmup
from resnet18_ocrdet.train.optim import param_groups


def main(rounds: int, path: str) -> None:
    """Write {"gradients", "loss"} of the first step."""
    with join_world("cpu") as world:
        torch.manual_seed(0)
        device = torch.device("cpu")
        net = DBNet()
        optimizer = torch.optim.SGD(param_groups(net, 0.0), lr=0.007)
        scaler = gradient_scaler(device, "fp32")
        state = TrainState(net, world.wrap(net), optimizer, scaler, MiningWarmup(0), Guard(6.5))
        views = TrainDataset(synthetic(4, 1, 1, 96, 96, 0).train, Augment(), TargetMaker(), 96, 96, 0)
        loader = TrainLoader(views, EpochBatches(4, 2, 0, rounds, world.rank, world.size), workers=0, pin=False)
        compute = Compute(device, world=world)
        net.train()
        means = add_up_gradients(state, next(loader.epoch(0)), DBLoss(min_negatives=0), compute)
        norm = float(finish_gradients(state, None))
        assert means.text > 0
        if world.first:
            gradients = {name: p.grad for name, p in net.named_parameters()}
            torch.save({"gradients": gradients, "loss": torch.stack(list(means.loss.values())), "norm": norm}, path)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
