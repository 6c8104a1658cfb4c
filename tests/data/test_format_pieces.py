"""What the JSON formats share: names of splits, files named by labels, values of any type."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from format_files import build
from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats import coco, doctr, labelme, mmocr, ppocr
from resnet18_ocrdet.data.formats.json_file import PEEK_BYTES, describe, is_set, parse_json, peek, text_of
from resnet18_ocrdet.data.formats.locate import find_image
from resnet18_ocrdet.data.formats.location import LabelError, Location
from resnet18_ocrdet.data.formats.points import to_number, to_polygon, to_rectangle
from resnet18_ocrdet.data.formats.split_names import split_of


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("train", "train"),
        ("train_icdar2015_label", "train"),
        ("icdar_c4_train_imgs", "train"),
        ("instances_training", "train"),
        ("train2017", "train"),
        ("TrainLabels", "train"),
        ("TRAIN", "train"),
        ("instances_val2017", "val"),
        ("valid", "val"),
        ("cocotext.validation", "val"),
        ("test-images", "test"),
        ("Label", None),
        ("trainval", None),
        ("train_and_val", None),
        ("latest", None),
        ("contest", None),
        ("constraint", None),
        ("evaluation", None),
        ("", None),
    ],
)
def test_split_of(name, part):
    assert split_of(name) == part


def test_files_named_by_labels(tmp_path):
    root = build(tmp_path / "root", {"a/1.png": None, "2.png": None, "folder.png/x": "", "../3.png": None})
    folders = [root, root / "a"]
    assert find_image("1.png", folders) == root / "a/1.png"
    assert find_image(".\\a\\1.png", folders) == root / "a/1.png"
    assert find_image(str(root / "2.png"), folders) == root / "2.png"
    assert find_image("b/../2.png", folders) == root / "2.png"
    assert find_image("../3.png", folders) == tmp_path / "3.png"
    assert find_image("/home/me/root/a/1.png", folders) == root / "a/1.png"  # of another machine
    assert find_image("D:\\root\\a\\1.png", folders) == root / "a/1.png"
    assert find_image("x/a/1.png", folders) is None
    assert find_image("x/a/1.png", folders, shortened=[root]) == root / "a/1.png"
    deep = [root / "a" / "b" / "c"]
    assert find_image("../../../2.png", deep) is None
    for name in ("folder.png", ".", "..", "/", "", "gone.png", "\0", "\ud800", "a/" * 3000, "http://host/2.png"):
        assert find_image(name, folders) is None, name


def test_unicode_normalization_of_names(tmp_path):
    build(tmp_path, {"cafe\u0301.png": None})  # as written by macOS
    assert find_image("caf\u00e9.png", [tmp_path]) == tmp_path / "cafe\u0301.png"


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0),
        ("12", 12.0),
        (" -1.5e1 ", -15.0),
        ("1_0", None),
        ("nan", None),
        ("٣", None),
        (True, None),
        (None, None),
    ],
)
def test_to_number(value, number):
    assert to_number(value) == number


def test_numbers_larger_than_float():
    assert to_number(10**400) == np.inf and to_number(-(10**400)) == -np.inf
    assert parse_json(f"[{'9' * 5000}, 12]") == [np.inf, 12]
    assert isinstance(parse_json(f"[{'9' * 5000}, 12]")[1], int)


def test_bad_json_names_its_place():
    with pytest.raises(LabelError, match=r"^column 6: not valid JSON: ") as error:
        parse_json('{"a": 1,\n "b" 2}')
    assert error.value.line == 2
    with pytest.raises(LabelError, match=r"^column 17: not valid JSON: ") as error:
        parse_json("[1 2]", line=3, before=13)
    assert error.value.line == 3
    with pytest.raises(LabelError, match="too deeply"):
        parse_json("[" * 100_000)


def test_flags_and_texts():
    assert [is_set(value) for value in (True, 1, 0.5, "true", " Yes ", "1")] == [True] * 6
    assert [is_set(value) for value in (False, 0, None, "false", "", [1], {"a": 1})] == [False] * 7
    texts = {" a ": "a", 12: "12", 1.5: "1.5", None: "", "\ud83d": "\ufffd"}
    assert {value: text_of(value) for value in texts} == texts
    assert [text_of(value) for value in (True, [1], {})] == [""] * 3
    assert [describe(value) for value in (None, True, [1, 2], {}, 1.5, "a\n")] == [
        "null",
        "true",
        "a list of 2 values",
        "an object",
        "1.5",
        "'a\\n'",
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("length", [0, 10, PEEK_BYTES, PEEK_BYTES + 1, 3 * PEEK_BYTES])
def test_a_peek_shows_both_ends(tmp_path, encoding, length):
    path = tmp_path / "a.json"
    path.write_bytes(("<begin>" + "x" * length + "<end>").encode(encoding))
    assert peek(path).startswith("<begin>")
    assert peek(path).rstrip("\n").endswith("<end>")
    assert len(peek(path)) <= 2 * PEEK_BYTES + 1
    assert peek(tmp_path) == "" and peek(tmp_path / "gone") == ""


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.sampled_from(["1", "-2.5"]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(value=anything | st.lists(st.lists(st.integers() | st.floats(), min_size=2, max_size=2), max_size=6))
@settings(max_examples=100, deadline=None)
def test_any_value_is_a_polygon_or_one_finding(value):
    for convert in (to_polygon, lambda value: to_rectangle(value, "size")):
        report = Report()
        polygon = Location(report, "labels.json", 1).attempt(convert, value)
        if polygon is None:
            assert [finding.code in ("GT018", "GT019", "GT020", "GT022") for finding in report] == [True]
        else:
            assert not len(report)
            assert polygon.dtype == np.float32 and polygon.ndim == 2 and polygon.shape[1] == 2 and len(polygon) >= 3


KEYS = {
    mmocr: ["img_path", "height", "width", "instances", "polygon", "bbox", "ignore", "text"],
    labelme: ["shapes", "imagePath", "imageHeight", "label", "points", "shape_type", "description"],
    coco: ["id", "file_name", "image_id", "segmentation", "bbox", "iscrowd", "utf8_string", "legibility", "set"],
    doctr: ["1.png", "polygons", "words", "lines", "img_dimensions"],
    ppocr: ["transcription", "points", "difficult"],
}
FILES = {
    mmocr: (
        "train.json",
        '{{"metainfo": {{}}, "data_list": [{{"img_path": "1.png", "instances": [{0}, {{"polygon": {0}}}]}}, {0}]}}',
    ),
    labelme: ("1.json", '{{"imagePath": "1.png", "shapes": [{0}, {{"points": {0}}}], "imageHeight": {0}}}'),
    coco: (
        "train.json",
        '{{"categories": [], "images": [{{"id": 1, "file_name": "1.png", "set": {0}}}, {0}], '
        '"annotations": [{0}, {{"image_id": 1, "segmentation": {0}, "bbox": {0}, "text": {0}}}]}}',
    ),
    doctr: ("labels.json", '{{"1.png": {{"polygons": [{0}], "img_dimensions": {0}}}, "2.png": {0}}}'),
    ppocr: ("Label.txt", '1.png\t[{{"points": {0}, "transcription": {0}, "difficult": {0}}}]\n2.png\t{0}\n'),
}


@pytest.mark.parametrize("reader", list(KEYS), ids=lambda reader: reader.NAME)
def test_readers_take_any_value(tmp_path_factory, reader):
    keys = st.sampled_from(KEYS[reader])
    leaves = st.none() | st.booleans() | st.integers(-3, 9) | st.floats()
    leaves |= st.sampled_from(["1.png", "a", "polygon", "4"])
    values = st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5),
        max_leaves=25,
    )
    root = build(tmp_path_factory.mktemp("any"), {"1.png": None, "2.png": None})
    name, text = FILES[reader]

    @given(value=values)
    @settings(max_examples=60, deadline=None)
    def check(value):
        build(root, {name: text.format(json.dumps(value))})
        report = Report()
        reader.recognise(root)
        for records in reader.read(root, report, reader.IGNORE_MARKS).values():
            for record in records:
                assert len(record.polygons) == len(record.ignore) == len(record.texts) == len(record.lines)
                assert record.lost == 0 or len(report)
        assert all(finding.text.isprintable() for finding in report)

    check()
