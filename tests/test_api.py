"""The public Detector."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import resnet18_ocrdet
from hostile_files import card, write_onnx
from resnet18_ocrdet import Detector
from resnet18_ocrdet.cli import _detect
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.evaluation.icdar_files import format_detections
from resnet18_ocrdet.viz.draw import write


@pytest.fixture(scope="module")
def detector(tiny_run: Path) -> Detector:
    return Detector(tiny_run / "checkpoints/last.pt", input_size=(96, 128), box_thresh=0.0)


@pytest.fixture(scope="module")
def bright(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    """The probability is the brightness."""
    file = write_onnx(tmp_path_factory.mktemp("bright") / "m.onnx", card())
    return Detector(file, input_size=(96, 128), bin_thresh=0.6)


def test_it_finds_the_same_as_the_command(detector: Detector, tiny_run: Path, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image = SyntheticScenes(1, 96, 160, seed=4).load(0).image
    write(tmp_path / "a.png", image)
    words = ["input=a.png", f"checkpoint={tiny_run}/checkpoints/last.pt", "output=out", "decode.box_thresh=0"]
    assert run_command("detect", _detect, [*words, "input_size=96x128", "vis=false"]) == 0
    found = detector(image)
    assert found and format_detections(found, with_scores=True) == Path("out/txt/res_a.txt").read_text()
    for one, same in zip(found, detector("a.png"), strict=True):
        assert np.array_equal(one.polygon, same.polygon) and one.score == same.score


def test_threads_can_share_a_detector(detector: Detector):
    scenes = SyntheticScenes(8, 96, 128, seed=5)
    images = [scenes.load(index).image for index in range(8)]
    alone = [detector(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(detector, images))
    for one, other in zip(alone, together, strict=True):
        assert [each.score for each in one] == pytest.approx([each.score for each in other])


def boxes(found: list) -> list:
    return [[each.polygon.tolist(), each.score] for each in found]


def test_every_kind_of_image_gives_the_boxes_of_its_file(bright: Detector, tmp_path: Path):
    image = SyntheticScenes(1, 96, 160, seed=4).load(0).image
    write(tmp_path / "a.png", image)
    expected = boxes(bright(str(tmp_path / "a.png")))
    assert expected
    opaque = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
    content = (tmp_path / "a.png").read_bytes()
    kinds = [
        tmp_path / "a.png",
        content,
        memoryview(content),
        PIL.Image.open(tmp_path / "a.png"),
        image,
        opaque,
        image / 255,
        image.astype(np.uint16) * 257,
    ]
    for kind in kinds:
        assert boxes(bright(kind)) == expected
    assert [boxes(each) for each in bright(kinds)] == len(kinds) * [expected]


def test_a_list_gives_what_single_calls_give(bright: Detector):
    sizes = [(96, 128), (96, 128), (64, 200), (400, 300), (96, 128)]  # one is searched in tiles
    images = [SyntheticScenes(1, *size, seed=seed).load(0).image for seed, size in enumerate(sizes)]
    alone = [boxes(bright(image)) for image in images]
    assert sum(map(len, alone)) > 0
    assert [boxes(each) for each in bright(images)] == alone
    assert [boxes(each) for each in bright(tuple(images))] == alone
    assert bright([]) == []
    with pytest.raises(ValueError, match="got list"):
        bright([images])


def test_regions_beyond_the_limit_are_announced(tiny_run):
    image = SyntheticScenes(1, 96, 128, seed=5).load(0).image
    settings = {"bin_thresh": 0.3, "box_thresh": 0.0}
    checkpoint = tiny_run / "checkpoints/last.pt"
    every = Detector(checkpoint, **settings)(image)
    assert len(every) > 1
    with pytest.warns(UserWarning, match=rf"{len(every) - 1} regions left out: more than max_candidates=1"):
        assert len(Detector(checkpoint, **settings, max_candidates=1)(image)) == 1


def test_numpy_scalars_are_settings(tiny_run: Path):
    checkpoint = tiny_run / "checkpoints/last.pt"
    size = (np.int64(96), np.uint16(128))
    settings = {"box_thresh": np.float32(0.5), "unclip_ratio": np.float64(1.25), "max_candidates": np.int32(7)}
    contract = Detector(checkpoint, input_size=size, shape=np.str_("polygon"), **settings).contract  # type: ignore[arg-type]
    assert (contract.height, contract.width, contract.shape) == (96, 128, "polygon")
    assert [getattr(contract, name) for name in settings] == [0.5, 1.25, 7]
    spelled = Detector(checkpoint, input_size="96x128", tiling="off")  # as of the commands
    assert (spelled.contract.height, spelled.contract.width, spelled._predictor.tiling) == (96, 128, False)
    json.dumps(contract.to_dict())
    wrong = (np.float32(7), np.float32("nan"), np.bool_(True), np.array([0.5]), np.datetime64("2020"))
    for value in wrong:
        with pytest.raises(ValueError, match="box_thresh="):
            Detector(checkpoint, box_thresh=value)


def test_invalid_arguments_are_refused(detector: Detector, tmp_path: Path):
    for image in (np.zeros((8, 8, 2), np.uint8), np.zeros(8, np.uint8), np.zeros((0, 8, 3), np.uint8)):
        with pytest.raises(ValueError, match=r"RGB or RGBA; got \("):
            detector(image)
    with pytest.raises(ValueError, match=r"runtime='openvino': runs exported networks only, and .*pt"):
        Detector(runtime="openvino")
    with pytest.raises(ValueError, match="NumPy array, got int"):
        detector([1, 2])
    with pytest.raises(ValueError, match="box_tresh: not a setting; use bin_thresh"):
        Detector(box_tresh=0.5)
    for wrong in (
        {"input_size": (100, 64)},
        {"input_size": 640},
        {"input_size": "640"},
        {"tiling": "of"},
        {"shape": "quads"},
        {"resize": "strech"},
    ):
        with pytest.raises(ValueError, match=r"input_size=|height=|shape=|resize=|tiling="):
            Detector(**wrong)
    for wrong in ({"box_thresh": 7}, {"max_candidates": -1}, {"device": "gpu"}, {"precision": "fp8"}):
        with pytest.raises(ValueError, match="|".join(f"{key}={value!r}: " for key, value in wrong.items())):
            Detector(**wrong)
    with pytest.raises(UserError, match=r"none\.pt: no such file"):
        Detector("none.pt")
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(UserError, match="not an image"):
        detector(tmp_path / "a.png")
    with pytest.raises(AttributeError, match="no attribute 'Detektor'"):
        _ = resnet18_ocrdet.Detektor


BLOCK_TORCH = """
import json, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision"):
            raise ImportError(name + " is blocked")

