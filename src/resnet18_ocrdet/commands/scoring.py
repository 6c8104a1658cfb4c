"""Score a checkpoint, or anybody's result files, on a labelled split."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from .. import build
from ..bundled import BUNDLED, BUNDLED_PATH, weights_path
from ..checkpoint import load_checkpoint
from ..contract import Contract
from ..data.loader import ScoreLoader, too_many
from ..data.loader_processes import LoaderDied
from ..data.splits import Splits
from ..data.usable import doubt, usable_at
from ..data.views import ScoreViews
from ..device import choose_device
from ..display import Display, duration
from ..errors import UserError
from ..funnel import explain_zero
from ..metrics import IcdarMetric
from ..results import read_predictions
from ..structures import Answer, Batch, Detection, Maps, Source
from ..validate import evaluate
from ..wording import count
from ..world import World
from .calibration import Calibration, held
from .taught import taught_images

UNKNOWN_SHOWN = 3  # names of unknown images that an error message lists


class Split(NamedTuple):
    """The images that are scored."""

    name: str  # train, val or test
    source: Source


class Scored(NamedTuple):
    """What came out, and of what."""

    metric: IcdarMetric
    answers: list[Answer]  # in the order of the split
    split: Split
    line: str  # what was scored, on what, with what
    about: dict[str, Any]  # the same and more, for metrics.json


def score_path(cfg: DictConfig, path: str, chosen: Split | None, display: Display, world: World) -> Scored:
    """Score `path`: a checkpoint, or a folder or zip of result files. chosen: the images; None: as `cfg` says.

    What ends one process is told by that one; the others say only that it left."""
    if path != BUNDLED and (Path(path).is_dir() or Path(path).suffix == ".zip"):
        return _score_files(cfg, Path(path), chosen, display)
    file = weights_path(path)
    try:
        with held(file, world) if cfg.calibrate else nullcontext():
            return _score_checkpoint(cfg, file, chosen, display, world)
    except RuntimeError as error:
        if not world.was_left(error):
            raise
        raise UserError("another process of this evaluation ended; see what it said") from None


def _score_checkpoint(cfg: DictConfig, path: Path, chosen: Split | None, display: Display, world: World) -> Scored:
    named = BUNDLED if path == BUNDLED_PATH else path.as_posix()
    content = load_checkpoint(path)
    contract = build.contract_of(content, cfg)
    saved = OmegaConf.create(content["config"])
    own = None
    if chosen is None:
        splits = _open_data(cfg, saved.data, path, contract)
        for told in splits.told:
            display.line(told)
        chosen, own = _choose(cfg, splits), splits if cfg.data is None else None
    name, source = chosen.name, chosen.source
    if taught := taught_images(content, contract, source, own):
        display.line(f"note: of {count(len(source), 'image')}, {taught} taught this network; the score flatters")
    line = f"{named} on {name}, {count(len(source), 'image')}; {_thresholds(contract)}"
    display.line(line)
    device = choose_device(cfg.device, world.local_rank if world.size > 1 else None)
    compute, precision = build.build_compute(device, cfg.precision, world)
    maker, shape = build.build_target_maker(saved.train), (contract.height, contract.width, contract.resize)
    found, at = usable_at(source, maker, *shape), f"{contract.height}x{contract.width}"
    doubtful = None if found is None else doubt(found, name, at, contract.min_text_size)
    workers, pin = build.count_workers(cfg.workers, world.local_size), device.type == "cuda"
    for note in (doubtful, too_many(workers, "workers", world.local_size)):
        if note is not None:
            display.line(f"note: {note}")
    views = ScoreViews(source, maker, *shape)
    loader = ScoreLoader(views, cfg.batch_size, workers, pin, world.rank, world.size)
    model = build.build_trained(content, path, device)
    criterion, decoder = build.build_criterion(saved.train.loss), build.build_decoder(contract)
    metric = IcdarMetric()
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
    about = {
        "checkpoint": named,
        "split": name,
        "loss": result.loss,
        "seconds": result.seconds,
        "contract": contract.to_dict() | {"precision": precision},  # apart: its "precision" is bf16 or fp32
    }
    return Scored(metric, result.answers, chosen, f"{line}, {precision}", about | calibrated)


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


def _score_files(cfg: DictConfig, path: Path, chosen: Split | None, display: Display) -> Scored:
    predictions = read_predictions(path)
    if chosen is None:
        splits = build.build_splits(cfg.data)
        for told in splits.told:
            display.line(told)
        chosen = _choose(cfg, splits)
    name, source = chosen.name, chosen.source
    seen, answers = set(), []
    with display.progress("score", len(source)) as advance:
        for index in range(len(source)):
            picture = source.open(index)
            # ocrdet-detect keeps the extension where two stems are the same
            key = picture.name if picture.name in predictions else Path(picture.name).stem
            seen.add(key)
            answers.append(Answer(picture.name, picture.polygons, picture.ignore, predictions.get(key, [])))
            advance()
    unknown = sorted(predictions.keys() - seen)
    if unknown:
        listed = ", ".join(f"res_{stem}.txt" for stem in unknown[:UNKNOWN_SHOWN])
        more = ", …" if len(unknown) > UNKNOWN_SHOWN else ""
        raise UserError(
            f"predictions={path}: the {name} split has no image for {count(len(unknown), 'file')}: {listed}{more}"
        )
    metric = IcdarMetric()
    metric.update_all(answers)
    missing = len(seen) - len(predictions)
    line = f"{path} on {name}, {count(len(seen), 'image')}; {missing} without a result file, counted as nothing found"
    display.line(line)
    about = {"predictions": path.as_posix(), "split": name, "missing_files": missing}
    return Scored(metric, answers, chosen, line, about)


def _choose(cfg: DictConfig, splits: Splits) -> Split:
    """The split asked for; by default test where the set named with data= has one, else val."""
    name = cfg.split or ("test" if cfg.data is not None and splits.test is not None else "val")
    source: Source | None = getattr(splits, name)
    if source is None or len(source) == 0:
        having = [part for part, there in splits._asdict().items() if there is not None and len(there)]
        raise UserError(
            f"split={name}: this data set has no {name} images; it has {', '.join(having) or 'none at all'}"
        )
    return Split(name, source)


def _thresholds(contract: Contract) -> str:
    return (
        f"{contract.height}x{contract.width} {contract.resize}, bin_thresh {contract.bin_thresh}, "
        f"box_thresh {contract.box_thresh}, unclip_ratio {contract.unclip_ratio}"
    )
