"""An input image of a call."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Item(NamedTuple):
    """One image."""

    path: Path
    relative: str  # below the input folder, with "/"
    result: Path  # name of its results, below txt/ and vis/
