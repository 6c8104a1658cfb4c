"""Batch norms folded into convolutions give the same maps."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from resnet18_ocrdet.model.dbnet import DBNet
from resnet18_ocrdet.model.layers import folded


def with_statistics(backbone: str = "resnet18", plain: bool = False) -> DBNet:
    """A network with random batch norms, so that one that is skipped or applied twice changes the result."""
    torch.manual_seed(0)
    net = DBNet(backbone, plain=plain).eval()
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias, std=0.1)
            part.running_mean.normal_(std=0.1)
            part.running_var.uniform_(0.5, 1.5)
    return net


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("backbone", ["resnet18", "resnet50"])
def test_the_same_maps_without_batch_norms(backbone, plain):
    net = with_statistics(backbone, plain).double()
    net.normalize.double()
    image = torch.randint(0, 256, (2, 3, 64, 96), dtype=torch.uint8)
    small = folded(net)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in small.modules())
    with torch.inference_mode():
        before, after = net(image), small(image)
    assert before.prob_logits.std() > 0.1
    torch.testing.assert_close(after.prob_logits, before.prob_logits, rtol=1e-5, atol=1e-5)  # images are float32
    torch.testing.assert_close(after.thresh_logits, before.thresh_logits, rtol=1e-5, atol=1e-5)


def test_the_network_is_not_changed():
    net = with_statistics().train()
    before = copy.deepcopy(net.state_dict())
    folded(net)
    assert net.training
    assert net.state_dict().keys() == before.keys()
    assert all(torch.equal(net.state_dict()[name], before[name]) for name in before)


def test_convolutions_keep_their_memory_order():
    small = folded(with_statistics().to(memory_format=torch.channels_last))
    wide = [part for part in small.modules() if isinstance(part, nn.Conv2d) and part.kernel_size == (3, 3)]
    assert wide
    assert all(part.weight.is_contiguous(memory_format=torch.channels_last) for part in wide)


def test_a_network_without_batch_norms_is_not_copied():
    net = nn.Sequential(nn.Conv2d(3, 1, 1))
    assert folded(net) is net
    assert not net.training
