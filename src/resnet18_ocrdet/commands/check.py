"""ocrdet-check: find problems in a data set, suggest settings, write a cleaned copy. The data set is never changed."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

from omegaconf import DictConfig

from .. import build
from ..check.advice import AdviceInput, SchedulerName, advise
from ..check.copy_formats import COPY_FORMATS, losses
from ..check.dataset import CheckResult, advice_input, check_dataset
from ..check.fixed_copy import clean_records, refuse_folder, write_fixed_copy
from ..check.report_html import write_report_html
from ..check.report_json import write_report_json
from ..config.check import plain
from ..config.interpolation import escape_interpolation
from ..config.library import Library
from ..data.cache import free_memory
from ..data.error_policy import MissingGt, OnError
from ..data.label_options import options_of
from ..data.labels import LabelledImages
from ..data.letterbox import scale_to
from ..data.load_annotations import Reading, read_data
from ..data.splits import Splits
from ..errors import UserError
from ..runtime.console import Display, duration
from ..runtime.output_folder import OutputFolder
from ..runtime.run_folder import REMEDY
from . import check_messages as messages
from .label_check import LabelAuditor, issue_messages
from .pick import pick_images
from .train_data import refuse_empty, refuse_unusable

REPORTS = ("report.json", "report.html")
FIXED = "fixed"
SCHEDULERS: dict[str, SchedulerName] = {"StepLR": "step", "Cosine": "cosine", "OneCycle": "onecycle", "Poly": "poly"}


def run(cfg: DictConfig, _: list[str]) -> int:
    """Run the check. Returns 1 if there are errors or warnings, or if the reports cannot be written; else 0."""
    if cfg.pick is not None:
        return pick_images(cfg)
    display, root, folder = Display(), Path(cfg.data.root), Path(cfg.output)
    began = time.perf_counter()
    data = cfg.data
    reading = read_data(root, data.get("dialect", "icdar2015"), options_of(data))  # data=icdar2015 has no dialect
    if not reading.images and not len(reading.report):
        raise UserError(f"data.root={root}: 0 images found")
    display.lines(messages.summary(root, reading))
    # before the check adds findings that a training does not look for
    train = _training(cfg, reading)
    outcome = messages.training_outcome(reading, train, data.on_error, data.missing_gt)
    needed = messages.needed_overrides(train, data.on_error, data.missing_gt)
    if needed is not None:
        needed += [*messages.label_overrides(data), *messages.split_overrides(data)]
    if cfg.fix_format is not None and not cfg.fix:
        raise UserError(f"fix_format={cfg.fix_format}: writes a copy only with fix=true")
    if cfg.fix:
        refuse_folder(reading.splits, folder / FIXED, cfg.overwrite, REMEDY)
    auditor = None if cfg.checkpoint is None else LabelAuditor(cfg)
    output = OutputFolder(folder, "check", plain(cfg), cfg.overwrite, Library("check").primary)
    with output.claimed(REPORTS):
        result = _check(cfg, root, reading, auditor, display)
        result = result._replace(seconds=time.perf_counter() - began)
        issues = [] if result.labels is None else issue_messages(result.labels, root)
        commands = messages.suggested_commands(result, needed, cfg.init.weights is not None)
        advice = [each.text for each in result.advice]
        display.lines([*messages.finding_messages(result), outcome, *advice, *issues, *commands])
        try:
            with output.writing() as staged:
                write_report_json(staged / REPORTS[0], result)
                write_report_html(staged / REPORTS[1], result)
        except OSError as error:
            display.line(f"output={folder}: the reports cannot be written ({error.strerror or error})")
            return 1
        display.line(f"{duration(result.seconds)}; wrote {folder / REPORTS[0]} and {folder / REPORTS[1]}")
        if cfg.fix:
            _fix(cfg, result, folder / FIXED, display)
    return 1 if any(reading.report.at(level) for level in ("error", "warning")) else 0


def _training(cfg: DictConfig, reading: Reading) -> messages.Train:
    """How many images a training with a policy would use; it raises UserError where ocrdet-train does."""
    targets, size = build.build_target_maker(cfg.train), (cfg.input_size.height, cfg.input_size.width)

    @cache
    def train(on_error: OnError, missing_gt: MissingGt) -> int:
        policy = {"on_error": on_error, "missing_gt": missing_gt, "cache": "none"}
        splits: Splits = build.instantiate(cfg.data, **policy, reading=reading)
        refuse_empty(splits, cfg)
        refuse_unusable(splits.train, targets, *size, cfg.decode.resize, cfg)
        sources = (source for source in (splits.train, splits.val, splits.test) if isinstance(source, LabelledImages))
        return len({record.image_path for source in sources for record in source.records})

    return train


def planned_training(cfg: DictConfig) -> AdviceInput:
    """The settings of the planned training; the measurements are 0."""
    size = (cfg.input_size.height, cfg.input_size.width)
    return AdviceInput(
        height=size[0],
        width=size[1],
        resize=cfg.decode.resize,
        min_text_size=cfg.train.min_text_size,
        batch_size=cfg.train.batch_size,
        accumulate=cfg.train.accumulate,
        epochs=cfg.train.epochs,
        optimizer="adamw" if "betas" in cfg.optimizer else "sgd",
        lr=cfg.optimizer.lr,
        scheduler=SCHEDULERS.get(cfg.scheduler._target_.rsplit(".", 1)[-1], "other"),
        step_size=cfg.scheduler.get("step_size"),
        backbone=cfg.model.backbone,
        perspective=cfg.augment.perspective,
        scale_min=cfg.augment.scale_min,
        scale_max=cfg.augment.scale_max,
        memory=free_memory() if build.view_size(cfg) == size else None,  # crops of a fixed size fit
    )


def _check(
    cfg: DictConfig, root: Path, reading: Reading, auditor: LabelAuditor | None, display: Display
) -> CheckResult:
    make, size = build.build_target_maker(cfg.train), (cfg.input_size.height, cfg.input_size.width)

    def factors(height: int, width: int) -> tuple[float, float]:
        return scale_to(height, width, *size, cfg.decode.resize)

    with display.progress("check", reading.images) as advance:
        result = check_dataset(root, reading, make, factors, *size, advance)
    if auditor is not None:
        result = result._replace(labels=auditor(reading, display))
    return result._replace(advice=tuple(advise(advice_input(result, planned_training(cfg)))))


def _fix(cfg: DictConfig, result: CheckResult, folder: Path, display: Display) -> None:
    """Write the cleaned copy, read it again, and say how to train on it."""
    report, form = result.reading.report, COPY_FORMATS[cfg.fix_format or "icdar"]
    parts, skipped = clean_records(result.reading.splits, report)
    with display.progress("copy", sum(map(len, parts.values()))) as advance:
        copied = write_fixed_copy(parts, folder, advance, cfg.overwrite, form)
    lost = losses((record for records in parts.values() for record in records), form, result.reading.marks)
    command = messages.copy_command(folder, cfg.data, _refusal(cfg, folder) if copied else None)
    display.lines([messages.wrote_copy(report, folder, form.name, copied, skipped), *filter(None, [lost]), command])


def _refusal(cfg: DictConfig, folder: Path) -> str:
    """Why ocrdet-train would refuse a copy; "" if it would not."""
    cfg = cfg.copy()
    cfg.data.root = escape_interpolation(str(folder))
    try:
        _training(cfg, read_data(folder))(*messages.DEFAULT_POLICY)
    except UserError as error:
        return str(error).partition("\n")[0].removeprefix("data: ")
    return ""
