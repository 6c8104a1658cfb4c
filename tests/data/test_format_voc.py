"""Annotations of Pascal VOC, labelImg and roLabelImg."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest

from format_files import build, corners, found, names, read_all, recognised
from resnet18_ocrdet.data.formats import voc

# Written as labelImg 1.8 and roLabelImg write them; angle: cosine 0.8, sine 0.6.
LABEL_IMG = """<annotation>
	<folder>scans</folder>
	<filename>1.png</filename>
	<path>D:\\scans\\1.png</path>
	<source>
		<database>Unknown</database>
	</source>
	<size>
		<width>640</width>
		<height>480</height>
		<depth>3</depth>
	</size>
	<segmented>0</segmented>
	<object>
		<name>text</name>
		<pose>Unspecified</pose>
		<truncated>1</truncated>
		<difficult>0</difficult>
		<bndbox>
			<xmin>37</xmin>
			<ymin>57</ymin>
			<xmax>171</xmax>
			<ymax>105</ymax>
		</bndbox>
	</object>
	<object>
		<name>logo</name>
		<pose>Unspecified</pose>
		<truncated>0</truncated>
		<difficult>1</difficult>
		<bndbox>
			<xmin>1.5</xmin>
			<ymin>2</ymin>
			<xmax>30</xmax>
			<ymax>20</ymax>
		</bndbox>
	</object>
</annotation>
"""
RO_LABEL_IMG = """<annotation verified="yes">
  <folder>scans</folder>
  <filename>a.b</filename>
  <path>/home/me/scans/a.b.bmp</path>
  <size><width>1146</width><height>818</height><depth>3</depth></size>
  <object>
    <type>robndbox</type><name>text</name><pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>
    <robndbox><cx>100.0</cx><cy>60.0</cy><w>50.0</w><h>20.0</h><angle>0.643501</angle></robndbox>
  </object>
  <object>
    <type>bndbox</type><name>text</name><pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>
    <bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox>
  </object>
