"""An exported file in OpenCV's TextDetectionModel_DB, in the version of OpenCV that is installed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
import shapely

from conftest import installed
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.viz.draw import write

SCRIPTS = Path(__file__).parents[2] / "scripts"
SIZE = (352, 480)  # multiples of 32, so that OpenCV's stretched images are those of the package


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bundled weights as opencv.onnx, and six scenes in scenes/."""
    folder = tmp_path_factory.mktemp("opencv")
    (folder / "scenes").mkdir()
    scenes = SyntheticScenes(6, *SIZE, seed=1)
    for number in range(6):
        write(folder / f"scenes/{number}.png", scenes.load(number).image)
    words = ("output=opencv.onnx", "output_shape=hw", "input_dtype=float", "input_size=352x480", "input=scenes")
    done = installed("ocrdet-export", *words, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def boxes(script: str, folder: Path, image: str) -> np.ndarray:
    """What a script prints: (M, 9), corners and score."""
    words = [sys.executable, str(SCRIPTS / script), "opencv.onnx", image]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return np.array([line.split(",") for line in done.stdout.split()], float).reshape(-1, 9)


@pytest.mark.slow
def test_the_map_is_of_one_image(folder: Path):
    card = json.loads((folder / "opencv.onnx.json").read_text())
    session = onnxruntime.InferenceSession(str(folder / "opencv.onnx"))
    (pixels,), (prob_map,) = session.get_inputs(), session.get_outputs()
    assert pixels.shape == card["input"]["shape"] == [1, 3, "height", "width"] and pixels.type == "tensor(float)"
    assert prob_map.shape == card["output"]["shape"] == ["height", "width"]
    image = np.random.default_rng(0).integers(0, 256, (1, 3, 96, 160)).astype(np.float32)
    (wanted,) = session.run(None, {"image": image})
    network = cv2.dnn.readNetFromONNX(str(folder / "opencv.onnx"))
    network.setInput(image)
    assert wanted.shape == (96, 160) and np.abs(network.forward() - wanted).max() < 1e-4


@pytest.mark.slow
def test_opencv_finds_the_boxes_of_the_package(folder: Path):
    words = ("input=scenes", "checkpoint=opencv.onnx", "output=found", "vis=false", "tiling=off")
    done = installed("ocrdet-detect", *words, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    images = json.loads((folder / "found/detections.json").read_text())["images"]
    regions = more = 0
    for image in images:
        found = boxes("plain_opencv.py", folder, f"scenes/{image['image']}")
        theirs = shapely.polygons(found[:, :8].reshape(-1, 4, 2))
        ours = shapely.polygons(np.array(image["polygons"]).reshape(-1, 4, 2))
        assert len(boxes("plain_onnx.py", folder, f"scenes/{image['image']}")) == len(ours)
        shared = shapely.area(shapely.intersection(ours[:, None], theirs))
        iou = shared / (shapely.area(ours)[:, None] + shapely.area(theirs) - shared)
        assert iou.max(axis=1).min() > 0.6, image["image"]
        regions, more = regions + len(ours), more + len(theirs) - len(ours)
    assert regions >= 18 and 0 <= more <= 0.2 * regions  # OpenCV's scores, of outlines and not rectangles, are higher