sys.meta_path.insert(0, Blocked())
"""
WITHOUT_TORCH = f"""{BLOCK_TORCH}
from resnet18_ocrdet import Detector

found = Detector("m.onnx", shape=sys.argv[1])("a.png")
print(json.dumps([[each.polygon.tolist(), each.score] for each in found]))
"""


@pytest.mark.parametrize("shape", ["quad", "polygon"])
@pytest.mark.parametrize("size", [(200, 300), (64, 64)], ids=["tiles", "whole"])
def test_an_exported_file_runs_without_torch(size, shape, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_onnx(Path("m.onnx"), card())  # the probability is the brightness
    image = np.zeros((*size, 3), np.uint8)
    image[20:40, 10:50] = 230
    write(Path("a.png"), image)
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH, shape], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    expected = Detector("m.onnx", shape=shape)(image)
    assert len(expected) == 1
    assert json.loads(done.stdout) == [[each.polygon.tolist(), each.score] for each in expected]


def test_a_checkpoint_needs_torch(tiny_run: Path, tmp_path: Path):
    code = WITHOUT_TORCH.replace("m.onnx", str(tiny_run / "checkpoints/last.pt"))
    done = subprocess.run(
        [sys.executable, "-c", code, "quad"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1 and "ImportError: torch" in done.stderr


def test_the_command_runs_an_exported_file_without_torch(tmp_path: Path):
    write_onnx(tmp_path / "m.onnx", card())
    write(tmp_path / "a.png", np.full((64, 64, 3), 9, np.uint8))
    code = f"{BLOCK_TORCH}\nfrom resnet18_ocrdet.cli import detect\ndetect()"
    words = ["input=a.png", "checkpoint=m.onnx", "output=out"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out/detections.json").is_file()
