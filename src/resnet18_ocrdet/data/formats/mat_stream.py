"""Read large cell arrays of a level 5 MATLAB file cell by cell, in memory for one cell (see `matlab`).

Every function raises ValueError, with the reason, for a damaged file, and OSError if it cannot be read.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple, Protocol

from ...runtime.regular_file import open_regular
from .matlab import (
    BYTE_ORDERS,
    CELL_CLASS,
    COMPRESSED,
    HEADER_BYTES,
    MATRIX,
    Array,
    Element,
    array_of,
    header_of,
)

MAX_CELL_BYTES = 2**20  # of one cell, unpacked: those of one image in SynthText have a few kB
MAX_VARIABLES = 1000
_PIECE = 2**16  # compressed bytes that are unpacked at once
_MAX_HEADER = 2**12  # bytes of the flags, dimensions and name of a variable


class Variable(NamedTuple):
    """A cell array in a file."""

    shape: tuple[int, ...]
    place: int  # of its data in the file: its header, then its cells
    size: int  # bytes of the data
    compressed: bool
    order: str  # of the bytes: < or >


class _Source(Protocol):
    def read(self, number: int) -> bytes:
        """The next bytes, fewer at the end."""


class _Plain:
    """The bytes of a variable."""

    def __init__(self, file: BufferedReader, size: int) -> None:
        self._file, self._left = file, size

    def read(self, number: int) -> bytes:
        data = self._file.read(min(number, self._left))
        self._left -= len(data)
        return data


class _Unpacked:
    """The unpacked bytes of a compressed variable."""

    def __init__(self, packed: _Plain, max_mb: int) -> None:
        self._packed, self._max_mb, self._total = packed, max_mb, 0
        self._unpacker = zlib.decompressobj()
        self._held = bytearray()

    def read(self, number: int) -> bytes:
        while len(self._held) < number and not self._unpacker.eof:
            packed = self._unpacker.unconsumed_tail or self._packed.read(_PIECE)
            if not packed:
                break
            try:
                self._held += self._unpacker.decompress(packed, _PIECE)
            except zlib.error as error:
                raise ValueError(f"damaged compression: {error}") from None
        self._total += number
        if self._total > self._max_mb * 10**6:
            raise ValueError(f"a variable of more than {self._max_mb} MB unpacked (data.max_label_mb)")
        taken = bytes(self._held[:number])
        del self._held[:number]
        return taken


def cell_arrays(path: Path) -> dict[str, Variable]:
    """The cell arrays of a file by name; other variables are passed over."""
    with open_regular(path) as file:
        header = file.read(HEADER_BYTES)
        order = BYTE_ORDERS.get(header[126:128])
        if len(header) < HEADER_BYTES or order is None:
            raise ValueError("no level 5 header")
        found: dict[str, Variable] = {}
        for _ in range(MAX_VARIABLES):
            tag = file.read(8)
            if len(tag) < 8:
                break
            kind, size = struct.unpack(f"{order}II", tag)
            start = file.tell()
            if kind in (MATRIX, COMPRESSED):
                name, variable = _variable(file, start, size, kind == COMPRESSED, order)
                if variable is not None:
                    found[name] = variable
            file.seek(start + size + (0 if kind == COMPRESSED else -size % 8))
        return found


def cells(path: Path, variable: Variable, max_mb: int) -> Iterator[Array | None]:
    """Yield the cells of a cell array, column by column; None for one that is neither text nor real numbers.

    max_mb: MB that are unpacked at most."""
    with open_regular(path) as file:
        file.seek(variable.place)
        source = _source(file, variable.size, variable.compressed, max_mb)
        if variable.compressed:
            source.read(8)  # its tag
        for _ in range(3):
            _element(source, variable.order, _MAX_HEADER)
        for _ in range(math.prod(variable.shape)):
            yield array_of(_element(source, variable.order, MAX_CELL_BYTES), variable.order)


def _variable(file: BufferedReader, start: int, size: int, compressed: bool, order: str) -> tuple[str, Variable | None]:
    """Name of a variable, and where it is; None if it is not a cell array."""
    source = _source(file, size, compressed, 1)
    if compressed:
        tag = source.read(8)
        if len(tag) < 8 or struct.unpack(f"{order}II", tag)[0] != MATRIX:
            return "", None
    elif not size:
        return "", None
    flags, sides, title = (_element(source, order, _MAX_HEADER) for _ in range(3))
    name, array_class, shape = header_of(flags, sides, title, order)
    return name, Variable(shape, start, size, compressed, order) if array_class == CELL_CLASS else None


def _source(file: BufferedReader, size: int, compressed: bool, max_mb: int) -> _Source:
    return _Unpacked(_Plain(file, size), max_mb) if compressed else _Plain(file, size)


def _element(source: _Source, order: str, limit: int) -> Element:
    """Read one element of a variable, of at most `limit` bytes."""
    tag = source.read(8)
    if len(tag) < 8:
        raise ValueError("a truncated variable")
    kind, size = struct.unpack(f"{order}II", tag)
    if kind >> 16:  # up to 4 bytes, in the tag itself
        if kind >> 16 > 4:
            raise ValueError("an element with a damaged tag")
        return Element(kind & 0xFFFF, memoryview(tag)[4 : 4 + (kind >> 16)])
    if size > limit:
        raise ValueError(f"a cell of {size} bytes, more than {limit}")
    data = source.read(size + -size % 8)
    if len(data) < size:
        raise ValueError("a truncated variable")
    return Element(kind, memoryview(data)[:size])