</annotation>
"""
BOX = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>31</xmax><ymax>12</ymax></bndbox>"
SQUARE = [[1, 2], [31, 2], [31, 12], [1, 12]]


def sheet(*objects, name="1.png"):
    inner = "".join(f"\n<object>{entry}</object>" for entry in objects)
    return f"<annotation><filename>{name}</filename>{inner}</annotation>"


def test_label_img(tmp_path):
    build(tmp_path, {"1.xml": LABEL_IMG, "1.png": None})
    parts, report = read_all(voc, tmp_path)
    (record,) = parts["train"]
    assert corners(record) == [
        [[37, 57], [171, 57], [171, 105], [37, 105]],
        [[1.5, 2], [30, 2], [30, 20], [1.5, 20]],
    ]
    assert (record.texts, record.categories, record.flags) == (("", ""), ("text", "logo"), ("", "difficult"))
    assert record.ignore.tolist() == [False, False] and record.lines.tolist() == [14, 26]
    assert record.stated == (480, 640) and not len(report) and report.unsplit


def test_ro_label_img_turns_clockwise_and_names_no_suffix(tmp_path):
    build(tmp_path, {"a.b.xml": RO_LABEL_IMG, "a.b.bmp": None})
    parts, report = read_all(voc, tmp_path)
    (record,) = parts["train"]
    turned = np.array([[86, 37], [126, 67], [114, 83], [74, 53]], np.float32)  # the right end of the text is lower
    assert record.polygons[0] == pytest.approx(turned, abs=1e-4)
    assert corners(record)[1] == [[1, 2], [3, 2], [3, 4], [1, 4]] and not len(report)
    build(tmp_path, {"a.b.xml": RO_LABEL_IMG.replace("0.643501", "2.498092")})  # without a half turn: -0.643501
    rising = np.array([[74, 67], [114, 37], [126, 53], [86, 83]], np.float32)
    assert read_all(voc, tmp_path)[0]["train"][0].polygons[0] == pytest.approx(rising, abs=1e-4)


def turned(angle):
    """A box of 50 x 20 px around (100, 60)."""
    holder = f"<cx>100</cx><cy>60</cy><w>50</w><h>20</h><angle>{angle}</angle>"
    return f"<name>text</name><robndbox>{holder}</robndbox>"


# The right end of the text is at (100 + 25 cos, 60 + 25 sin), half the height is (-10 sin, 10 cos).
UPRIGHT = [[75, 50], [125, 50], [125, 70], [75, 70]]
STANDING = [[110, 35], [110, 85], [90, 85], [90, 35]]  # a quarter turn clockwise
NEARLY_LEVEL = [[75.0882, 49.7822], [125.0863, 50.2185], [124.9118, 70.2178], [74.9137, 69.7815]]  # half a degree
SLANTED = [[86, 37], [126, 67], [114, 83], [74, 53]]  # cosine 0.8, sine 0.6


@pytest.mark.parametrize(
    ("angles", "unit", "outlines"),
    [
        (["0.643501", "3.141593", "1.570796"], "radians", [SLANTED, UPRIGHT, STANDING]),
        (["36.869898", "180", "90"], "degrees", [SLANTED, UPRIGHT, STANDING]),
        (["0.0", "0.5", "180", "90"], "degrees", [UPRIGHT, NEARLY_LEVEL, UPRIGHT, STANDING]),
        (["360", "0", "-90"], "degrees", [UPRIGHT, UPRIGHT, STANDING]),
    ],
)
def test_the_unit_of_the_angles_is_that_of_the_whole_set(tmp_path, angles, unit, outlines):
    for number, angle in enumerate(angles):
        build(tmp_path, {f"{number}.xml": sheet(turned(angle)), f"{number}.png": None})
    parts, report = read_all(voc, tmp_path)
    for record, outline in zip(parts["train"], outlines, strict=True):
        assert record.polygons[0] == pytest.approx(np.float32(outline), abs=1e-3)
        assert not record.ignore.any() and record.lost == 0
    (note,) = report.notes
    assert note.startswith(f"angles of <robndbox> are read as {unit}") and not len(report)


def test_one_impossible_angle_among_radians_is_lost(tmp_path):
    objects = [turned("0.643501")] * 5 + [turned("45")]
    build(tmp_path, {"1.xml": sheet(*objects), "1.png": None})
    parts, report = read_all(voc, tmp_path)
    (record,) = parts["train"]
    assert record.lost == 1 and len(record.polygons) == 5
    assert record.polygons[4] == pytest.approx(np.float32(SLANTED), abs=1e-3)
    assert found(report) == [("GT022", "1.xml", 7)] and "45" in report[0].detail and "radians" in report[0].detail
    assert "radians" in report.notes[0]


@pytest.mark.parametrize(
    ("entry", "outline"),
    [
        ("<polygon><x1>1</x1><y1>2</y1><x2>31</x2><y2>2</y2><x3>31</x3><y3>12</y3></polygon>" + BOX, SQUARE[:3]),
        ("<polygon><x2>31</x2><y2>2</y2><x1>1</x1><y1>2</y1><x10>1</x10><y10>12</y10></polygon>",
         [SQUARE[0], SQUARE[1], SQUARE[3]]),
        ("<polygon><pt><x>1</x><y>2</y></pt><pt><x>31</x><y>2</y></pt><pt><x>31</x><y>12</y></pt></polygon>",
         SQUARE[:3]),
        ("<robndbox><x_left_top>1</x_left_top><y_left_top>2</y_left_top><x_right_top>31</x_right_top>"
         "<y_right_top>2</y_right_top><x_right_bottom>31</x_right_bottom><y_right_bottom>12</y_right_bottom>"
         "<x_left_bottom>1</x_left_bottom><y_left_bottom>12</y_left_bottom></robndbox>", SQUARE),
        (BOX + "<attributes><attribute><name>rotation</name><value>90.0</value></attribute></attributes>",
         [[21, -8], [21, 22], [11, 22], [11, -8]]),
        (BOX + "<part><bndbox><xmin>9</xmin></bndbox></part>", SQUARE),
    ],
    ids=["x1", "unordered", "pt", "four corners", "CVAT rotation", "part"],
)  # fmt: skip
def test_outlines(tmp_path, entry, outline):
    build(tmp_path, {"1.xml": sheet(f"<name>text</name>{entry}"), "1.png": None})
    parts, report = read_all(voc, tmp_path)
    assert parts["train"][0].polygons[0] == pytest.approx(np.array(outline, np.float32), abs=1e-4) and not len(report)


def test_texts_and_deleted_objects(tmp_path):
    attribute = "<attributes><attribute><name>Transcription</name><value> EXIT </value></attribute></attributes>"
    objects = (
        f"<name>text</name>{BOX}{attribute}",
        f"<name>text</name>{BOX}<text>###</text>",
        f"<name>###</name>{BOX}",
        f"<name>text</name>{BOX}<deleted>1</deleted>",
    )
    build(tmp_path, {"1.xml": sheet(*objects), "1.png": None})
    (record,) = read_all(voc, tmp_path)[0]["train"]
    assert record.texts == ("EXIT", "###", "") and record.categories == ("text", "text", "###")
    assert record.ignore.tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("entry", "code", "words"),
    [
        ("<name>text</name>", "GT022", "without <bndbox>, <robndbox> or <polygon>"),
        ("<bndbox><xmin>1</xmin></bndbox>", "GT022", "<bndbox> without <ymin>"),
        (BOX.replace("<xmax>31", "<xmax>3l"), "GT020", "<xmax> is '3l', not a number"),
        (BOX.replace("<xmax>31", "<xmax>nan"), "GT020", "'nan'"),
        ("<robndbox><cx>1</cx><cy>1</cy><w>1</w><h>1</h></robndbox>", "GT022", "without <angle>"),
        ("<robndbox><cx>1</cx><cy>1</cy><w>1</w><h>1</h><angle>1e999</angle></robndbox>", "GT022", "radians"),
        ("<polygon><x1>1</x1><y1>1</y1><x2>1</x2><y2>1</y2></polygon>", "GT018", "holds 2 corners"),
        ("<polygon><x1>1</x1><y1>1</y1><x2>1</x2><x3>3</x3><y3>3</y3></polygon>", "GT022", "without <y2>"),
        (BOX + "<attributes><attribute><name>rotation</name><value>x</value></attribute></attributes>", "GT020", "'x'"),
    ],
)
def test_a_bad_object_is_counted_as_lost(tmp_path, entry, code, words):
    good = f"<name>text</name>{BOX}"
    build(tmp_path, {"1.xml": sheet(good, entry, good), "1.png": None})
    parts, report = read_all(voc, tmp_path)
    (record,) = parts["train"]
    (finding,) = report
    assert (finding.code, finding.line, finding.image) == (code, 3, tmp_path / "1.png")
    assert re.search(words, finding.detail)
    assert record.lost == 1 and record.lines.tolist() == [2, 4]
    assert corners(record) == [SQUARE] * 2 and record.categories == ("text",) * 2 and not record.ignore.any()


@pytest.mark.parametrize(
    ("content", "code", "line", "words"),
    [
        ("<annotation><object>\n</annotation>", "GT006", 2, "not valid XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotation><size/></annotation>', "GT006", 0, "document type"),
        ("<other/>", "GT006", 1, "the root element is <other>, not <annotation>"),
        ("", "GT006", 1, "no element found"),
        (b"\x89PNG\0", "GT006", 0, "not a text file"),
    ],
)
def test_a_bad_file_loses_only_its_image(tmp_path, content, code, line, words):
    build(tmp_path, {"1.xml": sheet(BOX), "1.png": None, "2.xml": content, "2.png": None})
    parts, report = read_all(voc, tmp_path)
    assert names(parts) == {"train": ["1.png"]}
    assert found(report, tmp_path) == [(code, "2.xml", line)]
    assert words in report[0].detail and report[0].image == tmp_path / "2.png"


def test_the_folders_of_the_challenge_and_its_lists(tmp_path):
    files = {f"VOC2007/JPEGImages/{number}.jpg": None for number in (1, 2, 3, 4)}
    files |= {f"VOC2007/Annotations/{number}.xml": sheet(BOX, name=f"{number}.jpg") for number in (1, 2, 3)}
    build(tmp_path, files | {"VOC2007/ImageSets/Main/train.txt": "1\n3\n", "VOC2007/ImageSets/Main/test.txt": '"2"\n'})
    parts, report = read_all(voc, tmp_path)
    assert names(parts) == {"train": ["1.jpg", "3.jpg"], "test": ["2.jpg"]} and not report.unsplit
    assert all(corners(record) == [SQUARE] for records in parts.values() for record in records)
    assert found(report, tmp_path) == [("GT001", "VOC2007/JPEGImages/4.jpg", 0)]
    assert voc.recognise(tmp_path) == "VOC2007/Annotations/1.xml: has <annotation>, for one image"


def test_lists_with_suffixes(tmp_path):
    files = {f"JPEGImages/{number}.jpg": None for number in (1, 2, 3)}
    files |= {f"Annotations/{number}.xml": sheet(BOX, name=f"{number}.jpg") for number in (1, 2, 3)}
    lists = {"train": "1.jpg\n", "val": "JPEGImages/2.jpg Annotations/2.xml\n", "test": "3\n"}
    build(tmp_path, files | {f"ImageSets/Main/{split}.txt": text for split, text in lists.items()})
    parts, report = read_all(voc, tmp_path)
    assert names(parts) == {"train": ["1.jpg"], "val": ["2.jpg"], "test": ["3.jpg"]} and not len(report)
    assert all(corners(record) == [SQUARE] for records in parts.values() for record in records)


def test_a_file_does_not_take_the_image_of_another_split(tmp_path):
    build(tmp_path, {"train/1.xml": sheet(BOX), "val/1.xml": sheet(BOX), "val/1.png": None})
    parts, report = read_all(voc, tmp_path)
    assert [record.label_path.parent.name for records in parts.values() for record in records] == ["val"]
    assert found(report, tmp_path) == [("FS079", "train/1.xml", 0)]


@pytest.mark.parametrize(
    ("name", "value", "flag"),
    [
        ("Illegible", "true", "illegible"),
        ("legible", "false", "illegible"),
        ("Legibility", "illegible", "illegible"),
        ("legible", "true", ""),
        ("legibility", "legible", ""),
    ],
)
def test_attributes_of_cvat_are_flags(tmp_path, name, value, flag):
    attribute = f"<attributes><attribute><name>{name}</name><value>{value}</value></attribute></attributes>"
    build(tmp_path, {"1.xml": sheet(f"<name>text</name>{attribute}{BOX}"), "1.png": None})
    (record,) = read_all(voc, tmp_path)[0]["train"]
    assert record.flags == (flag,) and corners(record) == [SQUARE]


def test_the_nearest_image_belongs_to_a_file(tmp_path):
    a = build(tmp_path / "a", {f"{split}/{name}": None for split in ("train", "val") for name in ("1.png", "2.png")})
    build(a, {"train/1.xml": sheet(BOX), "val/1.xml": sheet(BOX), "annotations/val/2.xml": sheet(BOX)})
    parts, report = read_all(voc, a)
    where = {split: [record.image_path.parent.name for record in records] for split, records in parts.items()}
    assert where == {"train": ["train"], "val": ["val", "val"]}
    assert found(report, a) == [("GT001", "train/2.png", 0)]
    b = build(tmp_path / "b", {"new.xml": sheet(BOX, name="sub\\old.png"), "old.png": None})
    assert names(read_all(voc, b)[0]) == {"train": ["old.png"]}
    c = build(tmp_path / "c", {"1.xml": sheet(BOX), "1.png": None, "1.jpg": None})
    assert names(read_all(voc, c)[0]) == {"train": ["1.png"]}  # by <filename>
    d = build(tmp_path / "d", {"x/1.xml": sheet(BOX), "y/1.png": None, "z/1.png": None, "2.xml": sheet(BOX, name="3")})
    _, report = read_all(voc, d)
    assert [finding.code for finding in report][:2] == ["FS079", "FS076"]
    assert "y/1.png or z/1.png" in report[1].detail


def test_an_image_without_objects_has_no_text(tmp_path):
    build(tmp_path, {"1.xml": sheet(), "1.png": None})
    parts, report = read_all(voc, tmp_path)
    assert parts["train"][0].polygons == () and parts["train"][0].lost == 0 and not len(report)


def test_recognise(tmp_path):
    assert recognised(voc.recognise, tmp_path) == {"voc": "Annotations/1.xml: has <annotation>, for one image"}
    assert voc.recognise(tmp_path / "nowhere") is None


def test_an_outline_with_many_corners_takes_little_time(tmp_path):
    corners = "".join(f"<x{number}>{number}</x{number}><y{number}>1</y{number}>" for number in range(1, 10_000))
    build(tmp_path, {"1.xml": sheet(f"<polygon>{corners}</polygon>"), "1.png": None})
    began = time.process_time()
    parts, _ = read_all(voc, tmp_path)
    assert time.process_time() - began < 2 and len(parts["train"][0].polygons[0]) == 9999
