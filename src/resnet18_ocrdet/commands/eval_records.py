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
from ..evaluation.result_hints import coordinate_hint
from ..runtime.console import Display
from ..runtime.distributed import World
from ..runtime.messages import count, printable
from ..structures import Picture, Source

ALL = "all"
MAX_NAMED = 3  # unknown images that an error message lists


class EvalSplit(NamedTuple):
    """The images that are scored."""

    name: str  # train, val, test or all
    source: Source
    data: dict[str, Any]  # the settings of the data set
    unsplit: bool = False  # nothing in the data set says train or val

    def __str__(self) -> str:
        """`val, 20 images of photos (801-820)`, or `4 images, all of photos (nothing in it says train or val)`."""
        root, part = self.data.get("root"), self.data.get(self.name)
        if self.name == ALL:
            why = " (nothing in it says train or val)" if self.unsplit else ""
            return f"{count(len(self.source), 'image')}, all of {root}{why}"
        place = "" if root is None else f" of {root}" + ("" if part is None else f" ({part})")
        return f"{self.name}, {count(len(self.source), 'image')}{place}"


class EvalResult(NamedTuple):
    """The scores of a network or of result files on a split."""

    metric: IcdarMetric
    samples: list[EvalSample]  # in the order of the split
    line: str  # what was scored, on which images, with which settings
    about: dict[str, Any]  # the same and more, for metrics.json


def choose_split(
    cfg: DictConfig, splits: Splits, data: DictConfig, display: Display, trained_on: bool = False
) -> EvalSplit:
    """The split asked for. By default test if the set named with data= has one, else val; all images of a folder that
    has no splits. data: settings of `splits`. trained_on: the network scored was trained on this folder, on the images
    that are not in val.

    Raises UserError if it has no images."""
    display.lines(splits.notes)
    whole = ALL if splits.unsplit and not trained_on else "val"
    name = cfg.split or ("test" if cfg.data is not None and splits.test is not None else whole)
    source: Source | None = splits.everything if name == ALL else getattr(splits, name)
    if not source:
        present = [part for part in ("train", "val", "test") if len(getattr(splits, part) or ())]
        missing = "images" if name == ALL else f"{name} images"
        raise UserError(f"split={name}: this data set has no {missing}; it has {', '.join(present) or 'none'}")
    return EvalSplit(name, source, plain(data), splits.unsplit)


class ResultFiles:
    """A folder or zip of result files with the images that it will be scored on."""

    def __init__(self, cfg: DictConfig, key: str, path: Path, split: EvalSplit | None, display: Display) -> None:
        """key: of the config, for messages. split: None: as `cfg` says.

        Raises UserError for files that cannot be read, or that do not belong to these images."""
        self.path = path
        splits = None
        if split is None:
            splits = build.build_splits(cfg.data, with_everything=True)
            split = choose_split(cfg, splits, cfg.data, display)
        self.split = split
        source, pictures = self.split.source, list[Picture]()
        with display.progress("labels", len(source)) as advance:
            for picture in map(source.open, range(len(source))):
                pictures.append(picture)
                advance()
        predictions = read_predictions(path, [picture.name for picture in pictures])
        if predictions.unknown:
            raise UserError(f"{key}={path}: {self._refusal(predictions.unknown)}")
        self.read_as = predictions.read_as
        display.line(f"{key}={path}: {self.read_as}")
        self.samples = [
            EvalSample(picture.name, picture.polygons, picture.ignore, predictions.of(picture.name) or [])
            for picture in pictures
        ]
        self.sizes = [(picture.height, picture.width) for picture in pictures]
        keys = {predictions.key(picture.name) for picture in pictures}
        self.missing = len(keys - predictions.found.keys())
        if splits is not None and self.split.name == ALL and self.missing:
            found = {picture.name for picture in pictures if predictions.of(picture.name) is not None}
            val = [splits.val.open(index).name for index in range(len(splits.val))]
            display.lines([f"note: {key}={path} holds exactly the val images: split=val"] if found == set(val) else [])

    def _refusal(self, unknown: list[str]) -> str:
        """Result files of other images, and what to do."""
        names = printable(", ".join(unknown[:MAX_NAMED])) + (", …" if len(unknown) > MAX_NAMED else "")
        files = f"{count(len(unknown), 'file')}: {names}"
        if self.split.name == ALL:
            return f"{self.split.data.get('root')} has no image for {files}"
        remedy = "say which images the files are for: split=all, split=train, or split=val data.val=FIRST-LAST"
        return f"the {self.split.name} split has no image for {files}; {remedy}"

    def score(self, display: Display, world: World) -> EvalResult:
        """Compare the files with the labels."""
        metric = IcdarMetric()
        metric.update_all(self.samples)
        hint = coordinate_hint(self.samples, self.sizes, metric.result().hmean or 0.0)
        line = f"{self.path} on {self.split}; {self.missing} without a result file, counted as nothing found"
        display.line(line)
        display.lines([hint], "note: ")
        about = {
            "predictions": self.path.as_posix(),
            "split": self.split.name,
            "data": self.split.data,
            "missing_files": self.missing,
            "read_as": self.read_as,
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
