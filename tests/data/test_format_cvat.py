"""Exports of CVAT for images."""

from __future__ import annotations

import re

import numpy as np
import pytest

from format_files import build, corners, found, names, read_all, recognised
from resnet18_ocrdet.data.formats import coco, cvat
from resnet18_ocrdet.data.load_annotations import read_data

META = """<meta><task><id>5</id><name>signs</name><labels><label><name>word</name><attributes>
<attribute><name>Wortlaut</name><mutable>False</mutable><input_type>text</input_type><values></values></attribute>
<attribute><name>legible</name><input_type>checkbox</input_type></attribute></attributes></label></labels></task></meta>
"""
# As dump_as_cvat_annotation of CVAT writes them; the box is turned by an angle with cosine 0.8 and sine 0.6.
SHAPES = """
<box label="word" source="manual" occluded="0" xtl="75.00" ytl="50.00" xbr="125.00" ybr="70.00" rotation="36.87"
 z_order="0">
  <attribute name="text">EXIT</attribute>
</box>
<polygon label="word" source="manual" occluded="1" points="37.00,57.00;171.00,57.00;171.00,105.50" z_order="0">
</polygon>
<polyline label="word" source="manual" occluded="0" points="0.00,0.00;40.00,0.00;40.00,20.00;0.00,20.00;0.00,0.00"/>
<mask label="logo" source="manual" occluded="0" rle="0, 2, 1, 1" left="40" top="60" width="4" height="1" z_order="0">
  <attribute name="Transcription">two pieces</attribute>
</mask>
<ellipse label="word" source="manual" occluded="0" cx="50.00" cy="40.00" rx="20.00" ry="10.00" rotation="90.00"/>
<tag label="indoor" source="manual"></tag>
"""
SQUARE = [[1, 2], [31, 2], [31, 12], [1, 12]]
BOX = '<box label="word" occluded="0" xtl="1.00" ytl="2.00" xbr="31.00" ybr="12.00">{}</box>'


def export(*images, meta=META):
    """images: name, or name and shapes, or name, shapes and further attributes."""
    parts = []
    for number, image in enumerate(images):
        name, shapes, more = (*((image,) if isinstance(image, str) else image), "", "")[:3]
        parts.append(f'<image id="{number}" name="{name}" {more}width="200" height="100">{shapes}</image>\n')
    heading = '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n'
    return f"{heading}{meta}{''.join(parts)}</annotations>\n"


def test_every_shape(tmp_path):
    build(tmp_path, {"annotations.xml": export(("1.png", SHAPES)), "images/1.png": None})
    parts, report = read_all(cvat, tmp_path)
    (record,) = parts["train"]
    assert not len(report) and report.unsplit and record.stated == (100, 200)
    assert len(record.polygons) == 6  # the mask has two pieces, a tag is no region
    box, polygon, line, first, second, ellipse = record.polygons
    assert box == pytest.approx(np.array([[86, 37], [126, 67], [114, 83], [74, 53]], np.float32), abs=0.01)
    assert polygon.tolist() == [[37, 57], [171, 57], [171, 105.5]]
    assert line.tolist() == [[0, 0], [40, 0], [40, 20], [0, 20]]
    assert first.tolist() == [[40, 60], [42, 60], [42, 61], [40, 61]]
    assert second.tolist() == [[43, 60], [44, 60], [44, 61], [43, 61]]
    assert ellipse[[0, 16]] == pytest.approx(np.array([[50, 60], [40, 40]], np.float32), abs=1e-4)
    assert record.texts == ("EXIT", "", "", "two pieces", "two pieces", "")
    assert record.categories == ("word", "word", "word", "logo", "logo", "word")
    assert record.flags == ("", "occluded", "", "", "", "")
    assert record.lines.tolist() == [7 + place for place in (1, 5, 7, 8, 8, 11)]


