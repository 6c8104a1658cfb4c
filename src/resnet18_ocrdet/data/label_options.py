"""How the labels of a data set are read: the settings of the config group `data` that are about labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .findings import MAX_LABEL_MB
from .image_checks import Coords, Exif
from .region_selection import OtherClasses, split_names

DEFAULTS: dict[str, Any] = {
    "ignore_marks": None,
    "ignore_flags": None,
    "classes": None,
    "other_classes": "mask",
    "columns": None,
    "level": None,
    "coords": "pixels",
    "exif": "auto",
    "max_label_mb": MAX_LABEL_MB,
}
"""Keys of the config group with their defaults."""


@dataclass(frozen=True)
class LabelOptions:
    """None stands for what the format has, or for all."""

    marks: Sequence[str] | None = None  # texts that mean don't-care
    flags: Sequence[str] | None = None  # flags that mean don't-care
    classes: Sequence[str] | None = None  # classes that are text
    other_classes: OtherClasses = "mask"  # what regions of other classes become
    columns: Sequence[str] | None = None  # of ICDAR lines, see `formats.columns`; None: decided from all lines
    level: str | None = None  # "word", "line" or "paragraph", for a format with several
    coords: Coords = "pixels"
    exif: Exif = "auto"
    max_label_mb: int = MAX_LABEL_MB  # larger label files are reported and not read


def options_of(data: Mapping[str, Any]) -> LabelOptions:
    """The options in a config section, which may lack keys and have others."""
    values = {key: data.get(key, default) for key, default in DEFAULTS.items()}
    marks = values.pop("ignore_marks")
    flags, classes, columns = (split_names(values.pop(key)) for key in ("ignore_flags", "classes", "columns"))
    return LabelOptions(None if marks is None else marks.split(), flags, classes, columns=columns, **values)


def changed_options(data: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a config section that are not at their defaults, with their values as typed."""
    return {key: data[key] for key, default in DEFAULTS.items() if key in data and data[key] != default}
