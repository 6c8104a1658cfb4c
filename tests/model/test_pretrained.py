"""ImageNet weights of the backbone: from a file, from torchvision's cache, and what is refused."""

from __future__ import annotations

import time
import zipfile
from collections import OrderedDict
from urllib.error import URLError

import pytest
import torch
import torchvision

from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.model.backbone import load_imagenet
from resnet18_ocrdet.model.resnet import ResNetFeatures


@pytest.fixture(scope="module")
def imagenet_state():
    torch.manual_seed(2)
    return torchvision.models.resnet18(weights=None).state_dict()


def refusal(features, source):
    before = {key: value.clone() for key, value in features.state_dict().items()}
    with pytest.raises(UserError) as caught:
        load_imagenet(features, str(source))
    assert all(torch.equal(value, before[key]) for key, value in features.state_dict().items())
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("old", [False, True])
def test_weights_from_a_file(tmp_path, imagenet_state, old):
    state = OrderedDict(
        (key, value) for key, value in imagenet_state.items() if not (old and key.endswith("num_batches_tracked"))
    )
    path = tmp_path / "resnet18.pth"
    torch.save(state, path)
    features = ResNetFeatures("resnet18")
    # 20 convolutions, and 20 batch norms with 4 tensors each
    assert load_imagenet(features, str(path)).line == f"backbone: 100 of 100 tensors from {path}"
    loaded = features.state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in state.items() if not key.startswith("fc."))


def test_weights_of_another_network_are_refused_with_counts(tmp_path, imagenet_state):
    path = tmp_path / "other.pth"
    # ResNet-18 into ResNet-34: everything fits, but 16 more convolutions with their batch norms are wanted
    torch.save(imagenet_state, path)
    message = refusal(ResNetFeatures("resnet34"), path)
    assert (
        f"init.backbone={path}: not weights of resnet34: 100 of 180 tensors fit; 80 missing, 0 unknown, 0 of another"
        in message
    )
    torch.save({"module." + key: value for key, value in imagenet_state.items()}, path)
    # 122 names carry the prefix: 100, 20 counters, and the classifier's 2
    assert "100 missing, 122 unknown, 0 of another shape" in refusal(ResNetFeatures("resnet18"), path)
    torch.save(imagenet_state | {"conv1.weight": torch.zeros(64, 1, 7, 7)}, path)
    assert "0 missing, 0 unknown, 1 of another shape (first: conv1.weight)" in refusal(ResNetFeatures("resnet18"), path)


@pytest.mark.parametrize(
    "data",
    [b"", b"not weights\n", b"<!DOCTYPE html><html>404</html>", b"PK\x03\x04 cut off"],
    ids=["empty", "text", "html", "cut"],
)
def test_a_file_that_holds_no_weights_is_refused(tmp_path, data):
    path = tmp_path / "resnet18.pth"
    path.write_bytes(data)
    assert f"init.backbone={path}: not a state dict" in refusal(ResNetFeatures("resnet18"), path)


@pytest.mark.parametrize("content", [{"epoch": 3}, [1], torch.zeros(2), {"state_dict": {"a": torch.zeros(1)}}])
def test_a_file_of_something_else_is_refused(tmp_path, content):
    path = tmp_path / "resnet18.pth"
    torch.save(content, path)
    assert f"init.backbone={path}: not a state dict of tensors" in refusal(ResNetFeatures("resnet18"), path)


def test_weights_that_are_not_finite_are_refused(tmp_path, imagenet_state):
    path = tmp_path / "resnet18.pth"
    torch.save({**imagenet_state, "conv1.weight": imagenet_state["conv1.weight"] * float("nan")}, path)
    message = refusal(ResNetFeatures("resnet18"), path)
    assert str(path) in message and "1 tensor with NaN or infinity (first: conv1.weight)" in message


def test_a_missing_file_is_refused(tmp_path):
    path = tmp_path / "none.pth"
    assert f"init.backbone={path}: no such file" in refusal(ResNetFeatures("resnet18"), path)


def test_imagenet_without_a_connection_is_refused_quickly_and_leaves_no_files(tmp_path, monkeypatch):
    def unreachable(*_, **__):
        raise URLError("Temporary failure in name resolution")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setattr(torch.hub, "urlopen", unreachable)
    features = ResNetFeatures("resnet18")
    began = time.perf_counter()
    message = refusal(features, "imagenet")
    assert time.perf_counter() - began < 5
    cached = tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    assert str(cached) in message and "name resolution" in message and "init.backbone=null" in message
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_imagenet_is_read_from_the_cache(tmp_path, monkeypatch, imagenet_state):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setattr(torch.hub, "urlopen", lambda *_, **__: pytest.fail("a download although the file is cached"))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(imagenet_state, folder / "resnet18-f37072fd.pth")
    features = ResNetFeatures("resnet18")
    assert load_imagenet(features, "imagenet").line == "backbone: 100 of 100 tensors from imagenet"
    assert torch.equal(features.conv1.weight, imagenet_state["conv1.weight"])


def test_a_compressed_file_is_refused_with_the_reason(tmp_path):
    path, packed = tmp_path / "plain.pth", tmp_path / "resnet18.pth"
    torch.save({"conv1.weight": torch.zeros(1000)}, path)
    with zipfile.ZipFile(path) as plain, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in plain.namelist():
            archive.writestr(name, plain.read(name))
    message = refusal(ResNetFeatures("resnet18"), packed)
    assert message.startswith(f"init.backbone={packed}: ") and "zip entries are compressed" in message
