"""ocrdet-check: what is wrong with a data set, what to try, and a cleaned copy; the set itself is never written to."""

from __future__ import annotations

import shlex
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from .. import build
from ..check.advice import FEW_IMAGES, advise
from ..check.checked import Checked, check_set, situation
from ..check.fixed_copy import refuse_folder, write_fixed_copy
from ..check.report_html import write_report_html
from ..check.report_json import write_report_json
from ..config.bundled import BUNDLED
from ..data.error_policy import MissingGt, OnError, Parts, settle
from ..data.findings import CODES, Level
from ..data.load_annotations import Reading
from ..data.record import LabelRecord
from ..errors import UserError
from ..geometry.polygon import clip_to_image
from ..runtime.console import Display, duration
from ..runtime.messages import count
from ..runtime.output_folder import OutputFolder
from ..runtime.run_folder import REMEDY
from .label_check import LabelJudge, told

REPORTS = ("report.json", "report.html")
FIXED = "fixed"
LEVELS: tuple[Level, ...] = ("error", "warning", "repair", "info")
UNUSABLE = ("IM051", "IM052", "IM053", "IM055", "IM060", "IM064", "QA104")  # images that the copy leaves out
NOT_THERE = "FS079"  # a name without an image
USUAL: tuple[OnError, MissingGt] = ("fix", "fail")  # conf/data
COPIES = ("FS072", "IM072")  # and those that are there already


def run(cfg: DictConfig) -> int:
    """Check as `cfg` says. Returns 1 when there are errors or warnings, or the disk takes no report; else 0."""
    display, root, folder = Display(), Path(cfg.data.root), Path(cfg.output)
    began = time.perf_counter()
    reading = build.build_reading(cfg.data)
    if not reading.images and not len(reading.report):
        raise UserError(f"data.root={root}: 0 images found")
    for line in summary(root, reading):
        display.line(line)
    trained = verdict(reading, cfg.data.on_error, cfg.data.missing_gt)
    needed = words_to_be_taken(reading, cfg.data.on_error, cfg.data.missing_gt)
    if cfg.fix:
        refuse_folder(reading.parts, folder / FIXED, cfg.overwrite, REMEDY)
    ask = None if cfg.checkpoint is None else LabelJudge(cfg)
    output = OutputFolder(folder, "check", build.plain(cfg), cfg.overwrite)
    with output.claimed(REPORTS):
        checked = _checked(cfg, root, reading, ask, display)
        checked = checked._replace(seconds=time.perf_counter() - began)
        for line in _told(checked, trained):
            display.line(line)
        for line in _words(cfg, root, checked, needed):
            display.line(line)
        try:
            with output.writing() as staged:
                write_report_json(staged / REPORTS[0], checked)
                write_report_html(staged / REPORTS[1], checked)
        except OSError as error:
            display.line(f"output={folder}: the reports cannot be written ({error.strerror or error})")
            return 1
        display.line(f"{duration(checked.seconds)}; wrote {folder / REPORTS[0]} and {folder / REPORTS[1]}")
        if cfg.fix:
            _fix(checked, folder / FIXED, cfg.overwrite, display)
    return 1 if any(reading.report.at(level) for level in ("error", "warning")) else 0


def _checked(cfg: DictConfig, root: Path, reading: Reading, ask: LabelJudge | None, display: Display) -> Checked:
    """Look at every region and image, ask the network about the labels, and find advice."""
    with display.progress("check", reading.images) as advance:
        make, scale = build.build_target_maker(cfg.train), build.build_scale(cfg)
        checked = check_set(root, reading, make, scale, cfg.input_size.height, cfg.input_size.width, advance)
    if ask is not None:
        checked = checked._replace(labels=ask(reading, display))
    return checked._replace(advice=tuple(advise(situation(checked, build.build_situation(cfg)))))


def _told(checked: Checked, trained: str) -> Iterator[str]:
    """What was found, a line each. trained: what a training would do with the set."""
    yield from findings_told(checked)
    yield trained
    yield from (hint.text for hint in checked.advice)
    if checked.labels is not None:
        yield from told(checked.labels, checked.root)


def _words(cfg: DictConfig, root: Path, checked: Checked, needed: list[str] | None) -> Iterator[str]:
    """What to type, a line each. needed: words without which a training refuses the set; None where none help."""
    words = [word for hint in checked.advice for word in hint.override.split()]
    if words and needed is not None:
        yield f"together: ocrdet-train {shlex.join(['data=custom', f'data.root={root}', *needed, *words])}"
    few = sum(len(records) for part, records in checked.reading.parts.items() if part == "train") < FEW_IMAGES
    if checked.advice and needed is not None and few and cfg.init.weights is None:
        start = shlex.join(["data=custom", f"data.root={root}", *needed])
        yield (
            f"with fewer than {FEW_IMAGES} images, start from weights that know text; the preset chooses the rest: "
            f"ocrdet-train experiment=finetune init.weights={BUNDLED} {start}"
        )


