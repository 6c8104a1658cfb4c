"""Crafted ONNX graphs: outputs that are not a map of probabilities, and loops that do not end."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto as T
from onnx import helper

from hostile_files import brightness, card, endless, write_onnx
from resnet18_ocrdet.cli import _detect, _evaluate
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.inference import exported
from resnet18_ocrdet.inference.backends import open_exported
from resnet18_ocrdet.inference.exported import ExportedNetwork, within
from resnet18_ocrdet.viz.draw import write

RUNTIMES = ("onnxruntime", "openvino")


def after(*nodes: Any) -> list[Any]:
    """Nodes after a valid map, called "map"."""
    return [*brightness("map"), *nodes]


def turn(kind: str, **options: Any) -> list[Any]:
    return after(helper.make_node(kind, ["map"], ["out"], **options))


def with_constant(kind: str, name: str) -> list[Any]:
    return after(helper.make_node(kind, ["map", name], ["out"]))


HALVED = [helper.make_node("Resize", ["map", "", "halves"], ["out"], mode="nearest")]
CHANNELS = [helper.make_node("Cast", ["image"], ["out"], to=T.FLOAT)]
WORDS = [helper.make_node("Identity", ["words"], ["out"])]
CIRCLE = [helper.make_node("Add", ["map", "sum"], ["out"]), helper.make_node("Add", ["out", "map"], ["sum"])]
REFUSED = "the output is not a map of probabilities but|gives .* instead of a map|cannot open it|cannot compile it"
FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("scalar", {"nodes": turn("ReduceMean", keepdims=0)}, r"gives \(\) instead of a map of \(1, 1, 64, 64\)"),
    ("texts", {"nodes": after(*WORDS), "kind": T.STRING}, REFUSED),
    ("sequence", {"nodes": turn("SequenceConstruct")}, REFUSED),
    ("truth", {"nodes": turn("Cast", to=T.BOOL), "kind": T.BOOL}, REFUSED),
    ("nan", {"nodes": with_constant("Add", "nan")}, "gives values from nan to nan instead of probabilities"),
    ("logits", {"nodes": with_constant("Add", "many")}, r"gives values from 1e\+06"),
    ("half the size", {"nodes": after(*HALVED)}, r"gives \(1, 1, 32, 32\) instead of a map of \(1, 1, 64, 64\)"),
    ("three maps", {"nodes": CHANNELS}, r"gives \(1, 3, 64, 64\) instead of a map"),
    ("two inputs", {"inputs": 2}, "2 inputs and 1 outputs, not one of each"),
    ("two outputs", {"outputs": ("out", "mean")}, "1 inputs and 2 outputs, not one of each"),
    ("no graph", {"nodes": []}, "cannot open it"),
    ("a circle", {"nodes": after(*CIRCLE)}, "cannot open it"),
]
OPENVINO_2026 = [row[1:] for row in FAULTS if row[0] in ("two inputs", "a circle")]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(("graph", "message"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_an_output_that_is_not_a_map_is_refused_when_the_file_is_opened(
    runtime: str, graph: dict[str, Any], message: str, tmp_path
):
    if runtime == "openvino" and (graph, message) in OPENVINO_2026 and version("openvino") < "2026":
        pytest.skip("OpenVINO before 2026 drops an input without use, and takes a minute over a circle")
    write_onnx(tmp_path / "a.onnx", card(), **graph)
    with pytest.raises(UserError, match=message) as caught:
        ExportedNetwork(open_exported(tmp_path / "a.onnx", runtime))
    assert str(caught.value).startswith(f"{tmp_path}/a.onnx: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_map_that_is_wrong_for_a_later_image_is_refused(runtime: str, tmp_path: Path):
    """A graph that is valid for a black image only."""
    nodes = [*brightness("map"), helper.make_node("Log", ["map"], ["out"])]  # 1 for white, -infinity for black
    write_onnx(tmp_path / "log.onnx", card(), nodes)
    with pytest.raises(UserError, match="gives values from -inf to"):
        ExportedNetwork(open_exported(tmp_path / "log.onnx", runtime))
    nodes = [*brightness("map"), helper.make_node("Mul", ["map", "many"], ["out"])]
    net = ExportedNetwork(open_exported(write_onnx(tmp_path / "mul.onnx", card(), nodes), runtime))
    with pytest.raises(UserError, match=r"mul\.onnx: gives values from 0 to 1e\+06 instead of probabilities, 0 to 1"):
        net.prob_maps(np.broadcast_to(np.array([0, 255], np.uint8)[:, None], (1, 3, 2, 2)))


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_valid_graph_runs(runtime: str, tmp_path: Path):
    net = ExportedNetwork(open_exported(write_onnx(tmp_path / "a.onnx", card()), runtime))
    canvas = np.full((32, 64, 3), 51, np.uint8)
    assert np.allclose(net([canvas, canvas]), np.full((2, 32, 64), 0.2))


def test_a_command_reports_it_in_one_line(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.png", np.full((64, 64, 3), 9, np.uint8))
    write_onnx(tmp_path / "a.onnx", card(), turn("ReduceMean", keepdims=0))
    assert run_command("detect", _detect, ["input=a.png", "checkpoint=a.onnx"]) == 2
    assert capsys.readouterr().err == "ocrdet-detect: a.onnx: gives () instead of a map of (1, 1, 64, 64)\n"
    words = ["checkpoint=a.onnx", "data=synthetic", "data.test_size=1", "workers=0"]
    assert run_command("eval", _evaluate, words) == 2
    assert capsys.readouterr().err == "ocrdet-eval: a.onnx: gives () instead of a map of (1, 1, 64, 64)\n"


def test_detections_are_valid_json(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image = np.zeros((64, 64, 3), np.uint8)
    image[20:40, 10:50] = 255
    write(tmp_path / "a.png", image)
    write_onnx(tmp_path / "a.onnx", card())
    assert run_command("detect", _detect, ["input=a.png", "checkpoint=a.onnx", "output=out"]) == 0

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    found = json.loads((tmp_path / "out/detections.json").read_text(), parse_constant=refuse)
    assert len(found["images"][0]["scores"]) == 1


ENDLESS = """
import sys
from resnet18_ocrdet.inference import exported
from resnet18_ocrdet.cli import detect
exported.OPENING_SECONDS = 2.0
sys.argv = ["ocrdet-detect", "input=a.png", "checkpoint=a.onnx", "runtime=" + sys.argv[1]]
detect()
"""


@pytest.mark.slow
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_an_endless_loop_at_opening_is_stopped(runtime: str, tmp_path: Path):
    write(tmp_path / "a.png", np.full((64, 64, 3), 9, np.uint8))
    write_onnx(tmp_path / "a.onnx", card(), endless())
    done = subprocess.run(
        [sys.executable, "-c", ENDLESS, runtime], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    message = "ocrdet-detect: a.onnx: not opened and run on a first image within 2 s\n"
    assert (done.returncode, done.stderr) == (2, message)


@pytest.mark.parametrize("runtime", ["onnxruntime", pytest.param("openvino", marks=pytest.mark.slow)])
def test_an_endless_loop_on_a_later_image_is_stopped(runtime: str, tmp_path: Path, monkeypatch):
    net = ExportedNetwork(open_exported(write_onnx(tmp_path / "a.onnx", card(), endless("bright")), runtime))
    image = np.zeros((1, 3, 64, 64), np.uint8)
    assert net.prob_maps(image).max() == 0
    monkeypatch.setattr(exported, "PASS_SECONDS", 0.2)
    message = rf"a\.onnx: {runtime} has not ended after 0\.2 s on an image"
    with pytest.raises(UserError, match=message):
        net.prob_maps(image + 1)
    monkeypatch.setattr(exported, "within", None)
    with pytest.raises(UserError, match=message):  # the network is not run again
        net.prob_maps(image)


def test_within_passes_on_results_and_errors():
    assert within(5.0, lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        within(5.0, lambda: 1 // 0)
