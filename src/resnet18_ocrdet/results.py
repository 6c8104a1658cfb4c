"""Result files of ICDAR 2015, Challenge 4, Task 1: `res_<stem>.txt` for each image, in a folder or a zip.

A line is one region, `x1,y1,x2,y2,x3,y3,x4,y4` or more vertices, and may end with one more number, the score.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from resnet18_ocrdet.data.formats.icdar_text import MAX_COORDINATE, leading_numbers
from resnet18_ocrdet.data.text_file import TextLine, shown, text_lines
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.structures import Detection

PREFIX, SUFFIX = "res_", ".txt"
MIN_NUMBERS = 8  # a quad; fewer is a quad with something missing
SCORE_DECIMALS = 4
MAX_FILE_BYTES = 2**26  # 64 MiB, a million regions: more in one file of a zip is a zip bomb
MAX_NAMED = 10  # files that one message names
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, OSError, NotImplementedError, RuntimeError)  # the last for a password


class ResultFile(NamedTuple):
    """A file of a folder or a zip, not yet understood."""

    where: str  # its path, for messages
    name: str  # without folders
    data: bytes


def read_predictions(path: Path) -> dict[str, list[Detection]]:
    """Read all result files of a folder or a zip, sub-folders included, by the stem of their image.

    The score of a line without one is NaN. Files of other names are passed over. Raises UserError when there is no
    result file, when two are for one image, and, with file and line, for a line that is no region."""
    files = zip_files(path) if path.is_file() else folder_files(path)
    predictions: dict[str, list[Detection]] = {}
    read_from: dict[str, str] = {}
    others: list[str] = []
    for file in files:
        if not is_result_name(file.name):
            others.append(file.name)
            continue
        stem = file.name.removeprefix(PREFIX).removesuffix(SUFFIX)
        if stem in predictions:
            raise UserError(
                f"{file.where}: image {stem!r} already has {read_from[stem]}: one result file for each image"
            )
        read_from[stem] = file.where
        predictions[stem] = [parse_detection(line, file.where) for line in text_lines(file.data, file.where)]
    if not predictions:
        seen = ", ".join(others[:MAX_NAMED]) or "nothing"
        raise UserError(f"{path}: no result files (looked for res_<image name>.txt, found {seen})")
    return predictions


def holds_results(path: Path) -> bool:
    """Whether a path is a folder, or a zip with a result file in it: a checkpoint is a zip too."""
    if path.is_dir():
        return True
    try:
        with zipfile.ZipFile(path) as archive:
            return any(is_result_name(PurePosixPath(name.replace("\\", "/")).name) for name in archive.namelist())
    except ZIP_ERRORS:
        return path.suffix.lower() == ".zip"  # damaged: whoever reads it says how


def parse_detection(line: TextLine, where: str) -> Detection:
    """Understand one line of the file `where`. Raises UserError with line, column and value."""
    numbers, starts, _ = leading_numbers(line.text, len(line.text))
    here = f"{where}:{line.number}: column"
    if rest := line.text[starts[-1] :].strip():
        raise UserError(f"{here} {starts[-1] + 1}: a result line holds only numbers, got {shown(rest)}")
    if len(numbers) < MIN_NUMBERS:
        raise UserError(f"{here} {starts[-1] + 1}: a region needs 8 or more numbers, got only {len(numbers)}")
    used = len(numbers) - len(numbers) % 2
    for value, start in zip(numbers, starts, strict=False):
        if not abs(value) <= MAX_COORDINATE:
            raise UserError(f"{here} {start + 1}: {value:g} is too large (limit {MAX_COORDINATE})")
    score = numbers[used] if used < len(numbers) else math.nan
    return Detection(np.array(numbers[:used], np.float32).reshape(-1, 2), score)


def format_detections(detections: Sequence[Detection], with_scores: bool) -> str:
    """Write the content of a result file: whole pixels, and the score unless it is NaN or not wanted.

    The official protocol takes the score as one more number at the end of the line."""
    lines = []
    for polygon, score in detections:
        fields = [str(number) for number in np.rint(polygon).astype(np.int64).ravel()]
        if with_scores and not math.isnan(score):
            fields.append(f"{score:.{SCORE_DECIMALS}f}")
        lines.append(",".join(fields) + "\n")
    return "".join(lines)


def is_result_name(name: str) -> bool:
    """Whether a file is called res_<something>.txt."""
    return name.startswith(PREFIX) and name.endswith(SUFFIX) and len(name) > len(PREFIX) + len(SUFFIX)


def folder_files(folder: Path) -> Iterator[ResultFile]:
    """Go through the files below a folder, in the order of their paths. Raises UserError if there is no such folder.

    Only result files are opened; the content of others is left empty."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder or zip of result files")
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            yield ResultFile(str(path), path.name, path.read_bytes() if is_result_name(path.name) else b"")
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None


def zip_files(path: Path) -> Iterator[ResultFile]:
    """Go through the files of a zip, in memory: nothing is unpacked to disk. Folders inside are looked through.

    Raises UserError for what is no zip, is damaged, has a password, or holds a result file of unlikely size."""
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                where, name = f"{path}/{entry.filename}", PurePosixPath(entry.filename.replace("\\", "/")).name
                if entry.is_dir():
                    continue
                if is_result_name(name) and entry.file_size > MAX_FILE_BYTES:
                    raise UserError(f"{where}: {entry.file_size} bytes are too many for a result file")
                yield ResultFile(where, name, archive.read(entry) if is_result_name(name) else b"")
    except ZIP_ERRORS as error:
        raise UserError(f"{path}: cannot be read as a zip: {' '.join(str(error).split())}") from None
