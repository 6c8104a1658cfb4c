"""Backbone files that lack whole layers: what is loaded, what is named, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision

from config_runner import configs
from conftest import TINY
from resnet18_ocrdet import build
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.model.backbone import load_imagenet
from resnet18_ocrdet.model.resnet import ResNetFeatures
from train_runner import last, train

LAYER4 = ("layer4.0.conv1", "layer4.0.bn1", "layer4.0.conv2", "layer4.0.bn2", "layer4.1.")


@pytest.fixture(scope="module")
def imagenet():
    torch.manual_seed(2)
    return torchvision.models.resnet18(weights=None).state_dict()


@pytest.fixture(scope="module")
def features() -> ResNetFeatures:
    """For files that are refused: nothing is changed."""
    return ResNetFeatures("resnet18")


def saved(tmp_path: Path, state: dict, *without: str) -> str:
    """The path of a file with the tensors whose names begin with none of the words."""
    path = tmp_path / "front.pth"
    torch.save({name: value for name, value in state.items() if not name.startswith(without)}, path)
    return str(path)


def test_absent_layers_are_named_and_keep_their_first_values(tmp_path, imagenet):
    path = saved(tmp_path, imagenet, "fc.", *LAYER4)
    features = ResNetFeatures("resnet18")
    before = {name: value.clone() for name, value in features.state_dict().items()}
    loaded = load_imagenet(features, path)
    # 20 convolutions with 4 tensors of batch norm each; 4 of them are absent
    assert loaded.line == (
        f"backbone: 80 of 100 tensors from {path}; "
        "layer4: 4 convolutions and their batch norms are not in front.pth: initialised"
    )
    for name, value in features.state_dict().items():
        assert torch.equal(value, before[name] if name.startswith(LAYER4) else imagenet[name]), name
    assert len(loaded.initialised) == 4 * (1 + 5)  # the counter too
    assert all(name.startswith(LAYER4) for name in loaded.initialised)


def test_whole_parts_may_be_absent(tmp_path, imagenet):
    loaded = load_imagenet(ResNetFeatures("resnet18"), saved(tmp_path, imagenet, "fc.", "layer3.1.", "layer4."))
    assert "layer3: 2 convolutions and their" in loaded.line and "layer4: 5 convolutions" in loaded.line


def test_a_complete_file_leaves_nothing_to_initialise(tmp_path, imagenet):
    assert load_imagenet(ResNetFeatures("resnet18"), saved(tmp_path, imagenet)).initialised == frozenset()


@pytest.mark.parametrize(
    ("without", "counts"),
    [
        (("conv1.", "bn1."), "95 of 100"),  # the first layer, and those that were trained on it are there
        (("layer4.0.",), "85 of 100"),  # layer4.1 was trained on what layer4.0 gives
        (("layer4.1.bn2.",), "96 of 100"),  # a convolution without its batch norm
        (("layer4.1.bn2.running_mean",), "99 of 100"),
        (("layer4.1.conv2",), "99 of 100"),
        (("conv1.", "bn1.", "layer"), "0 of 100"),  # only the classifier is there
    ],
)
def test_files_with_gaps_are_refused(tmp_path, imagenet, features, without, counts):
    before = features.conv1.weight.clone()
    with pytest.raises(UserError, match=f"not weights of resnet18: {counts} tensors fit; .* missing"):
        load_imagenet(features, saved(tmp_path, imagenet, *without))
    assert torch.equal(features.conv1.weight, before)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"layer5.weight": torch.zeros(1)}, "1 unknown"),
        ({"conv1.weight": torch.zeros(64, 1, 7, 7)}, "1 of another shape"),
        ({"conv1.weight": torch.full((64, 3, 7, 7), torch.nan)}, "1 tensor with NaN"),
    ],
)
def test_what_is_there_must_fit(tmp_path, imagenet, features, changed, why):
    with pytest.raises(UserError, match=why):
        load_imagenet(features, saved(tmp_path, imagenet | changed, "fc.", *LAYER4))


@pytest.mark.parametrize(("name", "blocks"), [("resnet18", 8), ("resnet50", 16)])
def test_each_block_has_one_norm_that_ends_its_branch(name, blocks):
    with torch.device("meta"):
        backbone = ResNetFeatures(name)
    norms = backbone.residual_norms()
    assert len({id(norm) for norm in norms}) == blocks
    assert norms[-1].num_features == backbone.channels[-1]


def test_absent_residuals_begin_at_zero(tmp_path, imagenet):
    """layer4 is then its shortcuts: ReLU of the loaded downsample of layer3."""
    path = saved(tmp_path, imagenet, "fc.", *LAYER4)
    (cfg,) = configs("train", f"init.backbone={path}", "init.zero_residuals=true")
    net, lines, initialised = build.build_model(cfg, True)
    assert len(lines) == 1 and len(initialised) == 24
    backbone = net.eval().backbone
    assert [bool(norm.weight.any()) for norm in backbone.residual_norms()] == [True] * 6 + [False] * 2
    with torch.inference_mode():
        *_, c4, c5 = backbone(torch.rand(1, 3, 64, 64))
        assert torch.equal(c5, backbone.layer4[0].downsample(c4).relu())


def test_without_a_file_all_residuals_begin_at_zero():
    net = build.build_model(configs("train", "init.zero_residuals=true")[0], True).net
    assert not any(norm.weight.any() for norm in net.backbone.residual_norms())


def test_what_was_loaded_has_a_rate_of_its_own(tmp_path, imagenet):
    path = saved(tmp_path, imagenet, "fc.", *LAYER4)
    words = (f"init.backbone={path}", "optimizer.pretrained_lr_scale=0.1", "optimizer.layer_decay=0.5")
    (cfg,) = configs("train", *words)
    net, _, initialised = build.build_model(cfg, True)
    groups = build.build_optimizer(cfg, net, initialised).param_groups
    factor = {id(p): group["lr_factor"] for group in groups for p in group["params"]}
    named = dict(net.named_parameters())
    wanted = {
        "backbone.conv1.weight": 0.1 / 32,
        "backbone.layer4.0.downsample.0.weight": 0.1 / 2,
        "backbone.layer4.0.conv1.weight": 1 / 2,  # initialised
        "backbone.layer4.1.bn2.bias": 1 / 2,
        "neck.lateral.0.weight": 1.0,
    }
    assert {name: factor[id(named[name])] for name in wanted} == pytest.approx(wanted)
    assert len(factor) == len(named)


def test_random_layers_are_not_frozen(tmp_path, imagenet):
    path = saved(tmp_path, imagenet, "fc.", *LAYER4)
    with pytest.raises(UserError, match=r"train.freeze=layer4.*layer4.0.bn1.bias"):
        build.build_model(configs("train", f"init.backbone={path}", "train.freeze=layer4")[0], True)
    with pytest.raises(UserError, match=r"train.freeze_statistics=true.*layer4.0.bn1.running_mean"):
        build.build_model(configs("train", f"init.backbone={path}", "train.freeze_statistics=true")[0], True)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["optimizer.pretrained_lr_scale=0.1"], "init.backbone"),
        (["optimizer.pretrained_lr_scale=0.1", "init.backbone=imagenet", "init.weights=bundled"], "init.weights"),
        (["optimizer.pretrained_lr_scale=0"], "above 0, up to 1"),
    ],
)
def test_a_rate_scale_without_loaded_layers_is_refused(monkeypatch, capsys, words, part):
    assert train(monkeypatch, *words) == 2
    err = capsys.readouterr().err
    assert "optimizer.pretrained_lr_scale" in err and part in err and err.count("\n") == 1


@pytest.mark.slow
def test_a_resume_knows_which_layers_were_loaded(tmp_path, imagenet, monkeypatch, capsys):
    """Without the file."""
    path = saved(tmp_path, imagenet, "fc.", *LAYER4)
    words = [*TINY, f"init.backbone={path}", "optimizer.pretrained_lr_scale=0.1", f"run_dir={tmp_path}/run"]
    assert train(monkeypatch, *words, "train.epochs=1") == 0
    assert "layer4: 4 convolutions" in capsys.readouterr().out
    Path(path).unlink()
    before = last(tmp_path / "run")["optimizer"]["param_groups"]
    assert train(monkeypatch, f"resume={tmp_path}/run", "train.epochs=2") == 0
    after = last(tmp_path / "run")
    assert len(after["about"]["initialised"]) == 24
    assert [group["lr_factor"] for group in after["optimizer"]["param_groups"]] == [g["lr_factor"] for g in before]
    assert train(monkeypatch, f"resume={tmp_path}/run", "train.epochs=3", "optimizer.pretrained_lr_scale=1") == 2
    assert "optimizer.pretrained_lr_scale" in capsys.readouterr().err
