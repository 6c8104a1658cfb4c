"""Ctrl-C, SIGTERM and a closed terminal: finish the current step, then stop; a second one stops at once."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

HANGUP = [signal.SIGHUP] if hasattr(signal, "SIGHUP") else []  # Windows has none
SIGNALS = [signal.SIGINT, signal.SIGTERM, *HANGUP]
NOTICE = b"\nstopping after this step, which is saved; press Ctrl-C again to quit now\n"


class Interrupt:
    """While the block runs, the first signal is recorded and the second raises KeyboardInterrupt.

    A second one within SAME_SECONDS is ignored: `timeout` and service managers signal both the process and its
    group."""

    SAME_SECONDS = 1.0

    def __init__(self) -> None:
        self.signal: int | None = None
        self._at = 0.0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupt:
        # under `nohup` a closed terminal must change nothing
        wanted = [number for number in SIGNALS if number not in HANGUP or signal.getsignal(number) != signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._catch) for number in wanted}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def exit_code(self) -> int:
        """As a shell reports a process that the signal ended: 130, 143 or 129."""
        return 128 + (self.signal or signal.SIGINT)

    def _catch(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            if time.monotonic() - self._at < self.SAME_SECONDS:
                return
            raise KeyboardInterrupt
        self.signal, self._at = number, time.monotonic()
        with suppress(OSError):  # the terminal may be gone
            os.write(2, NOTICE)  # not print: the signal may have interrupted one
