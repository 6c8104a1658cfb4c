"""The network: sizes, modes, one training step."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

from resnet18_ocrdet.model.dbnet import DBNet
from resnet18_ocrdet.model.layers import IMAGENET_MEAN, IMAGENET_STD, FeaturePyramid, MapHead, Normalize
from resnet18_ocrdet.model.loss import DBLoss
from resnet18_ocrdet.model.resnet import CHANNELS, ResNetFeatures
from resnet18_ocrdet.structures import Targets


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads that wait for each other on a busy machine cost more than these small images do."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def images(number=1, height=64, width=64):
    return torch.randint(0, 256, (number, 3, height, width), dtype=torch.uint8, generator=torch.manual_seed(0))


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return DBNet().eval()


def test_parameters(net):
    assert count(net.backbone) == 11_176_512
    # lateral (64 + 128 + 256 + 512) · 256, smooth 4 · 3 · 3 · 256 · 64
    assert count(net.neck) == 245_760 + 589_824 == 835_584
    # 3 · 3 · 256 · 64, batch norm 2 · 64, 64 · 64 · 4 + 64, batch norm 2 · 64, 64 · 4 + 1
    assert count(net.prob_head) == 147_456 + 128 + 16_448 + 128 + 257 == 164_417
    assert count(net.thresh_head) == 164_417
    assert count(net) == 12_340_930


def test_the_normalisation_is_not_part_of_the_weights(net):
    assert count(net.normalize) == 0 and not net.normalize.state_dict()


def test_batch_norm_starts_as_in_the_reference():
    for part in (MapHead(), DBNet().prob_head):
        norms = [layer for layer in part.modules() if isinstance(layer, nn.BatchNorm2d)]
        assert len(norms) == 2 and all((layer.weight == 1).all() for layer in norms)
    assert all((layer.bias == 1e-4).all() for layer in norms)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (32, 96)])
def test_maps_have_the_size_of_the_image(net, height, width):
    with torch.inference_mode():
        maps = net(images(1, height, width))
    assert maps.prob_logits.shape == maps.thresh_logits.shape == (1, 1, height, width)
    assert maps.prob_map.dtype == torch.float32
    assert ((maps.prob_map >= 0) & (maps.prob_map <= 1)).all()


def test_without_the_threshold_head_the_probability_is_the_same(net):
    with torch.inference_mode():
        both, alone = net(images()), net(images(), with_thresh=False)
    assert alone.thresh_logits is None
    assert torch.equal(alone.prob_logits, both.prob_logits)


def test_the_result_does_not_depend_on_the_batch_or_the_memory_order(net):
    batch = images(2)
    with torch.inference_mode():
        together = net(batch).prob_logits
        alone = torch.cat([net(batch[i : i + 1]).prob_logits for i in range(2)])
        channels_last = net(batch.contiguous(memory_format=torch.channels_last)).prob_logits
    torch.testing.assert_close(alone, together, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(channels_last, together, atol=1e-4, rtol=1e-4)


def test_the_two_heads_have_their_own_weights(net):
    with torch.inference_mode():
        maps = net(images())
    assert not torch.allclose(maps.prob_logits, maps.thresh_logits)


def test_normalisation():
    every = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).repeat(1, 3, 1, 1)
    mean, std = torch.tensor(IMAGENET_MEAN).view(3, 1, 1), torch.tensor(IMAGENET_STD).view(3, 1, 1)
    expected = (every.double() / 255 - mean) / std
    result = Normalize()(every)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result.double(), expected, atol=1e-6, rtol=1e-6)
    # red 0: -0.485 / 0.229 = -2.118; blue 255: (1 - 0.406) / 0.225 = 2.64
    assert result[0, 0, 0, 0].item() == pytest.approx(-2.1179, abs=1e-4)
    assert result[0, 2, -1, -1].item() == pytest.approx(2.64, abs=1e-4)


def test_normalisation_with_other_constants():
    result = Normalize((0.5, 0.5, 0.5), (0.25, 0.5, 1.0))(torch.full((1, 3, 1, 1), 255, dtype=torch.uint8))
    assert result.flatten().tolist() == pytest.approx([2.0, 1.0, 0.5])


def test_an_unknown_backbone_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"resnet19.*resnet18, resnet34, resnet50"):
        DBNet(backbone="resnet19")


def test_features_are_torchvisions():
    torch.manual_seed(1)
    whole = torchvision.models.resnet18(weights=None).eval()
    features = ResNetFeatures("resnet18").eval()
    features.load_state_dict({k: v for k, v in whole.state_dict().items() if not k.startswith("fc.")})
    x = torch.rand(1, 3, 64, 96, generator=torch.manual_seed(0))
    with torch.inference_mode():
        levels = features(x)
        pooled = levels[-1].mean(dim=(2, 3))
        torch.testing.assert_close(whole.fc(pooled), whole(x))
    assert [tuple(level.shape[1:]) for level in levels] == [(64, 16, 24), (128, 8, 12), (256, 4, 6), (512, 2, 3)]


def test_the_neck_puts_the_coarsest_level_first():
    torch.manual_seed(0)
    neck = FeaturePyramid((4, 8, 16, 32), inner_channels=8).eval()
    levels = [torch.rand(1, c, 64 // s, 64 // s) for c, s in zip((4, 8, 16, 32), (4, 8, 16, 32), strict=True)]
    with torch.inference_mode():
        out = neck(tuple(levels))
        assert out.shape == (1, 8, 16, 16)
        # the finest level changes the last quarter only; the coarsest level changes all of them
        finer = neck((levels[0] + 1, *levels[1:]))
        assert torch.equal(out[:, :6], finer[:, :6]) and not torch.equal(out[:, 6:], finer[:, 6:])
        coarser = neck((*levels[:3], levels[3] + 1))
    for quarter in range(4):
        part = slice(2 * quarter, 2 * quarter + 2)
        assert not torch.equal(out[:, part], coarser[:, part])


@pytest.mark.parametrize("backbone", ["resnet34", "resnet50"])
def test_other_backbones_train(backbone):
    torch.manual_seed(0)
    model = DBNet(backbone=backbone).train()
    assert model.neck.lateral[3].in_channels == CHANNELS[backbone][3]
    text = torch.zeros(2, 64, 64, dtype=torch.uint8)
    text[:, 16:32, 8:56] = 1
    targets = Targets(text, torch.ones_like(text), text * 100 + 77, text)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    loss = DBLoss()(model(images(2)), targets)
    assert torch.isfinite(loss.total)
    loss.total.backward()
    optimizer.step()
    for name, parameter in model.named_parameters():
        assert torch.isfinite(parameter).all(), name
    changed = [name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])]
    # every convolution is trained, from the first to the last
    convolutions = [name for name, parameter in model.named_parameters() if parameter.ndim == 4]
    assert set(convolutions) <= set(changed)
