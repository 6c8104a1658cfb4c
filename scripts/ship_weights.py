"""Make a checkpoint to publish from one of a training run: half precision, without the state of a resume.

    python scripts/ship_weights.py runs/train/DATE_TIME/checkpoints/best.pt --output detector.pt

The result is for ocrdet-eval, ocrdet-detect and init.weights=…, and a sixth of the size. It holds digests of the
training images, so that ocrdet-eval can report when it is scored on some of them. The weights of the package are
made with it: --output src/resnet18_ocrdet/weights/dbnet_resnet18.pt
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from resnet18_ocrdet.commands.train_overlap import training_sources
from resnet18_ocrdet.data.labels import LabelledImages
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint, shipped_weights, weights_only
from resnet18_ocrdet.model.contract import Contract
from resnet18_ocrdet.model.release import digest, is_stripped, without_paths

STATISTICS = ("running_mean", "running_var")  # of batch norm: few, and a variance may be too small for half precision
PROGRESS = ("schema", "epoch", "step", "steps_per_epoch", "images_per_step", "world", "best_hmean")
LARGEST = 25_000_000  # bytes of a file that goes into the repository


def strip_checkpoint(content: Checkpoint, train_digests: Iterable[str]) -> Checkpoint:
    """A checkpoint to evaluate, detect with and fine-tune, but not to resume; a sixth of the size.

    It holds the averaged weights if there are any. train_digests: `digest` of each training image.
    Raises UserError if a weight is too large for half precision."""
    about = {key: value for key, value in content["about"].items() if key != "start"}  # it names a file
    about["taught"] = sorted(train_digests)
    model = {name: _halved(name, value) for name, value in shipped_weights(content).items()}
    stripped = weights_only(content["contract"], without_paths(content["config"]), about, model)
    for key in PROGRESS:
        stripped[key] = content[key]  # type: ignore[literal-required]
    return stripped


def _halved(name: str, value: Tensor) -> Tensor:
    if not value.is_floating_point() or name.endswith(STATISTICS):
        return value.clone()
    half = value.to(torch.float16)
    if torch.isinf(half).any() and torch.isfinite(value).all():
        raise UserError(f"{name}: a weight of {float(value.abs().max()):g} is too large for half precision")
    return half


def ship(checkpoint: Path, output: Path) -> None:
    """Write the file and print what it holds. Raises UserError."""
    content = load_checkpoint(checkpoint)
    if is_stripped(content):
        raise UserError(f"{checkpoint}: already holds weights only")
    sources = training_sources(content, Contract.from_dict(content["contract"]))
    labelled = [source for source in sources if isinstance(source, LabelledImages)]
    images = [record.image_path for source in labelled for record in source.records]
    stripped = strip_checkpoint(content, map(digest, images))
    output.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(output, stripped)
    size = output.stat().st_size
    tensors = f"{len(stripped['model'])} tensors of epoch {content['epoch']}"
    print(f"{output}: {tensors}, {size / 1e6:.2f} MB, {len(images)} digests")
    if size > LARGEST:
        print(f"note: more than {LARGEST / 1e6:g} MB")


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    try:
        ship(args.checkpoint, args.output)
    except UserError as error:
        print(f"ship_weights: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
