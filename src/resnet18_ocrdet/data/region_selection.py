"""Which labelled regions are text to find: what the flags of labelling tools mean, and which classes are text.

Label formats only report flags and classes; here it is decided for the whole data set, and said in one line each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np

from ..errors import UserError
from ..runtime.messages import count
from .ignore_causes import MARK, OTHER_CLASS, IgnoreCauses, marks_of
from .record import LabelRecord

OtherClasses = Literal["mask", "drop"]

NONE = "none"  # data.ignore_flags=none: no flag means don't-care
MAX_NAMED = 10  # classes in one line

RecordsBySplit = dict[str, list[LabelRecord]]


class Selection(NamedTuple):
    """A data set with its decisions."""

    splits: RecordsBySplit  # without flags
    lines: tuple[str, ...]  # what was decided, one line each
    causes: Counter[str]  # don't-care regions by cause: MARK, a flag, OTHER_CLASS
    marks: tuple[str, ...] = ()  # texts of the regions that are marked


def split_names(text: str | None) -> list[str] | None:
    """The names of a setting such as `text,line`; None for None, which stands for the default."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def select_regions(
    splits: Mapping[str, Iterable[LabelRecord]],
    flags: Collection[str] = (),
    typed: bool = False,
    classes: Collection[str] | None = None,
    other: OtherClasses = "mask",
) -> Selection:
    """Decide which regions are don't-care.

    flags: those that mean it. typed: they are from the user, so one that no region has is an error. classes: those
    that are text; None: all. other: regions of other classes become don't-care, or are dropped, which trains on them
    as background. Raises UserError for flags and classes that no region has."""
    records = {split: list(found) for split, found in splits.items()}
    everything = [record for found in records.values() for record in found]
    present = Counter(flag for record in everything for written in record.flags for flag in flags_of(written))
    named = Counter(name for record in everything for name in record.categories if name)
    if typed:
        _refuse_unknown("ignore_flags", set(flags) - {NONE}, present, "flag")
    if classes is not None:
        _refuse_unknown("classes", classes, named, "class")
    marks = marks_of(Counter(text for record in everything for text in _marked(record)))
    causes: Counter[str] = Counter()
    kept = {
        split: [_decide(record, flags, classes, other, causes) for record in found] for split, found in records.items()
    }
    lines = tuple(_lines(present, flags, named, classes, other, IgnoreCauses.of(causes, marks)))
    return Selection(kept, lines, causes, marks)


def flags_of(flags: str) -> list[str]:
    """The flags of one region, which are separated by commas."""
    return [flag for flag in flags.split(",") if flag]


def _marked(record: LabelRecord) -> list[str]:
    """Texts of the regions that are don't-care by their text."""
    return [text for text, ignore in zip(record.texts, record.ignore.tolist(), strict=True) if ignore]


def _decide(
    record: LabelRecord,
    flags: Collection[str],
    classes: Collection[str] | None,
    other: OtherClasses,
    causes: Counter[str],
) -> LabelRecord:
    """One record; the causes of its don't-care regions are counted."""
    number = len(record.polygons)
    found = [MARK if ignore else "" for ignore in record.ignore.tolist()]
    for region, written in enumerate(record.flags):
        found[region] = found[region] or next((flag for flag in flags_of(written) if flag in flags), "")
    is_other = [
        classes is not None and name not in classes and bool(name or not found[region])  # a mark has no class
        for region, name in enumerate(record.categories or [""] * number)
    ]
    if other == "mask":
        found = [cause or (OTHER_CLASS if outside else "") for cause, outside in zip(found, is_other, strict=True)]
    record = replace(record, ignore=np.array([bool(cause) for cause in found], np.bool_), flags=())
    if other == "drop" and any(is_other):
        kept = [region for region in range(number) if not is_other[region]]
        record, found = record.only(kept), [found[region] for region in kept]
    causes.update(cause for cause in found if cause)
    return record


def _refuse_unknown(key: str, wanted: Collection[str], present: Counter[str], what: str) -> None:
    if unknown := sorted(set(wanted) - set(present)):
        has = f"the labels have {_listed(present)}" if present else f"the labels have no {what}"
        raise UserError(f"data.{key}: no region has the {what} {unknown[0]!r}; {has}")


def _lines(
    present: Counter[str],
    flags: Collection[str],
    named: Counter[str],
    classes: Collection[str] | None,
    other: OtherClasses,
    causes: IgnoreCauses,
) -> Iterable[str]:
    if causes.counts:
        yield f"don't-care regions by cause: {causes.listed()}"
    unused = Counter({flag: number for flag, number in present.items() if flag not in flags})
    if unused:
        first = unused.most_common(1)[0][0]
        names = ",".join([*(flag for flag in flags if flag in present), first])
        yield f"flags that do not mean don't-care: {_listed(unused)}; data.ignore_flags={names} masks {first}"
    if classes is not None:
        outside = sum(number for name, number in named.items() if name not in classes)
        done = "don't-care" if other == "mask" else "left out: they are background"
        yield f"classes: {_listed(named)}; {', '.join(classes)} is text, {count(outside, 'region')} of others {done}"
    elif len(named) > 1:
        yield f"classes: {_listed(named)}: all are text; data.classes={next(iter(named))} chooses"


def _listed(counts: Counter[str]) -> str:
    """Names with their numbers, the most frequent first."""
    shown = [f"{name} {number}" for name, number in counts.most_common(MAX_NAMED)]
    return ", ".join(shown) + (f" and {len(counts) - MAX_NAMED} more" if len(counts) > MAX_NAMED else "")
