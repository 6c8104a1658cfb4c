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
from numpy.typing import NDArray

Cell: TypeAlias = str | list[float] | None
"""Content of one cell; None if it is neither a text nor real numbers."""

HEADER_BYTES = 128
MAX_UNPACKED_BYTES = 2**20  # of one variable; label files of Total-Text have a few kB

BYTE_ORDERS = {b"IM": "<", b"MI": ">"}  # the last two bytes of the header
MATRIX, COMPRESSED = 14, 15  # table 1-1, data types
_NUMBER_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXT_TYPES = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
CELL_CLASS, _CHAR_CLASS, _NUMBER_CLASSES = 1, 4, range(6, 16)  # table 1-3, array types
_COMPLEX_FLAG = 0x800
COMPLEX = -1  # stands for the class of an array of complex numbers


class Element(NamedTuple):
    """A piece of a file, of which arrays are made."""

    kind: int
    data: memoryview


class Array(NamedTuple):
    """An array of numbers or characters."""

    shape: tuple[int, ...]
    values: NDArray[np.float64] | str  # column by column


class _Matrix(NamedTuple):
    name: str
    array_class: int  # 0 for an empty one
    shape: tuple[int, ...]
    parts: Iterator[Element]  # after the name: numbers, characters or cells


def read_cells(data: bytes, name: str) -> list[list[Cell]]:
    """Read the rows of the 2-D cell array `name`. Raises ValueError, with the reason, if that fails."""
    order = BYTE_ORDERS.get(data[126:128])
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
    if matrix.array_class != CELL_CLASS or len(matrix.shape) != 2:
        raise ValueError(f"{matrix.name} is not a 2-D cell array")
    cells = [_cell(element, order) for element in matrix.parts]
    height, width = matrix.shape
    if len(cells) != height * width:
        raise ValueError(f"{matrix.name} has {len(cells)} cells, expected {height} rows of {width}")
    return [cells[row::height] for row in range(height)]  # column by column in the file


def _cell(element: Element, order: str) -> Cell:
    array = array_of(element, order)
    if array is None:
        return None
    return array.values if isinstance(array.values, str) else [float(number) for number in array.values.tolist()]


def array_of(element: Element, order: str) -> Array | None:
    """Read an array of numbers or of characters; None for another kind, or too few numbers. Raises ValueError."""
    matrix = _matrix(element, order)
    if matrix is None or matrix.array_class not in (0, _CHAR_CLASS, *_NUMBER_CLASSES):
        return None
    values = next(matrix.parts, None)
    if values is None or 0 in matrix.shape:
        return Array(matrix.shape, np.zeros(0))
    if matrix.array_class == _CHAR_CLASS:
        encoding = _TEXT_TYPES.get(values.kind)
        if encoding in ("utf-16", "utf-32"):
            encoding += "-le" if order == "<" else "-be"
        return Array(matrix.shape, bytes(values.data).decode(encoding, "replace")) if encoding else None
    numbers = _numbers(values, order)
    return Array(matrix.shape, numbers) if len(numbers) == math.prod(matrix.shape) else None


def header_of(flags: Element, shape: Element, name: Element, order: str) -> tuple[str, int, tuple[int, ...]]:
    """Name, class and dimensions of an array; the class of complex numbers is COMPLEX. Raises ValueError."""
    words, sides = _numbers(flags, order), _numbers(shape, order)
    if not len(words) or len(sides) < 2 or not all(np.isfinite([words[0], *sides])) or min(words[0], *sides) < 0:
        raise ValueError("an array with damaged flags or dimensions")
    array_class = COMPLEX if int(words[0]) & _COMPLEX_FLAG else int(words[0]) & 0xFF
    return bytes(name.data).decode("latin-1"), array_class, tuple(map(int, sides))


def _matrix(element: Element, order: str) -> _Matrix | None:
    """Read the header of an array; None for another kind of element, or complex numbers. Raises ValueError."""
    if element.kind != MATRIX:
        return None
    if not element.data:
        return _Matrix("", 0, (0, 0), iter(()))
    parts = _elements(element.data, order)
    flags, shape, name = (next(parts, None) for _ in range(3))
    if flags is None or shape is None or name is None:
        raise ValueError("an array without flags, dimensions and name")
    header = header_of(flags, shape, name, order)
    return None if header[1] == COMPLEX else _Matrix(*header, parts)


def _numbers(element: Element, order: str) -> NDArray[np.float64]:
    """The numbers of an element, of any numeric type, (N,). Raises ValueError for another kind."""
    kind = _NUMBER_TYPES.get(element.kind)
    if kind is None:
        raise ValueError(f"data of type {element.kind} instead of numbers")
    return np.frombuffer(element.data, np.dtype(order + kind)).astype(np.float64)


def _unpack(element: Element, order: str) -> Element:
    """Decompress a variable; other elements are returned unchanged. Raises ValueError."""
    if element.kind != COMPRESSED:
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
    return next(_elements(memoryview(data), order), Element(0, memoryview(b"")))


def _elements(data: memoryview, order: str) -> Iterator[Element]:
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
            offset = start + size + (0 if kind == COMPRESSED else -size % 8)
        if start + size > len(data):
            raise ValueError("a truncated element")
        yield Element(kind, data[start : start + size])
