"""Whether the labels of a data set are transcriptions, or the names of classes.

Tools such as LabelMe have one field for both. Classes repeat: few different labels for many regions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from ..record import LabelRecord

Meaning = Literal["text", "class", "either"]

TEXT_CLASS = "text"  # of regions that have no class, where a format needs one

MAX_CLASSES = 100  # different labels
REPEATED = 3  # times that a class is used, on average; of 300 words, far more than 100 differ
MAX_EITHER = 20  # different labels that may still be classes if they are not repeated so often


def meaning_of(labels: Iterable[str]) -> Meaning:
    """What the labels of a data set are, without its don't-care marks and empty ones.

    class: all are equal, or there are at most MAX_CLASSES that are used REPEATED times on average. either: they are
    few, but not repeated: person, balloon and arrow, or the words on three signs. text: otherwise."""
    counts = Counter(labels)
    different, number = len(counts), counts.total()
    if number < 2:
        return "text"
    if different == 1 or (different <= MAX_CLASSES and number >= REPEATED * different):
        return "class"
    return "either" if different <= MAX_EITHER else "text"


def with_classes(
    records: Sequence[LabelRecord], descriptions: Sequence[Sequence[str] | None], marks: Sequence[str]
) -> list[LabelRecord]:
    """The records, whose texts are the labels, with the classes that the labels are; don't-care marks stay.

    descriptions: of the regions of each record; they are the texts if the labels are classes. None: the file says what
    its labels are. Several classes without any description stay the texts, too: they may be a few words on many
    photos."""
    unsure = [(record, texts) for record, texts in zip(records, descriptions, strict=True) if texts is not None]
    labels = [label for record, _ in unsure for label, ignore in _labels(record) if label and not ignore]
    meaning = meaning_of(labels)
    if meaning == "text":
        return list(records)
    is_described = len(set(labels)) == 1 or any(text for _, texts in unsure for text in texts)
    return [
        record
        if texts is None
        else _with_class(record, texts if meaning == "class" and is_described else record.texts, marks)
        for record, texts in zip(records, descriptions, strict=True)
    ]


def _with_class(record: LabelRecord, texts: Sequence[str], marks: Sequence[str]) -> LabelRecord:
    pairs = list(zip(_labels(record), texts, strict=True))
    found = tuple(label if ignore else text for (label, ignore), text in pairs)
    return replace(
        record,
        texts=found,
        ignore=np.array([text in marks for text in found], np.bool_),
        categories=tuple("" if ignore else label for (label, ignore), _ in pairs),
    )


def _labels(record: LabelRecord) -> list[tuple[str, bool]]:
    return list(zip(record.texts, record.ignore.tolist(), strict=True))
