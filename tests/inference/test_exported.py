"""ExportedFile networks: sizes, batches, devices, precisions and runtimes."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from resnet18_ocrdet.data.letterbox import letterbox
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.export.graph import ExportNet
from resnet18_ocrdet.inference.backends import open_exported
from resnet18_ocrdet.inference.exported import ExportedFile, ExportedNetwork
from resnet18_ocrdet.inference.loading import LoadedModel
from resnet18_ocrdet.inference.torch_network import where_to_run
from resnet18_ocrdet.model.dbnet import DBNet
from resnet18_ocrdet.runtime.device import choose_precision
from resnet18_ocrdet.structures import ResizeTransform


def test_fit_puts_the_whole_image_on_a_canvas_of_the_size():
    image = np.full((100, 400, 3), 255, np.uint8)
    canvas, transform = letterbox(image, 96, 128, "fit")
    assert canvas.shape == (96, 128, 3)
    assert (canvas[:32] == 255).all() and (canvas[32:] == 0).all()  # 400 px to 128, 100 to 32
    assert transform == ResizeTransform(100, 400, 0.32, 0.32)
    canvas, _ = letterbox(image.transpose(1, 0, 2), 96, 128, "fit")
    assert canvas.shape == (96, 128, 3) and (canvas[:, :24] == 255).all() and (canvas[:, 24:] == 0).all()


def test_a_file_with_a_batch_of_one_gets_images_one_by_one():
    seen = []

    def run(pixels):
        seen.append((pixels.shape, pixels.dtype))
        return np.full((len(pixels), 1, *pixels.shape[2:]), 0.25, np.float32)

    card = {"input": {"dtype": "float", "shape": [1, 3, 64, 96]}}
    net = ExportedNetwork(ExportedFile(Path("a.onnx"), "onnxruntime", card, lambda precision: run))
    maps = net([np.zeros((64, 96, 3), np.uint8)] * 3)
    assert seen == [((1, 3, 64, 96), np.float32)] * 4  # one more when it is opened
    assert np.array_equal(maps, np.full((3, 64, 96), 0.25, np.float32))
    net.check_size(64, 96, "fit")
    for wrong in ((64, 64, "fit"), (64, 96, "keep")):
        with pytest.raises(UserError, match=r"a\.onnx: takes images of 64x96 only"):
            net.check_size(*wrong)


def test_a_map_of_one_image_may_have_two_axes():
    levels = np.linspace(0, 1, 64 * 96, dtype=np.float32).reshape(64, 96)
    card = {"input": {"dtype": "float", "shape": [1, 3, "height", "width"]}}

    def network(prob_map):
        def run(pixels):
            return prob_map(pixels.shape)

        return ExportedNetwork(ExportedFile(Path("a.onnx"), "onnxruntime", card, lambda precision: run))

    one, two = network(lambda shape: levels[: shape[2], : shape[3]])([np.zeros((64, 96, 3), np.uint8)] * 2)
    assert np.array_equal(one, levels) and np.array_equal(two, levels)
    for wrong in (lambda shape: levels[None, :64, :64], lambda shape: levels[:64, :32]):
        with pytest.raises(UserError, match=r"a\.onnx: gives \(.*64.*\) instead of a map of \(1, 1, 64, 64\)"):
            network(wrong)


def test_device_and_precision_of_an_exported_file():
    def trained(runtime: str, precision: str = "fp32") -> LoadedModel:
        file = ExportedFile(Path("a.onnx"), runtime, {}, lambda precision: lambda images: images)
        return LoadedModel(file.path, {"contract": {"precision": precision}, "config": {}, "about": {}}, None, file)

    cpu = torch.device("cpu")
    assert where_to_run(trained("onnxruntime"), "auto", "auto") == (cpu, "fp32")
    assert where_to_run(trained("openvino"), "cpu", "auto") == (cpu, choose_precision("auto", cpu))
    assert where_to_run(trained("openvino"), "cpu", "bf16") == (cpu, "bf16")
    with pytest.raises(UserError, match=r"bf16: a\.onnx is run by onnxruntime, in fp32; runtime=openvino"):
        where_to_run(trained("onnxruntime"), "cpu", "bf16")
    with pytest.raises(UserError, match=r"fp16: a\.onnx is run by openvino, in fp32 or bf16"):
        where_to_run(trained("openvino"), "cpu", "fp16")
    with pytest.raises(UserError, match=r"device=mps: a\.onnx is run by openvino, on the CPU"):
        where_to_run(trained("openvino"), "mps", "auto")
    for runtime, own in itertools.product(("onnxruntime", "openvino"), ("int8", "fp16")):
        assert where_to_run(trained(runtime, own), "auto", "auto") == (cpu, own)
        with pytest.raises(UserError, match=rf"precision=bf16: a\.onnx computes in {own}"):
            where_to_run(trained(runtime, own), "auto", "bf16")
    assert where_to_run(trained("onnxruntime", "fp16"), "auto", "fp16") == (cpu, "fp16")


def test_a_missing_runtime_is_reported_with_its_extra(monkeypatch):
    monkeypatch.setattr("resnet18_ocrdet.inference.backends.find_spec", lambda name: None)
    for runtime, words in (
        ("auto", r"a\.onnx: needs ONNX Runtime: pip install 'resnet18-ocrdet\[export\]'"),
        ("openvino", r"runtime=openvino: not installed: pip install 'resnet18-ocrdet\[openvino\]'"),
    ):
        with pytest.raises(UserError, match=words):
            open_exported(Path("a.onnx"), runtime)


def test_the_exported_layers_compute_the_trained_function():
    net = DBNet().eval()
    image = torch.randint(0, 256, (2, 3, 64, 96), dtype=torch.uint8)
    with torch.inference_mode():
        wanted = net(image, with_thresh=False).prob_map
        assert torch.allclose(ExportNet(net)(image), wanted, atol=1e-5)
        assert torch.equal(ExportNet(net)(image.float()), ExportNet(net)(image))
        half = ExportNet(net, half=True)(image[:1, :, :32, :32])  # a CPU is slow in float16
        single = ExportNet(net)(image[:1, :, :32, :32])
        assert half.dtype == torch.float32 and 0 < (half - single).abs().max() < 0.05
        assert torch.equal(ExportNet(net, "hw")(image[:1]), ExportNet(net)(image[:1])[0, 0])
        assert net.prob_head[0].weight.dtype == torch.float32
