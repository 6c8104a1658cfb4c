"""The records of a result folder: a line of JSON for each image that is done, read as carefully as any other file."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from io import BufferedReader
from pathlib import Path
from typing import Any

from ..runtime.regular_file import open_regular

MIN_VERTICES = 3
COUNTS = ("height", "width")  # px, of the image
STAMP = ("bytes", "modified_ns")  # what tells a file from another of the same name


def read_records(path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """Each record of a `.jsonl` file with the place in it where its line begins. Raises OSError.

    A line that was cut short, or holds anything else than a record, is left out: its image counts as not done."""
    with open_regular(path) as file:
        place = 0
        for line in file:
            with suppress(ValueError, RecursionError):
                record = json.loads(line.decode("utf-8"), parse_constant=_refuse)
                if is_record(record):
                    yield record, place
            place += len(line)


def lines_at(places: Iterable[tuple[Path, int]]) -> Iterator[str]:
    """The lines that begin at these places of files, without their ends. Raises OSError."""
    with ExitStack() as stack:
        files: dict[Path, BufferedReader] = {}
        for path, place in places:
            if path not in files:
                files[path] = stack.enter_context(open_regular(path))
            files[path].seek(place)
            yield files[path].readline().decode("utf-8").rstrip("\n")


def is_record(value: Any) -> bool:
    """Whether a JSON value is the record of an image, with every part of its kind."""
    if not isinstance(value, dict) or not isinstance(value.get("image"), str):
        return False
    if not all(type(value.get(key)) is int and value[key] > 0 for key in COUNTS):
        return False
    if not all(type(value.get(key)) is int for key in STAMP) or not _is_number(value.get("seconds")):
        return False
    parts = [value.get(key) for key in ("polygons", "quads", "scores")]
    if not all(isinstance(part, list) and len(part) == len(parts[0] or ()) for part in parts):
        return False
    polygons, quads, scores = parts
    assert polygons is not None and quads is not None and scores is not None
    return all(map(_is_outline, polygons)) and all(map(_is_outline, quads)) and all(map(_is_number, scores))


def stamp(path: Path) -> dict[str, int]:
    """What tells a file from another of the same name: `bytes` and `modified_ns`. Raises OSError."""
    status = path.stat()
    return {"bytes": status.st_size, "modified_ns": status.st_mtime_ns}


def _is_outline(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) >= MIN_VERTICES
        and all(isinstance(point, list) and len(point) == 2 and all(map(_is_number, point)) for point in value)
    )


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _is_number(value: Any) -> bool:
    """Whether it is a finite number that a float holds."""
    if type(value) is int:
        return abs(value) < 2**53
    return type(value) is float and math.isfinite(value)
