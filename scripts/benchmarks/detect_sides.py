"""The sides of bench_detect.py, each for its own process, and the inputs that all of them read."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import torch

import reference_detect
import reference_eval
from resnet18_ocrdet.data.image_io import read_image
from resnet18_ocrdet.data.letterbox import letterbox
from resnet18_ocrdet.data.load_annotations import read_data
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.data.targets import offset_outline, shrink_distances
from resnet18_ocrdet.detections.files import Item
from resnet18_ocrdet.detections.pipeline import detect_all
from resnet18_ocrdet.export.card import make_card
from resnet18_ocrdet.export.graph import trace, write_onnx
from resnet18_ocrdet.export.int8 import to_int8
from resnet18_ocrdet.inference.backends import EXTRAS, open_exported
from resnet18_ocrdet.inference.exported import ExportedNetwork
from resnet18_ocrdet.inference.postprocess import Decoder
from resnet18_ocrdet.inference.predictor import Network, Predictor
from resnet18_ocrdet.inference.torch_network import TorchNetwork
from resnet18_ocrdet.model.bundled import BUNDLED_PATH
from resnet18_ocrdet.model.checkpoint import load_checkpoint
from resnet18_ocrdet.model.contract import Contract
from resnet18_ocrdet.model.dbnet import DBNet
from resnet18_ocrdet.model.layers import IMAGENET_MEAN, IMAGENET_STD
from resnet18_ocrdet.runtime.allocator import keep_freed_memory
from resnet18_ocrdet.runtime.device import Compute, choose_precision
from resnet18_ocrdet.structures import Polygon, ResizeTransform
from side_process import serve

HEIGHT, WIDTH = 736, 1280
STAGES = ("decode", "preprocess", "network", "post-processing")
REFERENCE, COMPILED = "reference", "compiled"
SIDES = (
    REFERENCE,
    "fp32",
    "bf16",
    "onnxruntime",
    "openvino-fp32",
    "openvino-bf16",
    "onnxruntime-int8",
    "openvino-int8",
)
OVERLAP = "overlap"  # request to a side instead of the number of a photo
MODEL, INT8_MODEL = "model.onnx", "int8.onnx"
SHRINK = 0.4
CPU = torch.device("cpu")

StageTimes = dict[str, float]  # ms of each of STAGES, and "boxes", how many were detected
Program = Callable[[Path, np.ndarray], tuple[list[float], int]]  # file, map -> start of each stage, end of the last


def default_sides() -> list[str]:
    """The sides that this machine and its packages support."""
    fast = choose_precision("auto", CPU) == "bf16"
    missing = [name for name in ("onnxruntime", "openvino") if find_spec(name) is None]
    return [side for side in SIDES if side.split("-")[0] not in missing and (fast or not side.endswith("bf16"))]


def precision_of(side: str) -> str:
    """The precision whose limit a side is compared with; int8 with that of bf16."""
    return "fp32" if side in (REFERENCE, "fp32", "onnxruntime", "openvino-fp32") else "bf16"


def write_models(folder: Path, photos: int) -> None:
    """Export the same network for the other backends, also in int8."""
    torch.manual_seed(0)
    contract = make_contract("fp32")
    card = make_card(
        load_checkpoint(BUNDLED_PATH), contract, "uint8", dynamic_shapes=True
    )  # its config; not its weights
    write_onnx(trace(DBNet(), HEIGHT, WIDTH, "uint8", dynamic_shapes=True), card, folder / MODEL)
    shutil.copyfile(folder / MODEL, folder / INT8_MODEL)
    images = (read_image(folder / f"{number}.jpg") for number in range(photos))
    to_int8(folder / INT8_MODEL, (letterbox(image, HEIGHT, WIDTH, "stretch")[0] for image in images), "uint8")


def write_inputs(folder: Path, photos: int) -> str:
    """Write N.jpg (or a link to a photo) and N.npy, the map of its labels. Returns what the images are."""
    root = os.environ.get("OCRDET_ICDAR2015")
    scenes = None if root else SyntheticScenes(photos, 720, WIDTH, seed=0)
    records = read_data(Path(root)).splits["train"][800:900] if root else []
    for number in range(photos):
        picture = folder / f"{number}.jpg"
        if scenes is None:
            record = records[number * len(records) // photos]
            picture.symlink_to(record.image_path.resolve())
            record.image_path.read_bytes()  # so that the disk is not measured
            polygons: tuple[Polygon, ...] = record.polygons
        else:
            scene = scenes.load(number)
            cv2.imwrite(str(picture), scene.image[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 85))
            polygons = scene.polygons
        height, width = read_image(picture).shape[:2]
        transform = ResizeTransform(height, width, HEIGHT / height, WIDTH / width)
        np.save(folder / f"{number}.npy", label_map(polygons, transform))
    return "photos of 801-900" if root else "rendered scenes (OCRDET_ICDAR2015 is not set)"


def label_map(polygons: tuple[Polygon, ...], transform: ResizeTransform) -> np.ndarray:
    """A good probability map of these regions, don't-care ones too: (HEIGHT, WIDTH) float32, soft edges."""
    plane = np.zeros((HEIGHT, WIDTH), np.float32)
    for polygon in polygons:
        on_canvas = transform.to_canvas(polygon)
        for piece in offset_outline(on_canvas, shrink_distances([on_canvas], SHRINK)[0], 0).shrunk:
            cv2.fillPoly(plane, [piece], 0.95)
    return cv2.GaussianBlur(plane, (0, 0), 1.0)


