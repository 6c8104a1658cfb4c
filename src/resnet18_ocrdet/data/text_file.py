"""Text files in whatever encoding people save them, cut into numbered lines."""

from __future__ import annotations

import codecs
import errno
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from resnet18_ocrdet.data.findings import MAX_LABEL_MB, MAX_REGIONS, Report
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.runtime.regular_file import read_regular

MB = 10**6  # bytes
_FIRST_SIGN = re.compile(r"\S[^\r\n]*+")  # and the rest of its line
_LINE_END = re.compile(r"\r\n|\r|\n")  # not str.splitlines: it also breaks at signs that a transcription may hold


class TextLine(NamedTuple):
    """A line that is not blank."""

    number: int  # from 1
    text: str


def read_lines(path: Path, max_mb: int = MAX_LABEL_MB) -> list[TextLine]:
    """Read the lines of a text file that are not blank.

    Raises UserError when it cannot be read, has more than `max_mb` MB, or is no text."""
    try:
        data = read_limited(path, max_mb)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    return text_lines(data, str(path))


def read_limited(path: Path, max_mb: int) -> bytes:
    """Read a file whole. Raises OSError as `read_regular`; one that is too large names the key of the limit."""
    try:
        return read_regular(path, max_mb * MB)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise OSError(errno.EFBIG, f"larger than {max_mb} MB (data.max_label_mb)") from None
        raise


def label_lines(path: Path, report: Report, image: Path | None) -> list[TextLine] | None:
    """Read the lines of a label file that are not blank, at most one more than an image may have regions.

    None where `label_text` gives none."""
    text = label_text(path, report, image)
    return None if text is None else list(islice(lines_of(text), MAX_REGIONS + 1))


def label_text(path: Path, report: Report, image: Path | None, blank: str = "GT002") -> str | None:
    """Read a label file as text. None, and GT006, when it cannot be read or is no text.

    A byte order mark (GT003) and another encoding than UTF-8 (GT004) are noted. image: whose labels they are. blank:
    the code for a file with nothing in it; "" for none."""
    data = label_bytes(path, report, image)
    if data is None:
        return None
    try:
        text = decode_text(data, "")
    except UserError as error:
        report.add("GT006", path, detail=str(error).removeprefix(": "), image=image)
        return None
    if data.startswith(codecs.BOM_UTF8):
        report.add("GT003", path, image=image)
    elif encoding_of(data) != "utf-8":
        report.add("GT004", path, detail=f"read as {encoding_of(data)}", image=image)
    if blank and not text.strip():
        report.add(blank, path, image=image)
    return text


def label_bytes(path: Path, report: Report, image: Path | None) -> bytes | None:
    """Read a label file whole; None, and GT006, when that fails, or it is larger than the report allows."""
    try:
        return read_limited(path, report.max_label_mb)
    except OSError as error:
        report.add("GT006", path, detail=f"cannot be read: {error.strerror or error}", image=image)
        return None


def text_lines(data: bytes, where: str) -> list[TextLine]:
    """Cut the content of a text file, in any encoding of `decode_text`, into its lines that are not blank."""
    return list(lines_of(decode_text(data, where)))


def lines_of(text: str, first: int = 1) -> Iterator[TextLine]:
    """Cut a text into its lines that are not blank, one at a time. first: the number of the first one."""
    number, end = first, 0
    for match in _FIRST_SIGN.finditer(text):
        between = text[end : match.start()]  # line ends, blank lines, blanks
        number += len(_LINE_END.findall(between))
        start = end + max(between.rfind("\n"), between.rfind("\r")) + 1
        end = match.end()
        yield TextLine(number, text[start:end])


def decode_text(data: bytes, where: str) -> str:
    """Decode UTF-8 or, by its byte order mark, UTF-16; all else as GB 18030, of which ASCII is a part.

    Bytes that fit none become replacement characters: numbers are not affected. Raises UserError, which begins with
    `where`, for something else than text."""
    encoding = encoding_of(data)
    if encoding != "utf-16" and b"\0" in data:
        raise UserError(f"{where}: not a text file: it holds NUL bytes and starts with {data[:12]!r}")
    return data.decode("utf-8-sig" if encoding == "utf-8" else encoding, errors="replace")


def encoding_of(data: bytes) -> str:
    """Tell how the content of a text file is to be decoded: "utf-8", "utf-16" or "gb18030"."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "gb18030"
    return "utf-8"


def shown(text: str) -> str:
    """Quote a piece of a file for a message, on one line and not too long."""
    return repr(text if len(text) <= 60 else text[:57] + "...")
