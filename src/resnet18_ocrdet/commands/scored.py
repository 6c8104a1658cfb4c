"""What an evaluation scores, and what comes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig

from .. import build
from ..data.labels import LabelledImages
from ..data.splits import Splits
from ..errors import UserError
from ..evaluation.metrics import IcdarMetric
from ..evaluation.records import EvalSample
from ..runtime.messages import count
from ..structures import Source


class Split(NamedTuple):
    """The images that are scored."""

    name: str  # train, val or test
    source: Source
    data: dict[str, Any]  # the settings that it was opened with

    @property
    def told(self) -> str:
        """`val, 20 images of photos (801-820)`."""
        root, part = self.data.get("root"), self.data.get(self.name)
        place = "" if root is None else f" of {root}" + ("" if part is None else f" ({part})")
        return f"{self.name}, {count(len(self.source), 'image')}{place}"


class Scored(NamedTuple):
    """What came out, and of what."""

    metric: IcdarMetric
    answers: list[EvalSample]  # in the order of the split
    line: str  # what was scored, on what, with what
    about: dict[str, Any]  # the same and more, for metrics.json


def choose_split(cfg: DictConfig, splits: Splits, data: DictConfig) -> Split:
    """The split asked for; by default test where the set named with data= has one, else val.

    data: what `splits` were opened with."""
    name = cfg.split or ("test" if cfg.data is not None and splits.test is not None else "val")
    source: Source | None = getattr(splits, name)
    if source is None or len(source) == 0:
        having = [part for part in ("train", "val", "test") if len(getattr(splits, part) or ())]
        raise UserError(
            f"split={name}: this data set has no {name} images; it has {', '.join(having) or 'none at all'}"
        )
    return Split(name, source, build.plain(data))


def told_apart(scored: Scored, source: Source) -> Scored:
    """The same, with a folder before the names of images where two have the same name; else as it is."""
    names = [answer.name for answer in scored.answers]
    if len(set(names)) == len(names) or not isinstance(source, LabelledImages):
        return scored
    longer = _with_folders([record.image_path for record in source.records])
    metric = scored.metric
    metric.images = [row._replace(name=name) for row, name in zip(metric.images, longer, strict=True)]
    answers = [answer._replace(name=name) for answer, name in zip(scored.answers, longer, strict=True)]
    return scored._replace(answers=answers)


def _with_folders(paths: Sequence[Path]) -> list[str]:
    """As much of the end of each path as it takes to tell all of them apart, in the one way for all."""
    for parts in range(2, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-parts:]) for path in paths]
        if max(Counter(names).values()) == 1:
            return names
    return [str(path) for path in paths]
