"""Result files: folders and zips, what is accepted, what is refused and with which words."""

from __future__ import annotations

import io
import math
import os
import random
import tracemalloc
import zipfile

import numpy as np
import pytest

from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.evaluation import icdar_files, result_archive
from resnet18_ocrdet.evaluation.icdar_files import format_detections, read_predictions
from resnet18_ocrdet.evaluation.result_archive import holds_results
from resnet18_ocrdet.structures import Detection, Recognition

QUAD = np.array([[10.4, 20.6], [30, 20], [30, 40], [-0.3, 40]], np.float32)

IMAGES = ("img_1.jpg", "img_2.jpg", "a.b.png", "empty.jpg", "1.jpg", "2.jpg", "a\nb.jpg")


QUAD_LINE = "0,0,9,0,9,9,0,9"


def read(path, images=IMAGES):
    return read_predictions(path, images).found


def test_written_files_read_back(tmp_path):
    hexagon = np.arange(12, dtype=np.float32).reshape(6, 2)
    text = format_detections([Detection(QUAD, 0.98765), Detection(hexagon, 0.5)], with_scores=True)
    assert text == "10,21,30,20,30,40,0,40,0.9877\n0,1,2,3,4,5,6,7,8,9,10,11,0.5000\n"
    (tmp_path / "res_img_1.txt").write_text(text)
    first, second = read(tmp_path)["img_1"]
    np.testing.assert_array_equal(first.polygon, [[10, 21], [30, 20], [30, 40], [0, 40]])
    np.testing.assert_array_equal(second.polygon, hexagon)
    assert (first.score, second.score) == (0.9877, 0.5)


def test_scores_are_optional():
    assert format_detections([Detection(QUAD, 0.5)], with_scores=False) == "10,21,30,20,30,40,0,40\n"
    assert format_detections([Detection(QUAD, math.nan)], with_scores=True) == "10,21,30,20,30,40,0,40\n"
    assert format_detections([], with_scores=True) == ""


@pytest.mark.parametrize("shape", [QUAD, np.arange(12, dtype=np.float32).reshape(6, 2) ** 2 % 97])
def test_texts_behind_the_score_are_not_taken_for_numbers(tmp_path, shape):
    texts = ["2024", "1,5", 'say "no" \\ yes', None, "###", "12"]
    found = [Detection(shape, 0.5).with_recognition(Recognition(text)) for text in texts]
    written = format_detections(found, with_scores=True)
    assert [line.rsplit("0.5000,", 1)[1] for line in written.splitlines()] == [
        '"2024"',
        '"1,5"',
        '"say \\"no\\" \\\\ yes"',
        '""',
        '"###"',
        '"12"',
    ]
    (tmp_path / "res_img_1.txt").write_text(written)
    for each in read(tmp_path)["img_1"]:
        np.testing.assert_array_equal(each.polygon, np.rint(shape))
        assert each.score == 0.5


def test_bom_crlf_blank_lines_and_empty_files(tmp_path):
    (tmp_path / "res_a.b.txt").write_bytes(b"\xef\xbb\xbf0,0,9,0,9,9,0,9\r\n\r\n1.5,0,9,0,9,9,0,9, 0.25\r\n")
    (tmp_path / "res_empty.txt").touch()
    (tmp_path / "notes.txt").write_text("passed over")
    predictions = read(tmp_path)
    assert set(predictions) == {"a.b", "empty"}
    assert predictions["empty"] == []
    assert math.isnan(predictions["a.b"][0].score)
    assert predictions["a.b"][1].score == 0.25


