"""Open a label file of any size as text that is read piece by piece."""

from __future__ import annotations

import codecs
import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import TextIO

from ..runtime.regular_file import CHUNK, open_regular
from .findings import Report
from .text_file import why_unreadable


class NotTextError(Exception):
    """A file that is not text."""


@contextmanager
def label_stream(path: Path, report: Report) -> Iterator[TextIO | None]:
    r"""Open a label file as text with \n as line end; None, reported as GT006, if it cannot be read or is not text.

    The encodings, the limit `report.max_label_mb` and the findings are those of `text_file.label_text`."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(open_regular(path))
            if os.fstat(file.fileno()).st_size > report.max_label_mb * 10**6:
                raise OSError(errno.EFBIG, "")
            encoding, has_mark = _encoding(file)
            file.seek(0)
        except OSError as error:
            report.add("GT006", path, detail=why_unreadable(error, report.max_label_mb))
            yield None
            return
        except NotTextError as error:
            report.add("GT006", path, detail=str(error))
            yield None
            return
        if has_mark and encoding == "utf-8":
            report.add("GT003", path)
        elif encoding != "utf-8":
            report.add("GT004", path, detail=f"read as {encoding}")
        codec = "utf-8-sig" if encoding == "utf-8" else encoding
        yield stack.enter_context(TextIOWrapper(file, codec, errors="replace", newline=None))


def _encoding(file: BufferedReader) -> tuple[str, bool]:
    """The encoding of a file, as `text_file.encoding_of`, and whether it has a byte order mark. Raises NotTextError."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    encoding, start = "utf-8", file.read(CHUNK)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", True
    chunk = start
    while True:
        if b"\0" in chunk:
            raise NotTextError(f"not a text file: contains NUL bytes, starts with {start[:12]!r}")
        try:
            decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError:
            encoding = "gb18030"
            decoder.reset()
        if not chunk:
            return encoding, start.startswith(codecs.BOM_UTF8)
        chunk = file.read(CHUNK)
