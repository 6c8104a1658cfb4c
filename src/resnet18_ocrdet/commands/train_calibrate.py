"""train.calibrate: choose the thresholds of best.pt on the validation images when the run is done."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from omegaconf import DictConfig

from ..config.override_grammar import typed_keys
from ..errors import UserError
from ..evaluation.calibration import COARSE, Thresholds, ThresholdSweep
from ..evaluation.evaluator import evaluate
from ..inference.postprocess import Decoder
from ..model.checkpoint import load_checkpoint, load_weights, shipped_weights
from ..model.contract import Contract
from ..runtime.signals import Interrupt
from ..structures import Batch, Detection, Maps
from .calibrate import summary_lines, write_best
from .checkpointer import Checkpointer
from .train_parts import Parts

SAMPLE = 200  # images, about: a dense page takes a second or more for all combinations


def keep_typed_thresholds(cfg: DictConfig, typed: Sequence[str]) -> list[str]:
    """Turn train.calibrate off if a threshold that it would replace was typed. Returns a line about it.

    typed: overrides. Raises UserError if train.calibrate=true was typed, too."""
    keys = typed_keys(typed)
    typed_here = [key for key in (f"decode.{name}" for name in Thresholds._fields) if key in keys]
    if not cfg.train.calibrate or not typed_here:
        return []
    if "train.calibrate" in keys:
        raise UserError(f"train.calibrate=true chooses {typed_here[0]} at the end of the run: leave one of them out")
    cfg.train.calibrate = False
    return [f"train.calibrate=false: {typed_here[0]} is from the command line"]


def calibrate_best(parts: Parts, checkpointer: Checkpointer, interrupt: Interrupt) -> float | None:
    """Write the best thresholds into best.pt of this run, and print them. A failed write is only reported.

    Returns the hmean with them, 0..1; None if they were not written, or chosen on a part of the validation images.
    Raises KeyboardInterrupt after a signal: everything else is saved."""
    display, compute, path = parts.display, parts.compute, checkpointer.folder.best
    if compute.world.size > 1:
        display.line(f"note: several processes do not calibrate: ocrdet-eval checkpoint={path} calibrate=true")
        return None
    if not path.is_file():
        display.line(f"no thresholds are chosen: there is no {path}")
        return None
    content, net = load_checkpoint(path), copy.deepcopy(parts.state.model)
    load_weights(net, shipped_weights(content), path)
    decoder = Decoder.of(Contract.from_dict(content["contract"]))
    sweep = ThresholdSweep(decoder, COARSE)
    images, all_images = 0, parts.val_loader.images
    with display.progress("thresholds", min(SAMPLE, all_images)) as advance:

        def watch(batch: Batch, maps: Maps, found: list[list[Detection]]) -> None:
            nonlocal images
            if interrupt.signal is not None:
                raise KeyboardInterrupt
            sweep.add_batch(batch, maps)
            images += len(batch.names)
            advance(len(batch.names))

        evaluate(net, parts.val_loader.spread(SAMPLE), None, decoder.trace, compute, watch)
    summary = None
    with checkpointer.reporting(path):
        summary = write_best(sweep, content, path, "val", images)
        display.lines(summary_lines(summary, str(path)))
    if images < all_images:
        display.line(f"note: {images} of {all_images} validation images were used: all of them take too long")
        return None
    return None if summary is None else float(summary["after"]["hmean"])
