"""What the attributes of a region mean, whose names are chosen by the users of a labelling tool.

- The transcription is the first attribute of TEXT_NAMES with a value, in any case: "text", "Transcription".
- The class is the first of CLASS_NAMES. If there is none, and no transcription, `label`, `name` or the only attribute
  is the class in some data sets and the text in others; `settle_labels` decides it for a whole data set.
- A flag is one of FLAG_NAMES, or "occluded", that is set: true, 1, yes, or a ticked box. `legible: false` and
  `legibility: illegible` are the flag "illegible".
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
ILLEGIBLE = "illegible"
FLAG_NAMES = ("difficult", "ignore", ILLEGIBLE)  # that mean don't-care
OCCLUDED = "occluded"  # does not: it can be read, or be ticked for a corner
LEGIBILITY_NAMES = ("legible", "legibility")
ILLEGIBLE_WORDS = (ILLEGIBLE, "unreadable", "false", "no", "0")  # values of one of them
_NO_LABELS = {*FLAG_NAMES, OCCLUDED, *LEGIBILITY_NAMES}
MAX_CLASSES = 20  # different values; more are texts


class Meaning(NamedTuple):
    """What the attributes of a region say; "" for nothing."""

    text: str
    category: str
    flag: str  # or several, as in `Region`


def read_attributes(attributes: Mapping[str, Any], text_names: Sequence[str] = ()) -> Meaning:
    """Text, class and flags by the names of the attributes. text_names: more of a transcription, in lower case."""
    values = _by_name(attributes)
    text, category = (_first_named(values, names) for names in ((*TEXT_NAMES, *text_names), CLASS_NAMES))
    return Meaning(text, category, _flags(values))


def read_free_attributes(attributes: Mapping[str, Any]) -> Meaning:
    """The same if nothing but the attributes tells the class. Text and class are equal if the names do not tell."""
    values = _by_name(attributes)
    text, category, flag = read_attributes(values)
    label = _first_named(values, LABEL_NAMES)
    if text:
        return Meaning(text, category or label, flag)
    if category:
        return Meaning(label, category, flag)
    if not label and len(values) == 1 and not values.keys() & _NO_LABELS:
        label = value_of(next(iter(values.values())))
    return Meaning(label, label, flag)


def _by_name(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name).strip().lower(): value for name, value in attributes.items()}


def _first_named(values: Mapping[str, Any], names: Sequence[str]) -> str:
    return next((text for name in names if (text := value_of(values.get(name)))), "")


def _flags(values: Mapping[str, Any]) -> str:
    """The flags that are set, separated by commas."""
    found = [name for name in (*FLAG_NAMES, OCCLUDED) if _is_ticked(values.get(name))]
    if ILLEGIBLE not in found and any(_word(values.get(name)) in ILLEGIBLE_WORDS for name in LEGIBILITY_NAMES):
        found.insert(0, ILLEGIBLE)
    return ",".join(found)


def _is_ticked(value: Any) -> bool:
    return any(map(is_set, value.values())) if isinstance(value, dict) else is_set(value)


def _word(value: Any) -> str:
    """A value in lower case; "true" or "false" for a boolean."""
    return str(value).lower() if isinstance(value, bool) else value_of(value).lower()


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
