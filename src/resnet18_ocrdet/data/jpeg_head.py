"""What the markers of a JPEG say (ITU T.81, annex B), ten times as fast as Pillow says it."""

from __future__ import annotations

import re
from typing import NamedTuple

JPEG = b"\xff\xd8\xff"  # the first bytes
END = b"\xff\xd9"
SCAN = b"\xff\xda"

_FRAMES = [marker for marker in range(0xC0, 0xD0) if marker not in (0xC4, 0xC8, 0xCC)]
_FILL = 0xFF  # any number of these may stand before a marker
_BARE = (0x00, 0x01, *range(0xD0, 0xDA))  # no segment with a length follows
_MARKER = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd8]")  # between coded pixels, in which 0xFF is followed by 0


class JpegHead(NamedTuple):
    """What stands before the first scan."""

    size: tuple[int, int] | None  # height and width as they are stored; None where the markers do not tell for sure
    end: int  # where the first scan begins, if it does


def jpeg_head(raw: bytes) -> JpegHead:
    """Walk the markers up to the first scan; where something else stands between them, up to there."""
    start, size = 2, None
    while start + 1 < len(raw) and raw[start] == 0xFF and raw[start + 1] not in (*_BARE, SCAN[1]):
        marker = raw[start + 1]
        if marker in _FRAMES:
            size = int.from_bytes(raw[start + 5 : start + 7], "big"), int.from_bytes(raw[start + 7 : start + 9], "big")
        start += 1 if marker == _FILL else _segment(raw, start)
    return JpegHead(size if raw.startswith(SCAN, start) else None, start)


def scan_count(raw: bytes, head: JpegHead, enough: int) -> int:
    """How often a JPEG goes over its pixels: each time may take as long as the first, in ten bytes of file.

    enough: up to this number a quick count that may be too high will do."""
    if (most := raw.count(SCAN)) <= enough or head.size is None:
        return most
    scans, place = 0, head.end
    while (found := _MARKER.search(raw, place)) and found[0] != END:  # behind it a camera may have put anything
        scans += found[0] == SCAN
        place = found.start() + _segment(raw, found.start())
    return scans


def _segment(raw: bytes, start: int) -> int:
    """Bytes of a marker and the segment that follows it."""
    return 2 + int.from_bytes(raw[start + 2 : start + 4], "big")
