"""Result files of ICDAR 2015, Challenge 4, Task 1: `res_<stem>.txt` for each image, in a folder or a zip.

A line is one region, `x1,y1,x2,y2,x3,y3,x4,y4` or more vertices, and may end with one more number, the score.
"""

from __future__ import annotations

import lzma
import math
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from resnet18_ocrdet.data.file_names import is_folder
from resnet18_ocrdet.data.findings import MAX_REGIONS
from resnet18_ocrdet.data.formats.icdar_text import MAX_COORDINATE, leading_numbers
from resnet18_ocrdet.data.text_file import TextLine, decode_text, lines_of, shown
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.runtime.messages import one_line, printable
from resnet18_ocrdet.runtime.regular_file import open_regular, read_regular
from resnet18_ocrdet.structures import Detection

PREFIX, SUFFIX = "res_", ".txt"
MIN_NUMBERS = 8  # a quad; fewer is a quad with something missing
SCORE_DECIMALS = 4
MAX_FILE_BYTES = 2**26  # 64 MiB: 670 bytes for each of MAX_REGIONS
MAX_GROWTH = 20  # times the size of a zip that its files may have together; lines of numbers shrink to a third
LEAST_GROWTH = 2**21  # bytes that any zip may grow to: 100,000 of the shortest lines
MAX_NAMED = 10  # files that one message names
ZIP_ERRORS = (  # RuntimeError: a password; the last ones were found by changing bytes at random
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    OSError,
    RuntimeError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    OverflowError,
    MemoryError,
    struct.error,
)


class ResultFile(NamedTuple):
    """A file of a folder or a zip, not yet understood."""

    where: str  # its path, for messages
    name: str  # without folders
    data: bytes


def read_predictions(path: Path) -> dict[str, list[Detection]]:
    """Read all result files of a folder or a zip, sub-folders included, by the stem of their image.

    The score of a line without one is NaN. Files of other names are passed over. Raises UserError when there is no
    result file, when two are for one image, and, with file and line, for a line that is no region."""
    files = folder_files(path) if is_folder(path) else zip_files(path)
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
        predictions[stem] = parse_detections(file)
    if not predictions:
        seen = one_line(", ".join(others[:MAX_NAMED])) or "nothing"
        raise UserError(f"{path}: no result files (looked for res_<image name>.txt, found {seen})")
    return predictions


def holds_results(path: Path) -> bool:
    """Whether a path is a folder, or a zip with a result file in it: a checkpoint is a zip too."""
    if is_folder(path):
        return True
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            return any(is_result_name(_name_in_zip(entry)) for entry in archive.infolist())
    except ZIP_ERRORS:
        return path.suffix.lower() == ".zip"  # damaged: whoever reads it says how


def parse_detections(file: ResultFile) -> list[Detection]:
    """Understand one file. Raises UserError for what is no text, for too many lines, and as `parse_detection`."""
    found: list[Detection] = []
    for line in lines_of(decode_text(file.data, file.where)):
        if len(found) == MAX_REGIONS:
            raise UserError(f"{file.where}: more than {MAX_REGIONS} regions of one image")
        found.append(parse_detection(line, file.where))
    return found


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
    for path in sorted(path for path in folder.rglob("*") if not is_folder(path)):
        where = printable(str(path))
        try:
            data = read_regular(path, MAX_FILE_BYTES) if is_result_name(path.name) else b""
        except OSError as error:
            raise UserError(f"{where}: cannot be read: {error.strerror or error}") from None
        yield ResultFile(where, path.name, data)


def zip_files(path: Path) -> Iterator[ResultFile]:
    """Go through the files of a zip, in memory: nothing is unpacked to disk. Folders inside are looked through.

    Raises UserError for what is no zip, is damaged, has a password, or holds more than its size lets expect."""
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            left = max(LEAST_GROWTH, MAX_GROWTH * os.fstat(file.fileno()).st_size)
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if sum(entry.file_size for entry in entries if is_result_name(_name_in_zip(entry))) > left:
                raise UserError(f"{path}: its files are more than {MAX_GROWTH} times as large as the zip")
            for entry in entries:
                where, name, data = printable(f"{path}/{entry.filename}"), _name_in_zip(entry), b""
                if is_result_name(name):
                    with archive.open(entry) as packed:
                        data = packed.read(MAX_FILE_BYTES + 1)
                if len(data) > MAX_FILE_BYTES:
                    raise UserError(f"{where}: more than {MAX_FILE_BYTES} bytes are too many for a result file")
                yield ResultFile(where, name, data)
    except FileNotFoundError:
        raise UserError(f"{path}: no such folder or zip of result files") from None
    except ZIP_ERRORS as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        told = " ".join(reason.split()) or type(error).__name__
        raise UserError(f"{path}: cannot be read as a zip: {told}") from None


def _name_in_zip(entry: zipfile.ZipInfo) -> str:
    """The name without folders, which some programs part by the backslash."""
    return PurePosixPath(entry.filename.replace("\\", "/")).name
