"""What was read from a data set: its parts, in which dialect, and what is wrong with it."""

from __future__ import annotations

from typing import NamedTuple

from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.record import LabelRecord


class Reading(NamedTuple):
    """A data set as it was read."""

    dialect: str  # name of the reader module
    why: str  # what in the folder shows the dialect
    parts: dict[str, list[LabelRecord]]  # "train", "val", "test": those that are there
    report: Report
