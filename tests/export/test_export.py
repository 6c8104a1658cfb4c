"""ocrdet-export: a file with the output of its checkpoint, its contract in the metadata, run by detect and eval."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import resnet18_ocrdet
from conftest import assert_mentions, installed
from resnet18_ocrdet.cli import _detect, _evaluate, _export, _train
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.export.parity import Parity
from resnet18_ocrdet.inference.backends import KEY
from resnet18_ocrdet.model.bundled import BUNDLED_PATH
from resnet18_ocrdet.model.contract import Contract
from resnet18_ocrdet.viz.draw import write

PLACES = [str(Path(module.__file__).parent).encode() for module in (resnet18_ocrdet, torch)]  # on this machine


PLAIN = Path(__file__).parents[2] / "scripts/plain_onnx.py"


@pytest.fixture(scope="module")
def exported(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with model.onnx of a tiny run, and stdout of the installed command in stdout.txt."""
    folder = tmp_path_factory.mktemp("export")
    words = (f"checkpoint={tiny_run}/checkpoints/best.pt", "output=model.onnx", "input_size=96x128")
    done = installed("ocrdet-export", *words, "decode.box_thresh=0", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "stdout.txt").write_text(done.stdout)
    return folder


def fill(folder: Path, count: int, height: int, width: int) -> None:
    scenes = SyntheticScenes(count, height, width, seed=1)
    folder.mkdir()
    for number in range(count):
        write(folder / f"{number}.png", scenes.load(number).image)


@pytest.mark.parametrize(
    ("command", "job", "words", "message"),
    [
        ("export", _export, ["output=model.foo"], "output=model.foo: must end in .onnx or .pt2"),
        ("export", _export, ["output=folder.onnx"], "output=folder.onnx: folder.onnx is a folder"),
        ("export", _export, ["checkpoint=m.onnx"], "checkpoint m.onnx: an exported network can only be run"),
        ("export", _export, ["input=none"], "input=none: no such file or folder"),
        ("export", _export, ["input=folder.onnx"], "input=folder.onnx: 0 images found"),
        ("export", _export, ["input_size=50x50"], "input_size"),
        (
            "export",
            _export,
            ["precision=int8"],
            "precision=int8 measures the range of every layer",
        ),
        ("export", _export, ["precision=int8", "input=a.png", "output=m.pt2"], "precision=int8 writes ONNX: output="),
        ("export", _export, ["precision=fp16", "output=m.pt2"], "precision=fp16 writes ONNX: output="),
        ("export", _export, ["output_shape=hw"], "add input_dtype=float"),
        ("detect", _detect, ["input=.", "checkpoint=n.onnx"], "checkpoint n.onnx: no such file"),
        ("detect", _detect, ["input=a.png", "checkpoint=m.onnx"], "m.onnx: ONNX Runtime cannot open it ("),
        ("detect", _detect, ["input=a.png", "checkpoint=m.onnx", "runtime=openvino"], "m.onnx: OpenVINO cannot open"),
        (
            "detect",
            _detect,
            ["input=a.png", "runtime=openvino"],
            "runtime=openvino runs exported networks: checkpoint=",
        ),
        ("eval", _evaluate, ["checkpoint=m.pt", "runtime=onnxruntime"], "runtime=onnxruntime runs exported networks"),
        ("train", _train, ["init.weights=m.onnx"], "m.onnx: an exported network can only be run"),
        ("eval", _evaluate, ["checkpoint=m.onnx", "calibrate=true"], "calibrate the .pt, then export it"),
    ],
)
def test_mistakes_are_one_line(command, job, words, message, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.png", SyntheticScenes(1, 64, 64, seed=0).load(0).image)
    (tmp_path / "m.onnx").write_bytes(b"nothing")
    (tmp_path / "folder.onnx").mkdir()
    assert run_command(command, job, words) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.strip().splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "runs") == ["a.png", "folder.onnx", "m.onnx"]


