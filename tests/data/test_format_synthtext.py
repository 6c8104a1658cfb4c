"""SynthText's gt.mat, and large cell arrays of MATLAB files."""

from __future__ import annotations

import random
import struct
import tracemalloc
import zlib

import numpy as np
import pytest

from format_files import build, corners, found, names, read_all
from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats import mat_stream, synthtext
from resnet18_ocrdet.data.load_annotations import read_data

# Words of two images, as boxes[axis][corner][word], in the layout of the readme. The first image has two words.
TWO = [
    [[420.5, 100], [512, 180], [511.5, 180], [420, 100]],  # x
    [[21, 40], [23, 40], [41.5, 60], [39, 60]],  # y
]
ONE = [[5, 25, 25, 5], [1, 2, 12, 11]]  # without the axis of words


def element(kind, data):
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def array(array_class, shape, name, *parts):
    head = element(6, struct.pack("<II", array_class, 0)) + element(5, struct.pack(f"<{len(shape)}i", *shape))
    return element(14, head + element(1, name.encode()) + b"".join(parts))


def numbers(values):
    """A cell of doubles, column by column."""
    table = np.array(values, "<f8")
    return array(6, table.shape, "", element(9, table.tobytes(order="F")))


def text(*rows):
    """A cell of characters, column by column."""
    width = max(map(len, rows))
    columns = "".join(row.ljust(width)[place] for place in range(width) for row in rows)
    return array(4, (len(rows), width), "", element(4, columns.encode("utf-16-le")))


def mat(compressed=False, **variables):
    """A level 5 file with cell arrays, by MathWorks' "MAT-File Format"."""
    parts = [array(1, (1, len(cells)), name, *cells) for name, cells in variables.items()]
    packed = [zlib.compress(part) for part in parts]
    if compressed:
        parts = [struct.pack("<II", 15, len(part)) + part for part in packed]
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM" + b"".join(parts)


CELLS = {
    "charBB": [numbers(np.zeros((2, 4, 3))), numbers(np.zeros((2, 4, 3)))],
    "imnames": [text("8/ballet_106_0.jpg"), text("8/ballet_106_1.jpg")],
    "txt": [text("Lines: ", "\nlost  "), text(" pkg ")],
    "wordBB": [numbers(TWO), numbers(ONE)],
}
IMAGES = {"8/ballet_106_0.jpg": None, "8/ballet_106_1.jpg": None}


@pytest.mark.parametrize("compressed", [False, True])
def test_boxes_and_words(tmp_path, compressed):
    build(tmp_path, {"gt.mat": mat(compressed, **CELLS)} | IMAGES)
    assert synthtext.recognise(tmp_path) == "gt.mat: has imnames and wordBB"
    parts, report = read_all(synthtext, tmp_path)
    first, second = parts["train"]
    assert corners(first) == [
        [[420.5, 21], [512, 23], [511.5, 41.5], [420, 39]],
        [[100, 40], [180, 40], [180, 60], [100, 60]],
    ]
    assert corners(second) == [[[5, 1], [25, 2], [25, 12], [5, 11]]]
    assert first.texts == ("Lines:", "lost") and second.texts == ("pkg",)
    assert [record.image_path.name for record in parts["train"]] == ["ballet_106_0.jpg", "ballet_106_1.jpg"]
    assert first.lines.tolist() == [1, 2] and not first.ignore.any() and not len(report)
    assert read_data(tmp_path).dialect == "SynthText"


def test_words_that_do_not_match_the_boxes_are_left_out(tmp_path):
    words = [text("Lines:\nI ", "lost     "), text("pkg")]
    build(tmp_path, {"gt.mat": mat(**CELLS | {"txt": words})} | IMAGES)
    parts, report = read_all(synthtext, tmp_path)
    assert parts["train"][0].texts == ("", "") and len(parts["train"][0].polygons) == 2
    assert found(report) == [("GT010", "gt.mat", 1)] and "3 words in txt, 2 in wordBB" in report[0].detail


def test_characters_of_another_number_than_stated_are_left_out(tmp_path):
    short = array(4, (2**30, 2**30), "", element(4, "a b".encode("utf-16-le")))
    build(tmp_path, {"gt.mat": mat(**CELLS | {"txt": [short, text("pkg")]})} | IMAGES)
    parts, report = read_all(synthtext, tmp_path)
    assert [record.texts for record in parts["train"]] == [("", ""), ("pkg",)] and found(report)[0][0] == "GT010"


def test_without_texts_and_with_images_without_words(tmp_path):
    cells = {"imnames": CELLS["imnames"], "wordBB": [numbers(np.zeros((2, 4, 0))), numbers(ONE)]}
    parts, report = read_all(synthtext, build(tmp_path, {"gt.mat": mat(**cells)} | IMAGES))
    assert [len(record.polygons) for record in parts["train"]] == [0, 1] and not len(report)
    assert parts["train"][1].texts == ("",)


