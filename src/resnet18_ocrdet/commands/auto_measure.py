"""What train.auto_hparams goes by: the starting weights on the validation images, and the pace of the training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from omegaconf import DictConfig
from torch import nn

from ..data.loader import EvalLoader, TrainLoader
from ..data.region_counts import RegionCounts
from ..errors import UserError
from ..evaluation.evaluator import Decode, Validation, evaluate
from ..evaluation.metrics import score_text
from ..model.loss import Criterion
from ..report.mistakes import count_mistakes, find_mistakes
from ..runtime.console import Display, duration
from ..runtime.device import Compute
from ..runtime.distributed import World
from ..runtime.messages import count
from ..train.engine import TrainState
from ..train.label_units import label_units
from ..train.lr_rules import Start, TrainingSet
from ..train.step_rules import Pace
from ..train.trial import seconds_per_step
from .train_faults import explain


def measure_start(
    net: nn.Module,
    loader: EvalLoader,
    criterion: Criterion,
    decode: Decode,
    compute: Compute,
    cfg: DictConfig,
    display: Display,
) -> tuple[Start, float]:
    """Evaluate the starting weights on the validation images of all processes, and print the score.

    Returns what they do, and the seconds it took. Raises UserError for faults of the machine or the data."""
    with display.progress("starting weights", loader.images) as advance, _faults(cfg, compute.world):
        result = evaluate(net, loader, criterion, decode, compute, lambda batch, *_: advance(len(batch.names)))
    scores = score_text(result.score._asdict(), ("hmean", "precision", "recall"), digits=3)
    images = count(len(result.samples), "validation image")
    display.line(f"starting weights on {images}: {scores}  {duration(result.seconds)}")
    return start_of(result), compute.world.from_first(lambda: result.seconds)


def start_of(result: Validation) -> Start:
    """What a validation says about the starting weights."""
    kinds = count_mistakes(find_mistakes(result.samples, result.metric.images))
    score = result.score
    lost = score.care_regions - score.matched
    reason = label_units(kinds["split"], kinds["merged"], lost, score.care_regions)
    return Start(score.hmean, reason, longer=bool(reason) and kinds["split"] > kinds["merged"])


def measure_pace(
    state: TrainState,
    loader: TrainLoader,
    validation: float,
    criterion: Criterion,
    compute: Compute,
    cfg: DictConfig,
) -> Pace:
    """state: of a copy of the network, which is trained for a few steps. validation: its duration, s.

    Raises UserError for faults of the machine or the data."""
    with _faults(cfg, compute.world):
        step = seconds_per_step(state, loader, criterion, compute)
    return Pace(len(loader), compute.world.from_first(lambda: step), validation)


def training_set(images: int, labels: RegionCounts | None) -> TrainingSet:
    """The input of the rules. labels: None for rendered scenes, which are clean."""
    if labels is None or not labels.regions:
        return TrainingSet(images)
    care = labels.regions - labels.dont_care
    usable = labels.usable / care if care else 0.0
    return TrainingSet(images, usable, labels.dont_care / labels.regions)


@contextmanager
def _faults(cfg: DictConfig, world: World) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, OSError, MemoryError) as error:
        if (reason := explain(error, cfg, world)) is None:
            raise
        raise UserError(reason) from None
