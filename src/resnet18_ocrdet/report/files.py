"""The tables of an evaluation, and result files as the ICDAR 2015 competition takes them."""

from __future__ import annotations

import csv
import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from ..results import PREFIX, SUFFIX, format_detections
from ..structures import Answer
from .evidence import Evidence

PER_IMAGE, MISTAKES = "per_image.csv", "mistakes.csv"
TEXTS, SUBMISSION, SUBMISSION_WITH_SCORES = "txt", "submission.zip", "submission_with_scores.zip"
FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # of a zip: the same boxes give the same file


def write_tables(output: Path, evidence: Evidence) -> None:
    """Write per_image.csv, a line for each image, and mistakes.csv, a line for each mistake. Raises OSError."""
    heads = ["image", "precision", "recall", "hmean", "matched", "care_regions", "care_detections"]
    rows: list[list[object]] = [[row.name, *(getattr(row, head) for head in heads[1:])] for row in evidence.rows]
    _write_csv(output / PER_IMAGE, heads, rows)
    rows = [
        [evidence.rows[image].name, kind, _listed(regions), _listed(detections), f"{iou:.4f}"]
        for image, kind, regions, detections, iou in evidence.mistakes
    ]
    _write_csv(output / MISTAKES, ["image", "mistake", "regions", "detections", "best_iou"], rows)


def write_results(output: Path, answers: Sequence[Answer]) -> None:
    """Write txt/res_<image>.txt with scores, and all of them as one zip, with scores and without. Raises OSError.

    The stem of an image's name; the whole name where two images have the same stem."""
    (output / TEXTS).mkdir(exist_ok=True)
    for old in (output / TEXTS).glob(f"{PREFIX}*{SUFFIX}"):
        old.unlink()
    stems = Counter(PurePath(answer.name).stem for answer in answers)
    files: dict[str, Answer] = {}
    for answer in answers:
        stem = PurePath(answer.name).stem
        files[f"{PREFIX}{answer.name if stems[stem] > 1 else stem}{SUFFIX}"] = answer
    for name, answer in files.items():
        (output / TEXTS / name).write_text(format_detections(answer.detections, with_scores=True), encoding="utf-8")
    for zip_name, with_scores in ((SUBMISSION, False), (SUBMISSION_WITH_SCORES, True)):
        with zipfile.ZipFile(output / zip_name, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, answer in files.items():
                entry = zipfile.ZipInfo(name, FIRST_DAY)
                archive.writestr(entry, format_detections(answer.detections, with_scores), zipfile.ZIP_DEFLATED)


def _listed(numbers: Iterable[int]) -> str:
    return " ".join(map(str, numbers))


def _write_csv(path: Path, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        table = csv.writer(file)
        table.writerow(heads)
        table.writerows(rows)
