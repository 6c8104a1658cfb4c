"""Standard output and standard error that may close while a command runs: `| head`, a closed terminal, a full disk.

Results are in files, so the command continues without them.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import Any, TextIO

STANDARD = (0, 1, 2)  # input, output and error
CLOSED = (errno.EPIPE, errno.EIO)  # a pipe closed at its other end; a closed terminal


class SafeStream:
    """A text stream that ignores failed writes. Everything else is passed on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.notice = ""  # printed to standard error at the first failure
        self.error: OSError | None = None  # the first failure

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """As any stream; after a failure the text is dropped."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._redirect(error)
        return len(text)

    def flush(self) -> None:
        """As any stream."""
        try:
            self._stream.flush()
        except OSError as error:
            self._redirect(error)

    @property
    def lost_text(self) -> bool:
        """Whether text was lost although the stream is not closed, on a full disk for example."""
        return self.error is not None and self.error.errno not in CLOSED

    def _redirect(self, error: OSError) -> None:
        """To the null device: what the stream still holds would fail again when the process ends."""
        if self.error is not None:
            return
        self.error = error
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)
        if self.notice and self is not sys.stderr:
            print(f"{self.notice} ({error.strerror})", file=sys.stderr)


def protect_streams() -> None:
    """Once per process. Characters that the encoding does not have are escaped."""
    for number in STANDARD:
        try:
            os.fstat(number)
        except OSError:  # closed: the next file opened would get this number, and what libraries print
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = (
        stream if isinstance(stream, SafeStream) or stream is None else SafeStream(stream)
        for stream in (sys.stdout, sys.stderr)
    )


def set_notice(notice: str) -> None:
    """Print `notice` to standard error if standard output closes."""
    if isinstance(sys.stdout, SafeStream):
        sys.stdout.notice = notice


def exit_code(code: int) -> int:
    """The exit code of the process: 1 instead of 0 if standard output lost text on a full disk."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    lost = isinstance(sys.stdout, SafeStream) and sys.stdout.lost_text
    return 1 if lost and code == 0 else code
