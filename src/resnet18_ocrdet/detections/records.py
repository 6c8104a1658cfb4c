"""The record of an image that is done: a line of detections.jsonl, and an element of detections.json."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from io import BufferedReader
from itertools import chain
from pathlib import Path
from typing import Any, TypedDict

from ..inference.orientation import TURNS
from ..inference.postprocess import Decoded
from ..model.plain_values import is_number
from ..runtime.regular_file import open_regular
from ..structures import Detection, Image, Polygon, Recognition, TextLine

MIN_VERTICES = 3
SIDES = ("height", "width")
STAMP = ("bytes", "modified_ns")  # tells a file from another one of the same name
LISTS = ("polygons", "quads", "scores")
READ = ("texts", "confidences", "unread")
OPTIONAL = ("lines", *READ)

Points = list[list[float]]  # V of [x, y], px of the image


class Unread(TypedDict):
    """Why a region has no text."""

    region: int  # its index
    reason: str


class Line(TypedDict):
    """A line of text."""

    regions: list[int]  # indices, as they are read
    polygon: Points


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """The fields of the JSON, in its order. K regions."""

    image: str  # path below the input folder, with "/"
    height: int  # px
    width: int
    polygons: list[Points]  # K
    quads: list[Points]  # K, see `Detection.quad`
    scores: list[float]  # K, 0..1
    seconds: float
    bytes: int  # of the file
    modified_ns: int
    surplus: int = 0  # regions left out, see `DecodeStats`
    blank: bool = False  # nearly all of one colour
    rotation: int = 0  # degrees clockwise that turn the image upright, see `Decoded`
    dpi: float | None = None  # at which a page of a PDF was rendered
    lines: list[Line] | None = None  # None if regions were not grouped; then left out of the JSON
    texts: list[str | None] | None = None  # K; None if regions were not read; then left out of the JSON, with the next
    confidences: list[float | None] | None = None  # K, 0..1; None without a text
    unread: list[Unread] | None = None  # of each None

    @classmethod
    def of(
        cls,
        image: str,
        pixels: Image,
        found: Decoded,
        seconds: float,
        status: os.stat_result,
        blank: bool = False,
        dpi: float | None = None,
        read: bool = False,
    ) -> ImageRecord:
        """Rounded: coordinates to 0.01 px, shares and seconds to 4 digits. status: of the file when it was read. read:
        whether the regions have readings."""
        return cls(
            image,
            height=pixels.shape[0],
            width=pixels.shape[1],
            polygons=[_points(each.polygon) for each in found.detections],
            quads=[_points(each.quad) for each in found.detections],
            scores=[round(each.score, 4) for each in found.detections],
            seconds=round(seconds, 4),
            bytes=status.st_size,
            modified_ns=status.st_mtime_ns,
            surplus=found.stages.surplus,
            blank=blank,
            rotation=found.rotation,
            dpi=None if dpi is None else round(dpi, 2),
            lines=None if found.lines is None else [_line(each) for each in found.lines],
            **(_texts(found.detections) if read else {}),
        )

    @classmethod
    def from_json(cls, line: str) -> ImageRecord:
        """Parse one line. Raises ValueError, or RecursionError, for anything that is not a record."""
        value = json.loads(line, parse_constant=_refuse)
        if not _is_record(value):
            raise ValueError("not the record of an image")
        return cls(**{name: value[name] for name in cls.__slots__ if name in value})

    def to_json(self) -> str:
        """One line, without its end."""
        value = {name: getattr(self, name) for name in self.__slots__}
        for name in OPTIONAL:
            if value[name] is None:
                del value[name]
        return json.dumps(value, ensure_ascii=False, allow_nan=False)

    def is_of(self, path: Path) -> bool:
        """Whether it was made from this very file."""
        try:
            status = path.stat()
        except OSError:
            return False
        return (self.bytes, self.modified_ns) == (status.st_size, status.st_mtime_ns)


def read_records(path: Path) -> Iterator[tuple[ImageRecord, int]]:
    """Each record of a `.jsonl` file with the offset of its line. Raises OSError.

    Lines that are incomplete or not a record are skipped: their images count as not done."""
    with open_regular(path) as file:
        offset = 0
        for line in file:
            with suppress(ValueError, RecursionError):
                yield ImageRecord.from_json(line.decode("utf-8")), offset
            offset += len(line)


def lines_at(places: Iterable[tuple[Path, int]]) -> Iterator[str]:
    """The lines at these offsets of files, without their ends. Raises OSError."""
    with ExitStack() as stack:
        files: dict[Path, BufferedReader] = {}
        for path, offset in places:
            if path not in files:
                files[path] = stack.enter_context(open_regular(path))
            files[path].seek(offset)
            yield files[path].readline().decode("utf-8").rstrip("\n")


def _points(polygon: Polygon) -> Points:
    return [[round(float(x), 2), round(float(y), 2)] for x, y in polygon]


def _texts(detections: Sequence[Detection]) -> dict[str, Any]:
    """The fields about what was read."""
    readings = [each.recognition or Recognition(reason="not read") for each in detections]
    return {
        "texts": [each.text for each in readings],
        "confidences": [None if each.confidence is None else round(each.confidence, 4) for each in readings],
        "unread": [{"region": n, "reason": each.reason} for n, each in enumerate(readings) if each.text is None],
    }


def _line(line: TextLine) -> Line:
    return {"regions": list(line.regions), "polygon": _points(line.quad)}


def _is_record(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("image"), str) or not is_number(value.get("seconds")):
        return False
    if not all(type(value.get(key)) is int for key in (*SIDES, *STAMP)) or min(value[key] for key in SIDES) < 1:
        return False
    if (
        type(value.get("surplus", 0)) is not int
        or value.get("rotation", 0) not in TURNS
        or type(value.get("blank", False)) is not bool
    ):
        return False
    if (dpi := value.get("dpi")) is not None and not is_number(dpi):
        return False
    lists: list[Any] = [value.get(key) for key in LISTS]
    if not all(isinstance(each, list) for each in lists) or len(set(map(len, lists))) != 1:
        return False
    polygons, quads, scores = lists
    if "lines" in value and not _are_lines(value["lines"], len(scores)):
        return False
    if "texts" in value and not _are_texts(value, len(scores)):
        return False
    return all(map(_is_outline, [*polygons, *quads])) and all(map(is_number, scores))


def _are_lines(value: Any, count: int) -> bool:
    """Whether each of `count` regions is in one line."""
    if not isinstance(value, list) or not all(isinstance(line, dict) for line in value):
        return False
    regions = [line.get("regions") for line in value]
    if not all(isinstance(each, list) and all(type(index) is int for index in each) for each in regions):
        return False
    return sorted(chain.from_iterable(regions)) == [*range(count)] and all(
        _is_outline(line.get("polygon")) for line in value
    )


def _are_texts(value: dict[str, Any], count: int) -> bool:
    """Whether each of `count` regions has a text and its confidence, or a reason."""
    lists: list[Any] = [value.get(name) for name in READ]
    if not all(isinstance(each, list) for each in lists) or not count == len(lists[0]) == len(lists[1]):
        return False
    texts, confidences, unread = lists
    for text, confidence in zip(texts, confidences, strict=True):
        if text is None and confidence is None:
            continue
        if not isinstance(text, str) or not is_number(confidence):
            return False
    if not all(isinstance(each, dict) and isinstance(each.get("reason"), str) for each in unread):
        return False
    return [each.get("region") for each in unread] == [index for index, text in enumerate(texts) if text is None]


def _is_outline(value: Any) -> bool:
    if not isinstance(value, list) or len(value) < MIN_VERTICES:
        return False
    return all(isinstance(point, list) and len(point) == 2 and all(map(is_number, point)) for point in value)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
