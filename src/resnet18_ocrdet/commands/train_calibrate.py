"""train.calibrate: choose the thresholds of best.pt on the validation images when the run is done."""

from __future__ import annotations

import copy
from pathlib import Path

from ..evaluation.calibration import COARSE, Thresholds, ThresholdSweep
from ..evaluation.evaluator import evaluate
from ..inference.postprocess import Decoder
from ..model.checkpoint import load_checkpoint, load_weights, shipped_weights
from ..model.contract import Contract
from ..structures import Batch, Detection, Maps
from .calibrate import write_best
from .train_parts import Parts


def calibrate_best(parts: Parts, path: Path) -> float | None:
    """Write the best thresholds into the checkpoint `path` of this run, and print them.

    Returns the hmean with them, 0..1; None if there are none."""
    display, compute, images = parts.display, parts.compute, len(parts.splits.val)
    if compute.world.size > 1:
        display.line(f"note: several processes do not calibrate: ocrdet-eval checkpoint={path} calibrate=true")
        return None
    if not path.is_file():
        return None
    content, net = load_checkpoint(path), copy.deepcopy(parts.state.model)
    load_weights(net, shipped_weights(content), path)
    decoder = Decoder.of(Contract.from_dict(content["contract"]))
    sweep = ThresholdSweep(decoder, COARSE)
    with display.progress("thresholds", images) as advance:

        def watch(batch: Batch, maps: Maps, found: list[list[Detection]]) -> None:
            sweep.add_batch(batch, maps)
            advance(len(batch.names))

        evaluate(net, parts.val_loader, None, decoder.trace, compute, watch)
    summary = write_best(sweep, content, path, "val", images)
    if summary is None:
        return None
    before, after = summary["before"], summary["after"]
    values = " ".join(f"{name}={after[name]:g}" for name in Thresholds._fields)
    display.line(
        f"thresholds: {values}, best of {summary['combinations']} on the validation images: hmean "
        f"{before['hmean']:.3f} → {after['hmean']:.3f}; written into {path}"
    )
    return float(after["hmean"])
