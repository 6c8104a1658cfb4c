"""Where an entry of a label file is written, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from ..findings import MAX_REGIONS, TOO_MANY, Report
from ..record import Frame, LabelRecord, Region, to_record

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Entry = TypeVar("Entry")

MAX_IMAGES = 1_000_000  # in one label file; SynthText has 858,750


class LabelError(Exception):
    """A region, or all labels of an image, that cannot be read."""

    def __init__(self, code: str, detail: str, line: int | None = None) -> None:
        """code: of findings.CODES. detail: what was found, and the rule. line: None for that of the location."""
        super().__init__(detail)
        self.code, self.detail, self.line = code, detail, line


@dataclass
class Location:
    """Where one entry is written: its findings are reported for this location."""

    report: Report
    path: Path  # of the label file
    line: int = 0  # or number of the entry, from 1; 0 for the whole file
    image: Path | None = None  # once it is known
    entry: str = ""  # what the number counts, such as "shape 3"; "" if it is the line of a text file

    def add(self, code: str, detail: str, line: int | None = None) -> None:
        """Report a finding about this entry. line: where in a whole file it is."""
        detail = f"{self.entry}: {detail}" if self.entry else detail
        self.report.add(code, self.path, self.line if line is None else line, detail, self.image)

    def attempt(
        self, read: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result | None:
        """Call `read`; None, reported, if it raises LabelError."""
        try:
            return read(*args, **kwargs)
        except LabelError as error:
            self.add(error.code, error.detail, error.line)
            return None

    def too_many(self, regions: int) -> bool:
        """Whether an image has more regions than allowed, which is reported: all of them are lost."""
        if regions > MAX_REGIONS:
            self.add("GT028", TOO_MANY)
        return regions > MAX_REGIONS

    def record_each(
        self,
        entries: Sequence[Any],
        what: str,
        read: Callable[[Any, int], Region],
        of: str = "",
        line: int | None = None,
        stated: tuple[int, int] | None = None,
    ) -> LabelRecord:
        """The labels of an image whose regions are a list; those that cannot be read are reported and lost.

        what, of: name an entry, as in "region 3 of '1.jpg'". read: a region from an entry and its line; raises
        LabelError. line: of all entries; None: their numbers."""
        if self.too_many(len(entries)):
            return self.record([None] * len(entries))
        regions = []
        for number, entry in enumerate(entries, start=1):
            place = number if line is None else line
            where = replace(self, line=place, entry=f"{what} {number}{of and f' of {of}'}")
            regions.append(where.attempt(read, entry, place))
        return self.record(regions, stated=stated)

    def record(
        self, regions: Sequence[Region | None], stated: tuple[int, int] | None = None, frame: Frame = "unknown"
    ) -> LabelRecord:
        """`to_record` with the labels of the image, which must be known."""
        assert self.image is not None
        return to_record(self.image, self.path, regions, stated=stated, frame=frame)


def numbered(entries: Iterable[Entry]) -> Iterator[tuple[int, Entry]]:
    """Number the images of a label file, from 1. Raises LabelError for more than MAX_IMAGES."""
    for number, entry in enumerate(entries, start=1):
        if number > MAX_IMAGES:
            raise LabelError("GT006", f"more than {MAX_IMAGES} images")
        yield number, entry