def summary(root: Path, reading: Reading) -> list[str]:
    """What the set is, and how much of it there is."""
    parts = ", ".join(
        f"{part} {count(len(records), 'image')} with {count(sum(len(r.polygons) for r in records), 'region')}, "
        f"{sum(int(r.ignore.sum()) for r in records)} don't-care"
        for part, records in reading.parts.items()
    )
    lines = [f"data: {reading.dialect} ({reading.why}) in {root}", parts]
    return [*lines, reading.exif] if reading.exif else lines


def findings_told(checked: Checked) -> list[str]:
    """One line for each kind of finding, the gravest first: its code, how often, and the first place."""
    report = checked.reading.report
    lines = []
    for level in LEVELS:
        for code in sorted(code for code in report.counts() if CODES[code].level == level):
            found, kind = report.of(code), CODES[code]
            remedy = f" -> {kind.remedy}" if kind.remedy else ""
            first = found[0].text.replace(f"{checked.root}/", "")
            lines.append(f"{level} {code} {kind.title}: {len(found)}, first {first}{remedy}")
    return lines or ["no findings"]


def verdict(reading: Reading, on_error: OnError, missing_gt: MissingGt) -> str:
    """What ocrdet-train would do with the set. Asked before the check adds findings of its own."""
    try:
        left = settle(reading.parts, reading.report, on_error, missing_gt).parts
    except UserError as error:
        reasons = [line.removeprefix("data: ") for line in str(error).splitlines() if line.startswith("data: ")]
        return f"ocrdet-train would refuse this set: {'; and '.join(reasons)}"
    used = sum(map(len, left.values()))
    return f"ocrdet-train would use {used} of {count(reading.images, 'image')}"


def words_to_be_taken(reading: Reading, on_error: OnError, missing_gt: MissingGt) -> list[str] | None:
    """What ocrdet-train has to be told to take the set, the least first; None where no such word makes it.

    on_error, missing_gt: what this check was told. Unlabelled images are left out rather than taken as images without
    text: their text would be learnt as background."""
    ways: tuple[tuple[OnError, MissingGt], ...] = (USUAL, (on_error, missing_gt), (on_error, "skip"))
    for way in ways:
        with suppress(UserError):
            settle(reading.parts, reading.report, *way)
            named = zip(("data.on_error", "data.missing_gt"), way, USUAL, strict=True)
            return [f"{key}={value}" for key, value, usual in named if value != usual]
    return None


def _fix(checked: Checked, folder: Path, overwrite: bool, display: Display) -> None:
    """Write the cleaned copy, and say what it lacks."""
    parts, out = cleaned(checked)
    with display.progress("copy", sum(map(len, parts.values()))) as advance:
        copied = write_fixed_copy(parts, folder, advance, overwrite)
    report = checked.reading.report
    why = ", ".join(f"{code} {len(report.of(code))}" for code in ("GT001", *UNUSABLE, *COPIES) if report.of(code))
    left = f"; {count(out, 'image')} left out ({why})" if out else ""
    display.line(f"wrote {count(copied, 'image')} with cleaned labels to {folder}{left}")
    words = shlex.join(["data=custom", f"data.root={folder}"])
    display.line(f"train on them: ocrdet-train {words}, with the other words of the advice above")


def cleaned(checked: Checked) -> tuple[Parts, int]:
    """The records that the copy is made of, and how many images are not: broken and unlabelled ones, second copies.

    A file that two parts list stays in the one that is not learnt from."""
    report = checked.reading.report
    broken = {finding.image for finding in report.of("GT001", *UNUSABLE)}
    copies = {finding.image for finding in report.of(*COPIES)}
    listed: Counter[Path | None] = Counter(
        record.image_path for records in checked.reading.parts.values() for record in records
    )
    kept: Parts = {}
    for part, records in sorted(checked.reading.parts.items(), key=lambda item: item[0] == "train"):
        there = {record.image_path for found in kept.values() for record in found}
        double = {path for path in copies if path in there or listed[path] == 1}
        kept[part] = [at_border(record) for record in records if record.image_path not in broken | double]
    gone = {finding.image for finding in report.at("error") if finding.code != NOT_THERE} - {None, *listed}
    return kept, checked.reading.images - sum(map(len, kept.values())) + len(gone)


def at_border(record: LabelRecord) -> LabelRecord:
    """Cut the regions of one image at its border; of several pieces the largest stays, the others are masked."""
    if record.size is None:
        return record
    height, width = record.size
    pieces = [clip_to_image(polygon, height, width) or [polygon] for polygon in record.polygons]
    places = [(region, number > 0) for region, cut in enumerate(pieces) for number in range(len(cut))]
    return replace(
        record,
        polygons=tuple(polygon for cut in pieces for polygon in cut),
        ignore=np.array([bool(record.ignore[region]) or further for region, further in places], np.bool_),
        texts=tuple(record.texts[region] for region, _ in places),
        lines=np.array([record.line(region) for region, _ in places], np.int32),
    )
