"""Folders of images and ICDAR label lines, with or without list files, in the layouts of `folder_layout`.

The labels of `1.jpg` are in `1.txt`, `gt_1.txt` or `1.jpg.txt`, in the lines of `icdar_text` with the columns of
`columns`: RCTW and TD500 count difficult regions as don't-care.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..findings import Report
from ..record import LabelRecord
from .columns import DIFFICULT
from .folder_layout import find_pairs, shown_layout
from .icdar_text import ICDAR_IGNORE_MARKS
from .line_files import read_files

KEY = "folders"
NAME = "folders or lists with ICDAR lines"
IGNORE_MARKS = ICDAR_IGNORE_MARKS
IGNORE_FLAGS = (DIFFICULT,)


def recognise(root: Path) -> str | None:
    """Report the first file or folder of the layout."""
    return shown_layout(root)


def read(root: Path, report: Report, marks: Sequence[str] = IGNORE_MARKS) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist, from its list if there is one, else from its folder; images/ with labels/ is "train".

    Raises UserError if there are none, or a folder of labels is missing."""
    return read_files(find_pairs(root, report), report, marks)
