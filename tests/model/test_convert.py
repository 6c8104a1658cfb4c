"""Weights of MhLiao/DB, ModelScope and MMOCR: all tensors are mapped and give the same map, or an error names them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn

from foreign_networks import DB, DB_MEAN, MMOCR, SERVED_MEAN
from resnet18_ocrdet import build
from resnet18_ocrdet.cli import _detect, _evaluate, _train
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.inference.loading import load_model
from resnet18_ocrdet.model.checkpoint import load_checkpoint, load_weights, shipped_weights
from resnet18_ocrdet.model.convert import to_imagenet_normalization
from resnet18_ocrdet.model.dbnet import DBNet
from resnet18_ocrdet.viz.draw import write

CPU = torch.device("cpu")
MAKERS: dict[str, tuple[Callable[[], nn.Module], str, str]] = {  # network, prefix of its file, our name for it
    "db": (lambda: DB(DB_MEAN, extra=True), "model.module.", "MhLiao/DB: "),
    "modelscope": (lambda: DB(SERVED_MEAN, extra=False), "", "ModelScope: "),
    "webui": (lambda: DB(DB_MEAN, extra=False), "model.module.", "ModelScope training checkpoint: "),
    "mmocr": (MMOCR, "", "MMOCR: "),
}


def varied(net: nn.Module) -> nn.Module:
    """Set random weights, and statistics that differ from those of a new network."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, value in net.state_dict().items():
            if name.endswith(("running_mean", "bias")):
                value.copy_(torch.randn(value.shape, generator=generator) * 0.1)
            elif name.endswith("running_var") or (value.ndim == 1 and name.endswith("weight")):
                value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
    return net.eval()


def save_network(kind: str, path: Path, wrap: str | None = None) -> nn.Module:
    """Write the file of such a network, and return the network."""
    torch.manual_seed(0)
    make, prefix, _ = MAKERS[kind]
    net = varied(make())
    state = {prefix + name: value for name, value in net.state_dict().items()}
    torch.save(state if wrap is None else {"meta": {"epoch": 3}, wrap: state}, path)
    return net


@pytest.mark.parametrize("kind", list(MAKERS))
def test_the_map_is_that_of_their_network(kind: str, tmp_path: Path):
    theirs = save_network(kind, tmp_path / "their.pth", "state_dict" if kind == "mmocr" else None)
    trained = load_model(tmp_path / "their.pth")
    content = trained.content
    assert trained.adopted == f"{tmp_path / 'their.pth'}: {MAKERS[kind][2]}158 of 158 tensors"
    assert content["contract"]["resize"] == "short_side" and content["contract"]["height"] == 736
    ours = build.build_network(trained, CPU).eval()
    image = torch.randint(0, 256, (2, 3, 96, 128), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        wanted = theirs(image)
        assert wanted.std() > 1e-3  # not a constant map
        assert (ours(image, with_thresh=False).prob_map - wanted).abs().max() <= 1e-5
        # converted to ImageNet normalisation: the same away from the border
        net = DBNet()
        load_weights(net, to_imagenet_normalization(shipped_weights(content), content["contract"]), tmp_path)
        tall = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
        stem = [each.backbone.bn1(each.backbone.conv1(each.normalize(tall))) for each in (net.eval(), ours)]
        assert (stem[0] - stem[1])[..., 2:-2, 2:-2].abs().max() < 1e-4


@pytest.mark.parametrize("kind", ["db", "mmocr"])
def test_missing_unknown_and_reshaped_tensors_are_named(kind: str, tmp_path: Path):
    save_network(kind, tmp_path / "their.pth")
    state = torch.load(tmp_path / "their.pth", weights_only=True)
    lost = next(name for name in state if "layer3.1.bn2.weight" in name)
    reshaped = next(name for name in state if "layer4.0.conv1.weight" in name)
    del state[lost]
    state[reshaped] = state[reshaped][:, :8]
    state[lost.replace("layer3.1.bn2", "layer3.1.attention")] = torch.zeros(3)
    torch.save(state, tmp_path / "their.pth")
    with pytest.raises(UserError) as caught:
        load_checkpoint(tmp_path / "their.pth")
    message = str(caught.value)
    assert "1 missing (backbone.layer3.1.bn2.weight); 1 unknown (backbone.layer3.1.attention.weight)" in message
    assert "1 of another shape (backbone.layer4.0.conv1.weight (512, 8, 3, 3) instead of (512, 256, 3, 3))" in message
    assert f"{tmp_path}/their.pth" in message and "\n" not in message


def test_without_a_threshold_head_it_detects(tmp_path: Path):
    save_network("modelscope", tmp_path / "their.pth")
    state = torch.load(tmp_path / "their.pth", weights_only=True)
    torch.save({name: value for name, value in state.items() if "thresh" not in name}, tmp_path / "no_threshold.pth")
    content = load_checkpoint(tmp_path / "no_threshold.pth")
    assert content["about"]["adopted"].endswith("; no threshold head (only used in training), starts at random")
    whole = load_checkpoint(tmp_path / "their.pth")["model"]
    assert all(torch.equal(value, whole[name]) for name, value in content["model"].items() if "thresh" not in name)


def test_other_architectures_are_refused(tmp_path: Path):
    save_network("db", tmp_path / "their.pth")
    state = torch.load(tmp_path / "their.pth", weights_only=True)
    state["model.module.backbone.layer2.0.conv2_offset.weight"] = torch.zeros(27, 128, 3, 3)
    torch.save(state, tmp_path / "their.pth")
    with pytest.raises(UserError, match=r"MhLiao/DB with deformable convolutions \(backbone\.layer2\.0\.conv2_offset"):
        load_checkpoint(tmp_path / "their.pth")
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), tmp_path / "resnet.pth")
    with pytest.raises(UserError, match=r"resnet\.pth: a torchvision ResNet, .* init\.backbone=PATH"):
        load_checkpoint(tmp_path / "resnet.pth")


@pytest.mark.slow
def test_every_command_accepts_them(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    save_network("webui", tmp_path / "their.pth")
    write(tmp_path / "a.png", SyntheticScenes(1, 64, 96, seed=0).load(0).image)
    assert run_command("detect", _detect, ["input=a.png", "checkpoint=their.pth", "output=out", "vis=false"]) == 0
    assert "their.pth: ModelScope training checkpoint: 158 of 158 tensors" in capsys.readouterr().out
    words = ["checkpoint=their.pth", "data=synthetic", "data.test_size=1", "input_size=64x64", "workers=0", "output=e"]
    assert run_command("eval", _evaluate, words) == 0
    assert "their.pth: ModelScope training checkpoint: 158 of 158 tensors" in capsys.readouterr().out
    before = Path("their.pth").read_bytes()
    assert run_command("eval", _evaluate, ["checkpoint=their.pth", "data=synthetic", "calibrate=true"]) == 2
    assert "their.pth is of another program" in capsys.readouterr().err and Path("their.pth").read_bytes() == before
    tiny = ["input_size=64x64", "data.train_size=2", "data.val_size=1", "train.batch_size=2", "train.workers=0"]
    words = [*tiny, "init.weights=their.pth", "train.epochs=1", "run_dir=run"]
    assert run_command("train", _train, words) == 0
    assert "158 of 158 tensors from" in (out := capsys.readouterr().out) and "(ModelScope training checkpoint: " in out
