"""What an evaluation scores: the images, and result files of any detector on them; and its result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig

from .. import build
from ..config.check import plain
from ..data.labels import LabelledImages
from ..data.splits import Splits
from ..errors import UserError
from ..evaluation.icdar_files import read_predictions
from ..evaluation.metrics import EvalSample, IcdarMetric
from ..runtime.console import Display
from ..runtime.distributed import World
from ..runtime.messages import count, printable
from ..structures import Source

MAX_NAMED = 3  # unknown images that an error message lists


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


class ResultFiles:
    """A folder or zip of res_*.txt with the images that it will be scored on."""

    def __init__(self, cfg: DictConfig, key: str, path: Path, split: EvalSplit | None, display: Display) -> None:
        """key: of the config, for messages. split: None: as `cfg` says.

        Raises UserError for files that cannot be read, or that do not belong to these images."""
        self.path, predictions = path, read_predictions(path)
        self.split = split or choose_split(cfg, build.build_splits(cfg.data), cfg.data, display)
        self.samples: list[EvalSample] = []
        stems = set()
        source = self.split.source
        with display.progress("labels", len(source)) as advance:
            for picture in map(source.open, range(len(source))):
                # ocrdet-detect keeps the extension if two stems are the same
                stem = picture.name if picture.name in predictions else Path(picture.name).stem
                stems.add(stem)
                found = predictions.get(stem, [])
                self.samples.append(EvalSample(picture.name, picture.polygons, picture.ignore, found))
                advance()
        self.missing = len(stems - predictions.keys())
        if unknown := sorted(predictions.keys() - stems):
            names = printable(", ".join(f"res_{stem}.txt" for stem in unknown[:MAX_NAMED]))
            more = ", …" if len(unknown) > MAX_NAMED else ""
            raise UserError(
                f"{key}={path}: the {self.split.name} split has no image for {count(len(unknown), 'file')}: "
                f"{names}{more}; choose the images that were detected with split=… and data.val=FIRST-LAST"
            )

    def score(self, display: Display, world: World) -> EvalResult:
        """Compare the files with the labels."""
        metric = IcdarMetric()
        metric.update_all(self.samples)
        line = f"{self.path} on {self.split}; {self.missing} without a result file, counted as nothing found"
        display.line(line)
        about = {
            "predictions": self.path.as_posix(),
            "split": self.split.name,
            "data": self.split.data,
            "missing_files": self.missing,
        }
        return EvalResult(metric, self.samples, line, about)


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
