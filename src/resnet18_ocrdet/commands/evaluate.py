"""ocrdet-eval: score a checkpoint or result files on a labelled split, and say what the score is made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from ..bundled import BUNDLED
from ..display import Display
from ..errors import UserError
from ..metrics import IcdarMetric
from ..report.compare import compare, verdict
from ..report.evidence import Evidence, gather
from ..report.files import BOXES, SUBMISSION, SUBMISSION_WITH_SCORES, write_results, write_tables
from ..report.html import Baseline, write_report
from ..report.mistakes import count_mistakes
from ..results import holds_results
from ..run_folder import make_folder
from ..structures import Image, Source
from ..wording import count
from ..world import join_world
from .calibration import lines_of
from .scored import Scored, Split, told_apart
from .scored_files import ResultFiles
from .scoring import Network

METRICS, REPORT = "metrics.json", "report.html"
WRITTEN = (BOXES, SUBMISSION, SUBMISSION_WITH_SCORES)  # and replaced


def run(cfg: DictConfig) -> int:
    """Evaluate as `cfg` says. Returns the exit code."""
    with join_world(cfg.device) as world:
        display = Display(quiet=not world.first)
        output = Path(world.from_first(lambda: str(_claim_folder(cfg))))
        candidate = _open(cfg, display)
        old = None if cfg.baseline is None else _open_baseline(cfg, candidate.split, display)
        scored = candidate.score(display, world)
        before = None if old is None else old.score(display, world)
        if world.first:
            _finish(output, scored, before, candidate.split.source, display)
            if cfg.calibrate:
                for line in lines_of(scored.about["calibration"], cfg.checkpoint):
                    display.line(line)
                return 0 if scored.about["calibration"] else 1
    return 0


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


def _claim_folder(cfg: DictConfig) -> Path:
    output = Path(cfg.output)
    for key in ("predictions", "baseline"):
        read = None if cfg[key] in (None, BUNDLED) else Path(cfg[key]).resolve()
        written = [(output / name).resolve() for name in WRITTEN]
        if read is not None and any(read == place or place in read.parents for place in written):
            raise UserError(f"{key}={cfg[key]}: this call writes there; choose another output= than {output}")
    make_folder("output", output)
    return output


def _finish(output: Path, scored: Scored, old: Scored | None, source: Source, display: Display) -> None:
    """Write and say the score and what it is made of."""
    scored = told_apart(scored, source)
    evidence = gather(scored.metric, scored.answers)
    baseline = None if old is None else _baseline(told_apart(old, source), scored.metric)
    content = evidence.to_dict() | scored.about
    if baseline is not None and old is not None:
        content["baseline"] = old.about | baseline.evidence.to_dict() | {"change": baseline.change._asdict()}
    (output / METRICS).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    write_tables(output, evidence)
    for line in _told(evidence):
        display.line(line)
    if baseline is not None:
        display.line(f"compared with {baseline.name}, {_shown(baseline.evidence)}: {verdict(baseline.change)}")
        display.line(f"regions: {baseline.change.gained} gained, {baseline.change.lost} lost")
    if "checkpoint" in scored.about:  # boxes that were read from files are there already
        write_results(output, scored.answers)

    def read(image: int) -> Image:
        return source.load(image).image

    title = f"Evaluation of {_name(scored)}"
    write_report(output / REPORT, title, [scored.line], evidence, read, baseline)
    display.line(f"wrote {output / REPORT}, and the numbers beside it")


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