@pytest.mark.parametrize(
    ("variable", "cell", "code", "words"),
    [
        ("imnames", text("8/gone.jpg"), "FS079", "image 2: '8/gone.jpg': not found in"),
        ("wordBB", numbers(np.zeros((3, 4, 2))), "GT022", "wordBB is 3 x 4 x 2, needs 2 x 4 x the number of words"),
        ("wordBB", text("a"), "GT022", "wordBB needs an array of numbers"),
        ("wordBB", array(2, (1, 1), ""), "GT022", "wordBB needs an array of numbers"),
    ],
)
def test_a_bad_cell_loses_only_its_image(tmp_path, variable, cell, code, words):
    build(tmp_path, {"gt.mat": mat(**CELLS | {variable: [CELLS[variable][0], cell]})} | IMAGES)
    parts, report = read_all(synthtext, tmp_path)
    assert names(parts) == {"train": ["ballet_106_0.jpg"]}
    assert found(report) == [(code, "gt.mat", 2)] and words in report[0].detail


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no level 5 header"),
        (b"MATLAB 7.3 MAT-file".ljust(126) + b"IM", "version 7.3 is HDF5"),
        (mat(imnames=CELLS["imnames"]), "no cell array wordBB"),
        (mat(imnames=CELLS["imnames"], wordBB=CELLS["wordBB"][:1]), "different sizes: imnames 1 x 2, wordBB 1 x 1"),
        (mat(imnames=[numbers([[1]])] * 2, wordBB=CELLS["wordBB"]), "cell 1 of imnames is not a text"),
        (mat(True, **CELLS)[:-20], "a truncated variable"),
        (mat(**CELLS)[:-20], "a truncated variable"),
        (mat(True, **CELLS)[:140] + bytes(40) + mat(True, **CELLS)[180:], "damaged compression"),
        (mat(imnames=CELLS["imnames"], wordBB=[numbers(np.zeros((2, 4, 20_000)))] * 2), "more than 1048576"),
    ],
)
def test_a_damaged_file_is_not_read_in_part(tmp_path, content, words):
    build(tmp_path, {"gt.mat": content} | IMAGES)
    parts, report = read_all(synthtext, tmp_path)
    assert names(parts) == {"train": []}
    assert found(report) == [("GT006", "gt.mat", 0)] and words in report[0].detail


def test_every_cut_and_changed_byte_is_a_value_error(tmp_path):
    path = tmp_path / "gt.mat"

    def read():
        found = mat_stream.cell_arrays(path)
        return {name: list(mat_stream.cells(path, variable, 1)) for name, variable in found.items()}

    draw = random.Random(0)
    for compressed in (False, True):
        whole = mat(compressed, **CELLS)
        path.write_bytes(whole)
        assert set(read()) == set(CELLS)
        refused = 0
        for number in range(600):
            data = bytearray(whole if number % 2 else whole[: draw.randrange(len(whole))])
            if number % 2:
                data[draw.randrange(len(data))] = draw.randrange(256)
            path.write_bytes(data)
            try:
                read()
            except ValueError:
                refused += 1
        assert refused > 150


def test_the_unpacked_size_and_the_size_are_limited(tmp_path):
    name, boxes = text("8/ballet_106_0.jpg"), numbers(np.zeros((2, 4, 1000)))
    path = tmp_path / "gt.mat"
    path.write_bytes(mat(True, imnames=[name] * 40, wordBB=[boxes] * 40))  # 40 * 64 kB
    assert path.stat().st_size < 20_000
    build(tmp_path, IMAGES)
    for limit, words in (
        (2, "more than 2 MB unpacked (data.max_label_mb)"),
        (0, "larger than 0 MB (data.max_label_mb)"),
    ):
        report = Report(limit)
        assert synthtext.read(tmp_path, report, ()) == {"train": []}
        assert [finding.code for finding in report.at("error")] == ["GT006"] and words in report.at("error")[-1].detail


@pytest.mark.parametrize("compressed", [False, True])
def test_a_large_file_is_read_in_little_memory(tmp_path, compressed):
    boxes = numbers(np.zeros((2, 4, 2000)))  # 128 kB
    path = tmp_path / "gt.mat"
    path.write_bytes(mat(compressed, charBB=[boxes] * 200, wordBB=[boxes] * 200))  # 50 MB
    variable = mat_stream.cell_arrays(path)["wordBB"]
    tracemalloc.start()
    assert sum(1 for _ in mat_stream.cells(path, variable, 100)) == 200
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3e6


def test_other_files_are_not_recognised(tmp_path):
    build(tmp_path, {"gt.mat": mat(polygt=[text("x:")], imnames=CELLS["imnames"]), "a.mat": b"MATLAB 5.0 MAT-file"})
    assert synthtext.recognise(tmp_path) is None
    assert synthtext.recognise(tmp_path / "nowhere") is None
