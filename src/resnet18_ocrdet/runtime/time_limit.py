"""Calls with a time limit."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import TypeVar

T = TypeVar("T")
GRACE_SECONDS = 1.0  # after the request to stop


def within(seconds: float, work: Callable[[], T], stop: Callable[[], None] = lambda: None) -> T:
    """Call `work` in a separate thread; returns or raises what it does.

    stop: asks it to end. Raises TimeoutError after `seconds`; a thread that ignores `stop` keeps running, but does not
    prevent the process from ending."""
    results: list[T] = []
    errors: list[BaseException] = []

    def call() -> None:
        try:
            results.append(work())
        except BaseException as error:  # raised again in the waiting thread
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
