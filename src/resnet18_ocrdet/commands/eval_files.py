"""Score result files of any detector on a labelled split."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from .. import build
from ..errors import UserError
from ..evaluation.icdar_files import read_predictions
from ..evaluation.metrics import EvalSample, IcdarMetric
from ..runtime.console import Display
from ..runtime.distributed import World
from ..runtime.messages import count, printable
from .eval_records import EvalResult, EvalSplit, choose_split

MAX_NAMED = 3  # unknown images that an error message lists


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
                self.samples.append(
                    EvalSample(picture.name, picture.polygons, picture.ignore, predictions.get(stem, []))
                )
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