def test_an_existing_file_that_cannot_be_read_is_one_line(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("m.onnx").write_bytes(b"mine")
    Path("m.onnx.json").write_text("{}")

    def denied(path: Path) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("resnet18_ocrdet.export.card.sha256", denied)
    assert run_command("export", _export, [f"checkpoint={tiny_run}/checkpoints/best.pt", "output=m.onnx"]) == 2
    assert "m.onnx: cannot be written (Permission denied)" in capsys.readouterr().err
    assert Path("m.onnx").read_bytes() == b"mine"


@pytest.mark.slow
def test_an_export_that_differs_is_not_written(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.pt2").write_text("an earlier one")
    apart = Parity(4, 0.01, 10, 0.9)
    monkeypatch.setattr("resnet18_ocrdet.commands.export.measure_parity", lambda *_: apart)
    words = [f"checkpoint={tiny_run}/checkpoints/best.pt", "output=model.pt2"]
    assert run_command("export", _export, words) == 2
    assert "model.pt2: exists without its model.pt2.json" in capsys.readouterr().err
    assert run_command("export", _export, [*words, "overwrite=true"]) == 2
    captured = capsys.readouterr()
    assert "model.pt2: not written: exported output differs beyond tolerance" in captured.err
    assert [path.name for path in tmp_path.iterdir()] == ["model.pt2"]
    assert (tmp_path / "model.pt2").read_text() == "an earlier one"


@pytest.mark.slow
def test_the_metadata_of_the_file(exported: Path, tiny_run: Path):
    output = (exported / "stdout.txt").read_text()
    assert "WARNING: the checkpoint was trained at 64x64, this file is for 96x128" in output
    assert "compared on 4 rendered scenes with the checkpoint in fp32: largest difference of a probability " in output
    content = (exported / "model.onnx").read_bytes()
    assert str(tiny_run).encode() not in content and not any(place in content for place in PLACES)
    card = json.loads((exported / "model.onnx.json").read_text())
    assert card["parity"]["largest"] < 1e-5 and card["parity"]["hmean"] == 1.0
    assert (card["contract"]["height"], card["contract"]["width"], card["contract"]["box_thresh"]) == (96, 128, 0.0)
    session = onnxruntime.InferenceSession(exported / "model.onnx")
    assert session.get_inputs()[0].shape == card["input"]["shape"] == ["batch", 3, "height", "width"]
    inside = json.loads(session.get_modelmeta().custom_metadata_map["resnet18_ocrdet"])
    assert inside["contract"] == card["contract"] and inside["config"]["run_dir"] is None


@pytest.mark.slow
@pytest.mark.parametrize("size", [(64, 64), (96, 160), (224, 32)])
def test_the_map_equals_the_checkpoints_for_every_size_and_batch(exported: Path, tiny_run: Path, size):
    from resnet18_ocrdet import build
    from resnet18_ocrdet.inference.loading import load_model

    net = build.build_network(load_model(tiny_run / "checkpoints/best.pt"), torch.device("cpu"))
    image = torch.randint(0, 256, (3, 3, *size), dtype=torch.uint8)
    with torch.inference_mode():
        wanted = net.eval()(image, with_thresh=False).prob_map.numpy()
    got = onnxruntime.InferenceSession(exported / "model.onnx").run(None, {"image": image.numpy()})[0]
    assert got.shape == (3, 1, *size) and np.abs(got - wanted).max() < 1e-4
    reader = cv2.dnn.readNetFromONNX(str(exported / "model.onnx"))
    reader.setInput(image[:1].numpy())
    assert np.abs(reader.forward() - wanted[:1]).max() < 1e-4


@pytest.mark.slow
def test_detect_and_eval_run_the_exported_file(exported: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "in", 3, 96, 128)
    assert run_command("detect", _detect, ["input=in", f"checkpoint={exported}/model.onnx", "output=found"]) == 0
    found = json.loads((tmp_path / "found/detections.json").read_text())
    assert found["precision"] == "fp32" and len(found["images"]) == 3 and (found["height"], found["width"]) == (96, 128)
    words = ["input=in", f"checkpoint={exported}/model.onnx", "output=other", "runtime=openvino", "precision=fp32"]
    assert run_command("detect", _detect, words) == 0
    other = json.loads((tmp_path / "other/detections.json").read_text())
    for one, same in zip(found["images"], other["images"], strict=True):
        assert np.allclose(one["polygons"], same["polygons"], atol=1.0) and np.allclose(
            one["scores"], same["scores"], atol=1e-3
        )
    words = [f"checkpoint={exported}/model.onnx", "data=synthetic", "data.test_size=2", "output=score", "workers=0"]
    assert run_command("eval", _evaluate, words) == 0
    metrics = json.loads((tmp_path / "score/metrics.json").read_text())
    assert metrics["images"] == 2 and metrics["loss"] == {}
    # the example program finds the same boxes
    boxes = [image["polygons"] for image in found["images"] if image["polygons"]]
    assert boxes
    for image in found["images"]:
        words = [sys.executable, str(PLAIN), str(exported / "model.onnx"), f"in/{image['image']}"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        lines = np.array([line.split(",") for line in done.stdout.split()], float).reshape(-1, 9)
        assert sorted(lines[:, 8].round(3)) == pytest.approx(sorted(image["scores"]), abs=2e-3)
        for polygon, score in zip(image["polygons"], image["scores"], strict=True):
            inside = lines[:, :8].reshape(-1, 4, 2).clip(0, (127, 95))  # the package clips to the image
            apart = np.abs(inside.mean(axis=1) - np.mean(polygon, axis=0)).max(axis=1)
            assert apart[np.abs(lines[:, 8] - score) < 2e-3].min() < 2.0


@pytest.mark.slow
def test_fixed_size_and_torch_export(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = [f"checkpoint={tiny_run}/checkpoints/best.pt", "dynamic_shapes=false", "input_size=96x160"]
    assert run_command("export", _export, [*words, "output=fixed.onnx", "input_dtype=float"]) == 0
    session = onnxruntime.InferenceSession("fixed.onnx")
    assert session.get_inputs()[0].shape == [1, 3, 96, 160] and session.get_inputs()[0].type == "tensor(float)"
    assert json.loads(Path("fixed.onnx.json").read_text())["contract"]["resize"] == "fit"
    write(tmp_path / "a.png", SyntheticScenes(1, 64, 200, seed=0).load(0).image)
    assert run_command("detect", _detect, ["input=a.png", "checkpoint=fixed.onnx", "output=found"]) == 0
    capsys.readouterr()
    wrong = ["input=a.png", "checkpoint=fixed.onnx", "output=other", "input_size=64x64"]
    assert run_command("detect", _detect, wrong) == 2
    assert "fixed.onnx: takes images of 96x160 only" in capsys.readouterr().err
    assert run_command("export", _export, [*words[:1], "output=m.pt2"]) == 0
    with zipfile.ZipFile("m.pt2") as archive:  # no paths of this machine
        assert not any(place in archive.read(name) for name in archive.namelist() for place in PLACES)
    program = torch.export.load("m.pt2", extra_files=(extra := {"card.json": ""}))
    assert Contract.from_dict(json.loads(extra["card.json"])["contract"]).resize == "keep"
    assert program.module()(torch.zeros((2, 3, 64, 96), dtype=torch.uint8)).shape == (2, 1, 64, 96)


@pytest.mark.slow
def test_int8_is_small_and_finds_the_same_regions(exported: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "in", 6, 320, 480)
    words = ["output=small.onnx", "precision=int8", "input=in", "input_size=320x480"]
    assert run_command("export", _export, words) == 0
    assert "measuring the range of every layer on 6 images" in capsys.readouterr().out
    assert Path("small.onnx").stat().st_size < 0.3 * (exported / "model.onnx").stat().st_size
    assert not any(place in Path("small.onnx").read_bytes() for place in PLACES)
    parity = json.loads(Path("small.onnx.json").read_text())["parity"]
    assert parity["boxes"] > 20 and parity["hmean"] >= 0.9 and 1e-4 < parity["largest"] < 0.5
    session = onnxruntime.InferenceSession("small.onnx")
    assert list(session.get_modelmeta().custom_metadata_map) == [KEY]
    assert session.run(None, {"image": np.zeros((2, 3, 64, 96), np.uint8)})[0].shape == (2, 1, 64, 96)
    for runtime in ("onnxruntime", "openvino"):
        words = ["input=in", "checkpoint=small.onnx", f"output={runtime}", f"runtime={runtime}", "vis=false"]
        assert run_command("detect", _detect, words) == 0
        found = json.loads(Path(runtime, "detections.json").read_text())
        assert found["precision"] == "int8"
        assert abs(sum(len(image["scores"]) for image in found["images"]) - parity["boxes"]) < 0.2 * parity["boxes"]


@pytest.mark.slow
def test_fp16_is_half_as_large_and_finds_the_same_regions(exported: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "in", 6, 320, 480)
    assert run_command("export", _export, ["output=half.onnx", "precision=fp16", "input=in", "input_size=320x480"]) == 0
    assert_mentions(capsys.readouterr().out, "fp16", "CPU", "int8")
    assert 0.45 < Path("half.onnx").stat().st_size / (exported / "model.onnx").stat().st_size < 0.55
    card = json.loads(Path("half.onnx.json").read_text())
    assert card["contract"]["precision"] == "fp16" and card["output"]["dtype"] == "float"
    assert card["parity"]["boxes"] > 15 and card["parity"]["hmean"] >= 0.97 and 1e-5 < card["parity"]["largest"] < 0.01
    weights = [each for each in onnx.load("half.onnx").graph.initializer if np.prod(each.dims) > 64]
    assert len(weights) > 20 and {each.data_type for each in weights} == {onnx.TensorProto.FLOAT16}
    for runtime in ("onnxruntime", "openvino"):
        words = ["input=in", "checkpoint=half.onnx", f"output={runtime}", f"runtime={runtime}", "vis=false"]
        assert run_command("detect", _detect, words) == 0
        found = json.loads(Path(runtime, "detections.json").read_text())
        assert found["precision"] == "fp16"
        assert sum(len(image["scores"]) for image in found["images"]) == pytest.approx(card["parity"]["boxes"], abs=1)
    image = np.random.default_rng(0).integers(0, 256, (1, 3, 64, 96), dtype=np.uint8)
    (wanted,) = onnxruntime.InferenceSession("half.onnx").run(None, {"image": image})
    network = cv2.dnn.readNetFromONNX("half.onnx")
    network.setInput(image)
    assert wanted.dtype == np.float32 and np.abs(network.forward() - wanted).max() < 0.01


@pytest.mark.slow
def test_weights_that_overflow_in_fp16_are_not_written(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    content = torch.load(BUNDLED_PATH, weights_only=True)
    for name, weight in content["model"].items():  # features times 1e7 in the neck, and back in the head
        if name.startswith("neck.smooth") or name == "prob_head.0.weight":
            content["model"][name] = weight.float() * (1e7 if name.startswith("neck") else 1e-7)
    torch.save(content, "large.pt")
    words = ["checkpoint=large.pt", "output=large.onnx", "precision=fp16", "input_size=352x480"]
    assert run_command("export", _export, words) == 2
    assert_mentions(capsys.readouterr().err, "large.onnx", "precision=fp16", "nan", "0 to 1")
    assert [path.name for path in tmp_path.iterdir()] == ["large.pt"]


@pytest.mark.slow
def test_int8_that_differs_too_much_is_not_written(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # after a few steps of training, maps are close to the threshold everywhere
    write(tmp_path / "a.png", SyntheticScenes(1, 96, 128, seed=1).load(0).image)
    words = [f"checkpoint={tiny_run}/checkpoints/best.pt", "output=small.onnx", "precision=int8", "input=a.png"]
    assert run_command("export", _export, [*words, "decode.box_thresh=0"]) == 2
    assert "small.onnx: not written: exported output differs beyond tolerance" in capsys.readouterr().err
    write(tmp_path / "a.png", np.zeros((96, 128, 3), np.uint8))
    assert run_command("export", _export, [*words, "decode.box_thresh=0.9"]) == 2
    assert "at least 10 regions are needed" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
