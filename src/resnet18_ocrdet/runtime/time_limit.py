"""Waiting for what may never come back."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import TypeVar

T = TypeVar("T")
GRACE_SECONDS = 1.0  # for what was asked to stop


def within(seconds: float, work: Callable[[], T], stop: Callable[[], None] = lambda: None) -> T:
    """What `work` returns or raises, called in a thread of its own.

    stop: asks it to end. Raises TimeoutError after `seconds`; a thread that does not heed `stop` is left behind, and
    does not keep the process from ending."""
    results: list[T] = []
    errors: list[BaseException] = []

    def call() -> None:
        try:
            results.append(work())
        except BaseException as error:  # raised again by whoever waits
            errors.append(error)

    thread = Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        stop()
        thread.join(GRACE_SECONDS)
        raise TimeoutError
    if errors:
        raise errors[0]
    return results[0]
