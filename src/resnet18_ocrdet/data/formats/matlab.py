"""Read cell arrays of texts and numbers from level 5 MATLAB files (MathWorks, "MAT-File Format", chapter 1).

Not SciPy's reader, because damaged files can crash the process in it. Nothing in a file is executed, and every length
is checked against the bytes that exist.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np

Cell: TypeAlias = str | list[float] | None
"""Content of one cell; None if it is neither a text nor real numbers."""

HEADER_BYTES = 128
MAX_UNPACKED_BYTES = 2**20  # of one variable; label files of Total-Text have a few kB

_BYTE_ORDERS = {b"IM": "<", b"MI": ">"}  # the last two bytes of the header
_MATRIX, _COMPRESSED = 14, 15  # table 1-1, data types
_NUMBER_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXT_TYPES = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CELL_CLASS, _CHAR_CLASS, _NUMBER_CLASSES = 1, 4, range(6, 16)  # table 1-3, array types
_COMPLEX_FLAG = 0x800


class _Element(NamedTuple):
    kind: int
    data: memoryview


class _Matrix(NamedTuple):
    name: str
    array_class: int  # 0 for an empty one
    shape: tuple[int, ...]
    parts: Iterator[_Element]  # after the name: numbers, characters or cells


def read_cells(data: bytes, name: str) -> list[list[Cell]]:
    """Read the rows of the 2-D cell array `name`. Raises ValueError, with the reason, if that fails."""
    order = _BYTE_ORDERS.get(data[126:128])
    if len(data) < HEADER_BYTES or order is None:
        raise ValueError("no level 5 header")
    for element in _elements(memoryview(data)[HEADER_BYTES:], order):
        matrix = _matrix(_unpack(element, order), order)
        if matrix is not None and matrix.name == name:
            return _rows(matrix, order)
    raise ValueError(f"no variable {name}")


def _rows(matrix: _Matrix, order: str) -> list[list[Cell]]:
    if 0 in matrix.shape or not matrix.array_class:
        return []
    if matrix.array_class != _CELL_CLASS or len(matrix.shape) != 2:
        raise ValueError(f"{matrix.name} is not a 2-D cell array")
    cells = [_cell(element, order) for element in matrix.parts]
    height, width = matrix.shape
    if len(cells) != height * width:
        raise ValueError(f"{matrix.name} has {len(cells)} cells, expected {height} rows of {width}")
    return [cells[row::height] for row in range(height)]  # column by column in the file


def _cell(element: _Element, order: str) -> Cell:
    matrix = _matrix(element, order)
    if matrix is None or matrix.array_class not in (0, _CHAR_CLASS, *_NUMBER_CLASSES):
        return None
    values = next(matrix.parts, None)
    if values is None or 0 in matrix.shape:
        return []
    if matrix.array_class == _CHAR_CLASS:
        encoding = _TEXT_TYPES.get(values.kind)
        if encoding in ("utf-16", "utf-32"):
            encoding += "-le" if order == "<" else "-be"
        return bytes(values.data).decode(encoding, "replace") if encoding else None
    numbers = _numbers(values, order)
    return numbers if len(numbers) == math.prod(matrix.shape) else None


def _matrix(element: _Element, order: str) -> _Matrix | None:
    """Read the header of an array; None for another kind of element, or complex numbers. Raises ValueError."""
    if element.kind != _MATRIX:
        return None
    if not element.data:
        return _Matrix("", 0, (0, 0), iter(()))
    parts = _elements(element.data, order)
    flags, shape, name = (next(parts, None) for _ in range(3))
    if flags is None or shape is None or name is None:
        raise ValueError("an array without flags, dimensions and name")
    words, sides = _numbers(flags, order), _numbers(shape, order)
    if not words or len(sides) < 2 or not all(math.isfinite(number) and number >= 0 for number in (words[0], *sides)):
        raise ValueError("an array with damaged flags or dimensions")
    if int(words[0]) & _COMPLEX_FLAG:
        return None
    return _Matrix(bytes(name.data).decode("latin-1"), int(words[0]) & 0xFF, tuple(map(int, sides)), parts)


def _numbers(element: _Element, order: str) -> list[float]:
    """The numbers of an element, of any numeric type. Raises ValueError for another kind."""
    kind = _NUMBER_TYPES.get(element.kind)
    if kind is None:
        raise ValueError(f"data of type {element.kind} instead of numbers")
    return [float(number) for number in np.frombuffer(element.data, np.dtype(order + kind)).tolist()]


def _unpack(element: _Element, order: str) -> _Element:
    """Decompress a variable; other elements are returned unchanged. Raises ValueError."""
    if element.kind != _COMPRESSED:
        if len(element.data) > MAX_UNPACKED_BYTES:
            raise ValueError(f"a variable of more than {MAX_UNPACKED_BYTES} bytes")
        return element
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(element.data, MAX_UNPACKED_BYTES)
    except zlib.error as error:
        raise ValueError(f"damaged compression: {error}") from None
    if not unpacker.eof:
        raise ValueError(f"a variable that is truncated, or of more than {MAX_UNPACKED_BYTES} bytes")
    return next(_elements(memoryview(data), order), _Element(0, memoryview(b"")))


def _elements(data: memoryview, order: str) -> Iterator[_Element]:
    """Split data into elements: a tag of 8 bytes and the data it announces. Raises ValueError if data is missing."""
    offset = 0
    while offset < len(data):
        tag = bytes(data[offset : offset + 8])
        if len(tag) < 8:
            raise ValueError("a truncated element")
        kind, size = (int(value) for value in np.frombuffer(tag, order + "u4"))
        start = offset + 8
        if kind >> 16:  # up to 4 bytes, in the tag itself
            kind, size, start = kind & 0xFFFF, kind >> 16, offset + 4
            if size > 4:
                raise ValueError("an element with a damaged tag")
            offset += 8
        else:
            offset = start + size + (0 if kind == _COMPRESSED else -size % 8)
        if start + size > len(data):
            raise ValueError("a truncated element")
        yield _Element(kind, data[start : start + size])
