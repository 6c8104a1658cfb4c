"""ocrdet-export: a trained network as one file for other programs. What does not say the same is not left behind."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig
from torch import nn

from .. import build
from ..config.bundled import BUNDLED, weights_path
from ..data.image_io import list_images, read_image
from ..data.synthetic.source import SyntheticScenes
from ..errors import UserError
from ..export.card import make_card, make_sidecar
from ..export.earlier import refuse_foreign, restore_sidecar, sidecar_of
from ..export.graph import trace
from ..export.int8 import MOST_IMAGES, to_int8
from ..export.onnx_file import write_onnx
from ..export.parity import TOLERANCES, Parity, Tolerance, compare
from ..export.torch_file import open_torch, write_torch
from ..inference.backends import ExportedModel, open_exported
from ..inference.loading import LoadedModel
from ..inference.predictor import Predictor
from ..model.checkpoint import load_checkpoint, sha256
from ..model.contract import Contract
from ..model.dbnet import DBNet
from ..runtime.atomic_write import folder_locked, remove_leftovers, replace_pair, staging_folder
from ..runtime.console import Display
from ..runtime.messages import count
from ..runtime.run_folder import make_folder
from ..structures import Image

WRITERS = {".onnx": write_onnx, ".pt2": write_torch}
NEEDED = {".onnx": ("onnx", "onnxscript", "onnxruntime"), ".pt2": ()}
SCENES, SCENE_SIZE = 4, (720, 1280)  # rendered, where no images are named
MOST_COMPARED = 100  # images of a folder


def run(cfg: DictConfig) -> int:
    """Export as `cfg` says. Returns 0. Raises UserError, and leaves no file, where it would say something else."""
    display = Display()
    checkpoint = weights_path(cfg.checkpoint)
    output = _output(Path(cfg.output), checkpoint)
    images = _images(cfg.input)
    trained = LoadedModel(checkpoint, load_checkpoint(checkpoint), None)  # which refuses an exported one
    if trained.adopted is not None:
        display.line(trained.adopted)
    made_for = Contract.from_dict(trained.content["contract"])
    contract = _contract(cfg, build.contract_of(trained.content, cfg))
    make_folder("output", output.parent)
    card = make_card(trained.content, contract, cfg.input_dtype, cfg.dynamic_shapes)
    source = {"checkpoint": _name(cfg), "sha256": sha256(checkpoint)}
    with _disk_told(output):
        restore_sidecar(output)
        remove_leftovers([output.parent])
        if not cfg.overwrite:
            refuse_foreign(output, card, source)
    for line in _loud(made_for, contract, cfg.dynamic_shapes):
        display.line(line)
    net = build.build_network(trained, torch.device("cpu"))
    assert isinstance(net, DBNet)
    display.line(f"exporting {_name(cfg)} to {output}")
    with _disk_told(output), staging_folder(output.parent) as staged:
        made, written = staged / output.name, staged / sidecar_of(output).name
        program = trace(net, contract.height, contract.width, cfg.input_dtype, cfg.dynamic_shapes)
        WRITERS[output.suffix](program, card, made)
        first = _detector(net, contract)
        if cfg.precision == "int8":
            display.line(f"measuring the range of every layer on {count(min(len(images), MOST_IMAGES), 'image')}")
            to_int8(made, (first.prepare(read_image(path))[0] for path in spread(images, MOST_IMAGES)), cfg.input_dtype)
        second = _detector(_open(made, output.suffix, card), contract)
        with display.progress("compare", len(images) or SCENES) as advance:
            parity = compare(first, second, _seen(images, cfg.seed), advance)
        display.line(_told(parity, "image" if images else "rendered scene"))
        if not parity.holds(TOLERANCES[cfg.precision]):
            raise UserError(f"{output}: not written: {_why(parity, TOLERANCES[cfg.precision])}")
        sidecar = make_sidecar(card, output.name, sha256(made), source, parity)
        text = json.dumps(sidecar, ensure_ascii=False, indent=1, allow_nan=False)
        written.write_text(text + "\n", encoding="utf-8")
        with folder_locked(output.parent):
            if not cfg.overwrite:  # another export may have been quicker
                refuse_foreign(output, card, source)
            replace_pair((made, output), (written, sidecar_of(output)))
    size = output.stat().st_size / 1e6
    display.line(f"wrote {output} ({size:.1f} MB) and {sidecar_of(output)}; thresholds: {_thresholds(contract)}")
    return 0


def _output(wanted: Path, checkpoint: Path) -> Path:
    """The file to write. Raises UserError for a kind that is not known, or whose packages lack."""
    output = wanted if wanted.suffix else wanted / f"{checkpoint.stem}.onnx"
    if output.suffix not in WRITERS:
        raise UserError(f"output={wanted}: ends in {output.suffix}, not in {' or '.join(WRITERS)}")
    for file in (output, sidecar_of(output)):
        if file.is_dir():
            raise UserError(f"output={wanted}: {file} is a folder; name a file in it")
    lacking = [name for name in NEEDED[output.suffix] if find_spec(name) is None]
    if lacking:
        raise UserError(
            f"output={output}: needs {', '.join(lacking)}: pip install 'resnet18-ocrdet[export]' (or output=….pt2)"
        )
    return output


def _contract(cfg: DictConfig, contract: Contract) -> Contract:
    """That of the exported file: a graph of one size takes every image padded to it."""
    resize = contract.resize if cfg.dynamic_shapes or contract.resize == "stretch" else "fit"
    return replace(contract, resize=resize, precision=cfg.precision)


def _loud(trained: Contract, contract: Contract, free: bool) -> Iterator[str]:
    """What a user must not find out in production."""
    before, now = (f"{each.height}x{each.width}" for each in (trained, contract))
    if before != now:
        yield f"WARNING: the checkpoint was made for {before}, this file says {now}: text is seen at another size"
    if trained.resize != contract.resize:
        yield f"WARNING: images are resized by '{contract.resize}', where the checkpoint says '{trained.resize}'"
    if not free:
        yield f"one size: the file takes one image of {now} at a time"


def _images(named: str | None) -> list[Path]:
    """Those to compare on; none for rendered scenes. Of many, evenly spread ones."""
    if named is None:
        return []
    source = Path(named)
    images = list_images(source) if source.is_dir() else [source]
    if not images:
        raise UserError(f"input={source}: 0 images found")
    return spread(images, MOST_COMPARED)


def spread(images: Sequence[Path], most: int) -> list[Path]:
    """So many of them, evenly, the first and the last among them."""
    chosen = np.linspace(0, len(images) - 1, min(len(images), most)).round().astype(int)
    return [images[index] for index in chosen]


def _seen(images: Sequence[Path], seed: int) -> Iterator[Image]:
    """What both look at."""
    if images:
        yield from map(read_image, images)
    else:
        scenes = SyntheticScenes(SCENES, *SCENE_SIZE, seed=seed)
        yield from (scenes.load(index).image for index in range(SCENES))


def _open(made: Path, suffix: str, card: dict[str, Any]) -> nn.Module:
    return ExportedModel(open_exported(made, "onnxruntime") if suffix == ".onnx" else open_torch(made, card))


def _detector(model: nn.Module, contract: Contract) -> Predictor:
    compute, _ = build.build_compute(torch.device("cpu"), "fp32")
    return Predictor(model, contract, build.build_decoder(contract), compute)


@contextmanager
def _disk_told(output: Path) -> Iterator[None]:
    """What the disk objects to, as a user is told it."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{output}: cannot be written ({error.strerror or error})") from None


def _told(parity: Parity, what: str) -> str:
    return (
        f"compared on {count(parity.images, what)} with the checkpoint in fp32: largest difference of a probability "
        f"{parity.largest:.1e}, {count(parity.boxes, 'region')}, hmean of one against the other {parity.hmean:.4f}"
    )


def _why(parity: Parity, allowed: Tolerance) -> str:
    if parity.boxes < allowed.boxes:
        return f"at least {allowed.boxes} regions are needed to compare on; name images with text with input="
    remedy = "; name images like those it will see with input=, or leave precision=fp32" if allowed.boxes else ""
    return (
        f"the export does not say the same as the checkpoint (allowed: {allowed.prob:g} and {allowed.hmean:g}){remedy}"
    )


def _name(cfg: DictConfig) -> str:
    return BUNDLED if cfg.checkpoint == BUNDLED else Path(cfg.checkpoint).name


def _thresholds(contract: Contract) -> str:
    return f"bin {contract.bin_thresh:g}, box {contract.box_thresh:g}, unclip {contract.unclip_ratio:g}"
