"""Read JSON of any content and encoding without crashing, look at files cheaply, describe values in messages."""

from __future__ import annotations

import codecs
import json
import os
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...runtime.messages import count
from ...runtime.regular_file import open_regular
from ..image_guard import MAX_SIDE
from ..text_file import label_text, quoted
from .location import LabelError, Location

PEEK_BYTES = 4096  # of the start and of the end of a file; holds the first entries of every format
MAX_SEARCHED = 2**26  # bytes of a file that are searched for keys
SEARCHED_KEYS = (  # that may be far from both ends of a file: behind thousands of regions, or pixels in Base64
    *("images", "annotations", "categories", "imgs", "anns", "cats", "file_name", "image_id", "bbox", "segmentation"),
    *("data_list", "metainfo", "instances", "shapes", "shape_type", "imagePath", "imageHeight", "imageData"),
    "polygons",
)
MAX_DIGITS = 4300  # of an integer, sys.int_info.default_max_str_digits; longer ones are infinite as float
ENOUGH_KEYS = (("shapes", "["), ("imageData", ""), ("data_list", "["))  # of files that need no search
_VALUE = re.compile(rb'\s*:\s*([\[{"]?)')  # what follows a key
_SURROGATE = re.compile("[\ud800-\udfff]")  # half a character, as "\ud83d" alone gives: cannot be encoded


def parse_json(text: str, line: int = 1, before: int = 0) -> Any:
    """Parse JSON; NaN, Infinity and integers of any length are numbers.

    Raises LabelError for a syntax error, and for nesting too deep to parse. line, before: number of the first line, and
    characters before the text in it."""
    try:
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            raise
        except ValueError:
            return json.loads(text, parse_int=parse_integer)
    except json.JSONDecodeError as error:
        reason = "the file is empty" if not text.strip() else f"not valid JSON: {error.msg}"
        raise LabelError("GT006", f"column {before + error.colno}: {reason}", line + error.lineno - 1) from None
    except RecursionError:
        raise LabelError("GT006", "not valid JSON: nested too deeply") from None


def parse_integer(digits: str) -> int | float:
    """Convert an integer of any length; one that is too long for `int` becomes infinite."""
    return (int if len(digits) < MAX_DIGITS else float)(digits)


def read_object(location: Location) -> dict[str, Any] | None:
    """Read a file that holds one JSON object; None, reported with line and column, if it does not."""
    text = label_text(location.path, location.report, location.image, blank="")
    return None if text is None else location.attempt(_parse_object, text)


def _parse_object(text: str) -> dict[str, Any]:
    value = parse_json(text)
    if not isinstance(value, dict):
        raise LabelError("GT006", f"holds {describe(value)}, not a JSON object")
    return value


def peek(path: Path) -> str:
    """Read the start and the end of a file as text; "" if that fails."""
    try:
        with open_regular(path) as file:
            head = file.read(PEEK_BYTES)
            rest = os.fstat(file.fileno()).st_size - len(head)
            file.seek(-min(max(rest, 0), PEEK_BYTES), 2)
            tail = file.read() if rest > 0 else b""
    except (OSError, ValueError):
        return ""
    wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    encoding = "utf-16" if wide else "utf-8-sig"
    if wide:
        tail = head[:2] + tail[len(tail) % 2 :]  # the byte order mark again, and no half code unit
    return head.decode(encoding, "replace") + "\n" + tail.decode(encoding, "replace")


def shown(path: Path, shows: Callable[[str], object]) -> bool:
    """Whether the start and end of a file show a format, or the keys that a large JSON file has in between."""
    text = peek(path)
    if shows(text):
        return True
    if not text.lstrip().startswith(("{", "[")) or any(has_key(text, key, opening) for key, opening in ENOUGH_KEYS):
        return False
    status = path.stat()
    keys = _search_keys(path, status.st_size, status.st_mtime_ns) if status.st_size > 2 * PEEK_BYTES else ""
    return bool(keys and shows(f"{text}\n{keys}"))


@lru_cache(maxsize=64)  # every format looks at the same files
def _search_keys(path: Path, size: int, changed: int) -> str:
    """Those of SEARCHED_KEYS that a file has anywhere, as `"key": [`. size, changed: tell its versions apart."""
    found: list[str] = []
    with suppress(OSError), open_regular(path) as file:
        data = file.read(MAX_SEARCHED)
        for key in SEARCHED_KEYS:
            place = data.find(b'"%s"' % key.encode())
            if place >= 0 and (match := _VALUE.match(data, place + len(key) + 2)):
                found.append(f'"{key}": {match[1].decode()}')
    return "\n".join(found)


def first_shown(root: Path, paths: Iterable[Path], shows: Callable[[str], object], sign: str) -> str | None:
    """Name the first file that shows a format, with its sign; None if none does."""
    found = next((path for path in paths if shown(path, shows)), None)
    return None if found is None else f"{found.relative_to(root).as_posix()}: {sign}"


def labels_among(paths: Iterable[Path], shows: Callable[[str], bool], named: Callable[[Path], object]) -> list[Path]:
    """Files that show a format, and broken ones that are named as it does: they are read so that they are reported."""
    return [path for path in paths if shown(path, shows) or (named(path) and not _starts_as_json(path))]


def _starts_as_json(path: Path) -> bool:
    return peek(path).lstrip().startswith(("{", "["))


def has_key(text: str, key: str, opening: str = "") -> bool:
    """Whether a piece of JSON has a key whose value starts with `opening`."""
    return re.search(rf'"{key}"\s*:\s*{re.escape(opening)}', text) is not None


def describe(value: Any) -> str:
    """Describe a JSON value in a message, on one line and not too long."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return f"a list of {count(len(value), 'value')}"
    if isinstance(value, dict):
        return "an object"
    return json.dumps(value) if value is None or isinstance(value, bool) else repr(value)[:60]


def text_of(value: Any) -> str:
    """A transcription as text: a number becomes its digits; null, booleans, lists and objects become ""."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    return _SURROGATE.sub("\ufffd", value).strip() if isinstance(value, str) else str(value)


def is_set(value: Any) -> bool:
    """Whether a flag is set: true, a number other than 0, or "true", "yes" or "1"."""
    if isinstance(value, str):
        return value.strip().lower() in ("true", "yes", "1")
    return isinstance(value, (bool, int, float)) and bool(value)


def stated_size(height: Any, width: Any) -> tuple[int, int] | None:
    """Height and width in px if both are positive integers; None otherwise."""
    sides = [side for side in (height, width) if isinstance(side, (int, float)) and not isinstance(side, bool)]
    if len(sides) < 2 or not all(1 <= side <= MAX_SIDE and side == int(side) for side in sides):
        return None
    return int(sides[0]), int(sides[1])
