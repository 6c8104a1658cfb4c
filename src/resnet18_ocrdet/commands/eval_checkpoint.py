"""Score a checkpoint on a labelled split."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from .. import build
from ..data.datasets import EvalDataset
from ..data.loader import EvalLoader, too_many_workers
from ..data.loader_processes import LoaderDied
from ..data.region_counts import count_regions_at, low_usability_note
from ..data.splits import Splits
from ..errors import UserError
from ..evaluation.calibration import ThresholdSweep
from ..evaluation.evaluator import Validation, evaluate, explain_zero
from ..inference.loading import contract_of, load_model
from ..inference.postprocess import Decoder
from ..inference.torch_network import where_to_run
from ..model.bundled import BUNDLED, BUNDLED_PATH, weights_path
from ..model.contract import Contract
from ..runtime.console import Display, duration
from ..runtime.device import Compute, choose_precision
from ..runtime.distributed import World
from ..runtime.messages import count, one_line
from ..runtime.regular_file import sha256
from ..structures import Batch, Detection, Maps
from .calibrate import checkpoint_locked, write_best
from .eval_records import EvalResult, EvalSplit, choose_split
from .train_overlap import images_in_training, was_trained_on


class CheckpointScorer:
    """An open checkpoint with the images that it will be scored on."""

    def __init__(
        self, cfg: DictConfig, path: str, split: EvalSplit | None, display: Display, digest: str | None = None
    ) -> None:
        """split: None: as `cfg` or the checkpoint say. digest: SHA-256 of the file, if it is known.

        Raises UserError if it cannot be scored."""
        self.cfg, self.path, self.digest = cfg, weights_path(path), digest
        self.name = BUNDLED if self.path == BUNDLED_PATH else self.path.as_posix()
        self.model = load_model(self.path, cfg.runtime)
        self.contract = contract_of(self.model.content, cfg)
        where_to_run(self.model, cfg.device, cfg.precision)  # refuse a wrong device before anything is computed
        if self.model.adopted is not None and cfg.calibrate:
            raise UserError(
                f"calibrate=true writes into checkpoints of ocrdet-train; {self.name} is of another program: set its "
                f"thresholds with decode.*"
            )
        display.lines([self.model.adopted])
        self.saved = OmegaConf.create(self.model.content["config"])
        made_for = Contract.from_dict(self.model.content["contract"])
        own = None
        if split is None:
            recorded = self.saved.get("data")
            splits = _open_data(cfg, recorded, self.path, self.contract if cfg.data is not None else made_for)
            data = recorded if cfg.data is None else cfg.data
            trained_on = cfg.data is None or was_trained_on(self.model.content, splits, data)
            split = choose_split(cfg, splits, data, display, trained_on)
            own = splits if cfg.data is None else None
        self.split = split
        in_training = images_in_training(self.model.content, self.contract, split.source, own)
        if in_training is None:
            display.line(f"note: the training images of {self.name} are unavailable; overlap not checked")
        elif in_training:
            images = count(len(split.source), "image")
            display.line(f"note: {in_training} of {images} were in the training set; the score is optimistic")
        here, there = (f"{each.height}x{each.width}" for each in (self.contract, made_for))
        if here != there:
            display.line(f"note: evaluated at {here}, but the checkpoint is for {there}: text has another size")
        self.line = (
            f"{self.name} on {split}; {here} {self.contract.resize}, bin_thresh {self.contract.bin_thresh}, "
            f"box_thresh {self.contract.box_thresh}, unclip_ratio {self.contract.unclip_ratio}"
        )

    def score(self, display: Display, world: World) -> EvalResult:
        """Run the network. An error in one process is reported by that process; the others report only that it left."""
        display.line(self.line)
        try:
            if not self.cfg.calibrate:
                return self._score(display, world)
            with checkpoint_locked(self.path, world):
                self.model, self.digest = load_model(self.path), None  # a run may have saved in the meantime
                return self._score(display, world)
        except RuntimeError as error:
            if world.lost_peer(error):
                raise UserError("another process of this evaluation ended; see its message") from None
            if world.exchange_failed(error):
                raise UserError(f"the exchange with the other processes failed: {one_line(str(error), 500)}") from None
            raise

    def _score(self, display: Display, world: World) -> EvalResult:
        contract, source = self.contract, self.split.source
        rank = world.local_rank if world.size > 1 else None
        device, wanted = where_to_run(self.model, self.cfg.device, self.cfg.precision, rank)
        precision = choose_precision(wanted, device)
        compute = Compute(device, precision, world)
        if self.model.exported is None:
            display.lines([compute.note], "note: ")
        loader = self._loader(device, display, world)  # its processes start while torchvision is imported
        model = build.build_network(self.model, device, contract, precision)
        criterion = None if self.model.exported is not None else build.instantiate(self.saved.loss)
        decoder = Decoder.of(contract)
        sweep = ThresholdSweep(decoder) if self.cfg.calibrate else None
        with display.progress("evaluate", loader.images) as advance:

            def watch(batch: Batch, maps: Maps, found: list[list[Detection]]) -> None:
                if not torch.isfinite(maps.prob_map).all():
                    raise UserError(f"{self.name}: its probability map holds NaN: the weights cannot be used")
                if sweep is not None:
                    sweep.add_batch(batch, maps)
                advance(len(batch.names))

            try:
                result = evaluate(model, loader, criterion, decoder.trace, compute, watch)
            except (LoaderDied, UserError) as error:
                reason = error.advice("workers") if isinstance(error, LoaderDied) else str(error)
                world.report_error(reason)  # at once: the other processes end this one when they notice
                raise UserError(reason) from None
        loader.close()
        if not all(map(math.isfinite, result.loss.values())):
            raise UserError(f"{self.name}: its loss is NaN: the weights of its threshold map cannot be used")
        if result.decode_stats.surplus:
            display.line(
                f"note: {count(result.decode_stats.surplus, 'region')} left out, more than decode.max_candidates="
                f"{contract.max_candidates} in an image"
            )
        if result.score.hmean == 0:
            display.lines(explain_zero(result.score, result.decode_stats, result.metric.best_iou, contract))
        display.line(f"{duration(result.seconds)}, {len(source) / result.seconds:.1f} images a second, {precision}")
        about = self._about(result, precision) if world.first else {}
        if sweep is not None:
            assert self.model.checkpoint is not None  # an exported file cannot be calibrated
            about["calibration"] = write_best(sweep, self.model.checkpoint, self.path, self.split.name, len(source))
        return EvalResult(result.metric, result.samples, f"{self.line}, {precision}", about)

    def _loader(self, device: torch.device, display: Display, world: World) -> EvalLoader:
        contract, name, source = self.contract, self.split.name, self.split.source
        maker, shape = build.build_target_maker(self.saved.train), (contract.height, contract.width, contract.resize)
        usable = count_regions_at(source, maker, *shape, max_scale=contract.max_scale)
        at = f"{contract.height}x{contract.width}"
        workers = build.count_workers(self.cfg.workers, world.local_size)
        size_note = None if usable is None else low_usability_note(usable, name, at, contract.min_text_size, True)
        display.lines([size_note, too_many_workers(workers, "workers", world.local_size)], "note: ")
        views, pin = EvalDataset(source, maker, *contract.resizing), device.type == "cuda"
        return EvalLoader(views, self.cfg.batch_size, workers, pin, world.rank, world.size)

    def _about(self, result: Validation, precision: str) -> dict[str, Any]:
        return {
            "checkpoint": self.name,
            "model_sha256": self.digest or sha256(self.path),
            "split": self.split.name,
            "data": self.split.data,
            "loss": result.loss,
            "seconds": result.seconds,
            "runtime": self.model.runtime,
            "contract": self.contract.to_dict() | {"precision": precision},  # as computed, not as trained
        }


def _open_data(cfg: DictConfig, recorded: DictConfig | None, path: Path, contract: Contract) -> Splits:
    """The data set named with data=, else the one recorded in the checkpoint `path`, which may have moved.

    contract: has the size of scenes whose size is left open."""
    data = (recorded if cfg.data is None else cfg.data) or None
    if data is None:
        raise UserError(f"{path} records no data set: choose one with data=… data.root=…")
    try:
        return build.build_splits(data, (contract.height, contract.width), cached=False, with_everything=True)
    except UserError as error:
        if cfg.data is not None:
            raise
        raise UserError(f"{error}; recorded in {path}: choose another data set with data=… data.root=…") from None
