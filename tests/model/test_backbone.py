"""A new feature extractor is a class, a line in BACKBONES and a YAML: everything else asks the class."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from resnet18_ocrdet import build
from resnet18_ocrdet.config.library import train_keys
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.model.backbone import BACKBONES, PARTS, Backbone, Features, build_backbone, load_imagenet
from resnet18_ocrdet.model.bundled import BUNDLED_PATH
from resnet18_ocrdet.model.checkpoint import load_checkpoint
from resnet18_ocrdet.model.dbnet import DBNet
from resnet18_ocrdet.train.optim import param_groups

CHANNELS = (4, 6, 8, 10)


class Tiny(Backbone):
    """One convolution and batch norm per part."""

    channels = CHANNELS
    classifier = "head."

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        widths = (3, 4, *CHANNELS)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c, k, 3, 2, 1), nn.BatchNorm2d(k)) for c, k in pairwise(widths)
        )

    def forward(self, image: Tensor) -> Features:
        maps, x = [], image
        for block in self.blocks:
            maps.append(x := block(x))
        return maps[1], maps[2], maps[3], maps[4]

    def stages(self) -> tuple[list[nn.Module], ...]:
        return tuple([block] for block in self.blocks)


@pytest.fixture
def net(monkeypatch) -> DBNet:
    monkeypatch.setitem(BACKBONES, "tiny", f"{__name__}.Tiny")
    torch.manual_seed(0)
    return DBNet(backbone="tiny")


def test_the_network_takes_its_channels_and_names_its_tensors(net: DBNet):
    assert [conv.in_channels for conv in net.neck.lateral] == list(CHANNELS)
    with torch.inference_mode():
        maps = net.eval()(torch.zeros(1, 3, 64, 96, dtype=torch.uint8))
    assert maps.prob_logits.shape == (1, 1, 64, 96)
    assert "backbone.blocks.0.0.weight" in net.state_dict()


def test_its_parts_are_frozen(net: DBNet):
    net.freeze("layer1")
    net.train()
    trained = [all(p.requires_grad for p in block.parameters()) for block in net.backbone.blocks]
    assert trained == [False, False, True, True, True]
    assert [block.training for block in net.backbone.blocks] == trained
    net.freeze(None, statistics=True)
    assert not any(block[1].training for block in net.train().backbone.blocks)


def test_layer_decay_falls_from_part_to_part(net: DBNet):
    groups = param_groups(net, 0.01, layer_decay=0.5)
    factor = {id(p): group["lr_factor"] for group in groups for p in group["params"]}
    assert [factor[id(block[0].weight)] for block in net.backbone.blocks] == [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2]
    assert len(factor) == len(list(net.parameters()))


def test_its_own_imagenet_weights_are_loaded_without_the_classifier(net: DBNet, tmp_path):
    state = {name: torch.ones_like(value) for name, value in net.backbone.state_dict().items()}
    torch.save(state | {"head.weight": torch.zeros(1)}, tmp_path / "tiny.pth")
    assert "30 of 30 tensors" in load_imagenet(net.backbone, str(tmp_path / "tiny.pth")).line
    assert (net.backbone.blocks[4][0].weight == 1).all()
    with pytest.raises(UserError, match="no ImageNet weights are known for tiny"):
        load_imagenet(net.backbone, "imagenet")


@pytest.mark.parametrize("name", list(BACKBONES))
def test_every_listed_backbone_has_the_five_parts_and_the_stated_channels(name: str):
    made = build_backbone(name).eval()
    assert made.name == name and len(made.stages()) == len(PARTS)
    with torch.inference_mode():
        maps = made(torch.zeros(1, 3, 64, 64))
    assert [tuple(each.shape[1:]) for each in maps] == [
        (channels, 64 // stride, 64 // stride) for channels, stride in zip(made.channels, (4, 8, 16, 32), strict=True)
    ]
    in_stages = {id(p) for stage in made.stages() for module in stage for p in module.parameters()}
    assert in_stages == {id(p) for p in made.parameters()}


def test_residuals_begin_at_zero_only_where_there_are_some(net: DBNet):
    with pytest.raises(UserError, match="tiny has no residual branches"):
        build._zero_residuals(net.backbone, None)


def test_the_config_offers_the_same_names():
    keys = train_keys()
    assert set(keys["model.backbone"].rule.choices) == set(BACKBONES)
    assert keys["train.freeze"].rule.choices == PARTS


def test_the_names_of_the_tensors_are_those_of_the_bundled_weights():
    assert DBNet().state_dict().keys() == load_checkpoint(BUNDLED_PATH)["model"].keys()
