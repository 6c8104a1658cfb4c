"""report.html and report.json: what was picked and why, and what was left out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..detections.pipeline import Failed
from ..runtime.messages import count
from ..viz.html import Figure, write_page
from .picked_files import PickedFile
from .prelabels import IMAGES, LabelFormat

VERSION = 1  # of report.json
REPORTS = ("report.html", "report.json")


class LeftOut(NamedTuple):
    """Images that were not chosen from, by their paths below the input."""

    labelled: Sequence[str]  # with a label file
    like_labelled: Sequence[str]  # nearly the same picture as a labelled one
    copies: Sequence[str]  # nearly the same picture as another one
    blank: Sequence[str]  # no trace of text
    failed: Sequence[Failed]

    def rows(self) -> list[tuple[str, int]]:
        """What and how many; only what there is."""
        rows = [
            ("labelled already", len(self.labelled)),
            ("nearly the same as a labelled one", len(self.like_labelled)),
            ("nearly the same as another one", len(self.copies)),
            ("without any trace of text", len(self.blank)),
            ("unreadable", len(self.failed)),
        ]
        return [row for row in rows if row[1]]


class PickReport(NamedTuple):
    """Everything that the reports say."""

    source: Path
    network: str
    left: int  # images to choose from
    left_out: LeftOut
    files: Sequence[PickedFile]  # in the order of their ranks
    label_format: LabelFormat


def write_reports(folder: Path, report: PickReport) -> None:
    """Write both files. Raises OSError."""
    figures = [
        Figure(file.picture, f"{file.rank}. {file.pick.item.relative}: {file.pick.reason}", _prelabels(file))
        for file in report.files
        if file.picture is not None
    ]
    write_page(
        folder / REPORTS[0],
        "pick.html",
        title=f"{count(len(report.files), 'image')} of {report.source} to label first",
        report=report,
        left_out=report.left_out.rows(),
        figures=figures,
    )
    text = json.dumps(_as_json(report), ensure_ascii=False, indent=1) + "\n"
    (folder / REPORTS[1]).write_bytes(text.encode("utf-8", "backslashreplace"))


def _prelabels(file: PickedFile) -> str:
    return f" ({count(file.regions, 'pre-label')}, {file.unsure} unsure)"


def _as_json(report: PickReport) -> dict[str, Any]:
    left_out = report.left_out
    return {
        "version": VERSION,
        "input": report.source.as_posix(),
        "network": report.network,
        "left": report.left,
        "label_format": report.label_format,
        "picked": [
            {
                "rank": file.rank,
                "image": file.pick.item.relative,
                "file": f"{IMAGES}/{file.name}",
                "reason": file.pick.reason,
                "unsure": round(file.pick.unsure, 4),
                "distance": round(file.pick.distance, 4),
                "regions": file.regions,
                "unsure_regions": file.unsure,
            }
            for file in report.files
        ],
        "left_out": {
            "labelled": list(left_out.labelled),
            "like_labelled": list(left_out.like_labelled),
            "copies": list(left_out.copies),
            "blank": list(left_out.blank),
            "failed": [{"image": each.item.relative, "error": each.error} for each in left_out.failed],
        },
    }
