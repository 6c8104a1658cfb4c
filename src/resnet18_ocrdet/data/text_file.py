"""Read text files in any common encoding, as numbered lines."""

from __future__ import annotations

import codecs
import errno
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ..errors import UserError
from ..runtime.regular_file import read_regular
from .findings import MAX_LABEL_MB, MAX_REGIONS, Report

MAX_QUOTED = 60  # characters of a text in a message

_NOT_BLANK = re.compile(r"\S[^\r\n]*+")  # from the first character of a line to its end
_LINE_END = re.compile(r"\r\n|\r|\n")  # not str.splitlines, which also splits at characters of transcriptions


class TextLine(NamedTuple):
    """A non-blank line."""

    number: int  # from 1
    text: str


def read_lines(path: Path, max_mb: int = MAX_LABEL_MB) -> list[TextLine]:
    """Read the non-blank lines of a text file.

    Raises UserError if it cannot be read, is larger than `max_mb` MB, or is not text."""
    return list(lines_of(decode_text(_read(path, max_mb), str(path))))


def _read(path: Path, max_mb: int) -> bytes:
    """Read a whole file. Raises UserError if it cannot be read, or has more than `max_mb` MB."""
    try:
        return read_regular(path, max_mb * 10**6)
    except OSError as error:
        raise UserError(f"{path}: {why_unreadable(error, max_mb)}") from None


def why_unreadable(error: OSError, max_mb: int) -> str:
    """Why a file of at most `max_mb` MB cannot be read, in a few words."""
    too_large = f"larger than {max_mb} MB (data.max_label_mb)" if error.errno == errno.EFBIG else ""
    return f"cannot be read: {too_large or error.strerror or error}"


def label_lines(path: Path, report: Report, image: Path | None) -> list[TextLine] | None:
    """Read the non-blank lines of a label file, at most one more than an image may have regions.

    None if `label_text` returns None."""
    text = label_text(path, report, image)
    return None if text is None else list(islice(lines_of(text), MAX_REGIONS + 1))


def label_text(path: Path, report: Report, image: Path | None, blank: str = "GT002") -> str | None:
    """Read a label file as text; None, reported as GT006, if it cannot be read or is not text.

    Also reported: a byte order mark (GT003), and an encoding other than UTF-8 (GT004). image: to which the labels
    belong. blank: code for an empty file; "" for none."""
    data = label_bytes(path, report, image)
    if data is None:
        return None
    try:
        text = decode_text(data, str(path))
    except UserError as error:
        report.add("GT006", path, detail=str(error).removeprefix(f"{path}: "), image=image)
        return None
    if data.startswith(codecs.BOM_UTF8):
        report.add("GT003", path, image=image)
    elif encoding_of(data) != "utf-8":
        report.add("GT004", path, detail=f"read as {encoding_of(data)}", image=image)
    if blank and not text.strip():
        report.add(blank, path, image=image)
    return text


def label_bytes(path: Path, report: Report, image: Path | None) -> bytes | None:
    """Read a whole label file; None, reported as GT006, if that fails or it is larger than `report.max_label_mb`."""
    try:
        return _read(path, report.max_label_mb)
    except UserError as error:
        report.add("GT006", path, detail=str(error).removeprefix(f"{path}: "), image=image)
        return None


def lines_of(text: str, first: int = 1) -> Iterator[TextLine]:
    """Yield the non-blank lines of a text. first: number of the first line."""
    number, end = first, 0
    for match in _NOT_BLANK.finditer(text):
        between = text[end : match.start()]  # line ends, blank lines, blanks
        number += len(_LINE_END.findall(between))
        start = end + max(between.rfind("\n"), between.rfind("\r")) + 1
        end = match.end()
        yield TextLine(number, text[start:end])


def decode_text(data: bytes, where: str) -> str:
    """Decode UTF-8, UTF-16 with a byte order mark, or GB 18030, which includes ASCII.

    Invalid bytes become replacement characters; numbers are not affected. Raises UserError, which starts with
    `where`, for data that is not text."""
    encoding = encoding_of(data)
    if encoding != "utf-16" and b"\0" in data:
        raise UserError(f"{where}: not a text file: contains NUL bytes, starts with {data[:12]!r}")
    return data.decode("utf-8-sig" if encoding == "utf-8" else encoding, errors="replace")


def encoding_of(data: bytes) -> str:
    """The encoding of a text file: "utf-8", "utf-16" or "gb18030"."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "gb18030"
    return "utf-8"


def quoted(text: str) -> str:
    """Quote text from a file in a message, on one line and not too long."""
    return repr(text if len(text) <= MAX_QUOTED else text[: MAX_QUOTED - 3] + "...")


def quoted_name(name: str) -> str:
    """Quote a file name in a message, on one line and not too long: its end tells files apart."""
    return repr(name if len(name) <= MAX_QUOTED else "..." + name[3 - MAX_QUOTED :])
