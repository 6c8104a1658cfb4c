"""Texts that end in a don't-care mark: a column that was not recognised may stand before it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...runtime.messages import count
from ..findings import Report
from ..record import LabelRecord
from ..text_file import quoted

SHARE, AT_LEAST = 0.01, 3  # of all texts; fewer are what is written in the image


def warn_of_marks(records: Iterable[LabelRecord], marks: Sequence[str], report: Report) -> None:
    """Report, once, that many texts end in a don't-care mark (GT011): an unknown column may stand before it."""
    total, found = 0, list[tuple[LabelRecord, int]]()
    for record in records:
        total += len(record.texts)
        shown = zip(record.texts, record.ignore.tolist(), strict=True)
        found += [(record, place) for place, (text, ignore) in enumerate(shown) if not ignore and _ends(text, marks)]
    if len(found) >= max(AT_LEAST, SHARE * total):
        record, region = found[0]
        detail = f"{len(found)} of {count(total, 'text')} end in a don't-care mark: {quoted(record.texts[region])}"
        report.add("GT011", record.place, record.line(region), detail, record.image_path)


def _ends(text: str, marks: Sequence[str]) -> bool:
    """Whether a text is a don't-care mark in quotes, or ends in a comma and a mark."""
    bare = text.rstrip('" ')
    before = [bare.removesuffix(mark).rstrip('" ') for mark in marks if mark and bare.endswith(mark)]
    return any(not rest or rest.endswith(",") for rest in before)
