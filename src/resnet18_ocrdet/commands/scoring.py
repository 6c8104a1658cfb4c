"""Score a checkpoint on a labelled split."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf

from .. import build
from ..config.bundled import BUNDLED, BUNDLED_PATH, weights_path
from ..data.datasets import EvalDataset
from ..data.loader import EvalLoader, too_many
from ..data.loader_processes import LoaderDied
from ..data.splits import Splits
from ..data.usable import doubt, usable_at
from ..errors import UserError
from ..evaluation.evaluator import evaluate
from ..evaluation.metrics import IcdarMetric
from ..evaluation.zero_score import explain_zero
from ..inference.loading import load_model, where_to_run
from ..model.checkpoint import sha256
from ..model.contract import Contract
from ..runtime.console import Display, duration
from ..runtime.distributed import World
from ..runtime.messages import count
from ..structures import Batch, Detection, Maps
from .calibration import Calibration, held
from .scored import Scored, Split, choose_split
from .train_overlap import taught_images


class Network:
    """A checkpoint, opened, with the images that it will be scored on."""

    def __init__(self, cfg: DictConfig, path: str, chosen: Split | None, display: Display) -> None:
        """chosen: the images; None: as `cfg` or the checkpoint say. Raises UserError for what cannot be scored."""
        self.cfg, self.path = cfg, weights_path(path)
        self.named = BUNDLED if self.path == BUNDLED_PATH else self.path.as_posix()
        self.trained = load_model(self.path, cfg.runtime)
        self.contract = build.contract_of(self.trained.content, cfg)
        where_to_run(self.trained, cfg.device, cfg.precision)  # what it is not run with costs no evaluation
        if self.trained.adopted is not None:
            if cfg.calibrate:
                raise UserError(
                    f"calibrate=true writes into a checkpoint of ocrdet-train, and {self.named} is of another program: "
                    f"decode.* sets its thresholds"
                )
            display.line(self.trained.adopted)
        self.saved = OmegaConf.create(self.trained.content["config"])
        own = None
        if chosen is None:
            recorded = self.saved.get("data")
            data = recorded if cfg.data is None else cfg.data
            splits = _open_data(cfg, recorded, self.path, self.contract)
            for told in splits.told:
                display.line(told)
            chosen, own = choose_split(cfg, splits, data), splits if cfg.data is None else None
        self.split = chosen
        images = count(len(chosen.source), "image")
        taught = taught_images(self.trained.content, self.contract, chosen.source, own)
        if taught is None:
            display.line(f"note: the images that taught {self.named} are not here: it is not known whether these did")
        elif taught:
            display.line(f"note: of {images}, {taught} taught this network; the score flatters")
        if (unlike := _unlike(Contract.from_dict(self.trained.content["contract"]), self.contract)) is not None:
            display.line(unlike)
        self.line = f"{self.named} on {chosen.told}; {_thresholds(self.contract)}"

    def score(self, display: Display, world: World) -> Scored:
        """Run the network. What ends one process is told by that one; the others say only that it left."""
        display.line(self.line)
        try:
            if not self.cfg.calibrate:
                return self._score(display, world)
            with held(self.path, world):
                self.trained = load_model(self.path)  # a run may have saved until now
                return self._score(display, world)
        except RuntimeError as error:
            if not world.was_left(error):
                raise
            raise UserError("another process of this evaluation ended; see what it said") from None

    def _score(self, display: Display, world: World) -> Scored:
        cfg, contract, (name, source, _) = self.cfg, self.contract, self.split
        rank = world.local_rank if world.size > 1 else None
        device, precision = where_to_run(self.trained, cfg.device, cfg.precision, rank)
        compute, precision = build.build_compute(device, precision, world)
        maker, shape = build.build_target_maker(self.saved.train), (contract.height, contract.width, contract.resize)
        found, at = usable_at(source, maker, *shape), f"{contract.height}x{contract.width}"
        doubtful = None if found is None else doubt(found, name, at, contract.min_text_size)
        workers, pin = build.count_workers(cfg.workers, world.local_size), device.type == "cuda"
        for note in (doubtful, too_many(workers, "workers", world.local_size)):
            if note is not None:
                display.line(f"note: {note}")
        views = EvalDataset(source, maker, *shape)
        loader = EvalLoader(views, cfg.batch_size, workers, pin, world.rank, world.size)
        model = build.build_network(self.trained, device, contract, precision)
        exported = self.trained.exported is not None
        criterion = None if exported else build.build_criterion(self.saved.loss)
        decoder = build.build_decoder(contract)
        metric = IcdarMetric()
        calibration = Calibration(decoder) if cfg.calibrate else None
        with display.progress("evaluate", loader.images) as advance:

            def watch(batch: Batch, maps: Maps, found: list[list[Detection]]) -> None:
                if not torch.isfinite(maps.prob_map).all():
                    raise UserError(f"{self.named}: its map holds NaN: it cannot be computed with these weights")
                if calibration is not None:
                    calibration.watch(batch, maps, found)
                advance(len(batch.names))

            try:
                result = evaluate(model, loader, criterion, decoder.trace, metric, compute, watch)
            except UserError as error:  # an image that only this process reads
                world.tell(str(error))
                raise
            except LoaderDied as error:
                world.tell(error.told("workers"))
                raise UserError(error.told("workers")) from None
        loader.close()
        if not all(map(math.isfinite, result.loss.values())):
            raise UserError(f"{self.named}: its loss is NaN: its threshold map cannot be computed with these weights")
        if result.score.hmean == 0:
            for line in explain_zero(result.score, result.stages, metric.best_iou, contract):
                display.line(line)
        display.line(f"{duration(result.seconds)}, {len(source) / result.seconds:.1f} images a second, {precision}")
        about = {
            "checkpoint": self.named,
            "model_sha256": sha256(self.path),
            "split": name,
            "data": self.split.data,
            "loss": result.loss,
            "seconds": result.seconds,
            "runtime": self.trained.runtime,
            "contract": contract.to_dict() | {"precision": precision},  # apart: its "precision" is bf16 or fp32
        }
        if calibration is not None:
            about["calibration"] = calibration.finish(self.trained.content, self.path, name, len(source))
        return Scored(metric, result.answers, f"{self.line}, {precision}", about)


def _open_data(cfg: DictConfig, recorded: DictConfig | None, path: Path, contract: Contract) -> Splits:
    """The data named with data=, else those recorded in the checkpoint `path`, which may have moved since."""
    if cfg.data is not None:
        return build.build_splits(cfg.data, contract)
    if recorded is None:
        raise UserError(f"{path} brings no images: name data to score with data=… data.root=…")
    try:
        return build.build_splits(recorded, contract)
    except UserError as error:
        raise UserError(f"{error}; {path} was trained on these: name data to score with data=… data.root=…") from None


def _unlike(own: Contract, used: Contract) -> str | None:
    """A note where the images are seen at another size than the checkpoint was made for."""
    made, seen = (f"{each.height}x{each.width}" for each in (own, used))
    return None if made == seen else f"note: {seen}, where the checkpoint says {made}: text is seen at another size"


def _thresholds(contract: Contract) -> str:
    return (
        f"{contract.height}x{contract.width} {contract.resize}, bin_thresh {contract.bin_thresh}, "
        f"box_thresh {contract.box_thresh}, unclip_ratio {contract.unclip_ratio}"
    )
