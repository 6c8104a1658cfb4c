"""What ocrdet-check prints."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..check.dataset import CheckResult
from ..check.fixed_copy import COPIES, UNUSABLE
from ..check.report_json import codes_found
from ..config.override_grammar import quote
from ..data.error_policy import MissingGt, OnError
from ..data.findings import CODES, Report
from ..data.label_options import changed_options
from ..data.load_annotations import Reading
from ..data.splits import VAL_FRACTION
from ..errors import UserError
from ..model.bundled import BUNDLED
from ..runtime.messages import count
from ..train.lr_rules import FEW_IMAGES

DEFAULT_POLICY: tuple[OnError, MissingGt] = ("fix", "fail")  # of conf/data
AUTO = "auto"  # data.dialect
PLAIN = re.compile(r"(?!(?:null|true|false)\Z)[\w.-]+(?:,[\w.-]+)*", re.ASCII)  # names that need no quotes

Train = Callable[[OnError, MissingGt], int]
"""Number of images that ocrdet-train would use with a policy. Raises UserError if it would refuse the data set."""


def summary(root: Path, reading: Reading) -> list[str]:
    """Format and size of the data set."""
    parts = ", ".join(
        f"{split} {count(len(records), 'image')} with {count(sum(len(r.polygons) for r in records), 'region')}, "
        f"{sum(int(r.ignore.sum()) for r in records)} don't-care"
        for split, records in reading.splits.items()
    )
    lines = [f"data: {reading.dialect} ({reading.why}) in {root}", parts]
    return [*lines, *reading.chosen, *([reading.exif] if reading.exif else [])]


def finding_messages(result: CheckResult) -> list[str]:
    """One line per code, most severe first: number of findings and the first one."""
    lines = []
    for code in codes_found(result):
        found, kind = result.reading.report.of(code), CODES[code]
        remedy = f" -> {kind.remedy}" if kind.remedy else ""
        first = below_root(found[0].text, result.root)
        lines.append(f"{kind.level} {code} {kind.title}: {len(found)}, first {first}{remedy}")
    return lines or ["no findings"]


def below_root(text: str, root: Path) -> str:
    """A message with the names of files below the root as they are below it; the root itself stays as it is."""
    return text if root == Path() else re.sub(rf"(?<![^\s'\"(]){re.escape(str(root))}/(?=[^\s,;:'\")])", "", text)


def training_outcome(reading: Reading, train: Train, on_error: OnError, missing_gt: MissingGt) -> str:
    """What ocrdet-train would do with the data set."""
    try:
        used = train(on_error, missing_gt)
    except UserError as error:
        reasons = [line.removeprefix("data: ") for line in str(error).splitlines() if line.startswith("data: ")]
        return f"ocrdet-train would refuse this data set: {'; and '.join(reasons) or error}"
    return f"ocrdet-train would use {used} of {count(reading.images, 'image')}"


def needed_overrides(train: Train, on_error: OnError, missing_gt: MissingGt) -> list[str] | None:
    """The overrides with which ocrdet-train accepts the data set, fewest first; None if none help.

    on_error, missing_gt: settings of this check. Unlabelled images are skipped rather than used as images without text,
    because their text would be trained on as background."""
    candidates: tuple[tuple[OnError, MissingGt], ...] = (DEFAULT_POLICY, (on_error, missing_gt), (on_error, "skip"))
    for policy in dict.fromkeys(candidates):
        with suppress(UserError):
            train(*policy)
            named = zip(("data.on_error", "data.missing_gt"), policy, DEFAULT_POLICY, strict=True)
            return [f"{key}={value}" for key, value, default in named if value != default]
    return None


def label_overrides(data: Mapping[str, Any]) -> list[str]:
    """The overrides with which ocrdet-train reads the labels as this check did. data: section of its config."""
    changed = changed_options(data)
    if data.get("dialect", AUTO) != AUTO:
        changed["dialect"] = data["dialect"]
    return [f"data.{key}={_typed(key, str(value))}" for key, value in changed.items()]


def split_overrides(data: Mapping[str, Any]) -> list[str]:
    """The overrides that choose the same images for training and validation. data: section of the config."""
    chosen = {key: data.get(key) for key in ("train", "val")}
    return [f"data.{key}={value}" for key, value in chosen.items() if value not in (None, VAL_FRACTION)]


def _typed(key: str, text: str) -> str:
    """A value as it is typed: in quotes if it would mean something else without."""
    is_sweep = key == "ignore_marks" and "," in text  # the other keys take names, separated by commas
    return text if PLAIN.fullmatch(text) and not is_sweep else quote(text)


def suggested_commands(result: CheckResult, needed: list[str] | None, has_weights: bool) -> list[str]:
    """Training commands with the advice.

    needed: see `needed_overrides` and `label_overrides`. has_weights: starting weights are set."""
    if needed is None or not result.advice:
        return []
    data = ["data=custom", f"data.root={result.root}", *needed]
    overrides = [word for advice in result.advice for word in advice.override.split()]
    lines = [f"together: ocrdet-train {shlex.join([*data, *overrides])}"] if overrides else []
    if len(result.reading.splits.get("train", ())) < FEW_IMAGES and not has_weights:
        lines.append(
            f"with fewer than {FEW_IMAGES} images, start from trained weights; the preset sets the rest: "
            f"ocrdet-train experiment=finetune init.weights={BUNDLED} {shlex.join(data)}"
        )
    return lines


def wrote_copy(report: Report, folder: Path, form: str, copied: int, skipped: int) -> str:
    """What the cleaned copy contains. form: name of its format."""
    reasons = ", ".join(f"{code} {len(report.of(code))}" for code in ("GT001", *UNUSABLE, *COPIES) if report.of(code))
    without = f"; {count(skipped, 'image')} left out ({reasons})" if skipped else ""
    return f"wrote {count(copied, 'image')} with cleaned labels, {form}, to {folder}{without}"


def copy_command(folder: Path, data: Mapping[str, Any], refusal: str | None) -> str:
    """How to train on the copy. data: section of the config. refusal: why ocrdet-train would refuse the copy, or "";
    None if it has no images."""
    if refusal is None:
        return "there is nothing to train on: correct the errors above first"
    if refusal:
        return f"ocrdet-train would refuse the copy: {refusal}"
    words = shlex.join(["data=custom", f"data.root={folder}", *split_overrides(data)])
    return f"to train on them: ocrdet-train {words}, with the advice above except for its other data.* keys"
