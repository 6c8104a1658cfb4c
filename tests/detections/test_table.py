"""Tables of files, their records as rows, and folders of Parquet files; without Ray."""

from __future__ import annotations

import os
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from conftest import assert_mentions
from fake_predictor import FakePredictor
from paged_files import pictures, write_pages
from resnet18_ocrdet.detections.records import ImageRecord
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.inference.listing import Listing
from resnet18_ocrdet.structures import Detection
from resnet18_ocrdet.viz.draw import encode

pa = pytest.importorskip("pyarrow")
from pyarrow import fs, parquet  # noqa: E402

from resnet18_ocrdet.detections.table import detect_table, record_schema  # noqa: E402
from resnet18_ocrdet.detections.table_files import Place, as_files, lines_of, without  # noqa: E402

QUAD = np.array([[1, 2], [9, 2], [9, 6], [1, 6]], np.float32)


def finder():
    """Finds QUAD in each image."""
    predictor = FakePredictor(lambda *_: [Detection(QUAD, 0.5)])
    predictor.listing = Listing("reading", lines=True)
    return predictor


def png(value: int) -> bytes:
    return encode(".png", np.full((32, 64, 3), value, np.uint8))


def test_the_schema_has_every_field_of_a_record():
    schema = record_schema()
    assert schema.names == ["file", *(field.name for field in fields(ImageRecord)), "error"]
    assert schema.field("quads").type == pa.list_(pa.list_(pa.list_(pa.float64())))
    assert schema.field("lines").type.value_type.field("regions").type == pa.list_(pa.int64())
    assert schema.field("dpi").type == pa.float64() and schema.field("blank").type == pa.bool_()


def test_each_file_has_rows_in_order_and_faults_their_reasons(tmp_path: Path):
    write_pages(tmp_path / "scan.tif", pictures(2))
    files = {"a/b.png": png(7), "s3://x/scan": (tmp_path / "scan.tif").read_bytes(), "bad": b"text", "0": png(9)}
    data = {"file": [*files, "none"], "data": [*files.values(), None]}
    table = pa.table({**data, "modified_ns": [5_000] * 5, "error": [None] * 4 + ["none: no such file"]})
    rows = detect_table(finder(), table).to_pylist()
    assert [row["image"] for row in rows] == ["a/b.png", "s3://x/scan#1", "s3://x/scan#2", "bad", "0", "none"]
    assert [row["file"] for row in rows] == ["a/b.png", "s3://x/scan", "s3://x/scan", "bad", "0", "none"]
    first = rows[0]
    assert (first["height"], first["width"], first["bytes"], first["modified_ns"]) == (32, 64, len(png(7)), 5_000)
    assert first["quads"] == first["polygons"] == [QUAD.tolist()] and first["scores"] == [0.5]
    assert first["lines"] == [{"regions": [0], "polygon": QUAD.tolist()}] and first["error"] is None
    assert rows[3]["error"].startswith("bad: not an image") and rows[3]["quads"] is None
    assert rows[5]["error"] == "none: no such file"
    record = {name: first[name] for name in (field.name for field in fields(ImageRecord))}
    assert ImageRecord.from_json(ImageRecord(**record).to_json()).quads == [QUAD.tolist()]


def test_files_are_read_where_they_are_detected(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    (tmp_path / ".hidden").mkdir()
    for name in ("10.png", "2.png", "sub/照 #1%20.png", ".hidden/3.png", "note.txt"):
        (tmp_path / name).write_bytes(png(9))
    (tmp_path / "broken.jpg").symlink_to("nowhere")
    (tmp_path / "sub/again").symlink_to(tmp_path)
    place = Place.of(str(tmp_path))
    names = place.files().to_pylist()
    assert names == ["2.png", "10.png", "broken.jpg", "sub/照 #1%20.png"]
    rows = detect_table(finder(), pa.table({"file": names}), place.read).to_pylist()
    assert [row["error"] for row in rows] == [None, None, "broken.jpg: cannot be read: no such file", None]
    status = (tmp_path / "10.png").stat()
    assert (rows[1]["bytes"], rows[1]["modified_ns"]) == (status.st_size, status.st_mtime_ns)


def test_a_bucket_is_listed_as_a_folder(tmp_path: Path):
    (tmp_path / "bucket/photos/sub").mkdir(parents=True)
    for name in ("a.png", "sub/b.JPG", ".c.png", "d.txt"):
        (tmp_path / "bucket/photos" / name).write_bytes(png(9))
    bucket = fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem())
    place = Place("s3://bucket/photos", bucket, "bucket/photos")
    assert sorted(place.files().to_pylist()) == ["a.png", "sub/b.JPG"]
    assert place.read("sub/b.JPG")["data"] == png(9)
    with pytest.raises(UserError) as error:
        Place("s3://bucket/none", bucket, "bucket/none").files()
    assert_mentions(str(error.value), "s3://bucket/none")


