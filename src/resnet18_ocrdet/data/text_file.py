"""Text files in whatever encoding people save them, cut into numbered lines."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import NamedTuple

from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.errors import UserError

_LINE_END = re.compile(r"\r\n|\r|\n")  # not str.splitlines: it also breaks at signs that a transcription may hold


class TextLine(NamedTuple):
    """A line that is not blank."""

    number: int  # from 1
    text: str


def read_lines(path: Path) -> list[TextLine]:
    """Read the lines of a text file that are not blank. Raises UserError when it cannot be read or is no text."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    return text_lines(data, str(path))


def label_lines(path: Path, report: Report, image: Path | None) -> list[TextLine] | None:
    """Read the lines of a label file that are not blank; None where `label_text` gives none."""
    text = label_text(path, report, image)
    return None if text is None else lines_of(text)


def label_text(path: Path, report: Report, image: Path | None, blank: str = "GT002") -> str | None:
    """Read a label file as text. None, and GT006, when it cannot be read or is no text.

    A byte order mark (GT003) and another encoding than UTF-8 (GT004) are noted. image: whose labels they are. blank:
    the code for a file with nothing in it; "" for none."""
    try:
        data = path.read_bytes()
        text = decode_text(data, "")
    except OSError as error:
        report.add("GT006", path, detail=f"cannot be read: {error.strerror or error}", image=image)
        return None
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


def text_lines(data: bytes, where: str) -> list[TextLine]:
    """Cut the content of a text file, in any encoding of `decode_text`, into its lines that are not blank."""
    return lines_of(decode_text(data, where))


def lines_of(text: str) -> list[TextLine]:
    """Cut a text into its lines that are not blank."""
    return [TextLine(number, line) for number, line in enumerate(_LINE_END.split(text), start=1) if line.strip()]


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
