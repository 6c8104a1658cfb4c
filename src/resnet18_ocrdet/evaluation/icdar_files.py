"""Result files of ICDAR 2015, Challenge 4, Task 1: `res_<stem>.txt` for each image, in a folder or a zip.

Each line is one region, `x1,y1,x2,y2,x3,y3,x4,y4` or more vertices, and may end with one more number, the score.
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

from ..data.file_names import is_folder
from ..data.findings import MAX_REGIONS
from ..data.formats.icdar_text import leading_numbers
from ..data.image_guard import MAX_SIDE
from ..data.text_file import TextLine, decode_text, lines_of, quoted
from ..errors import UserError
from ..runtime.messages import one_line, printable
from ..runtime.regular_file import open_regular, read_regular
from ..structures import Detection

PREFIX, SUFFIX = "res_", ".txt"
MIN_NUMBERS = 8  # a quad
SCORE_DECIMALS = 4
MAX_FILE_BYTES = 2**26  # 64 MiB: 670 bytes for each of MAX_REGIONS
MAX_EXPANSION = 20  # total size of the files in a zip / size of the zip; numbers as text compress to a third
MIN_EXPANDED = 2**21  # bytes that any zip may expand to: 100,000 of the shortest lines
MAX_NAMED = 10  # files that one message names
ZIP_ERRORS = (  # RuntimeError: a password; the last ones were found by fuzzing
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
    """An unparsed file of a folder or a zip."""

    where: str  # its path, for messages
    name: str  # without folders
    data: bytes


def read_predictions(path: Path) -> dict[str, list[Detection]]:
    """Read all result files of a folder or a zip, sub-folders included, by the stem of their image.

    The score of a line without one is NaN. Other files are ignored. Raises UserError if there are no result files, if
    two are for one image, and, with file and line, for a line that is not a region."""
    predictions: dict[str, list[Detection]] = {}
    read_from: dict[str, str] = {}
    others: list[str] = []
    for file in folder_files(path) if is_folder(path) else zip_files(path):
        if not is_result_name(file.name):
            others.append(file.name)
            continue
        stem = file.name.removeprefix(PREFIX).removesuffix(SUFFIX)
        if stem in predictions:
            raise UserError(
                f"{file.where}: image {stem!r} already has {read_from[stem]}: only one result file per image is allowed"
            )
        read_from[stem] = file.where
        predictions[stem] = parse_detections(file)
    if not predictions:
        found = one_line(", ".join(others[:MAX_NAMED])) or "nothing"
        raise UserError(f"{path}: no result files (looked for res_<image name>.txt, found {found})")
    return predictions


def holds_results(path: Path) -> bool:
    """Whether a path is a folder, or a zip with a result file in it: a checkpoint is a zip too."""
    if is_folder(path):
        return True
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            return any(is_result_name(_name_in_zip(entry)) for entry in archive.infolist())
    except ZIP_ERRORS:
        return path.suffix.lower() == ".zip"  # damaged: reported when it is read


def parse_detections(file: ResultFile) -> list[Detection]:
    """Parse one file. Raises UserError if it is not text, for too many lines, and as `parse_detection`."""
    found: list[Detection] = []
    for line in lines_of(decode_text(file.data, file.where)):
        if len(found) == MAX_REGIONS:
            raise UserError(f"{file.where}: more than {MAX_REGIONS} regions in one image")
        found.append(parse_detection(line, file.where))
    return found


def parse_detection(line: TextLine, where: str) -> Detection:
    """Parse one line of the file `where`. Raises UserError with line, column and value."""
    numbers, starts, _ = leading_numbers(line.text, len(line.text))
    here = f"{where}:{line.number}: column"
    if rest := line.text[starts[-1] :].strip():
        raise UserError(f"{here} {starts[-1] + 1}: a result line must hold only numbers, got {quoted(rest)}")
    if len(numbers) < MIN_NUMBERS:
        raise UserError(f"{here} {starts[-1] + 1}: a region needs 8 or more numbers, got {len(numbers)}")
    used = len(numbers) - len(numbers) % 2
    for value, start in zip(numbers, starts, strict=False):
        if not abs(value) <= MAX_SIDE:
            raise UserError(f"{here} {start + 1}: {value:g} is too large (limit {MAX_SIDE})")
    score = numbers[used] if used < len(numbers) else math.nan
    return Detection(np.array(numbers[:used], np.float32).reshape(-1, 2), score)


def format_detections(detections: Sequence[Detection], with_scores: bool) -> str:
    """The content of a result file: whole pixels, and with `with_scores` the score unless it is NaN.

    The official protocol reads the score from the end of the line."""
    lines = []
    for polygon, score in detections:
        fields = [str(number) for number in np.rint(polygon).astype(np.int64).ravel()]
        if with_scores and not math.isnan(score):
            fields.append(f"{score:.{SCORE_DECIMALS}f}")
        lines.append(",".join(fields) + "\n")
    return "".join(lines)


def is_result_name(name: str) -> bool:
    """Whether a file is named res_<something>.txt."""
    return name.startswith(PREFIX) and name.endswith(SUFFIX) and len(name) > len(PREFIX) + len(SUFFIX)


def folder_files(folder: Path) -> Iterator[ResultFile]:
    """Yield all files below a folder, sorted by path; `data` of files that are not result files is empty.

    Raises UserError if one cannot be read."""
    for path in sorted(path for path in folder.rglob("*") if not is_folder(path)):
        where = printable(str(path))
        try:
            data = read_regular(path, MAX_FILE_BYTES) if is_result_name(path.name) else b""
        except OSError as error:
            raise UserError(f"{where}: cannot be read: {error.strerror or error}") from None
        yield ResultFile(where, path.name, data)


def zip_files(path: Path) -> Iterator[ResultFile]:
    """Yield all files of a zip, sub-folders included, without extracting to disk.

    Raises UserError if it is not a zip, is damaged, has a password, or expands to more than MAX_EXPANSION."""
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            limit = max(MIN_EXPANDED, MAX_EXPANSION * os.fstat(file.fileno()).st_size)
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if sum(entry.file_size for entry in entries if is_result_name(_name_in_zip(entry))) > limit:
                raise UserError(f"{path}: its files are more than {MAX_EXPANSION} times as large as the zip")
            for entry in entries:
                where, name = printable(f"{path}/{entry.filename}"), _name_in_zip(entry)
                data = _start_of(archive, entry) if is_result_name(name) else b""
                if len(data) > MAX_FILE_BYTES:
                    raise UserError(f"{where}: a result file must not be larger than {MAX_FILE_BYTES} bytes")
                yield ResultFile(where, name, data)
    except FileNotFoundError:
        raise UserError(f"{path}: no such folder or zip of result files") from None
    except ZIP_ERRORS as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        reason = " ".join(reason.split()) or type(error).__name__
        raise UserError(f"{path}: cannot be read as a zip: {reason}") from None


def _start_of(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """One byte more than a file may have, at most."""
    with archive.open(entry) as packed:
        return packed.read(MAX_FILE_BYTES + 1)


def _name_in_zip(entry: zipfile.ZipInfo) -> str:
    """The name without folders, which some programs separate with backslashes."""
    return PurePosixPath(entry.filename.replace("\\", "/")).name
