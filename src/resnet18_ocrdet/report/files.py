"""The tables of an evaluation, and result files in the format of the ICDAR 2015 competition."""

from __future__ import annotations

import csv
import errno
import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from ..evaluation.icdar_files import PREFIX, format_detections
from ..evaluation.metrics import EvalSample
from ..evaluation.result_archive import SUFFIX
from .analysis import ErrorAnalysis

PER_IMAGE, MISTAKES = "per_image.csv", "mistakes.csv"
BOXES, SUBMISSION, SUBMISSION_WITH_SCORES = "boxes", "submission.zip", "submission_with_scores.zip"
BOX_FILES = (BOXES, SUBMISSION, SUBMISSION_WITH_SCORES)  # may also be the input of another evaluation
FILES = (PER_IMAGE, MISTAKES, f"{BOXES}/{PREFIX}*{SUFFIX}", SUBMISSION, SUBMISSION_WITH_SCORES)  # glob patterns
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would compute such cells
FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # in a zip, so that the same boxes give the same file


def write_tables(output: Path, analysis: ErrorAnalysis) -> None:
    """Write per_image.csv, one line per image, and mistakes.csv, one line per mistake. Raises OSError."""
    heads = ["precision", "recall", "hmean", "matched", "care_regions", "care_detections"]
    rows = [(row.name, [getattr(row, head) for head in heads]) for row in analysis.rows]
    _write_csv(output / PER_IMAGE, heads, rows)
    heads = ["mistake", "regions", "detections", "best_iou"]
    rows = []
    for image, kind, regions, detections, iou in analysis.mistakes:
        values = [kind, " ".join(map(str, regions)), " ".join(map(str, detections)), f"{iou:.4f}"]
        rows.append((analysis.rows[image].name, values))
    _write_csv(output / MISTAKES, heads, rows)


def write_results(output: Path, samples: Sequence[EvalSample]) -> list[str]:
    """Write boxes/res_<image>.txt with scores, and all of them as two zips, with and without scores.

    Returns the images whose names are too long for a file; they are in the zips only. Raises OSError."""
    folder = output / BOXES
    folder.mkdir(exist_ok=True)
    files = dict(zip(result_file_names([sample.name for sample in samples]), samples, strict=True))
    too_long = []
    for name, sample in files.items():
        try:
            (folder / name).write_text(format_detections(sample.detections, with_scores=True), encoding="utf-8")
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            too_long.append(sample.name)
    for zip_name, with_scores in ((SUBMISSION, False), (SUBMISSION_WITH_SCORES, True)):
        with zipfile.ZipFile(output / zip_name, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, sample in files.items():
                written = name.encode("utf-8", "backslashreplace").decode()  # zip names must be valid UTF-8
                text = format_detections(sample.detections, with_scores)
                archive.writestr(zipfile.ZipInfo(written, FIRST_DAY), text, zipfile.ZIP_DEFLATED)
    return too_long


def result_file_names(names: Sequence[str]) -> list[str]:
    """A unique res_<image>.txt for each image: the stem of its name, with the suffix if several images have that stem.

    Folders become part of the name: `a/1.jpg` gives res_a__1.txt."""
    flat = [name.replace("/", "__") for name in names]
    stems = Counter(PurePath(name).stem for name in flat)
    short = [name if stems[PurePath(name).stem] > 1 else PurePath(name).stem for name in flat]
    chosen = short if len(set(short)) == len(short) else flat
    if len(set(chosen)) < len(chosen):
        chosen = [f"{number}_{name}" for number, name in enumerate(flat)]
    return [f"{PREFIX}{name}{SUFFIX}" for name in chosen]


def _write_csv(path: Path, heads: Sequence[str], rows: Iterable[tuple[str, list[object]]]) -> None:
    """rows: the name of an image, with a quote before it if a spreadsheet would read it as a formula, and values."""
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        table = csv.writer(file)
        table.writerow(["image", *heads])
        for name, values in rows:
            table.writerow([f"'{name}" if name.startswith(FORMULA_STARTS) else name, *values])
