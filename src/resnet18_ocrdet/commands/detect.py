"""ocrdet-detect: boxes on every image of a folder; what cannot be read is listed, the rest is done."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from .. import build
from ..config.bundled import BUNDLED, weights_path
from ..detections.files import CROPS, PICTURES, ImageFiles, manifest_file
from ..detections.folder import TEXT, ResultFolder
from ..detections.inputs import find_items, shard_of
from ..detections.item import Item
from ..detections.pipeline import Done, Failed, detect_all
from ..detections.upright import quad_of
from ..inference.loading import load_model, where_to_run
from ..inference.predictor import Predictor
from ..inference.tiling import SHRINK
from ..model.checkpoint import sha256
from ..runtime.console import Display, duration
from ..runtime.manifest import Manifest
from ..runtime.messages import count
from ..runtime.run_folder import make_folder
from ..structures import Polygon

FORMAT_VERSION = 2  # of detections.json
ENLARGE = 3.2  # times; the bundled weights learnt from photos of 720x1280 at 1152x2048 and twice that, no larger
SMALL_SIZE = 512  # px; images of a few hundred px are enlarged less
GPU_BATCH = 8  # a CPU is as fast with one image at a time


def run(cfg: DictConfig) -> int:
    """Detect as `cfg` says. Returns 0, or 1 when some inputs failed."""
    display = Display()
    source, output, checkpoint = Path(cfg.input), Path(cfg.output), weights_path(cfg.checkpoint)
    everything, left_out, unread = find_items(source, output, cfg.crops)
    mine = shard_of(everything, cfg.shard)
    detector, about = _open(cfg, checkpoint, display)
    make_folder("output", output)
    files = ImageFiles(Manifest(manifest_file(output, cfg.shard)), cfg.vis, cfg.crops)
    formats = [name for name in ("labelme", "coco") if cfg[name]]
    folder = ResultFolder(files, everything, about, source, cfg.shard, formats, cfg.overwrite)
    network = "the bundled weights" if cfg.checkpoint == BUNDLED else about["checkpoint"]
    at = f"{about['precision']}, {about['height']}x{about['width']}"
    part = "" if cfg.shard is None else f", shard {cfg.shard} of {len(everything)}"
    try:
        with folder.held():
            left = folder.claim(mine)
            done = "" if len(left) == len(mine) else f", {len(mine) - len(left)} of them done already"
            display.line(f"{count(len(mine), 'image')} in {source}{part}{done}; {network}, {at}")
            if folder.lost_corrections:
                display.line(f"overwrite=true: {count(folder.lost_corrections, 'corrected sheet')} replaced")
            if unread:
                display.line(f"note: {unread}")
            if left_out:
                display.line(f"note: {count(left_out, 'picture')} of earlier detections in it left out")
            return _detect(cfg, detector, folder, mine, left, display)
    except OSError as error:  # the disk; what is recorded is whole
        display.line(f"output={output}: cannot be written ({error.strerror}); what is done is kept")
        return 1


def _detect(
    cfg: DictConfig, detector: Predictor, folder: ResultFolder, mine: list[Item], left: list[Item], display: Display
) -> int:
    errors: list[dict[str, str]] = []
    began, found, large, small = time.perf_counter(), 0, 0, 0
    batch_size = GPU_BATCH if detector.compute.device.type == "cuda" else 1
    with folder.records.open("a", **TEXT) as records, display.progress("detect", len(left)) as advance:
        for each in detect_all(detector, left, folder.files.write, batch_size):
            if isinstance(each, Failed):
                errors.append({"image": each.item.relative, "error": each.error})
            else:
                records.write(json.dumps(_record(each), ensure_ascii=False, allow_nan=False) + "\n")
                records.flush()
                found += len(each.detections)
                large += each.scale < SHRINK
                small += each.scale > ENLARGE
            advance()
    folder.assemble(mine, errors)
    took = duration(time.perf_counter() - began)
    images = count(len(left) - len(errors), "image")
    told = f"{count(found, 'region')} in {images}, {took}" if left else "nothing left to do"
    display.line(f"{told}; results in {folder.root}")
    for line in _sizes_told(detector, large, small if cfg.checkpoint == BUNDLED else 0):
        display.line(line)
    if cfg.vis:
        display.line(f"pictures: {folder.root / PICTURES}")
    if cfg.crops:
        display.line(f"regions, upright: {folder.root / CROPS}")
    for failed in errors:
        display.line(f"not read: {failed['error']}")
    return 1 if errors else 0


def _sizes_told(detector: Predictor, large: int, small: int) -> Iterator[str]:
    """What the sizes of the images mean for what was found. large, small: images much shrunk, or much enlarged."""
    height, width = detector.contract.height, detector.contract.width
    if large and detector.tiling:
        yield f"{count(large, 'image')} far larger than {height}x{width}: in tiles as well"
    elif large:
        yield f"note: {count(large, 'image')} shrunk to less than half, text of 16 px to less than 8: tiling=auto"
    if small:
        smaller = height * width > SMALL_SIZE * SMALL_SIZE
        remedy = f"; try input_size={SMALL_SIZE}x{SMALL_SIZE} for small images" if smaller else ""
        yield (
            f"note: {count(small, 'image')} enlarged more than {ENLARGE:g} times, beyond what the bundled weights have "
            f"learnt: words may run together{remedy}"
        )


def _open(cfg: DictConfig, checkpoint: Path, display: Display) -> tuple[Predictor, dict[str, Any]]:
    """The detector of a checkpoint, and the head of detections.json."""
    trained = load_model(checkpoint, cfg.runtime)
    device, precision = where_to_run(trained, cfg.device, cfg.precision)
    if trained.adopted is not None:
        display.line(trained.adopted)
    contract = build.contract_of(trained.content, cfg)
    compute, precision = build.build_compute(device, precision)
    model = build.build_network(trained, device, contract, precision)
    about = {
        "version": FORMAT_VERSION,
        "checkpoint": BUNDLED if cfg.checkpoint == BUNDLED else checkpoint.as_posix(),
        "model_sha256": sha256(checkpoint),
        **contract.to_dict(),
        "precision": precision,
        "runtime": trained.runtime,
        "tiling": cfg.tiling,
    }
    return Predictor(model, contract, build.build_decoder(contract), compute, cfg.tiling == "auto"), about


def _record(done: Done) -> dict[str, Any]:
    return {
        "image": done.item.relative,
        "height": done.height,
        "width": done.width,
        "polygons": [_points(each.polygon) for each in done.detections],
        "quads": [_points(quad_of(each.polygon)) for each in done.detections],
        "scores": [round(d.score, 4) for d in done.detections],
        "seconds": round(done.seconds, 4),
        **done.stamp,
    }


def _points(polygon: Polygon) -> list[list[float]]:
    return [[round(float(x), 2), round(float(y), 2)] for x, y in polygon]
