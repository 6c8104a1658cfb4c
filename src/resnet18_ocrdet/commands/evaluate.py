"""ocrdet-eval: score a checkpoint or result files on a labelled split, and say what the score is made of."""

from __future__ import annotations

import json
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from .. import build
from ..config.bundled import BUNDLED, weights_path
from ..errors import UserError
from ..evaluation.icdar_files import holds_results
from ..evaluation.metrics import IcdarMetric
from ..model.checkpoint import sha256
from ..report.compare import compare, verdict
from ..report.evidence import Evidence, gather
from ..report.files import (
    BOXES,
    MISTAKES,
    PER_IMAGE,
    RESULTS,
    SUBMISSION,
    SUBMISSION_WITH_SCORES,
    write_results,
    write_tables,
)
from ..report.html import Baseline, write_report
from ..report.mistakes import count_mistakes
from ..runtime.console import Display
from ..runtime.distributed import join_world
from ..runtime.messages import count
from ..runtime.output_folder import OutputFolder
from ..structures import Image, Source
from .calibration import lines_of
from .scored import Scored, Split, told_apart
from .scored_files import ResultFiles
from .scoring import Network

METRICS, REPORT = "metrics.json", "report.html"
WRITTEN = (BOXES, SUBMISSION, SUBMISSION_WITH_SCORES)  # by this call, which may be told to read result files
FILES = (METRICS, REPORT, PER_IMAGE, MISTAKES, RESULTS, SUBMISSION, SUBMISSION_WITH_SCORES)


def run(cfg: DictConfig) -> int:
    """Evaluate as `cfg` says. Returns the exit code."""
    with join_world(cfg.device) as world, ExitStack() as held:
        display = Display(quiet=not world.first)
        output = OutputFolder(_output(cfg), "eval", _settings(cfg), cfg.overwrite)
        world.from_first(lambda: held.enter_context(output.claimed(FILES)) or None)
        candidate = _open(cfg, display)
        old = None if cfg.baseline is None else _open_baseline(cfg, candidate.split, display)
        scored = candidate.score(display, world)
        before = None if old is None else old.score(display, world)
        if not world.first:
            return 0
        try:
            _finish(output, scored, before, candidate.split.source, display)
            code = 0
        except OSError as error:
            why = error.strerror or error
            display.line(f"output={output.root}: the results cannot be written ({why}); it is as it was")
            code = 1
        if cfg.calibrate:
            for line in lines_of(scored.about["calibration"], cfg.checkpoint):
                display.line(line)
            return code if scored.about["calibration"] else 1
    return code


def _settings(cfg: DictConfig) -> dict[str, Any]:
    """What the results depend on: the words, and the weights that they name."""
    settings = build.plain(cfg)
    digest = None
    if cfg.predictions is None:
        with suppress(OSError):  # whoever opens it says what is wrong
            digest = sha256(weights_path(cfg.checkpoint or BUNDLED))
    return settings | {"checkpoint": None, "model_sha256": digest}  # wherever it lies


def _open(cfg: DictConfig, display: Display) -> Network | ResultFiles:
    if cfg.predictions is not None:
        return ResultFiles(cfg, "predictions", Path(cfg.predictions), None, display)
    return Network(cfg, cfg.checkpoint or BUNDLED, None, display)


def _open_baseline(cfg: DictConfig, split: Split, display: Display) -> Network | ResultFiles:
    """Before anything is scored: a baseline that cannot be used must not cost an evaluation."""
    path = Path(cfg.baseline)
    if cfg.baseline != BUNDLED and holds_results(path):
        return ResultFiles(cfg, "baseline", path, split, display)
    return Network(cfg, cfg.baseline, split, display)


def _output(cfg: DictConfig) -> Path:
    """The folder of the results. Raises UserError where this call would write over what it reads."""
    output = Path(cfg.output)
    for key in ("predictions", "baseline"):
        read = None if cfg[key] in (None, BUNDLED) else Path(cfg[key]).resolve()
        written = [(output / name).resolve() for name in WRITTEN]
        if read is not None and any(read == place or place in read.parents for place in written):
            raise UserError(f"{key}={cfg[key]}: this call writes there; choose another output= than {output}")
    return output


def _finish(output: OutputFolder, scored: Scored, old: Scored | None, source: Source, display: Display) -> None:
    """Write and say the score and what it is made of. Raises OSError; then nothing was written."""
    scored = told_apart(scored, source)
    evidence = gather(scored.metric, scored.answers)
    baseline = None if old is None else _baseline(told_apart(old, source), scored.metric)
    content = evidence.to_dict() | scored.about
    if baseline is not None and old is not None:
        content["baseline"] = old.about | baseline.evidence.to_dict() | {"change": baseline.change._asdict()}
    for line in _told(evidence):
        display.line(line)
    if baseline is not None:
        display.line(f"compared with {baseline.name}, {_shown(baseline.evidence)}: {verdict(baseline.change)}")
        display.line(f"regions: {baseline.change.gained} gained, {baseline.change.lost} lost")

    def read(image: int) -> Image:
        return source.load(image).image

    too_long: list[str] = []
    with output.writing() as folder:
        text = json.dumps(content, indent=1, allow_nan=False)
        (folder / METRICS).write_text(text + "\n", encoding="utf-8")
        write_tables(folder, evidence)
        if "checkpoint" in scored.about:  # boxes that were read from files are there already
            too_long = write_results(folder, scored.answers)
        write_report(folder / REPORT, f"Evaluation of {_name(scored)}", [scored.line], evidence, read, baseline)
    if too_long:
        display.line(f"note: {count(len(too_long), 'image')} with a name too long for {BOXES}/, in the zips only")
    display.line(f"wrote {output.root / REPORT}, and the numbers beside it")


def _baseline(old: Scored, metric: IcdarMetric) -> Baseline:
    return Baseline(_name(old), gather(old.metric, old.answers), compare(old.metric.images, metric.images))


def _name(scored: Scored) -> str:
    return str(scored.about.get("checkpoint") or scored.about["predictions"])


def _told(evidence: Evidence) -> list[str]:
    """The score, its intervals, and what went wrong, a line each."""
    counts = f"{count(len(evidence.rows), 'image')}, {count(evidence.score.care_regions, 'region')}"
    lines = [f"{_shown(evidence)}  ({counts})"]
    ends = [f"{name} {ends[0]:.3f} to {ends[1]:.3f}" for name, ends in evidence.interval_95.items() if ends is not None]
    if ends:
        lines.append(f"95 % intervals, over images: {', '.join(ends)}")
    wrong: dict[Any, int] = {kind: number for kind, number in count_mistakes(evidence.mistakes).items() if number}
    if wrong:
        lines.append(f"mistakes: {', '.join(f'{kind} {number}' for kind, number in wrong.items())}")
    if evidence.fit is not None:
        lines.append(
            f"boxes that found a region: IoU {evidence.fit.iou:.3f}, area {evidence.fit.area_ratio:.2f} of the region's"
        )
    return lines


def _shown(evidence: Evidence) -> str:
    """`precision 0.9000  recall …`."""
    return "  ".join(
        f"{name} {'-' if value is None else format(value, '.4f')}"
        for name, value in zip(("precision", "recall", "hmean", "ap"), evidence.score[:4], strict=True)
    )
