"""DOTA's quads with a class and a difficulty."""

from __future__ import annotations

import pytest

from format_files import build, corners, found, names, read_all, recognised
from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats import dota
from resnet18_ocrdet.data.label_options import LabelOptions
from resnet18_ocrdet.data.load_annotations import read_data
from resnet18_ocrdet.errors import UserError

HEADER = "imagesource:GoogleEarth\ngsd:0.146343590398\n"
LINES = "2 1 6 1 6 5 2 5 plate 0\n1.0 0.0 3.0 0.0 3.0 2.5 1.0 2.5 large-sign 1\n"
WANTED = [[[2, 1], [6, 1], [6, 5], [2, 5]], [[1, 0], [3, 0], [3, 2.5], [1, 2.5]]]


@pytest.mark.parametrize("labels", ["labelTxt", "labelTxt-v1.5", "annfiles", "labels"])
@pytest.mark.parametrize("text", [HEADER + LINES, LINES, f"'imagesource':GoogleEarth\n'gsd':None\n{LINES}"])
def test_lines(tmp_path, labels, text):
    build(tmp_path, {"train/images/P0000.png": None, f"train/{labels}/P0000.txt": text})
    build(tmp_path, {"val/images/P0001.png": None, f"val/{labels}/P0001.txt": LINES.splitlines()[0]})
    parts, report = read_all(dota, tmp_path)
    assert names(parts) == {"train": ["P0000.png"], "val": ["P0001.png"]} and not report
    (record,) = parts["train"]
    assert corners(record) == WANTED
    assert (record.categories, record.flags) == (("plate", "large-sign"), ("", "difficult"))
    assert record.texts == ("", "") and record.lost == 0
    assert record.lines.tolist() == [place + text.count(":") for place in (1, 2)]


def test_difficult_objects_are_dont_care_and_classes_are_counted(tmp_path):
    build(tmp_path, {"images/P0000.png": None, "labelTxt/P0000.txt": HEADER + LINES})
    reading = read_data(tmp_path)
    assert reading.dialect == "DOTA" and reading.causes == {"difficult": 1}
    assert reading.splits["train"][0].ignore.tolist() == [False, True]
    assert any("classes: plate 1, large-sign 1" in line for line in reading.chosen)
    assert read_data(tmp_path, options=LabelOptions(flags=["none"])).causes == {}


@pytest.mark.parametrize(
    ("line", "category", "flag"),
    [
        ("1 2 3 2 3 4 1 4 ship 0", "ship", ""),
        ("1 2 3 2 3 4 1 4 ship 2", "ship", "difficult"),
        ("1 2 3 2 3 4 1 4 ship", "ship", ""),
        ("1 2 3 2 3 4 1 4 Passenger Ship 1", "Passenger Ship", "difficult"),
        ("1 2 3 2 3 4 1 4", "", ""),
        ("1\t2\t3\t2\t3\t4\t1\t4\tship\t0", "ship", ""),
    ],
)
def test_class_and_difficulty(line, category, flag):
    region = dota.parse_line(line)
    assert region.polygon.tolist() == [[1, 2], [3, 2], [3, 4], [1, 4]]
    assert (region.category, region.flag, region.ignore) == (category, flag, False)
    assert dota.parse_line("1 2 3 2 3 4 1 4 ### 0", marks=("###",)).ignore


@pytest.mark.parametrize(
    ("line", "code", "detail"),
    [
        ("1 2 3 2 3 4 1", "GT018", "7 fields"),
        ("1 2 3 2 3 4 1 ship 0", "GT020", "number 8 is 'ship'"),
        ("1 2 3,5 2 3 4 1 4 ship 0", "GT020", "number 3 is '3,5'"),
    ],
)
def test_lines_without_a_readable_position(tmp_path, line, code, detail):
    text = f"{HEADER}1 2 3 2 3 4 1 4 ship 0\n{line}\n5 2 7 2 7 4 5 4 ship 0\n"
    build(tmp_path, {"images/1.png": None, "labelTxt/1.txt": text})
    parts, report = read_all(dota, tmp_path)
    assert found(report, tmp_path) == [(code, "labelTxt/1.txt", 4)] and report[0].detail.startswith(detail)
    (record,) = parts["train"]
    assert record.lost == 1 and record.lines.tolist() == [3, 5] and record.categories == ("ship", "ship")
    assert corners(record) == [[[1, 2], [3, 2], [3, 4], [1, 4]], [[5, 2], [7, 2], [7, 4], [5, 4]]]
    assert not record.ignore.any()


QUADS = ("1 2 3 2 3 4 1 4", "5 2 7 2 7 4 5 4", "1 5 3 5 3 7 1 7", "5 5 7 5 7 7 5 7")


@pytest.mark.parametrize(
    ("ends", "labels", "is_dota"),
    [
        (["plate 0", "sign 1", "plate 0", "sign 2"], "labels", True),
        (["plate 0", "sign 1", "tower 0", "sign 1"], "labels", False),  # 3 classes of 4 objects may be texts
        (["plate 0", "sign 1", "tower 0", "pole 1"], "labelTxt", True),
        (["EXIT", "EXIT", "EXIT", "EXIT"], "labels", False),  # a repeated word
        (["EXIT", "EXIT", "EXIT", "EXIT"], "labelTxt", False),
        (["Gate 1", "Gate 0", "Gate 7", "Gate 1"], "labels", False),  # not a difficulty
        (["word 1", "word 0", "word", "word 1"], "labels", False),  # one line without
        (["Gate A 1", "Gate A 0", "Gate A 1", "Gate A 1"], "labels", False),
    ],
)
def test_without_a_header_every_line_has_a_class_and_a_difficulty(tmp_path, ends, labels, is_dota):
    text = "\n".join(f"{quad} {end}" for quad, end in zip(QUADS, ends, strict=True))
    build(tmp_path, {"images/1.png": None, f"{labels}/1.txt": text})
    assert (dota.recognise(tmp_path) is not None) is is_dota
    build(tmp_path, {f"{labels}/1.txt": text.replace(" ", ",")})
    assert dota.recognise(tmp_path) is None
    build(tmp_path, {f"{labels}/1.txt": f"imagesource:GoogleEarth\ngsd:0.1\n{text}"})
    assert dota.recognise(tmp_path) is not None


def test_only_its_own_folder_is_recognised(tmp_path):
    assert list(recognised(dota.recognise, tmp_path)) == ["dota"]


def test_words_that_repeat_stay_texts(tmp_path):
    """Spaced ICDAR lines of a set of bus stops."""
    text = "\n".join(f"{quad} {end}" for quad, end in zip(QUADS, ["Bus 1", "Bus 2", "Bus 1", "###"], strict=True))
    build(tmp_path, {"images/1.png": None, "labels/1.txt": text})
    reading = read_data(tmp_path)
    (record,) = reading.splits["train"]
    assert reading.dialect.startswith("folders") and record.texts == ("Bus 1", "Bus 2", "Bus 1", "###")
    assert record.ignore.tolist() == [False] * 3 + [True] and corners(record)[0] == [[1, 2], [3, 2], [3, 4], [1, 4]]


def test_missing_folders(tmp_path):
    with pytest.raises(UserError, match=r"no DOTA labels found .*labelTxt"):
        dota.read(build(tmp_path, {"images/1.png": None}), Report(), ())
