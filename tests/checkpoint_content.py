"""The content of a checkpoint of a tiny network."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from resnet18_ocrdet.model.checkpoint import SCHEMA
from resnet18_ocrdet.model.contract import Contract
from resnet18_ocrdet.model.recorded_config import recorded_config
from resnet18_ocrdet.train.resume_state import random_states

CONTRACT = Contract(
    "resnet18", 64, 96, "keep", (0.1, 0.2, 0.3), (0.2, 0.2, 0.2), "RGB", "fp32", 0.4, 8.0, 0.3, 0.6, 1.5, 1000, "quad"
)


def tiny_net(channels=2):
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, channels, 3), nn.BatchNorm2d(channels))


def content(**changes):
    net = tiny_net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(torch.rand(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    return {
        "schema": SCHEMA,
        "contract": CONTRACT.to_dict(),
        "config": recorded_config({"train": {"epochs": 3}}),
        "about": {"version": "0"},
        "model": net.state_dict(),
        "average": None,
        "optimizer": optimizer.state_dict(),
        "scaler": {},
        "mining": {"steps": 4, "cross_entropy": 0.5, "share": 1.0},
        "guard": {"losses": [1.0, 2.0], "worst": 8.0, "bad_in_a_row": 0, "skipped": 0, "rollbacks": 0, "lr_scale": 1.0},
        "random": random_states(),
        "epoch": 1,
        "step": 12,
        "steps_per_epoch": 10,
        "images_per_step": 8,
        "world": 1,
        "sums": {"terms": [0.0, 0.0, 0.0, 0.0], "steps": 2, "seconds": 0.5, "lr": 0.1},
        "best_hmean": None,
        "not_better": 0,
    } | changes


def made(kind: str = "SGD") -> tuple[Any, torch.optim.Optimizer]:
    """A checkpoint and the optimizer of the run that resumes it."""
    net = tiny_net()
    own: torch.optim.Optimizer = {
        "SGD": lambda: torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9),
        "AdamW": lambda: torch.optim.AdamW(net.parameters(), lr=0.1),
    }[kind]()
    net(torch.rand(2, 3, 8, 8)).sum().backward()
    own.step()
    config = {"optimizer": {"_target_": f"torch.optim.{kind}"}}
    return content(config=config, optimizer=own.state_dict()), own
