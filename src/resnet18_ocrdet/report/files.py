"""The tables of an evaluation, and result files as the ICDAR 2015 competition takes them."""

from __future__ import annotations

import csv
import errno
import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from ..evaluation.icdar_files import PREFIX, SUFFIX, format_detections
from ..evaluation.records import EvalSample
from .evidence import Evidence

PER_IMAGE, MISTAKES = "per_image.csv", "mistakes.csv"
BOXES, SUBMISSION, SUBMISSION_WITH_SCORES = "boxes", "submission.zip", "submission_with_scores.zip"
RESULTS = f"{BOXES}/{PREFIX}*{SUFFIX}"  # a pattern of the files in it
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # of cells that a spreadsheet would compute
FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # of a zip: the same boxes give the same file


def write_tables(output: Path, evidence: Evidence) -> None:
    """Write per_image.csv, a line for each image, and mistakes.csv, a line for each mistake. Raises OSError."""
    heads = ["image", "precision", "recall", "hmean", "matched", "care_regions", "care_detections"]
    rows: list[list[object]] = [
        [_as_text(row.name), *(getattr(row, head) for head in heads[1:])] for row in evidence.rows
    ]
    _write_csv(output / PER_IMAGE, heads, rows)
    rows = [
        [_as_text(evidence.rows[image].name), kind, _listed(regions), _listed(detections), f"{iou:.4f}"]
        for image, kind, regions, detections, iou in evidence.mistakes
    ]
    _write_csv(output / MISTAKES, ["image", "mistake", "regions", "detections", "best_iou"], rows)


def write_results(output: Path, answers: Sequence[EvalSample]) -> list[str]:
    """Write boxes/res_<image>.txt with scores, and all of them as one zip, with scores and without.

    Returns the images whose names are too long for a file: they are in the zips only. Raises OSError."""
    folder = output / BOXES
    folder.mkdir(exist_ok=True)
    files = dict(zip(result_names([answer.name for answer in answers]), answers, strict=True))
    too_long = []
    for name, answer in files.items():
        try:
            (folder / name).write_text(format_detections(answer.detections, with_scores=True), encoding="utf-8")
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            too_long.append(answer.name)
    for zip_name, with_scores in ((SUBMISSION, False), (SUBMISSION_WITH_SCORES, True)):
        with zipfile.ZipFile(output / zip_name, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, answer in files.items():
                written = name.encode("utf-8", "backslashreplace").decode()  # a zip takes no other names
                text = format_detections(answer.detections, with_scores)
                archive.writestr(zipfile.ZipInfo(written, FIRST_DAY), text, zipfile.ZIP_DEFLATED)
    return too_long


def result_names(names: Sequence[str]) -> list[str]:
    """res_<image>.txt for each image, all different: by the stem of its name, with the suffix where a stem is twice.

    Folders in a name, which tell images of the same name apart, become a part of it: `a/1.jpg` is res_a__1.txt."""
    flat = [name.replace("/", "__") for name in names]
    stems = Counter(PurePath(name).stem for name in flat)
    short = [name if stems[PurePath(name).stem] > 1 else PurePath(name).stem for name in flat]
    chosen = short if len(set(short)) == len(short) else flat
    if len(set(chosen)) < len(chosen):
        chosen = [f"{number}_{name}" for number, name in enumerate(flat)]
    return [f"{PREFIX}{name}{SUFFIX}" for name in chosen]


def _as_text(name: str) -> str:
    """The name of an image for a table: a quote before what a spreadsheet would take for a formula."""
    return f"'{name}" if name.startswith(FORMULA_STARTS) else name


def _listed(numbers: Iterable[int]) -> str:
    return " ".join(map(str, numbers))


def _write_csv(path: Path, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        table = csv.writer(file)
        table.writerow(heads)
        table.writerows(rows)
