"""Files for `detect_table` from a folder, bucket or Parquet column, and Parquet results. Needs pyarrow."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow
import pyarrow.compute
from pyarrow import dataset, fs, parquet

from ..data.image_io import has_image_suffix, list_images
from ..data.pages import PAGE_SUFFIXES
from ..errors import UserError
from ..runtime.output_folder import differences
from .table import Row

FAULTS = (OSError, pyarrow.ArrowException)
SETTINGS = "_settings.json"  # readers of Parquet skip names that begin with "_"


class Place(NamedTuple):
    """A file or folder of any file system that pyarrow knows."""

    text: str  # as it was typed
    system: fs.FileSystem
    path: str

    @classmethod
    def of(cls, text: str) -> Place:
        """text: a path, or a URI such as s3://BUCKET/FOLDER. Raises UserError."""
        if "://" not in text:
            return cls(text, fs.LocalFileSystem(), str(Path(text).absolute()))
        try:
            return cls(text, *fs.FileSystem.from_uri(text))
        except FAULTS as error:
            raise UserError(f"{text}: {_reason(error)}") from None

    def files(self) -> pyarrow.Array:
        """The names of the files that ocrdet-detect reads of this folder, relative to it. Raises UserError."""
        if isinstance(self.system, fs.LocalFileSystem):
            return _names(
                path.relative_to(self.path).as_posix() for path in list_images(Path(self.path), PAGE_SUFFIXES)
            )
        try:
            found = self.system.get_file_info(fs.FileSelector(self.path, recursive=True))
        except FAULTS as error:
            raise UserError(f"{self.text}: cannot be listed: {_reason(error)}") from None
        below = (each.path.removeprefix(self.path).lstrip("/") for each in found if each.type == fs.FileType.File)
        return _names(name for name in below if has_image_suffix(name, PAGE_SUFFIXES) and "/." not in f"/{name}")

    def read(self, name: str) -> Row:
        """A file of this folder."""
        path = f"{self.path}/{name}"
        try:
            info = self.system.get_file_info(path)
            if info.type != fs.FileType.File:
                raise OSError("no such file")
            with self.system.open_input_stream(path) as stream:
                return {"file": name, "data": stream.read(), "modified_ns": info.mtime_ns or 0, "error": None}
        except (*FAULTS, MemoryError) as error:
            return {"file": name, "data": None, "modified_ns": 0, "error": f"{name}: cannot be read: {_reason(error)}"}

    def column(self, name: str, *others: str) -> pyarrow.Array:
        """The texts of a column of these Parquet files. others: columns of bytes. Raises UserError if one is missing or
        of another type, or if texts are missing or repeated."""
        try:
            rows = dataset.dataset(self.path, filesystem=self.system)
            if missing := [each for each in (name, *others) if each not in rows.schema.names]:
                raise UserError(f"{self.text}: no column {missing[0]}, only {', '.join(rows.schema.names)}")
            for each in others:
                if rows.schema.field(each).type not in (pyarrow.binary(), pyarrow.large_binary()):
                    raise UserError(f"{self.text}: column {each} is of {rows.schema.field(each).type}, not of bytes")
            names = rows.to_table([name])[name].cast(pyarrow.string())
            if names.null_count or len(names.unique()) < len(names):
                raise UserError(f"{self.text}: column {name} does not have another name in each row")
            return names.unique()
        except FAULTS as error:
            raise UserError(f"{self.text}: {_reason(error)}") from None

    def results(self) -> pyarrow.Table:
        """`file` and `error` of all rows of this output folder, in which killed calls may have left incomplete files:
        they are removed. Raises UserError for other Parquet files. Call `keep_settings` first."""
        wanted = pyarrow.schema([("file", pyarrow.string()), ("error", pyarrow.string())])
        tables = [wanted.empty_table()]
        for each in self._parquet_files():
            try:
                schema = parquet.read_schema(each, filesystem=self.system)
            except pyarrow.ArrowInvalid:  # without its end, which is written last
                self.system.delete_file(each)
                continue
            except FAULTS as error:
                raise UserError(f"{each}: {_reason(error)}") from None
            if any(field not in schema for field in wanted):
                raise UserError(f"{each}: not a file of results: choose another --output")
            tables.append(parquet.read_table(each, columns=wanted.names, filesystem=self.system))
        return pyarrow.concat_tables(tables)

    def _parquet_files(self) -> list[str]:
        """Raises UserError if this is not a folder that can be listed."""
        try:
            found = self.system.get_file_info(fs.FileSelector(self.path, allow_not_found=True))
        except FAULTS as error:
            raise UserError(f"{self.text}: cannot be listed: {_reason(error)}") from None
        return [each.path for each in found if each.extension == "parquet"]

    def keep_settings(self, settings: dict[str, Any]) -> None:
        """Write the settings, plain values, of all results into this folder. Raises UserError if it has results of
        other ones, or Parquet files that are no results."""
        path = f"{self.path}/{SETTINGS}"
        try:
            if self._parquet_files():
                known = self.system.get_file_info(path).type == fs.FileType.File
                if not known:
                    raise UserError(f"{self.text}: holds Parquet files that are no results: choose another folder")
                before = json.loads(self.system.open_input_stream(path).read())
                if changed := differences(before, settings):
                    raise UserError(
                        f"{self.text}: holds results of other settings ({changed[0]}): choose another folder"
                    )
            self.system.create_dir(self.path)
            with self.system.open_output_stream(path) as stream:
                stream.write(json.dumps(settings, indent=1).encode())
        except (*FAULTS, ValueError) as error:
            raise UserError(f"{self.text}: {_reason(error)}") from None


def lines_of(path: Path) -> pyarrow.Array:
    """The distinct lines of a text file. Raises UserError."""
    try:
        return _names(path.read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read: {_reason(error)}") from None


def without(names: pyarrow.Array, done: pyarrow.Array) -> pyarrow.Array:
    """The names that are not in `done`."""
    return names.filter(pyarrow.compute.invert(pyarrow.compute.is_in(names, value_set=done)))


def as_files(rows: pyarrow.Table, name: str, column: str, done: pyarrow.Array) -> pyarrow.Table:
    """Rows for `detect_table` of columns of names and bytes, except those in `done`."""
    blank = {"modified_ns": pyarrow.repeat(0, len(rows)), "error": pyarrow.nulls(len(rows), pyarrow.string())}
    files = pyarrow.table({"file": rows[name].cast(pyarrow.string()), "data": rows[column], **blank})
    return files.filter(pyarrow.compute.invert(pyarrow.compute.is_in(files["file"], value_set=done)))


def _names(names: Iterable[str]) -> pyarrow.Array:
    """Distinct names. One that is not UTF-8 becomes readable, and its file will not be found."""
    found = [name.encode("utf-8", "backslashreplace").decode() for name in dict.fromkeys(names) if name]
    return pyarrow.array(found, pyarrow.string())


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
