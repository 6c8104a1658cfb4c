"""ocrdet-eval: score a checkpoint or result files on a labelled split, with intervals, mistakes and a comparison."""

from __future__ import annotations

import json
from contextlib import ExitStack, suppress
from pathlib import Path

from omegaconf import DictConfig

from ..config.check import plain
from ..config.library import Library
from ..errors import UserError
from ..evaluation.metrics import score_text
from ..evaluation.result_archive import holds_results
from ..model.bundled import BUNDLED, weights_path
from ..report.analysis import ErrorAnalysis
from ..report.compare import compare_scores, describe_change
from ..report.files import BOX_FILES, BOXES, FILES, write_results, write_tables
from ..report.html import Baseline, write_report
from ..report.mistakes import count_mistakes
from ..runtime.console import Display
from ..runtime.distributed import join_world
from ..runtime.messages import count
from ..runtime.output_folder import OutputFolder
from ..runtime.regular_file import sha256
from ..structures import Source
from .calibrate import summary_lines
from .eval_checkpoint import CheckpointScorer
from .eval_records import EvalResult, EvalSplit, ResultFiles, with_unique_names

METRICS, REPORT = "metrics.json", "report.html"


def run(cfg: DictConfig, _: list[str]) -> int:
    """Evaluate. Returns the exit code."""
    with join_world(cfg.device) as world, ExitStack() as claims:
        display = Display(quiet=not world.first)
        digest = None
        if world.first and cfg.predictions is None:
            with suppress(OSError):  # reported when it is opened
                digest = sha256(weights_path(cfg.checkpoint or BUNDLED))
        settings = plain(cfg) | {"checkpoint": None, "model_sha256": digest}  # its path does not matter
        output = OutputFolder(_output(cfg), "eval", settings, cfg.overwrite, Library("eval").primary)
        world.from_first(lambda: claims.enter_context(output.claimed((METRICS, REPORT, *FILES))) or None)
        candidate = _open(cfg, "checkpoint" if cfg.predictions is None else "predictions", None, display, digest)
        _refuse_inside_data(output.root, candidate.split.data.get("root"))  # maybe recorded in the checkpoint
        # before anything is scored: an unusable baseline must not cost an evaluation
        old = None if cfg.baseline is None else _open(cfg, "baseline", candidate.split, display)
        result = candidate.score(display, world)
        old_result = None if old is None else old.score(display, world)
        if not world.first:
            return 0
        try:
            _finish(output, result, old_result, candidate.split.source, display)
            code = 0
        except OSError as error:
            reason = error.strerror or error
            display.line(f"output={output.root}: the results cannot be written ({reason}); the folder is unchanged")
            code = 1
        if cfg.calibrate:
            display.lines(summary_lines(result.about["calibration"], cfg.checkpoint))
            return code if result.about["calibration"] else 1
    return code


def _open(
    cfg: DictConfig, key: str, split: EvalSplit | None, display: Display, digest: str | None = None
) -> CheckpointScorer | ResultFiles:
    """What is scored. key: of the config. split: None: as `cfg` or the checkpoint say."""
    named = cfg[key] or BUNDLED
    if key == "predictions" or (key == "baseline" and named != BUNDLED and holds_results(Path(named))):
        return ResultFiles(cfg, key, Path(named), split, display)
    return CheckpointScorer(cfg, named, split, display, digest)


def _output(cfg: DictConfig) -> Path:
    """The folder of the results. Raises UserError if this call would overwrite its input or write to the data set."""
    output = Path(cfg.output)
    _refuse_inside_data(output, None if cfg.data is None else cfg.data.get("root"))
    for key in ("predictions", "baseline"):
        read = None if cfg[key] in (None, BUNDLED) else Path(cfg[key]).resolve()
        written = [(output / name).resolve() for name in BOX_FILES]
        if read is not None and any(read == place or place in read.parents for place in written):
            raise UserError(f"{key}={cfg[key]}: this call writes there; choose another output= than {output}")
    return output


def _refuse_inside_data(output: Path, root: str | None) -> None:
    if root is not None and output.resolve().is_relative_to(Path(root).resolve()):
        raise UserError(f"output={output} is inside data.root={root}, which is never written to: choose another output")


def _finish(output: OutputFolder, result: EvalResult, old: EvalResult | None, source: Source, display: Display) -> None:
    """Print the score and write the results. Raises OSError; then nothing was written."""
    result = with_unique_names(result, source)
    analysis = ErrorAnalysis(result.metric, result.samples)
    content, baseline = analysis.to_dict() | result.about, None
    display.lines(_score_lines(analysis))
    if old is not None:
        old = with_unique_names(old, source)
        before = ErrorAnalysis(old.metric, old.samples)
        change = compare_scores(before.rows, result.metric.images)
        baseline = Baseline(_name(old), before, change)
        content["baseline"] = old.about | before.to_dict() | {"change": change._asdict()}
        scores = score_text(before.score._asdict())
        display.line(f"compared with {baseline.name}, {scores}: {describe_change(change)}")
        display.line(f"regions: {change.gained} gained, {change.lost} lost")

    too_long: list[str] = []
    with output.writing() as folder:
        text = json.dumps(content, indent=1, allow_nan=False)
        (folder / METRICS).write_text(text + "\n", encoding="utf-8")
        write_tables(folder, analysis)
        if "checkpoint" in result.about:  # else the boxes were read from files
            too_long = write_results(folder, result.samples)
        title, lines = f"Evaluation of {_name(result)}", [result.line]
        write_report(folder / REPORT, title, lines, analysis, lambda image: source.load(image).image, baseline)
    if too_long:
        display.line(f"note: {count(len(too_long), 'image')} with names too long for {BOXES}/ are in the zips only")
    display.line(f"wrote {output.root / REPORT} and the numbers in the same folder")


def _name(result: EvalResult) -> str:
    return str(result.about.get("checkpoint") or result.about["predictions"])


def _score_lines(analysis: ErrorAnalysis) -> list[str]:
    """The score, its intervals and its mistakes, one line each."""
    size = f"{count(len(analysis.rows), 'image')}, {count(analysis.score.care_regions, 'region')}"
    lines = [f"{score_text(analysis.score._asdict())}  ({size})"]
    ends = [f"{name} {ends[0]:.3f} to {ends[1]:.3f}" for name, ends in analysis.interval_95.items() if ends is not None]
    if ends:
        lines.append(f"95 % intervals, over images: {', '.join(ends)}")
    counts = [f"{kind} {number}" for kind, number in count_mistakes(analysis.mistakes).items() if number]
    if counts:
        lines.append(f"mistakes: {', '.join(counts)}")
    if analysis.fit is not None:
        lines.append(f"matched boxes: IoU {analysis.fit.iou:.3f}, area {analysis.fit.area_ratio:.2f} of the region's")
    return lines
