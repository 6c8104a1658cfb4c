"""MSRA-TD500's rotated boxes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from format_files import build, found
from label_files import IMG_0030
from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats import msra_td500
from resnet18_ocrdet.errors import UserError


def test_official_folders(tmp_path):
    root = build(
        tmp_path,
        {
            "train/IMG_0030.JPG": "",
            "train/IMG_0030.gt": IMG_0030,
            "test/IMG_0059.JPG": "",
            "test/IMG_0059.gt": "0 0 10 20 30 40 0.000000\r\n",
        },
    )
    assert msra_td500.recognise(root).startswith("train/IMG_0030.gt starts with 7 numbers")
    report = Report()
    parts = msra_td500.read(root, report)
    assert list(parts) == ["train", "test"] and len(report) == 0
    (record,) = parts["train"]
    # Centre (772.5, 912.5), half sides 23.5 and 52.5, cos 0.99884631, sin -0.04802152, computed by hand.
    corners = [[746.506, 861.189], [793.452, 858.932], [798.494, 963.811], [751.548, 966.068]]
    np.testing.assert_allclose(record.polygons[0], corners, atol=1e-3)
    assert record.flags == ("", "difficult") and not record.ignore.any()
    assert (record.texts, record.lines.tolist(), record.lost, record.frame) == (("", ""), [1, 2], 0, "raw")
    assert parts["test"][0].polygons[0].tolist() == [[10, 20], [40, 20], [40, 60], [10, 60]]


def test_a_quarter_turn_is_clockwise_on_screen():
    region = msra_td500.parse_line(f"0 0 0 0 40 20 {math.pi / 2!r}")
    np.testing.assert_allclose(region.polygon, [[30, -10], [30, 30], [10, 30], [10, -10]], atol=1e-5)


def test_marks_are_not_used(tmp_path):
    root = build(tmp_path, {"train/a.JPG": "", "train/a.gt": IMG_0030})
    (record,) = msra_td500.read(root, Report(), marks=("",))["train"]
    assert record.flags == ("", "difficult") and not record.ignore.any()


def test_numbers_that_are_not_finite_are_kept():
    assert not np.isfinite(msra_td500.parse_line("0 0 nan 0 40 20 0").polygon[:, 0]).any()
    assert not np.isfinite(msra_td500.parse_line("0 0 0 0 40 20 inf").polygon).any()
    assert np.isinf(msra_td500.parse_line("0 0 1e300 0 40 20 0").polygon[:, 0]).all()


@pytest.mark.parametrize(
    ("line", "code", "detail"),
    [
        ("0 0 749 860 47 105", "GT018", "6 fields: a line has 7"),
        ("0 0 749 860 47 105 0.1 word", "GT022", "more than 7 fields: a line has 7"),
        ("0 0 749 860 4O 105 0.1", "GT020", "number 5 is '4O'"),
        ("0 0 ٧ 860 40 105 0.1", "GT020", "number 3 is '٧'"),
    ],
)
def test_lines_without_a_readable_position(tmp_path, line, code, detail):
    root = build(tmp_path, {"train/a.JPG": "", "train/a.gt": f"0 0 1 2 3 4 0\n\n{line}\n0, 0, 1, 2, 3, 4, 0\n"})
    report = Report()
    (record,) = msra_td500.read(root, report)["train"]
    assert found(report) == [(code, "a.gt", 3)]
    assert report[0].detail.startswith(detail) and report[0].image == root / "train/a.JPG"
    assert record.lost == 1 and record.lines.tolist() == [1, 4]
    np.testing.assert_allclose(record.polygons, [[[1, 2], [4, 2], [4, 6], [1, 6]]] * 2, atol=1e-5)
    assert record.flags == ("", "") and not record.ignore.any()


def test_empty_missing_and_unmatched_files(tmp_path):
    root = build(
        tmp_path,
        {
            "train/照片 1.JPG": "",
            "train/照片 1.gt": " \n",
            "train/b.JPG": "",
            "train/c.gt": IMG_0030,
            "train/d.JPG": "",
            "train/d.gt": b"GIF8\0\0",
        },
    )
    report = Report()
    (record,) = msra_td500.read(root, report)["train"]
    assert record.image_path.name == "照片 1.JPG" and record.polygons == ()
    assert sorted(found(report)) == [
        ("GT001", "b.JPG", 0),
        ("GT002", "照片 1.gt", 0),
        ("GT006", "d.gt", 0),
        ("GT027", "c.gt", 0),
    ]


def test_a_broken_link_is_skipped(tmp_path):
    root = build(tmp_path, {"train/a.JPG": "", "train/a.gt": IMG_0030, "train/b.gt": IMG_0030})
    (root / "train/b.JPG").symlink_to(root / "gone.JPG")
    report = Report()
    assert len(msra_td500.read(root, report)["train"]) == 1
    assert ("FS077", "b.JPG", 0) in found(report)


def test_an_empty_folder(tmp_path):
    with pytest.raises(UserError, match="0 images found"):
        msra_td500.read(build(tmp_path, {"train/a.gt": IMG_0030}), Report())


@pytest.mark.parametrize(
    "files",
    [
        {"train/a.jpg": "", "train/a.txt": IMG_0030},
        {"train/a.jpg": "", "train/a.gt": "0,0,9,0,9,9,0,9,word\n"},
        {"train/a.jpg": "", "train/a.gt": "5 7 749 860 47 105 -0.048040\n"},
        {"train/a.jpg": "", "train/a.gt": ""},
        {"train_images/a.jpg": "", "train_gts/a.gt": IMG_0030},
        {},
    ],
)
def test_other_folders_are_not_recognised(tmp_path, files):
    assert msra_td500.recognise(build(tmp_path, files)) is None
