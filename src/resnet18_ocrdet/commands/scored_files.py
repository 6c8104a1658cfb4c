"""Score anybody's result files on a labelled split."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from .. import build
from ..errors import UserError
from ..evaluation.icdar_files import read_predictions
from ..evaluation.metrics import IcdarMetric
from ..evaluation.records import EvalSample
from ..runtime.console import Display
from ..runtime.distributed import World
from ..runtime.messages import count, printable
from .scored import Scored, Split, choose_split

UNKNOWN_SHOWN = 3  # names of unknown images that an error message lists


class ResultFiles:
    """A folder or zip of res_*.txt, read, with the images that it will be scored on."""

    def __init__(self, cfg: DictConfig, key: str, path: Path, chosen: Split | None, display: Display) -> None:
        """key: by which the path was typed. chosen: the images; None: as `cfg` says.

        Raises UserError for files that cannot be read, or that are not for these images."""
        self.path, self.predictions = path, read_predictions(path)
        if chosen is None:
            splits = build.build_splits(cfg.data)
            for told in splits.told:
                display.line(told)
            chosen = choose_split(cfg, splits, cfg.data)
        self.split, self.answers = chosen, list[EvalSample]()
        seen = set()
        with display.progress("labels", len(chosen.source)) as advance:
            for index in range(len(chosen.source)):
                picture = chosen.source.open(index)
                # ocrdet-detect keeps the extension where two stems are the same
                stem = picture.name if picture.name in self.predictions else Path(picture.name).stem
                seen.add(stem)
                found = self.predictions.get(stem, [])
                self.answers.append(EvalSample(picture.name, picture.polygons, picture.ignore, found))
                advance()
        self.missing = len(seen - self.predictions.keys())
        if unknown := sorted(self.predictions.keys() - seen):
            listed = printable(", ".join(f"res_{stem}.txt" for stem in unknown[:UNKNOWN_SHOWN]))
            more = ", …" if len(unknown) > UNKNOWN_SHOWN else ""
            files = count(len(unknown), "file")
            raise UserError(
                f"{key}={path}: the {chosen.name} split has no image for {files}: {listed}{more}; the images that were "
                f"detected are chosen with split=… and data.val=FIRST-LAST"
            )

    def score(self, display: Display, world: World) -> Scored:
        """Compare the files with the labels."""
        metric = IcdarMetric()
        metric.update_all(self.answers)
        on = f"{self.path} on {self.split.told}"
        line = f"{on}; {self.missing} without a result file, counted as nothing found"
        display.line(line)
        about = {
            "predictions": self.path.as_posix(),
            "split": self.split.name,
            "data": self.split.data,
            "missing_files": self.missing,
        }
        return Scored(metric, self.answers, line, about)
