"""The exported network agrees with its checkpoint on photos, at every size."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from resnet18_ocrdet.data.image_io import read_image
from resnet18_ocrdet.data.load_annotations import read_data
from resnet18_ocrdet.export.card import make_card
from resnet18_ocrdet.export.graph import trace, write_onnx
from resnet18_ocrdet.export.parity import TOLERANCES, measure_parity
from resnet18_ocrdet.inference.backends import open_exported
from resnet18_ocrdet.inference.exported import ExportedNetwork
from resnet18_ocrdet.inference.loading import load_model
from resnet18_ocrdet.inference.postprocess import Decoder
from resnet18_ocrdet.inference.predictor import Predictor
from resnet18_ocrdet.inference.torch_network import TorchNetwork, load_dbnet
from resnet18_ocrdet.model.bundled import BUNDLED_PATH
from resnet18_ocrdet.model.contract import Contract
from resnet18_ocrdet.runtime.device import Compute

ROOT = os.environ.get("OCRDET_ICDAR2015")
SIZES = [(640, 640), (800, 800), (1024, 1024), (736, 1280)]


@pytest.mark.slow
@pytest.mark.skipif(ROOT is None, reason="OCRDET_ICDAR2015 is not set")
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_one_file_agrees_at_every_size(precision: str, tmp_path: Path):
    cpu = torch.device("cpu")
    trained = load_model(BUNDLED_PATH)
    # low thresholds: many boxes, most of them near a threshold, where small differences matter
    contract = replace(Contract.from_dict(trained.content["contract"]), bin_thresh=0.1, box_thresh=0.1)
    net = load_dbnet(trained, cpu)
    write_onnx(
        trace(net, 640, 640, "uint8", dynamic_shapes=True, half=precision == "fp16"),
        make_card(trained.content, contract, "uint8", dynamic_shapes=True),
        tmp_path / "net.onnx",
    )
    networks = TorchNetwork(net, Compute(cpu)), ExportedNetwork(open_exported(tmp_path / "net.onnx", "onnxruntime"))
    photos = [read_image(record.image_path) for record in read_data(Path(str(ROOT))).splits["train"][800:900:6]]
    boxes = 0
    for height, width in SIZES:
        at = replace(contract, height=height, width=width)
        first, second = (Predictor(each, at, Decoder.of(at)) for each in networks)
        parity = measure_parity(first, second, photos)
        assert parity.holds(TOLERANCES[precision]), f"{height}x{width}: {parity}"
        boxes += parity.boxes
    assert boxes >= 500