def test_a_name_that_is_not_utf8_fails_alone(tmp_path: Path):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")).write_bytes(png(9))
    place = Place.of(str(tmp_path))
    (name,) = place.files().to_pylist()
    assert_mentions(name, "udcff.png")
    assert_mentions(place.read(name)["error"], "no such file")


def test_results_are_kept_and_incomplete_files_removed(tmp_path: Path):
    place = Place.of(str(tmp_path / "out"))
    assert len(place.results()) == 0 and not (tmp_path / "out").exists()
    place.keep_settings({"a": {"b": 1}})
    table = pa.table({"file": ["x", "y", "y"], "error": [None, None, "damaged"]})
    parquet.write_table(table, tmp_path / "out/1.parquet")
    (tmp_path / "out/2.parquet").write_bytes((tmp_path / "out/1.parquet").read_bytes()[:-9])
    (tmp_path / "out/3.parquet").touch()
    found = place.results()
    assert found.to_pylist() == table.to_pylist()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["1.parquet", "_settings.json"]
    assert parquet.read_table(tmp_path / "out").num_rows == 3  # the settings are not taken for data
    place.keep_settings({"a": {"b": 1}})
    with pytest.raises(UserError) as error:
        place.keep_settings({"a": {"b": 2}})
    assert_mentions(str(error.value), "out", "a.b 1", "2")
    parquet.write_table(pa.table({"file": ["x"], "mine": [1]}), tmp_path / "out/4.parquet")
    with pytest.raises(UserError):
        place.results()
    (tmp_path / "out/2.parquet").write_bytes(b"mine")
    (tmp_path / "out/_settings.json").unlink()
    with pytest.raises(UserError):
        place.keep_settings({"a": {"b": 1}})
    assert (tmp_path / "out/2.parquet").read_bytes() == b"mine" and (tmp_path / "out/4.parquet").exists()
    assert without(pa.array(["y", "z", "x"]), found["file"]).to_pylist() == ["z"]


def test_columns_of_names_and_bytes(tmp_path: Path):
    parquet.write_table(pa.table({"id": [3, 4, 5], "bytes": [b"a", b"b", None]}), tmp_path / "in.parquet")
    place = Place.of(str(tmp_path / "in.parquet"))
    assert place.column("id", "bytes").to_pylist() == ["3", "4", "5"]
    rows = as_files(parquet.read_table(tmp_path / "in.parquet"), "id", "bytes", pa.array(["3"])).to_pylist()
    assert [(row["file"], row["data"], row["modified_ns"], row["error"]) for row in rows] == [
        ("4", b"b", 0, None),
        ("5", None, 0, None),
    ]
    parquet.write_table(pa.table({"id": ["a", "a"], "size": [1, 2]}), tmp_path / "other.parquet")
    other = Place.of(str(tmp_path / "other.parquet"))
    for names, word in ((("id",), "another name"), (("id", "size"), "int64")):
        with pytest.raises(UserError) as error:
            other.column(*names)
        assert_mentions(str(error.value), "other.parquet", word)
    with pytest.raises(UserError) as error:
        place.column("id", "data")
    assert_mentions(str(error.value), "in.parquet", "data", "bytes")


def test_mistakes_name_the_place(tmp_path: Path):
    for wrong in (lambda: Place.of("s4://a/b"), lambda: Place.of("none").files(), lambda: lines_of(tmp_path / "none")):
        with pytest.raises(UserError):
            wrong()
    (tmp_path / "list").write_text("b.png\n\na.png\nb.png\n")
    assert lines_of(tmp_path / "list").to_pylist() == ["b.png", "a.png"]


def test_the_example_of_the_docs_lists_failed_files(tmp_path: Path, monkeypatch, capsys):
    page = (Path(__file__).parents[2] / "docs/scale-out.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    place = Place.of("found")
    place.keep_settings({})
    exec(code, {})
    assert capsys.readouterr().out == ""  # no file is finished
    rows = {"file": ["a.png", "b.png"], "error": [None, "not an image"], "width": [3, None]}
    parquet.write_table(pa.table(rows), tmp_path / "found/1.parquet")
    (tmp_path / "found/2.parquet").write_bytes(b"PAR1")  # being written
    exec(code, {})
    assert capsys.readouterr().out == "b.png not an image\n"