def serve_side(side: str, folder: Path) -> None:
    """Answer each line N with the stages of photo N, and "overlap N" with the times of N photos."""
    torch.manual_seed(0)
    model = folder / (INT8_MODEL if side.endswith("int8") else MODEL)
    predictor = None if side == REFERENCE else make_predictor(side, model)
    detect = reference_program() if predictor is None else our_program(predictor)

    def measure(request: str) -> StageTimes:
        if request.startswith(OVERLAP):
            assert predictor is not None
            return overlapped(predictor, folder, int(request.split()[1]))
        marks, boxes = detect(folder / f"{request}.jpg", np.load(folder / f"{request}.npy"))
        return {stage: 1000 * (marks[i + 1] - marks[i]) for i, stage in enumerate(STAGES)} | {"boxes": boxes}

    serve(measure)


def reference_program() -> Program:
    """The reference implementation."""
    net = reference_detect.PublishedDBNet().eval()
    now = time.perf_counter

    def detect(path: Path, prob_map: np.ndarray) -> tuple[list[float], int]:
        marks = [now()]
        image = reference_detect.read(path)
        marks.append(now())
        planes = reference_detect.prepare(image, HEIGHT, WIDTH)
        marks.append(now())
        reference_detect.predict(net, planes)
        marks.append(now())
        boxes, _ = reference_eval.decode(prob_map, *image.shape[:2])
        marks.append(now())
        return marks, len(boxes)

    return detect


def make_predictor(side: str, model: Path) -> Predictor:
    """What ocrdet-detect builds."""
    keep_freed_memory()
    cv2.setNumThreads(1)  # as the command does
    backend, _, kind = side.partition("-")
    precision = {"onnxruntime": "fp32", COMPILED: "bf16"}.get(side, kind or side)
    contract = make_contract(precision)
    if backend in EXTRAS:
        network: Network = ExportedNetwork(open_exported(model, backend), precision)
    else:
        network = TorchNetwork(DBNet().to(memory_format=torch.channels_last), Compute(CPU, precision))
        if side == COMPILED:
            torch._inductor.config.freezing = True
            network.model = torch.compile(network.model)
    return Predictor(network, contract, Decoder.of(contract))


def our_program(predictor: Predictor) -> Program:
    """What ocrdet-detect does, with a clock where the `Predictor` calls its network and its decoder."""
    network, decoder = predictor.network, predictor.decode
    now = time.perf_counter

    def detect(path: Path, prob_map: np.ndarray) -> tuple[list[float], int]:
        def run(canvases: Sequence[np.ndarray]) -> list[np.ndarray]:
            marks.append(now())
            return network(canvases)

        def decode(_: np.ndarray, transform: ResizeTransform) -> Any:
            marks.append(now())
            return decoder.trace(prob_map, transform)

        predictor.network, predictor.decode = run, SimpleNamespace(trace=decode)  # type: ignore[assignment]
        marks = [now()]
        image = read_image(path)
        marks.append(now())
        detections = predictor(image)
        marks.append(now())
        predictor.network, predictor.decode = network, decoder
        return marks, len(detections)

    return detect


def overlapped(predictor: Predictor, folder: Path, photos: int) -> dict[str, float]:
    """ms per image over all photos: one stage after the other, and overlapped as ocrdet-detect does it."""
    maps = [np.load(folder / f"{number}.npy") for number in range(photos)]
    items = [Item(folder / f"{number}.jpg", f"{number}.jpg", Path(str(number))) for number in range(photos)]
    turn = count()
    decoder = predictor.decode
    known = SimpleNamespace(trace=lambda _, transform: decoder.trace(maps[next(turn) % photos], transform))
    predictor.decode = known  # type: ignore[assignment]
    began = time.perf_counter()
    for item in items:
        predictor(read_image(item.path))
    between = time.perf_counter()
    for _ in detect_all(predictor, items, lambda *_: None):
        pass
    done = time.perf_counter()
    predictor.decode = decoder
    return {"alone": 1000 * (between - began) / photos, "overlapped": 1000 * (done - between) / photos}


def make_contract(precision: str) -> Contract:
    """Images are stretched to the size, as the reference does; the rest are the defaults of a training."""
    return Contract(
        backbone="resnet18",
        height=HEIGHT,
        width=WIDTH,
        resize="stretch",
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        color_order="RGB",
        precision=precision,
        shrink_ratio=SHRINK,
        min_text_size=8,
        bin_thresh=reference_eval.BIN_THRESH,
        box_thresh=reference_eval.BOX_THRESH,
        unclip_ratio=reference_eval.UNCLIP_RATIO,
        max_candidates=reference_eval.MAX_CANDIDATES,
        shape="quad",
    )
