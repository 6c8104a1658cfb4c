"""Standard output and standard error that may go away while a command runs: `| head`, a closed terminal.

What a command is for is in files, so it goes on without a reader.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import Any, TextIO

STANDARD = (0, 1, 2)  # input, output and error
READER_GONE = (errno.EPIPE, errno.EIO)  # a pipe closed at its other end; a terminal that was closed


class Lasting:
    """A text stream whose failures end nothing. All else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.notice = ""  # told on standard error when the reader is found gone
        self.lost: OSError | None = None  # the first failure

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """As of any stream; after a failure the text goes nowhere."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._let_go(error)
        return len(text)

    def flush(self) -> None:
        """As of any stream."""
        try:
            self._stream.flush()
        except OSError as error:
            self._let_go(error)

    @property
    def full(self) -> bool:
        """Whether text was lost that somebody may be waiting for, on a full disk say."""
        return self.lost is not None and self.lost.errno not in READER_GONE

    def _let_go(self, error: OSError) -> None:
        """Lead the stream nowhere: what it still holds would fail again when the process ends."""
        if self.lost is not None:
            return
        self.lost = error
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
        if self.notice and self is not sys.stderr:
            print(f"{self.notice} ({error.strerror})", file=sys.stderr)


def make_streams_last() -> None:
    """For the whole process, once. What an encoding lacks is printed as an escape."""
    for number in STANDARD:
        try:
            os.fstat(number)
        except OSError:  # closed: the next file to be opened would get its number, and what libraries print
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = (
        stream if isinstance(stream, Lasting) or stream is None else Lasting(stream)
        for stream in (sys.stdout, sys.stderr)
    )


def announce_loss(notice: str) -> None:
    """Say so on standard error should nobody read standard output any more."""
    if isinstance(sys.stdout, Lasting):
        sys.stdout.notice = notice


def exit_code(code: int) -> int:
    """The code to end with: 1 instead of 0 where a full disk took only a part of standard output."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    full = isinstance(sys.stdout, Lasting) and sys.stdout.full
    return 1 if full and code == 0 else code
