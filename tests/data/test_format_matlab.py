"""MATLAB files, and their use in Total-Text."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest

from format_files import build, found
from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats import matlab, totaltext

SQUARE = "x: [[0 9 9 0]], y: [[0 0 9 9]]"


def mat_file(path, rows, name="polygt", compressed=False):
    """Write a MATLAB 5 file with SciPy: a cell array with columns 1 to 6 of the official readme."""
    savemat = pytest.importorskip("scipy.io").savemat
    table = np.empty((len(rows), 6), object)
    for number, (x, y, text, orientation) in enumerate(rows):
        table[number] = ["x:", np.array([x]), "y:", np.array([y]), text, orientation]
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"other": np.arange(3), name: table}, do_compression=compressed)


def test_matlab_files(tmp_path):
    folder = tmp_path / "Groundtruth/Polygon/Train"
    mat_file(
        folder / "poly_gt_img11.mat",
        [
            ([115, 503, 494, 115], [322, 346, 426, 404], "nauGHTY", "m"),
            ([543, 583, 660], [347, 288, 288], "#", "#"),
            ([543, 583, 660], [347, 288], "short", "h"),
            ([0.5, 9, 9], [0, 0, 9], "", "h"),
        ],
    )
    build(tmp_path, {"Images/Train/img11.jpg": ""})
    assert "poly_gt_img11.mat is a MATLAB file" in totaltext.recognise(tmp_path)
    report = Report()
    (record,) = totaltext.read(tmp_path, report)["train"]
    assert record.polygons[0].tolist() == [[115, 322], [503, 346], [494, 426], [115, 404]]
    assert record.polygons[2].tolist() == [[0.5, 0], [9, 0], [9, 9]]
    assert record.texts == ("nauGHTY", "#", "") and record.ignore.tolist() == [False, True, False]
    assert record.lines.tolist() == [1, 2, 4] and record.lost == 1
    assert found(report) == [("GT019", "poly_gt_img11.mat", 3)]


def test_text_files_are_preferred_to_matlab_files(tmp_path):
    mat_file(tmp_path / "train_gts/poly_gt_1.mat", [([0, 1, 2], [0, 1, 0], "mat", "h")])
    build(tmp_path, {"train_images/1.jpg": "", "train_gts/poly_gt_1.txt": f"{SQUARE}, transcriptions: [u'txt']"})
    report = Report()
    (record,) = totaltext.read(tmp_path, report)["train"]
    assert record.texts == ("txt",) and len(report) == 0


def test_broken_matlab_files(tmp_path):
    folder = tmp_path / "train_gts"
    mat_file(folder / "1.mat", [([0, 1, 2], [0, 1, 0], "mat", "h")])
    mat_file(folder / "2.mat", [([0, 1, 2], [0, 1, 0], "mat", "h")], name="rectgt")
    mat_file(folder / "3.mat", [])
    whole = (folder / "1.mat").read_bytes()
    build(
        tmp_path,
        {
            "train_gts/1.mat": whole[: len(whole) // 2],
            "train_gts/4.mat": "",
            "train_gts/5.mat": b"MATLAB 5.0 MAT-file" + bytes(range(256)) * 2,
            "train_gts/6.mat": "x: [[",
        }
        | {f"train_images/{number}.jpg": "" for number in range(1, 7)},
    )
    report = Report()
    (record,) = totaltext.read(tmp_path, report)["train"]
    assert record.image_path.name == "3.jpg" and record.polygons == ()
    assert sorted(found(report)) == [("GT002", "3.mat", 0), *(("GT006", f"{n}.mat", 0) for n in (1, 2, 4, 5, 6))]
    assert all("\n" not in finding.detail for finding in report)


@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_matlab_files_raise_value_error(tmp_path, compressed):
    mat_file(tmp_path / "1.mat", [([0, 1, 2], [0, 1, 0], "照片", "h")], compressed=compressed)
    whole = (tmp_path / "1.mat").read_bytes()
    rows = [["x:", [0, 1, 2], "y:", [0, 1, 0], "照片", "h"]]
    assert matlab.read_cells(whole, "polygt") == rows
    for length in range(len(whole)):
        with pytest.raises(ValueError, match=r"[a-z]"):
            matlab.read_cells(whole[:length], "polygt")
    draw = random.Random(0)
    refused = 0
    for _ in range(2000):
        data = bytearray(whole)
        data[draw.randrange(len(data))] = draw.randrange(256)
        try:
            matlab.read_cells(bytes(data), "polygt")
        except ValueError:
            refused += 1
    assert refused > 200


def test_the_unpacked_size_of_matlab_files_is_limited(tmp_path, monkeypatch):
    mat_file(tmp_path / "1.mat", [([0, 1, 2], [0, 1, 0], "a" * 10_000, "h")], compressed=True)
    data = (tmp_path / "1.mat").read_bytes()
    assert len(data) < 1000 and len(matlab.read_cells(data, "polygt")[0][4]) == 10_000
    monkeypatch.setattr(matlab, "MAX_UNPACKED_BYTES", 5000)
    with pytest.raises(ValueError, match="more than 5000 bytes"):
        matlab.read_cells(data, "polygt")


def test_big_endian_matlab_file():
    """Bytes written by hand after the tables of MathWorks' "MAT-File Format": polygt = {[7 260], 'ab'}."""

    def element(kind, data):
        return struct.pack(">II", kind, len(data)) + data + bytes(-len(data) % 8)

    def array(array_class, shape, name, *parts):
        head = element(6, struct.pack(">II", array_class, 0)) + element(5, struct.pack(">2i", *shape))
        return element(14, head + element(1, name) + b"".join(parts))

    numbers = array(6, (1, 2), b"", struct.pack(">HHHH", 4, 4, 7, 260))  # 4 bytes of uint16, within the tag
    letters = array(4, (1, 2), b"", element(4, "ab".encode("utf-16-be")))
    header = b"MATLAB 5.0 MAT-file".ljust(124) + b"\1\0MI"
    assert matlab.read_cells(header + array(1, (1, 2), b"polygt", numbers, letters), "polygt") == [[[7, 260], "ab"]]
