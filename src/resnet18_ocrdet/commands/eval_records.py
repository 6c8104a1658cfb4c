"""What an evaluation scores, and the result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig

from ..config.check import plain
from ..data.labels import LabelledImages
from ..data.splits import Splits
from ..errors import UserError
from ..evaluation.metrics import EvalSample, IcdarMetric
from ..runtime.console import Display
from ..runtime.messages import count
from ..structures import Source


class EvalSplit(NamedTuple):
    """The images that are scored."""

    name: str  # train, val or test
    source: Source
    data: dict[str, Any]  # the settings of the data set

    def __str__(self) -> str:
        """`val, 20 images of photos (801-820)`."""
        root, part = self.data.get("root"), self.data.get(self.name)
        place = "" if root is None else f" of {root}" + ("" if part is None else f" ({part})")
        return f"{self.name}, {count(len(self.source), 'image')}{place}"


class EvalResult(NamedTuple):
    """The scores of a network or of result files on a split."""

    metric: IcdarMetric
    samples: list[EvalSample]  # in the order of the split
    line: str  # what was scored, on which images, with which settings
    about: dict[str, Any]  # the same and more, for metrics.json


def choose_split(cfg: DictConfig, splits: Splits, data: DictConfig, display: Display) -> EvalSplit:
    """The split asked for; by default test if the set named with data= has one, else val. data: settings of `splits`.

    Raises UserError if it has no images."""
    display.lines(splits.notes)
    name = cfg.split or ("test" if cfg.data is not None and splits.test is not None else "val")
    source: Source | None = getattr(splits, name)
    if not source:
        present = [part for part in ("train", "val", "test") if len(getattr(splits, part) or ())]
        raise UserError(f"split={name}: this data set has no {name} images; it has {', '.join(present) or 'none'}")
    return EvalSplit(name, source, plain(data))


def with_unique_names(result: EvalResult, source: Source) -> EvalResult:
    """The same, with folders before the names of images if two have the same name."""
    names = [sample.name for sample in result.samples]
    if len(set(names)) == len(names) or not isinstance(source, LabelledImages):
        return result
    longer = _with_folders([record.image_path for record in source.records])
    metric = result.metric
    metric.images = [row._replace(name=name) for row, name in zip(metric.images, longer, strict=True)]
    samples = [sample._replace(name=name) for sample, name in zip(result.samples, longer, strict=True)]
    return result._replace(samples=samples)


def _with_folders(paths: Sequence[Path]) -> list[str]:
    """The shortest ends of all paths, of equal depth, that differ."""
    for parts in range(2, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-parts:]) for path in paths]
        if max(Counter(names).values()) == 1:
            return names
    return [str(path) for path in paths]
