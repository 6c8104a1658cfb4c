"""Parse the markers of a JPEG (ITU T.81, annex B) without decoding it."""

from __future__ import annotations

import re
from typing import NamedTuple

JPEG = b"\xff\xd8\xff"  # the first bytes
END = b"\xff\xd9"
SCAN = b"\xff\xda"

_FRAMES = [marker for marker in range(0xC0, 0xD0) if marker not in (0xC4, 0xC8, 0xCC)]
_FILL = 0xFF  # any number of these may precede a marker
_BARE = (0x00, 0x01, *range(0xD0, 0xDA))  # markers without a segment
_MARKER = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd8]")  # between entropy-coded data, in which 0xFF is followed by 0


class JpegHeader(NamedTuple):
    """What precedes the first scan."""

    size: tuple[int, int] | None  # stored height and width; None if the markers are not reliable
    end: int  # offset of the first scan, if there is one


def parse_jpeg_header(raw: bytes) -> JpegHeader:
    """Parse the markers up to the first scan, or up to the first invalid byte."""
    start, size = 2, None
    while start + 1 < len(raw) and raw[start] == 0xFF and raw[start + 1] not in (*_BARE, SCAN[1]):
        marker = raw[start + 1]
        if marker in _FRAMES:
            size = int.from_bytes(raw[start + 5 : start + 7], "big"), int.from_bytes(raw[start + 7 : start + 9], "big")
        start += 1 if marker == _FILL else _segment(raw, start)
    return JpegHeader(size if raw.startswith(SCAN, start) else None, start)


def scan_count(raw: bytes, header: JpegHeader, enough: int) -> int:
    """Number of scans of a JPEG: each may take as long to decode as the first, but needs only ten bytes in the file.

    enough: up to this number, a quick upper bound is returned."""
    if (most := raw.count(SCAN)) <= enough or header.size is None:
        return most
    scans, offset = 0, header.end
    while (found := _MARKER.search(raw, offset)) and found[0] != END:  # other data may follow the end marker
        scans += found[0] == SCAN
        offset = found.start() + _segment(raw, found.start())
    return scans


def _segment(raw: bytes, start: int) -> int:
    """Bytes of a marker and its segment."""
    return 2 + int.from_bytes(raw[start + 2 : start + 4], "big")
