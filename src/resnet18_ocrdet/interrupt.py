"""Ctrl-C and SIGTERM: finish what is in hand, then leave; a second one leaves at once."""

from __future__ import annotations

import os
import signal
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
NOTICE = b"\nstopping: this step is finished and saved first; once more to leave at once\n"


class Interrupt:
    """While the block runs, the first signal is remembered and the second raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupt:
        self._before = {number: signal.signal(number, self._catch) for number in SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def exit_code(self) -> int:
        """As a shell reports a process that the signal ended: 130 or 143."""
        return 128 + (self.signal or signal.SIGINT)

    def _catch(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number
        os.write(2, NOTICE)  # not print: the signal may have come in the middle of one