def test_zip_with_folders_inside(tmp_path):
    path = tmp_path / "submit.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("out/", "")
        archive.writestr("out/res_img_2.txt", "0,0,9,0,9,9,0,9\n")
        archive.writestr("__MACOSX/out/._res_img_2.txt", b"\0\1")
    assert list(read(path)) == ["img_2"]
    assert [item.name for item in tmp_path.iterdir()] == ["submit.zip"]  # nothing was unpacked


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,2,3,4,5,6,7", r"res_1\.txt:2: column 14: a region needs 8 or more numbers, got 7$"),
        ("1,2,3,4", r"res_1\.txt:2: column 8: a region needs 8 or more numbers, got 4; boxes of 4 .*most lines"),
        ("1,2,3,4,word", r"res_1\.txt:2: column 9: a region needs 8 or more numbers, got 4, then 'word'"),
        ("1,2,3,4,5,6,7,nan", r"res_1\.txt:2: column 15: a region needs 8 or more numbers, got 7, then 'nan'"),
        ("1,2,3,4,5,6,7,8,nan", r"res_1\.txt:2: column 17: a score must be a number, got 'nan'"),
        ("1,2,3,4,5,6,7,1e9", r"res_1\.txt:2: column 15: 1e\+09 is too large"),
    ],
)
def test_bad_lines_are_reported_with_their_place(tmp_path, line, message):
    (tmp_path / "res_1.txt").write_text(f"0,0,9,0,9,9,0,9\n{line}\n")
    with pytest.raises(UserError, match=message):
        read(tmp_path)


def test_no_result_files(tmp_path):
    with pytest.raises(UserError, match="found nothing"):
        read(tmp_path)
    (tmp_path / "img_77.txt").write_text("no region")
    with pytest.raises(UserError, match=r"looked for res_<image name>\.txt .*found img_77\.txt"):
        read(tmp_path)
    with pytest.raises(UserError, match="no such folder or zip"):
        read(tmp_path / "nowhere")
    with pytest.raises(UserError, match="cannot be read as a zip"):
        read(tmp_path / "img_77.txt")


def test_two_files_for_one_image(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "res_1.txt").touch()
    with pytest.raises(UserError, match=r"image '1' already has .*a/res_1\.txt"):
        read(tmp_path)


@pytest.mark.parametrize("kind", ["zip", "folder"])
@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("res_{}.txt", "res_X.txt"),
        ("{}.txt", "X.txt"),
        ("pred_{}.txt", "pred_X.txt"),
        ("RES_{}.TXT", "RES_X.TXT"),
        ("{}.jpg.txt", "X.txt"),
    ],
)
def test_names_of_result_files(tmp_path, kind, name, pattern):
    files = {name.format("img_1"): "10,20,30,40,0.5,word", name.format("1"): "1,2,3,4,0.25,a,b"}
    files |= {"readme.txt": "x", "classes.txt": "", "._res_1.txt": "\0"}
    path = write_files(tmp_path, kind, files)
    read = read_predictions(path, IMAGES)
    assert [each.score for image in ("img_1.jpg", "1.jpg") for each in read.of(image)] == [0.5, 0.25]
    assert read.of("2.jpg") is None and read.unknown == []
    assert read.read_as.startswith(f"2 files {pattern}; 2 lines of left,top,right,bottom, a score, a text")
    assert holds_results(path)


def write_files(folder, kind, files):
    if kind == "folder":
        for name, text in files.items():
            (folder / name).write_text(text)
        return folder
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        for name, text in files.items():
            archive.writestr(f"below/{name}", text)
    return folder / "a.zip"


@pytest.mark.parametrize("kind", ["zip", "folder"])
@pytest.mark.parametrize("names", [("1.txt", "res_1.txt"), ("1.txt", "pred_1.txt"), ("RES_1.TXT", "res_1.txt")])
def test_two_names_for_one_image_are_refused_with_both(tmp_path, kind, names):
    path = write_files(tmp_path, kind, dict.fromkeys(names, QUAD_LINE))
    with pytest.raises(UserError) as caught:
        read(path)
    assert all(f"/{name}" in str(caught.value) for name in names) and "one result file per image" in str(caught.value)


def test_names_that_begin_as_a_prefix_does(tmp_path):
    write_files(tmp_path, "folder", {"pred_1.txt": QUAD_LINE, "res_2.txt": QUAD_LINE})
    assert set(read(tmp_path, ("pred_1.jpg", "res_2.jpg"))) == {"pred_1", "res_2"}
    assert set(read(tmp_path, ("1.jpg", "2.jpg", "res_2.jpg"))) == {"1", "2"}


def test_files_of_other_images_are_named(tmp_path):
    write_files(tmp_path, "folder", {"1.txt": QUAD_LINE, "img_77.txt": QUAD_LINE, "notes.txt": "1 of 2"})
    assert read_predictions(tmp_path, IMAGES).unknown == ["img_77.txt"]
    assert read_predictions(tmp_path, ("x.jpg",)).unknown == ["1.txt", "img_77.txt"]
    (tmp_path / "res_9.txt").write_text(QUAD_LINE)  # then a name without a prefix may be anything
    assert read_predictions(tmp_path, IMAGES).unknown == ["res_9.txt"]
    (tmp_path / "res_9.txt").rename(tmp_path / "1.jpg.txt")
    assert read_predictions(tmp_path, IMAGES).unknown == ["1.txt", "img_77.txt"]


