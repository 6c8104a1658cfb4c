"""The map head computes what the layers it is named after compute."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from resnet18_ocrdet.model.head import MapHead, Quadruple


@pytest.fixture
def head() -> MapHead:
    torch.manual_seed(0)
    made = MapHead(16).double()
    for layer in made.modules():
        if isinstance(layer, nn.BatchNorm2d):  # values at which a mistake would show
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias)
    return made


def by_transposed_convolutions(head: MapHead, features: torch.Tensor) -> torch.Tensor:
    x = features
    for layer in head:
        x = F.conv_transpose2d(x, layer.weight, layer.bias, stride=2) if isinstance(layer, Quadruple) else layer(x)
    return x


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("training", [True, False])
def test_the_head_is_two_transposed_convolutions(head, layout, training):
    head.train(training)
    features = torch.randn(2, 16, 3, 5, dtype=torch.float64).contiguous(memory_format=layout)
    torch.testing.assert_close(head(features), by_transposed_convolutions(head, features), rtol=1e-12, atol=1e-12)


def test_gradients_are_those_of_the_transposed_convolutions(head):
    ours = torch.randn(2, 16, 3, 5, dtype=torch.float64, requires_grad=True)
    theirs = ours.detach().clone().requires_grad_()
    weigh = torch.randn(2, 1, 12, 20, dtype=torch.float64)
    (head(ours) * weigh).sum().backward()
    gradients = [weight.grad.clone() for weight in head.parameters()]
    head.zero_grad()
    (by_transposed_convolutions(head, theirs) * weigh).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-10, atol=1e-10)
    for mine, weight in zip(gradients, head.parameters(), strict=True):
        torch.testing.assert_close(mine, weight.grad, rtol=1e-10, atol=1e-10)


def test_one_pixel_becomes_its_two_by_two_block():
    """A layer that multiplies by 1, 2, 3, 4 puts them upper left, upper right, lower left, lower right."""
    layer = Quadruple(1, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]))
        layer.bias.zero_()
    out = layer(torch.tensor([[[[1.0, 10.0]]]]))
    assert out.flatten().tolist() == [1, 2, 3, 4, 10, 20, 30, 40]