def test_texts_flags_and_marks(tmp_path):
    shapes = (
        BOX.format('<attribute name="text">###</attribute>'),
        BOX.format('<attribute name="Wortlaut">Ausgang</attribute>'),  # the only attribute that <meta> says is a text
        BOX.format('<attribute name="illegible">true</attribute><attribute name="text"> a &amp; b </attribute>'),
        BOX.format('<attribute name="Difficult">1</attribute><attribute name="ignore">false</attribute>'),
    )
    build(tmp_path, {"annotations.xml": export(("1.png", "".join(shapes))), "1.png": None})
    (record,) = read_all(cvat, tmp_path)[0]["train"]
    assert record.texts == ("###", "Ausgang", "a & b", "") and record.ignore.tolist() == [True, False, False, False]
    assert corners(record) == [SQUARE] * 4
    assert record.flags == ("", "", "illegible", "difficult") and set(cvat.IGNORE_FLAGS) >= {"illegible", "difficult"}
    build(tmp_path, {"annotations.xml": export(("1.png", shapes[1]), meta="")})
    assert read_all(cvat, tmp_path)[0]["train"][0].texts == ("",)


def attribute(name, value):
    return f'<attribute name="{name}">{value}</attribute>'


@pytest.mark.parametrize(
    ("attributes", "text", "flags"),
    [
        ({"text": "EXIT"}, "EXIT", ""),
        ({"Transcription": "EXIT", "legible": True}, "EXIT", ""),
        ({"OCR": "EXIT", "legible": False}, "EXIT", "illegible"),
        ({"word": "EXIT", "Legibility": "illegible"}, "EXIT", "illegible"),
        ({"content": "EXIT", "Difficult": True, "ignore": False}, "EXIT", "difficult"),
        ({"UTF8_string": "EXIT", "occluded": True}, "EXIT", "occluded"),
        ({"colour": "red"}, "", ""),
    ],
)
def test_attributes_mean_the_same_in_both_exports_of_cvat(tmp_path, attributes, text, flags):
    """A box in CVAT's own XML and in its COCO export, where true is a boolean."""
    words = "".join(attribute(name, str(value).lower() if value in (True, False) else value)
                    for name, value in attributes.items())  # fmt: skip
    coco_box = {
        "image_id": 1,
        "category_id": 1,
        "bbox": [1, 2, 30, 10],
        "attributes": {"occluded": False, **attributes},
    }
    listed = [{"id": 1, "file_name": "1.png", "width": 200, "height": 100}]
    content = {"images": listed, "annotations": [coco_box], "categories": [{"id": 1, "name": "word"}]}
    build(tmp_path / "a", {"annotations.xml": export(("1.png", BOX.format(words))), "1.png": None})
    build(tmp_path / "b", {"annotations/instances_default.json": content, "1.png": None})
    for reader, root in ((cvat, tmp_path / "a"), (coco, tmp_path / "b")):
        (record,) = read_all(reader, root)[0]["train"]
        assert (record.texts, record.flags, record.categories) == ((text,), (flags,), ("word",)), reader.NAME
        assert corners(record) == [SQUARE] and not record.ignore.any()
        assert read_data(root).causes == ({flags: 1} if flags in ("illegible", "difficult") else {})


@pytest.mark.parametrize(
    ("shape", "code", "words"),
    [
        ('<points label="word" points="1,1;2,2;3,3"/>', "GT022", "<points> does not enclose a region"),
        ('<cuboid label="word" xtl1="1"/>', "GT022", "<cuboid>"),
        ('<skeleton label="word"><points points="1,1"/></skeleton>', "GT022", "<skeleton>"),
        ('<polyline points="0,0;40,0;40,20;0,20"/>', "GT022", "ends are 20 px apart"),
        ('<polygon label="word"/>', "GT022", "<polygon> without points"),
        ('<polygon points="1,1;2,2"/>', "GT018", "2 corners"),
        ('<polygon points="1,1;2,2;3"/>', "GT019", "5 numbers"),
        ('<polygon points="1,1;2,b;3,3"/>', "GT020", "number 4 is 'b'"),
        (BOX.replace('ytl="2.00" ', ""), "GT022", "<box> without ytl"),
        (BOX.replace('"2.00"', '"zwei"'), "GT020", "ytl is 'zwei', not a number"),
        (BOX.replace("occluded", 'rotation="1e999" occluded'), "GT021", "the angle is inf"),
        ('<mask rle="0, 4" left="0" top="0" width="2" height="3"/>', "GT022", "2x3 px has runs of 4 px"),
        ('<mask rle="0, x" left="0" top="0" width="2" height="3"/>', "GT020", "run 2 of rle is ' x'"),
        ('<mask rle="6" left="0" top="0" width="2" height="3"/>', "GT022", "without any pixel"),
        ('<mask rle="0, 6" left="0" width="2" height="3"/>', "GT022", "<mask> without top"),
        ('<mask rle="0, 6" left="0" top="0" width="1e300" height="1e300"/>', "GT022", r"1e\+300x1e\+300 px"),
        ('<mask rle="0, 6" left="0" top="0" width="1.5" height="4"/>', "GT022", "1.5x4 px"),
    ],
)
def test_a_bad_shape_is_counted_as_lost(tmp_path, shape, code, words):
    good = BOX.format("")
    build(tmp_path, {"annotations.xml": export(("1.png", f"{good}\n{shape}\n{good}"), meta=""), "1.png": None})
    parts, report = read_all(cvat, tmp_path)
    (record,) = parts["train"]
    (finding,) = report
    assert (finding.code, finding.line, finding.image) == (code, 5, tmp_path / "1.png")
    assert re.search(words, finding.detail)
    assert record.lost == 1 and record.lines.tolist() == [4, 6]
    assert corners(record) == [SQUARE] * 2 and record.categories == ("word",) * 2 and not record.ignore.any()


