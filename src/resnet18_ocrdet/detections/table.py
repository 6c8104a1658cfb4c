"""Detection on a table of files, as engines that distribute tables call it: Ray Data, Spark. Needs pyarrow."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias, get_args, get_origin, get_type_hints, is_typeddict

import pyarrow

from ..inference.predictor import Predictor
from ..structures import Detection, Image
from .files import Item
from .inputs import items_of
from .pipeline import Done, Failed, detect_all
from .recognition import TextReader
from .records import ImageRecord

READERS = 8  # threads that wait for bytes

Row: TypeAlias = dict[str, Any]
"""A file: its name as `file`, its bytes as `data`, `modified_ns`; where `data` is None, the reason as `error`."""


def record_schema() -> pyarrow.Schema:
    """The fields of `ImageRecord` between `file`, in which the image is, and `error`.

    An image that failed has `file`, `image` and `error`; its other fields are null."""
    fields = [(name, _type_of(hint)) for name, hint in get_type_hints(ImageRecord).items()]
    return pyarrow.schema([("file", pyarrow.string()), *fields, ("error", pyarrow.string())])


def detect_table(
    predictor: Predictor,
    files: pyarrow.Table,
    fetch: Callable[[str], Row] | None = None,
    dpi: int | None = None,
    read: TextReader | None = None,
) -> pyarrow.Table:
    """Detect on files; returns a row of `record_schema` for each image, in order.

    files: each a `Row`, or only its `file`, with which `fetch` is called in other threads. dpi, read: as of
    `detect_all`. The folder of temporary files needs room for all of them."""
    names = files["file"].to_pylist()
    rows = files.to_pylist() if fetch is None else names
    with TemporaryDirectory() as folder, ThreadPoolExecutor(READERS, "fetch") as readers:
        paths = [Path(folder, str(number)) for number in range(len(names))]
        name_of = dict(zip(paths, names, strict=True))
        items = chain.from_iterable(readers.map(partial(_items, fetch or _same), rows, paths))
        size = predictor.network.batch_size
        outcomes = detect_all(predictor, items, _ignore, size, dpi, read)
        found = [_row(done, name_of[done.item.path]) for done in outcomes]
    return pyarrow.Table.from_pylist(found, record_schema())


def _items(fetch: Callable[[Any], Row], row: Any, path: Path) -> list[Item]:
    """The images of a file, which is written to `path`; one with the reason if it cannot be read."""
    file = fetch(row)
    if file["data"] is None:
        return [Item(path, path.name, Path(path.name), fault=file["error"] or "no data")]
    path.write_bytes(file["data"])
    os.utime(path, ns=(file["modified_ns"], file["modified_ns"]))
    return items_of([path], path.parent)


def _row(done: Done | Failed, name: str) -> dict[str, Any]:
    path = done.item.path
    found = {"error": done.error.replace(str(path), name)} if isinstance(done, Failed) else asdict(done.record)
    return {**found, "file": name, "image": name + done.item.relative.removeprefix(path.name)}  # with its page


def _same(row: Row) -> Row:
    return row


def _ignore(item: Item, image: Image, found: list[Detection]) -> None:
    """Writes nothing."""


def _type_of(hint: Any) -> pyarrow.DataType:
    if is_typeddict(hint):
        return pyarrow.struct([(name, _type_of(each)) for name, each in get_type_hints(hint).items()])
    if get_origin(hint) is list:
        return pyarrow.list_(_type_of(*get_args(hint)))
    if get_args(hint):  # X | None: each field may be null
        return _type_of(get_args(hint)[0])
    types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64(), bool: pyarrow.bool_()}
    return types[hint]
