"""The fused neck and heads give the same maps and gradients as the published form."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from resnet18_ocrdet.model.dbnet import DBNet
from resnet18_ocrdet.model.fused_head import (
    conv_upsampled,
    fused_logits,
    merged_weight,
    upsample_in_place,
    upsample_last,
)
from resnet18_ocrdet.model.layers import FeaturePyramid, MapHead
from resnet18_ocrdet.model.loss import DBLoss
from resnet18_ocrdet.structures import Targets

CHANNELS = (4, 8, 16, 32)


class Parts(nn.Module):
    """A small neck and two heads in float64, with random batch norms."""

    def __init__(self) -> None:
        super().__init__()
        self.neck = FeaturePyramid(CHANNELS, inner_channels=16)
        self.heads = nn.ModuleList([MapHead(16), MapHead(16)])
        self.double()
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm2d):
                nn.init.uniform_(layer.weight, 0.5, 1.5)
                nn.init.normal_(layer.bias)

    def plain(self, features):
        return [head(self.neck(features)) for head in self.heads]

    def quick(self, features):
        return fused_logits(self.neck, list(self.heads), features)


@pytest.fixture
def parts() -> Parts:
    torch.manual_seed(0)
    return Parts()


def pyramid(height: int = 96, width: int = 160, layout: torch.memory_format = torch.contiguous_format):
    """Features of two images, (2, C, H/s, W/s)."""
    made = [torch.randn(2, c, height // s, width // s).double() for c, s in zip(CHANNELS, (4, 8, 16, 32), strict=True)]
    return tuple(level.contiguous(memory_format=layout).requires_grad_() for level in made)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("training", [True, False])
def test_the_same_logits(parts, layout, training):
    parts.train(training)
    features = pyramid(layout=layout)
    for quick, plain in zip(parts.quick(features), parts.plain(features), strict=True):
        assert quick.shape == (2, 1, 96, 160)
        torch.testing.assert_close(quick, plain, rtol=1e-12, atol=1e-12)


def test_the_same_gradients(parts):
    features = pyramid()
    wanted = [*parts.parameters(), *features]
    weigh = [torch.randn(2, 1, 96, 160).double() for _ in range(2)]

    def gradients(logits):
        return torch.autograd.grad(sum((w * x).sum() for w, x in zip(weigh, logits, strict=True)), wanted)

    for quick, plain in zip(gradients(parts.quick(features)), gradients(parts.plain(features)), strict=True):
        scale = float(plain.abs().max())
        # a bias before a batch norm changes nothing: its gradient is rounding alone
        assert float((quick - plain).abs().max()) <= 1e-11 * max(scale, 1.0)


def test_gradients_have_the_strides_of_their_weights():
    """Else DistributedDataParallel warns and copies."""
    model = DBNet().to(memory_format=torch.channels_last).train()
    maps = model(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
    (maps.prob_logits.sum() + maps.thresh_logits.sum()).backward()
    assert [n for n, p in model.named_parameters() if p.grad.stride() != p.stride()] == []


def test_the_same_running_statistics(parts):
    twin = Parts()
    twin.load_state_dict(parts.state_dict())
    features = pyramid()
    parts.quick(features), twin.plain(features)
    for (name, ours), theirs in zip(parts.named_buffers(), twin.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12, msg=name)


@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize(("height", "width"), [(5, 3), (1, 1), (1, 4)])
def test_a_convolution_of_an_upsampled_map(factor, height, width):
    x, weight = torch.randn(2, 3, height, width).double(), torch.randn(4, 3, 3, 3).double()
    plain = F.conv2d(F.interpolate(x, scale_factor=float(factor)), weight, padding=1)
    torch.testing.assert_close(conv_upsampled(x, weight, factor), plain, rtol=1e-12, atol=1e-12)


def test_a_convolution_of_one_upsampled_pixel():
    """By hand: taps 1..9 on a block of 2×2 ones; the upper left pixel is seen by taps 5, 6, 8 and 9."""
    taps = torch.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    assert conv_upsampled(torch.ones(1, 1, 1, 1), taps, 2).flatten().tolist() == [
        5 + 6 + 8 + 9,
        4 + 5 + 7 + 8,
        2 + 3 + 5 + 6,
        1 + 2 + 4 + 5,
    ]


def test_two_merged_convolutions():
    x = torch.randn(2, 3, 7, 6).double()
    narrow, wide = torch.randn(8, 3, 1, 1).double(), torch.randn(4, 8, 3, 3).double()
    plain = F.conv2d(F.conv2d(x, narrow), wide, padding=1)
    torch.testing.assert_close(F.conv2d(x, merged_weight(narrow, wide), padding=1), plain, rtol=1e-12, atol=1e-12)


def test_one_pixel_becomes_a_two_by_two_block():
    """Weights 1, 2, 3, 4 end up upper left, upper right, lower left, lower right."""
    weight, bias = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), torch.zeros(1)
    out = upsample_in_place(torch.tensor([[[[1.0, 10.0]]]]), weight, bias)
    assert out.flatten().tolist() == [1, 2, 3, 4, 10, 20, 30, 40]
    ones = torch.ones(1, 1, 2, 2)
    placed = upsample_last(out, ones, torch.full((1,), 0.5))[0, 0]
    assert placed[::2, ::2].tolist() == [[1.5, 2.5, 10.5, 20.5], [3.5, 4.5, 30.5, 40.5]]
    assert torch.equal(placed[::2, ::2], placed[1::2, 1::2])


@pytest.mark.parametrize("backbone", ["resnet18", "resnet50"])
def test_a_checkpoint_fits_both_forms(backbone):
    torch.manual_seed(0)
    quick, plain = DBNet(backbone).eval(), DBNet(backbone, plain=True).eval()
    plain.load_state_dict(quick.state_dict())
    image = torch.randint(0, 256, (1, 3, 64, 96), dtype=torch.uint8)
    with torch.inference_mode():
        for ours, theirs in zip(quick(image), plain(image), strict=True):
            assert float((ours - theirs).abs().max()) <= 1e-5 * float(theirs.abs().max())
        assert quick(image, with_thresh=False).thresh_logits is None is plain(image, with_thresh=False).thresh_logits


@pytest.mark.slow
def test_the_loss_in_bf16_is_as_accurate_as_in_the_plain_form():
    """Loss and gradient of an untrained network have at most the error of the plain form."""
    torch.manual_seed(0)
    quick, plain, exact = DBNet().train(), DBNet(plain=True).train(), DBNet(plain=True).double().train()
    for other in (plain, exact):
        other.load_state_dict(quick.state_dict())
    image = torch.randint(0, 256, (4, 3, 96, 96), dtype=torch.uint8)
    normalized = quick.normalize(image).double()
    exact.normalize.forward = lambda _: normalized
    text = torch.zeros(4, 96, 96, dtype=torch.uint8)
    text[:, 24:48, 16:80] = 1
    targets = Targets(text, torch.ones_like(text), text * 100 + 76, text)

    def learned(net, reduced):
        with torch.autocast("cpu", torch.bfloat16, enabled=reduced):
            maps = net(image)
        loss = DBLoss()(maps, targets)
        loss.total.backward()
        return [term.item() for term in loss], torch.cat([p.grad.flatten().double() for p in net.parameters()])

    reference, true_gradient = learned(exact, reduced=False)
    angles = []
    for net in (quick, plain):
        loss, gradient = learned(net, reduced=True)
        assert loss == pytest.approx(reference, rel=5e-3)
        angles.append(1.0 - float(F.cosine_similarity(gradient, true_gradient, dim=0)))
    assert angles[0] < 1.2 * angles[1] < 0.15