def test_damaged_zip(tmp_path):
    path = tmp_path / "submit.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("res_1.txt", "0,0,9,0,9,9,0,9\n" * 100)
    data = bytearray(path.read_bytes())
    data[45:50] = b"\xff\xff\xff\xff\xff"
    path.write_bytes(data)
    with pytest.raises(UserError, match="cannot be read as a zip"):
        read(path)


WAYS_OF_PACKING = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def packed(method, **files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/") + ".txt", content)
    return data.getvalue()


@pytest.mark.parametrize("method", WAYS_OF_PACKING)
def test_a_damaged_zip_is_reported_in_one_line(tmp_path, method):
    rng, refused = random.Random(method), 0
    whole = packed(method, res_1="0,0,9,0,9,9,0,9\n" * 20, a__res_2="0,0,9,0,9,9,0,9,0.5\n")
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 5)):
            place = rng.randrange(len(data))
            piece = rng.choice([bytes([rng.randrange(256)]), b"\xff\xff\xff\xff", b"\0\0\0\0", b""])
            data[place : place + max(1, len(piece))] = piece
        (tmp_path / "a.zip").write_bytes(data[: rng.choice([None, None, rng.randrange(len(data))])])
        holds_results(tmp_path / "a.zip")
        try:
            read(tmp_path / "a.zip")
        except UserError as error:
            assert "\n" not in str(error) and str(error).startswith(str(tmp_path / "a.zip"))
            refused += 1
    assert refused > 200


def test_a_zip_that_expands_too_much_is_refused_before_it_is_extracted(tmp_path):
    (tmp_path / "a.zip").write_bytes(
        packed(zipfile.ZIP_DEFLATED, **{f"res_{number}": b"0,0,9,0,9,9,0,9\n" * 2**18 for number in range(5)})
    )
    tracemalloc.start()
    with pytest.raises(UserError, match=r"a\.zip: its files are more than 20 times as large as the zip$"):
        read(tmp_path / "a.zip")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6


@pytest.mark.parametrize("kind", ["zip", "folder"])
def test_too_many_regions_or_bytes_are_refused(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(icdar_files, "MAX_REGIONS", 3)
    where = tmp_path / "a.zip" if kind == "zip" else tmp_path

    def write(content):
        if kind == "zip":
            where.write_bytes(packed(zipfile.ZIP_STORED, res_1=content))
        else:
            (where / "res_1.txt").write_text(content)

    write("0,0,9,0,9,9,0,9\n\n" * 3)
    assert len(read(where)["1"]) == 3
    write("0,0,9,0,9,9,0,9\n" * 4)
    with pytest.raises(UserError, match=r"res_1\.txt: more than 3 regions in one image$"):
        read(where)
    monkeypatch.setattr(result_archive, "MAX_FILE_BYTES", 20)
    with pytest.raises(UserError, match=r"res_1\.txt: .*20 bytes"):
        read(where)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_and_devices_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.zip")
    with pytest.raises(UserError, match=r"pipe\.zip: cannot be read as a zip: .*not a regular file"):
        read(tmp_path / "pipe.zip")
    holds_results(tmp_path / "pipe.zip")
    (tmp_path / "in").mkdir()
    for name, make in (("res_1.txt", os.mkfifo), ("res_2.txt", lambda path: path.symlink_to("/dev/zero"))):
        make(tmp_path / "in" / name)
        with pytest.raises(UserError, match=rf"{name}: cannot be read: not a regular file"):
            read(tmp_path / "in")
        (tmp_path / "in" / name).unlink()


def test_a_file_name_with_a_line_end_is_reported_in_one_line(tmp_path):
    (tmp_path / "a.zip").write_bytes(packed(zipfile.ZIP_STORED, **{"res_a\nb": "1,2"}))
    with pytest.raises(UserError) as caught:
        read(tmp_path / "a.zip")
    assert "res_a\\nb.txt:1" in str(caught.value) and "\n" not in str(caught.value)
