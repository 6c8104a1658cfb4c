"""ocrdet-eval: score a checkpoint, or anybody's result files, on a labelled split."""

from __future__ import annotations

import csv
import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from .. import build
from ..bootstrap import intervals
from ..bundled import BUNDLED, BUNDLED_PATH, weights_path
from ..checkpoint import Checkpoint, load_checkpoint
from ..contract import Contract
from ..data.labels import LabelledImages
from ..data.loader import ScoreLoader, too_many
from ..data.loader_processes import LoaderDied
from ..data.splits import Splits, overlap
from ..data.usable import doubt, usable_at
from ..data.views import ScoreViews
from ..device import choose_device
from ..display import Display, duration
from ..engine import evaluate
from ..errors import UserError
from ..funnel import explain_zero
from ..metrics import IcdarMetric
from ..results import read_predictions
from ..run_folder import make_folder
from ..slim import count_taught, is_slim
from ..structures import Batch, Detection, Maps, Score, Source
from ..wording import count
from ..world import World, join_world
from .calibration import Calibration, held, lines_of

UNKNOWN_SHOWN = 3  # names of unknown images that an error message lists


def run(cfg: DictConfig) -> int:
    """Evaluate as `cfg` says. Returns the exit code."""
    with join_world(cfg.device) as world:
        display, metric = Display(quiet=not world.first), IcdarMetric()
        output = Path(world.from_first(lambda: str(_claim_folder(cfg.output))))
        about = _score(cfg, metric, display, world)
        if world.first:
            _finish(output, metric, about, display)
            if cfg.calibrate:
                for line in lines_of(about["calibration"], cfg.checkpoint):
                    display.line(line)
                return 0 if about["calibration"] else 1
    return 0


def _score(cfg: DictConfig, metric: IcdarMetric, display: Display, world: World) -> dict[str, Any]:
    """Fill the metric. What ends one process is told by that one; the others say only that it left."""
    if cfg.predictions is not None:
        return _score_files(cfg, metric, display)
    path = weights_path(cfg.checkpoint or BUNDLED)
    try:
        with held(path, world) if cfg.calibrate else nullcontext():
            return _score_checkpoint(cfg, path, metric, display, world)
    except RuntimeError as error:
        if not world.was_left(error):
            raise
        raise UserError("another process of this evaluation ended; see what it said") from None


def _claim_folder(output: str) -> Path:
    make_folder("output", Path(output))
    return Path(output)


def _finish(output: Path, metric: IcdarMetric, about: dict[str, Any], display: Display) -> None:
    """Write and say the score."""
    score, spread = metric.result(), intervals(metric.images)
    _write(output, metric, score, about | {"interval_95": spread})
    shown = "  ".join(
        f"{name} {'-' if value is None else format(value, '.4f')}"
        for name, value in zip(("precision", "recall", "hmean", "ap"), score[:4], strict=True)
    )
    display.line(f"{shown}  ({count(len(metric.images), 'image')}, {count(score.care_regions, 'region')})")
    told = [f"{name} {ends[0]:.3f} to {ends[1]:.3f}" for name, ends in spread.items() if ends is not None]
    if told:
        display.line(f"95 % intervals, over images: {', '.join(told)}")
    display.line(f"wrote {output / 'metrics.json'} and {output / 'per_image.csv'}")


def _score_checkpoint(
    cfg: DictConfig, path: Path, metric: IcdarMetric, display: Display, world: World
) -> dict[str, Any]:
    named = BUNDLED if path == BUNDLED_PATH else path.as_posix()
    content = load_checkpoint(path)
    contract = build.contract_of(content, cfg)
    saved = OmegaConf.create(content["config"])
    splits = _open_data(cfg, saved.data, path, contract)
    for note in splits.told:
        display.line(note)
    name, source = _choose(cfg, splits)
    if taught := _count_taught(cfg, splits, source, content, contract):
        display.line(f"note: of {count(len(source), 'image')}, {taught} taught this network; the score flatters")
    display.line(f"{named} on {name}, {count(len(source), 'image')}; {_thresholds(contract)}")
    device = choose_device(cfg.device, world.local_rank if world.size > 1 else None)
    compute, precision = build.build_compute(device, cfg.precision, world)
    maker, shape = build.build_target_maker(saved.train), (contract.height, contract.width, contract.resize)
    found, at = usable_at(source, maker, *shape), f"{contract.height}x{contract.width}"
    if found is not None and (line := doubt(found, name, at, contract.min_text_size)):
        display.line(f"note: {line}")
    views = ScoreViews(source, maker, *shape)
    workers, pin = build.count_workers(cfg.workers, world.local_size), device.type == "cuda"
    if line := too_many(workers, "workers", world.local_size):
        display.line(f"note: {line}")
    loader = ScoreLoader(views, cfg.batch_size, workers, pin, world.rank, world.size)
    model = build.build_trained(content, path, device)
    criterion, decoder = build.build_criterion(saved.train.loss), build.build_decoder(contract)
    calibration = Calibration(decoder) if cfg.calibrate else None
    with display.progress("evaluate", loader.images) as advance:

        def watch(batch: Batch, maps: Maps, found: list[list[Detection]]) -> None:
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
    if result.score.hmean == 0:
        for line in explain_zero(result.score, result.stages, metric.best_iou, contract):
            display.line(line)
    display.line(f"{duration(result.seconds)}, {len(source) / result.seconds:.1f} images a second, {precision}")
    calibrated = {} if calibration is None else {"calibration": calibration.finish(content, path, name, len(source))}
    return {
        "checkpoint": named,
        "split": name,
        "loss": result.loss,
        "seconds": result.seconds,
        "contract": contract.to_dict() | {"precision": precision},  # apart: its "precision" is bf16 or fp32
    } | calibrated


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


