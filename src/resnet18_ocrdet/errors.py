"""Errors that a command reports in one line, without a traceback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class UserError(Exception):
    """A mistake in the user's input. The message is one line: place, value, rule."""

    exit_code = 2


class TrainingStopped(Exception):  # noqa: N818 - not a bug in the program: the numbers diverged
    """The guard stopped the training. The message is one line: what happened, where, what to do."""

    exit_code = 3

    def __init__(self, message: str, batches: Sequence[Any] = ()) -> None:
        """batches: the structures.Batch objects of the step that failed."""
        super().__init__(message)
        self.batches = batches