@pytest.mark.parametrize(
    ("content", "code", "line", "words"),
    [
        (export(("1.png", BOX))[:-20], "GT006", None, "not valid XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]>' + export("1.png"), "GT006", 0, "document type"),
        ("<annotations><version>1.1</version><track id='0'/></annotations>", "GT006", 0, "tracks of a video"),
        ("<annotations><version>1.1</version></annotations>", "GT006", 0, "no <image>"),
        ("", "GT006", 1, "no element found"),
    ],
)
def test_a_bad_file(tmp_path, content, code, line, words):
    build(tmp_path, {"annotations.xml": content, "1.png": None})
    parts, report = read_all(cvat, tmp_path)
    (finding,) = report
    assert parts == {"train": []} and finding.code == code and words in finding.detail
    assert line is None or finding.line == line


def test_a_missing_image_loses_only_itself(tmp_path):
    whole = export(("2.png", BOX), ("", BOX), ("sub/1.png", BOX), meta="")
    build(tmp_path, {"annotations.xml": whole, "images/sub/1.png": None})
    parts, report = read_all(cvat, tmp_path)
    assert names(parts) == {"train": ["1.png"]} and corners(parts["train"][0]) == [SQUARE]
    assert found(report) == [("FS079", "annotations.xml", 4), ("GT022", "annotations.xml", 5)]


def test_the_subset_is_the_split_and_the_folder(tmp_path):
    images = [
        ("1.png", BOX, 'subset="Train" '),
        ("1.png", "", 'subset="Validation" '),
        ("2.png", "", 'subset="extra" '),
    ]
    files = {f"images/{folder}/{name}.png": None for folder in ("Train", "Validation", "extra") for name in (1, 2, 3)}
    build(tmp_path, {"annotations.xml": export(*images), **files})
    parts, report = read_all(cvat, tmp_path)
    where = {split: [record.image_path.parent.name for record in records] for split, records in parts.items()}
    assert where == {"train": ["Train", "extra"], "val": ["Validation"]} and not len(report)
    assert corners(parts["train"][0]) == [SQUARE] and len(parts["val"][0].polygons) == 0


def test_a_folder_for_each_task(tmp_path):
    files = {f"{task}/images/{task}.png": None for task in ("a", "b")}
    files |= {f"{task}/annotations.xml": export((f"{task}.png", BOX)) for task in ("a", "b")}
    build(tmp_path, files)
    parts, report = read_all(cvat, tmp_path)
    assert names(parts) == {"train": ["a.png", "b.png"]} and not len(report)
    assert [corners(record) for record in parts["train"]] == [[SQUARE]] * 2
    assert cvat.recognise(tmp_path) == "a/annotations.xml: has <annotations> with images"


def test_recognise(tmp_path):
    sign = "annotations.xml: has <annotations> with images"
    assert recognised(cvat.recognise, tmp_path) == {"cvat": sign}
    assert cvat.recognise(tmp_path / "nowhere") is None