def _count_taught(cfg: DictConfig, splits: Splits, source: Source, content: Checkpoint, contract: Contract) -> int:
    """How many of the images taught the network: a score on them says little."""
    if is_slim(content):
        records = source.records if isinstance(source, LabelledImages) else []
        return count_taught(content, [record.image_path for record in records])
    if cfg.data is None:
        return len(source) if source is splits.train else len(overlap(Splits(splits.train, source, None)))
    try:
        trained = build.build_splits(OmegaConf.create(content["config"]).data, contract).train
    except UserError:
        return 0  # the training data are not here any more
    return len(overlap(Splits(trained, source, None)))


def _score_files(cfg: DictConfig, metric: IcdarMetric, display: Display) -> dict[str, Any]:
    path = Path(cfg.predictions)
    predictions = read_predictions(path)
    splits = build.build_splits(cfg.data)
    for told in splits.told:
        display.line(told)
    name, source = _choose(cfg, splits)
    seen = set()
    with display.progress("score", len(source)) as advance:
        for index in range(len(source)):
            sample = source.load(index)
            # ocrdet-detect keeps the extension where two stems are the same
            key = sample.name if sample.name in predictions else Path(sample.name).stem
            seen.add(key)
            metric.update(sample.polygons, sample.ignore, predictions.get(key, []), sample.name)
            advance()
    unknown = sorted(predictions.keys() - seen)
    if unknown:
        listed = ", ".join(f"res_{stem}.txt" for stem in unknown[:UNKNOWN_SHOWN])
        more = ", …" if len(unknown) > UNKNOWN_SHOWN else ""
        raise UserError(
            f"predictions={path}: the {name} split has no image for {count(len(unknown), 'file')}: {listed}{more}"
        )
    missing = len(seen) - len(predictions)
    images = count(len(seen), "image")
    display.line(f"{path} on {name}, {images}; {missing} without a result file, counted as nothing found")
    return {"predictions": path.as_posix(), "split": name, "missing_files": missing}


def _choose(cfg: DictConfig, splits: Splits) -> tuple[str, Source]:
    """The split asked for; by default test where the set named with data= has one, else val."""
    name = cfg.split or ("test" if cfg.data is not None and splits.test is not None else "val")
    source: Source | None = getattr(splits, name)
    if source is None or len(source) == 0:
        having = [part for part, there in splits._asdict().items() if there is not None and len(there)]
        raise UserError(
            f"split={name}: this data set has no {name} images; it has {', '.join(having) or 'none at all'}"
        )
    return name, source


def _thresholds(contract: Contract) -> str:
    return (
        f"{contract.height}x{contract.width} {contract.resize}, bin_thresh {contract.bin_thresh}, "
        f"box_thresh {contract.box_thresh}, unclip_ratio {contract.unclip_ratio}"
    )


def _write(output: Path, metric: IcdarMetric, score: Score, about: dict[str, Any]) -> None:
    metrics = {**score._asdict(), "images": len(metric.images), **about}
    (output / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    with (output / "per_image.csv").open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        table = csv.writer(file)
        table.writerow(["image", "precision", "recall", "hmean", "matched", "care_regions", "care_detections"])
        for row in metric.images:
            counts = (row.matched, row.care_regions, row.care_detections)
            table.writerow([row.name, row.precision, row.recall, row.hmean, *counts])
