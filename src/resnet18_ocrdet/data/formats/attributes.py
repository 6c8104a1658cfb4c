"""What the attributes of a region mean, whose names are chosen by the users of a labelling tool.

- The transcription is the first attribute of TEXT_NAMES with a value, in any case: "text", "Transcription".
- The class is the first of CLASS_NAMES. If there is none, and no transcription, `label`, `name` or the only attribute
  is the class in some data sets and the text in others; `settle_labels` decides it for a whole data set.
- A flag is one of FLAG_NAMES that is set: true, 1, yes, or a ticked box.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from .json_file import is_set, text_of
from .split_names import ListedImage

TEXT_NAMES = ("transcription", "transcript", "text", "utf8_string", "ocr", "word", "content")
CLASS_NAMES = ("class", "category", "type")
LABEL_NAMES = ("label", "name")
FLAG_NAMES = ("difficult", "ignore", "illegible")
MAX_CLASSES = 20  # different values; more are texts


class Meaning(NamedTuple):
    """What the attributes of a region say; "" for nothing."""

    text: str
    category: str
    flag: str


def read_attributes(attributes: Mapping[str, Any]) -> Meaning:
    """Text, class and flag by the names of the attributes. Text and class are equal if the names do not tell."""
    values = {str(name).strip().lower(): value for name, value in attributes.items()}
    text, category, label = (first_named(values, names) for names in (TEXT_NAMES, CLASS_NAMES, LABEL_NAMES))
    flag = flag_of(values)
    if text:
        return Meaning(text, category or label, flag)
    if category:
        return Meaning(label, category, flag)
    if not label and len(values) == 1 and not values.keys() & FLAG_NAMES:
        label = value_of(next(iter(values.values())))
    return Meaning(label, label, flag)


def first_named(values: Mapping[str, Any], names: Sequence[str]) -> str:
    """The first of the named values that is not empty, as text. values: by name in lower case."""
    return next((text for name in names if (text := value_of(values.get(name)))), "")


def flag_of(values: Mapping[str, Any]) -> str:
    """The first of FLAG_NAMES that is set."""
    ticked = {name: any(map(is_set, value.values())) if isinstance(value, dict) else is_set(value)
              for name in FLAG_NAMES if (value := values.get(name)) is not None}  # fmt: skip
    return next((name for name, is_ticked in ticked.items() if is_ticked), "")


def value_of(value: Any) -> str:
    """The value of an attribute as text: of boxes to tick, the name of the first ticked one."""
    if isinstance(value, dict):
        return next((text_of(name) for name, is_ticked in value.items() if is_set(is_ticked)), "")
    return text_of(value)


def settle_labels(listed: Sequence[ListedImage]) -> list[ListedImage]:
    """Decide for regions whose text equals their class which of the two it is.

    They are classes if there are at most MAX_CLASSES different ones and each is used twice on average, else texts."""
    labels = Counter(
        text
        for entry in listed
        for text, category, ignore in _regions(entry)
        if text and text == category and not ignore  # a don't-care mark is a text
    )
    are_classes = len(labels) <= MAX_CLASSES and 2 * len(labels) <= labels.total()
    settled = []
    for entry in listed:
        pairs = [
            (text, category) if text != category else ("", text) if are_classes and not ignore else (text, "")
            for text, category, ignore in _regions(entry)
        ]
        texts, categories = (tuple(pair[place] for pair in pairs) for place in (0, 1))
        settled.append(entry._replace(record=replace(entry.record, texts=texts, categories=categories)))
    return settled


def _regions(entry: ListedImage) -> list[tuple[str, str, bool]]:
    """Text, class and don't-care mark of the regions of an image."""
    record = entry.record
    return list(zip(record.texts, record.categories, record.ignore.tolist(), strict=True))
