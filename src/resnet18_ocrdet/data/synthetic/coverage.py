"""Which characters a font file has: its cmap table (OpenType specification, "cmap - Character to Glyph Index Mapping").

Only the formats 4 and 12, which are those of Unicode fonts, and the characters below U+10000 are read.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...runtime.regular_file import open_regular

CHARACTERS = 0x10000
UNICODE = ((3, 10), (0, 6), (0, 4), (3, 1), (0, 3), (0, 2), (0, 1), (0, 0))  # (platform, encoding), best first


def covered(path: Path, number: int) -> NDArray[np.bool_]:
    """(65536,): whether the font, or face `number` of a collection, has a glyph for a character.

    All False for a font without a Unicode table. Raises OSError for a file that cannot be read."""
    try:
        with open_regular(path) as file:
            data = file.read()
        return _mapped(_unicode_table(data, number))
    except (struct.error, IndexError, ValueError):  # a damaged table
        return np.zeros(CHARACTERS, np.bool_)


def _unicode_table(data: bytes, number: int) -> bytes:
    """The subtable of cmap for Unicode, from its first byte; b"" without one."""
    start = struct.unpack_from(">I", data, 12 + 4 * number)[0] if data[:4] == b"ttcf" else 0
    (tables,) = struct.unpack_from(">H", data, start + 4)
    for table in range(tables):
        tag, _, offset, length = struct.unpack_from(">4s3I", data, start + 12 + 16 * table)
        if tag == b"cmap":
            cmap = data[offset : offset + length]
            (count,) = struct.unpack_from(">H", cmap, 2)
            records = [struct.unpack_from(">HHI", cmap, 4 + 8 * record) for record in range(count)]
            found = {(platform, encoding): place for platform, encoding, place in records}
            return next((cmap[found[kind] :] for kind in UNICODE if kind in found), b"")
    return b""


def _mapped(table: bytes) -> NDArray[np.bool_]:
    has = np.zeros(CHARACTERS, np.bool_)
    kind = struct.unpack_from(">H", table)[0] if table else 0
    if kind == 12:
        (count,) = struct.unpack_from(">I", table, 12)
        for first, last, glyph in np.frombuffer(table, ">u4", 3 * count, 16).reshape(-1, 3).tolist():
            has[first + (glyph == 0) : last + 1] = True
    elif kind == 4:
        segments = struct.unpack_from(">H", table, 6)[0] // 2
        words = np.frombuffer(table[: len(table) // 2 * 2], ">u2").astype(np.int64)
        lasts, firsts, deltas, offsets = (words[7 + part * segments + (part > 0) :][:segments] for part in range(4))
        lengths = np.maximum(lasts - firsts + 1, 0)
        if lengths.sum() > CHARACTERS:
            raise ValueError("segments overlap")
        segment = np.repeat(np.arange(segments), lengths)
        codes = np.arange(len(segment)) + (firsts - np.cumsum(lengths) + lengths)[segment]
        # an offset counts bytes, from where it stands to the glyph of the segment's first character
        places = 8 + 3 * segments + segment + offsets[segment] // 2 + codes - firsts[segment]
        listed = offsets[segment] > 0
        glyphs = np.where(listed, np.append(words, 0)[np.minimum(places, len(words))], codes)
        has[codes] = ((glyphs + deltas[segment]) % CHARACTERS != 0) & ((glyphs != 0) | ~listed)
    return has
