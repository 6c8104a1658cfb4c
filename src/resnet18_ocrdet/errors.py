"""What goes wrong by the user's hand, told in one line and without a traceback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class UserError(Exception):
    """A mistake in the user's input. The message is one line: the place, the value, the rule."""

    exit_code = 2


class TrainingStopped(Exception):  # noqa: N818 - the training is not at fault, its numbers are
    """Training cannot go on by itself. The message is one line: what happened, where, what to do."""

    exit_code = 3

    def __init__(self, message: str, batches: Sequence[Any] = ()) -> None:
        """batches: of structures.Batch, those of the step at which it happened."""
        super().__init__(message)
        self.batches = batches
