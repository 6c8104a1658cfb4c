"""ocrdet-export: a trained network as one file for other programs, written only if it agrees with the checkpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig

from ..data.image_io import list_images, read_image
from ..data.synthetic.source import SyntheticScenes
from ..errors import UserError
from ..export.card import make_card, make_sidecar, refuse_foreign, restore_sidecar, sidecar_of
from ..export.graph import open_torch, trace, write_onnx, write_torch
from ..export.int8 import MAX_IMAGES, to_int8
from ..export.parity import TOLERANCES, Parity, Tolerance, measure_parity
from ..inference.backends import open_exported
from ..inference.exported import ExportedNetwork
from ..inference.loading import LoadedModel, contract_of
from ..inference.postprocess import Decoder
from ..inference.predictor import Predictor
from ..inference.torch_network import TorchNetwork, load_dbnet
from ..model.bundled import BUNDLED, weights_path
from ..model.checkpoint import load_checkpoint
from ..model.contract import Contract
from ..runtime.atomic_write import remove_leftovers, replace_pair, staging_folder
from ..runtime.console import Display
from ..runtime.device import Compute
from ..runtime.lock import locked
from ..runtime.messages import count
from ..runtime.regular_file import sha256
from ..runtime.run_folder import make_folder

WRITERS = {".onnx": write_onnx, ".pt2": write_torch}
NEEDED = {".onnx": ("onnx", "onnxscript", "onnxruntime"), ".pt2": ()}
SCENES, SCENE_SIZE = 4, (720, 1280)  # rendered if there is no input=
MAX_COMPARED = 100  # images of a folder


def run(cfg: DictConfig, _: list[str]) -> int:
    """Export as `cfg` says. Returns 0. Raises UserError, and writes nothing, if the exported output differs."""
    display = Display()
    checkpoint = weights_path(cfg.checkpoint)
    output = _output(Path(cfg.output), checkpoint)
    images = _images(cfg.input)
    model = LoadedModel.of(checkpoint, load_checkpoint(checkpoint))  # refuses an exported one
    display.lines([model.adopted])
    contract = replace(contract_of(model.content, cfg), precision=cfg.precision)
    if not cfg.dynamic_shapes and contract.resize != "stretch":
        contract = replace(contract, resize="fit")  # every image is padded to the one size that the file takes
    make_folder("output", output.parent)
    card = make_card(model.content, contract, cfg.input_dtype, cfg.dynamic_shapes, cfg.output_shape)
    source = {"checkpoint": BUNDLED if cfg.checkpoint == BUNDLED else checkpoint.name, "sha256": sha256(checkpoint)}
    try:
        restore_sidecar(output)
        remove_leftovers([output.parent])
        if not cfg.overwrite:
            refuse_foreign(output, card, source)
        display.lines(_warnings(Contract.from_dict(model.content["contract"]), contract, cfg.dynamic_shapes))
        display.line(f"exporting {source['checkpoint']} to {output}")
        with staging_folder(output.parent) as staged:
            exported, sidecar = staged / output.name, staged / sidecar_of(output).name
            parity = _write(cfg, model, contract, card, images, exported, display)
            if not parity.holds(TOLERANCES[cfg.precision]):
                raise UserError(f"{output}: not written: {_reason(parity, TOLERANCES[cfg.precision])}")
            content = make_sidecar(card, output.name, sha256(exported), source, parity._asdict())
            text = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False)
            sidecar.write_text(text + "\n", encoding="utf-8")
            with locked(output.parent, wait=True):
                if not cfg.overwrite:  # another export may have finished first
                    refuse_foreign(output, card, source)
                replace_pair((exported, output), (sidecar, sidecar_of(output)))
    except OSError as error:
        raise UserError(f"{output}: cannot be written ({error.strerror or error})") from None
    size = output.stat().st_size / 1e6
    thresholds = f"bin {contract.bin_thresh:g}, box {contract.box_thresh:g}, unclip {contract.unclip_ratio:g}"
    display.line(f"wrote {output} ({size:.1f} MB) and {sidecar_of(output)}; thresholds: {thresholds}")
    return 0


def _write(
    cfg: DictConfig,
    model: LoadedModel,
    contract: Contract,
    card: dict[str, Any],
    images: Sequence[Path],
    exported: Path,
    display: Display,
) -> Parity:
    """Write the file and compare it with the checkpoint."""
    net = load_dbnet(model, torch.device("cpu"))
    form = cfg.input_dtype, cfg.dynamic_shapes, cfg.output_shape
    program = trace(net, contract.height, contract.width, *form, half=cfg.precision == "fp16")
    WRITERS[exported.suffix](program, card, exported)
    first = Predictor(TorchNetwork(net, Compute(torch.device("cpu"))), contract, Decoder.of(contract))
    if cfg.precision == "int8":
        measured = _evenly_spaced(images, MAX_IMAGES)
        display.line(f"measuring the range of every layer on {count(len(measured), 'image')}")
        to_int8(exported, (first.prepare(read_image(path)).canvas for path in measured), cfg.input_dtype)
    opened = open_exported(exported, "onnxruntime") if exported.suffix == ".onnx" else open_torch(exported, card)
    named = opened._replace(path=Path(f"{exported.name}, precision={cfg.precision}"))  # messages name no temporary file
    second = Predictor(ExportedNetwork(named), contract, Decoder.of(contract))
    scenes = SyntheticScenes(0 if images else SCENES, *SCENE_SIZE, seed=cfg.seed)  # in place of images
    compared = chain(map(read_image, images), (scenes.load(index).image for index in range(len(scenes))))
    with display.progress("compare", len(images) or SCENES) as advance:
        parity = measure_parity(first, second, compared, advance)
    display.line(
        f"compared on {count(parity.images, 'image' if images else 'rendered scene')} with the checkpoint in fp32: "
        f"largest difference of a probability {parity.largest:.1e}, {count(parity.boxes, 'region')}, hmean of one "
        f"against the other {parity.hmean:.4f}"
    )
    return parity


def _output(wanted: Path, checkpoint: Path) -> Path:
    """The file to write. Raises UserError for an unknown suffix, or if packages are missing."""
    output = wanted if wanted.suffix else wanted / f"{checkpoint.stem}.onnx"
    if output.suffix not in WRITERS:
        raise UserError(f"output={wanted}: must end in {' or '.join(WRITERS)}, not in {output.suffix}")
    for file in (output, sidecar_of(output)):
        if file.is_dir():
            raise UserError(f"output={wanted}: {file} is a folder; give the name of a file")
    if missing := [name for name in NEEDED[output.suffix] if find_spec(name) is None]:
        raise UserError(
            f"output={output}: needs {', '.join(missing)}: pip install 'resnet18-ocrdet[export]' (or output=….pt2)"
        )
    return output


def _warnings(trained: Contract, contract: Contract, dynamic_shapes: bool) -> Iterator[str]:
    """How the exported file differs from its checkpoint."""
    before, now = (f"{each.height}x{each.width}" for each in (trained, contract))
    if before != now:
        yield f"WARNING: the checkpoint was trained at {before}, this file is for {now}: text has another size"
    if trained.resize != contract.resize:
        yield f"WARNING: images are resized by '{contract.resize}', the checkpoint's by '{trained.resize}'"
    if contract.precision == "fp16":
        yield "fp16 is for GPUs and phones. On a CPU it is no faster than fp32; use precision=int8 there."
    if not dynamic_shapes:
        yield f"fixed size: the file takes one image of {now} at a time"


def _images(source: str | None) -> list[Path]:
    """The images to compare on; none for rendered scenes."""
    if source is None:
        return []
    images = list_images(Path(source)) if Path(source).is_dir() else [Path(source)]
    if not images:
        raise UserError(f"input={source}: 0 images found")
    return _evenly_spaced(images, MAX_COMPARED)


def _evenly_spaced(images: Sequence[Path], most: int) -> list[Path]:
    """At most so many of them, the first and the last included."""
    chosen = np.linspace(0, len(images) - 1, min(len(images), most)).round().astype(int)
    return [images[index] for index in chosen]


def _reason(parity: Parity, allowed: Tolerance) -> str:
    if parity.boxes < allowed.boxes:
        return f"at least {allowed.boxes} regions are needed to compare; use images with text as input="
    remedy = "; use images like yours as input=, or precision=fp32" if allowed != TOLERANCES["fp32"] else ""
    return (
        f"exported output differs beyond tolerance (a probability by {parity.largest:.1e}, allowed {allowed.prob:g}; "
        f"hmean {parity.hmean:.4f}, at least {allowed.hmean:g}){remedy}"
    )
