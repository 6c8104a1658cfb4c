"""ocrdet-eval: score a checkpoint or result files on a labelled split, and say what the score is made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from ..bundled import BUNDLED
from ..display import Display
from ..metrics import IcdarMetric
from ..report.compare import compare, verdict
from ..report.evidence import Evidence, gather
from ..report.files import write_results, write_tables
from ..report.html import Baseline, write_report
from ..report.mistakes import count_mistakes
from ..run_folder import make_folder
from ..structures import Image
from ..wording import count
from ..world import join_world
from .calibration import lines_of
from .scoring import Scored, score_path

METRICS, REPORT = "metrics.json", "report.html"


def run(cfg: DictConfig) -> int:
    """Evaluate as `cfg` says. Returns the exit code."""
    with join_world(cfg.device) as world:
        display = Display(quiet=not world.first)
        output = Path(world.from_first(lambda: str(_claim_folder(cfg.output))))
        scored = score_path(cfg, cfg.predictions or cfg.checkpoint or BUNDLED, None, display, world)
        old = None if cfg.baseline is None else score_path(cfg, cfg.baseline, scored.split, display, world)
        if world.first:
            _finish(output, scored, old, display)
            if cfg.calibrate:
                for line in lines_of(scored.about["calibration"], cfg.checkpoint):
                    display.line(line)
                return 0 if scored.about["calibration"] else 1
    return 0


def _claim_folder(output: str) -> Path:
    make_folder("output", Path(output))
    return Path(output)


def _finish(output: Path, scored: Scored, old: Scored | None, display: Display) -> None:
    """Write and say the score and what it is made of."""
    evidence = gather(scored.metric, scored.answers)
    baseline = None if old is None else _baseline(old, scored.metric)
    content = evidence.to_dict() | scored.about
    if baseline is not None and old is not None:
        content["baseline"] = old.about | baseline.evidence.to_dict() | {"change": baseline.change._asdict()}
    (output / METRICS).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    write_tables(output, evidence)
    write_results(output, scored.answers)
    for line in _told(evidence):
        display.line(line)
    if baseline is not None:
        display.line(f"compared with {baseline.name}: {verdict(baseline.change)}")
        display.line(f"regions: {baseline.change.gained} gained, {baseline.change.lost} lost")

    def read(image: int) -> Image:
        return scored.split.source.load(image).image

    title = f"Evaluation of {scored.about.get('checkpoint') or scored.about['predictions']}"
    write_report(output / REPORT, title, [scored.line], evidence, read, baseline)
    display.line(f"wrote {output / REPORT}, and the numbers and boxes beside it")


def _baseline(old: Scored, metric: IcdarMetric) -> Baseline:
    name = old.about.get("checkpoint") or old.about["predictions"]
    return Baseline(name, gather(old.metric, old.answers), compare(old.metric.images, metric.images))


def _told(evidence: Evidence) -> list[str]:
    """The score, its intervals, and what went wrong, a line each."""
    score = evidence.score
    shown = "  ".join(
        f"{name} {'-' if value is None else format(value, '.4f')}"
        for name, value in zip(("precision", "recall", "hmean", "ap"), score[:4], strict=True)
    )
    lines = [f"{shown}  ({count(len(evidence.rows), 'image')}, {count(score.care_regions, 'region')})"]
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
