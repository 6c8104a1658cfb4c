"""Folders of images and ICDAR label lines, with or without list files, in the layouts of `folder_layout`.

The labels of `1.jpg` are in `1.txt`, `gt_1.txt` or `1.jpg.txt`, in the lines of `icdar_text`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..findings import Report
from ..record import LabelRecord
from ..text_file import label_lines
from .folder_layout import find_pairs, shown_layout
from .icdar_text import ICDAR_IGNORE_MARKS, looks_like_quads, parse_lines

KEY = "folders"
NAME = "folders or lists with ICDAR lines"
IGNORE_MARKS = ICDAR_IGNORE_MARKS
IGNORE_FLAGS: tuple[str, ...] = ()


def recognise(root: Path) -> str | None:
    """Report the first file or folder of the layout."""
    return shown_layout(root)


def read(root: Path, report: Report, marks: Sequence[str] = IGNORE_MARKS) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist, from its list if there is one, else from its folder; images/ with labels/ is "train".

    Raises UserError if there are none, or a folder of labels is missing."""
    pairs = find_pairs(root, report)
    lines = {label.path: label_lines(label.path, report, label.image) for found in pairs.values() for label in found}
    quads = looks_like_quads(line for text in lines.values() for line in text or ())
    return {
        split: [parse_lines(label, lines[label.path], marks, quads) for label in found]
        for split, found in pairs.items()
    }
