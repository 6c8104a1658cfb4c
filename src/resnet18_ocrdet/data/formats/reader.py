"""The contract of a label format, and the list of all label formats.

To add one: write a module here with the members of `LabelFormat`, list it in FORMATS, and write conf/data/<key>.yaml,
which makes the key a choice of `data.dialect`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ..findings import Report
from ..record import LabelRecord
from . import (
    coco,
    ctw1500,
    cvat,
    doctr,
    dota,
    folders,
    hiertext,
    icdar2013,
    icdar2015,
    label_studio,
    labelme,
    lsvt,
    mmocr,
    mmocr_lines,
    msra_td500,
    ppocr,
    rects,
    synthtext,
    totaltext,
    via,
    voc,
    yolo,
)


class LabelFormat(Protocol):
    """A module that reads one label format."""

    KEY: str  # value of `data.dialect`
    NAME: str  # in messages

    @property
    def IGNORE_MARKS(self) -> tuple[str, ...]:  # noqa: N802  a constant of the module
        """Transcriptions that mark a don't-care region; `data.ignore_marks` overrides them."""

    @property
    def IGNORE_FLAGS(self) -> tuple[str, ...]:  # noqa: N802
        """Flags (`Region.flag`) that the tool's own loader takes as don't-care; `data.ignore_flags` overrides them."""

    def recognise(self, root: Path) -> str | None:
        """Describe in a few words what in this folder shows the format; None if nothing does."""

    def read(self, root: Path, report: Report, marks: Sequence[str]) -> dict[str, list[LabelRecord]]:
        """Read the splits that exist: "train", "val", "test". Coordinates are returned as written.

        Entries that cannot be read are reported, with file and line, and skipped. Raises UserError if `root` does not
        hold a data set of this format."""


class LevelledFormat(LabelFormat, Protocol):
    """A module that reads a format with outlines at several levels, of which `data.level` chooses one."""

    @property
    def LEVELS(self) -> tuple[str, ...]:  # noqa: N802
        """Among "word", "line" and "paragraph"; the default comes first."""

    def read(self, root: Path, report: Report, marks: Sequence[str], level: str = ...) -> dict[str, list[LabelRecord]]:
        """As for `LabelFormat`, at one level."""


FORMATS: tuple[LabelFormat, ...] = (
    icdar2015,
    icdar2013,
    totaltext,
    ctw1500,
    msra_td500,
    ppocr,
    mmocr,
    labelme,
    coco,
    doctr,
    voc,
    cvat,
    label_studio,
    via,
    yolo,
    dota,
    rects,
    lsvt,
    mmocr_lines,
    synthtext,
    hiertext,
    # new formats here: folders is the last resort
    folders,
)
SECOND: tuple[LabelFormat, ...] = (yolo, dota)  # not used beside another format: tools export them from its labels
BY_KEY = {label_format.KEY: label_format for label_format in FORMATS}
LEVELLED: dict[str, LevelledFormat] = {hiertext.KEY: hiertext}
FALLBACK: LabelFormat = folders  # tried last: other formats use the same folders
FILE_SUFFIXES = {  # of formats with a label file for each image
    voc.KEY: ".xml",
    labelme.KEY: ".json",
    rects.KEY: ".json",
    yolo.KEY: ".txt",
    dota.KEY: ".txt",
    folders.KEY: ".txt",
}
ICDAR_LINES: tuple[LabelFormat, ...] = (icdar2015, folders)  # with columns of `data.columns`
