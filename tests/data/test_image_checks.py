"""Checks of image headers: broken files, sizes, EXIF, labels that do not fit."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.image_checks import check_image_headers, to_upright
from resnet18_ocrdet.data.image_guard import ImageFault
from resnet18_ocrdet.data.image_header import read_header
from resnet18_ocrdet.data.image_io import EXIF_ORIENTATION, read_image
from resnet18_ocrdet.data.label_options import LabelOptions
from resnet18_ocrdet.data.labels import LabelledImages
from resnet18_ocrdet.data.load_annotations import read_data
from resnet18_ocrdet.data.record import Region, to_record

HEIGHT, WIDTH = 60, 100  # of the stored pixels
MARK = (70, 10)  # x, y of a white pixel in a corner region, so that every orientation puts it elsewhere


def photo(path, orientation=None, suffix="png"):
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[MARK[1] - 4 : MARK[1] + 5, MARK[0] - 4 : MARK[0] + 5] = 255
    exif = PIL.Image.Exif()
    if orientation is not None:
        exif[EXIF_ORIENTATION] = orientation
    PIL.Image.fromarray(pixels).save(path.with_suffix(f".{suffix}"), exif=exif)
    return path.with_suffix(f".{suffix}")


def box(x, y, half=4):
    return np.array(
        [[x - half, y - half], [x + half, y - half], [x + half, y + half], [x - half, y + half]], np.float32
    )


def surveyed(image, *boxes, **options):
    report = Report()
    record = to_record(image, Path("gt.txt"), [Region(b, "a", line=n) for n, b in enumerate(boxes, 1)])
    splits, line = check_image_headers({"train": [record]}, report, **options)
    return splits["train"], report, line


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_rotated_point_matches_the_rotated_image(tmp_path, orientation):
    path = photo(tmp_path / "a", orientation, "jpg")
    image = read_image(path)
    head = read_header(path)
    assert (head.height, head.width) == image.shape[:2] and head.orientation == orientation
    (point,) = to_upright(np.array([MARK], np.float32), orientation, HEIGHT, WIDTH)
    rows, columns = np.nonzero(image[..., 0] > 128)
    assert (columns.mean(), rows.mean()) == pytest.approx(tuple(point), abs=0.6)


@pytest.mark.parametrize("orientation", [6, 8, 5, 7])
def test_labels_of_raw_pixels_are_rotated_with_their_image(tmp_path, orientation):
    path = photo(tmp_path / "a", orientation, "jpg")
    raw = box(92, 30), box(*MARK)
    (record,), report, line = surveyed(path, *raw)
    assert [finding.code for finding in report] == ["IM063"] and line.endswith("the stored pixels")
    assert record.size == (WIDTH, HEIGHT) and record.frame == "upright"
    sample = LabelledImages([record]).load(0)
    x, y = record.polygons[1].mean(axis=0)
    assert sample.image[round(float(y)), round(float(x)), 0] > 128


def test_labels_of_the_upright_image_are_kept(tmp_path):
    path = photo(tmp_path / "a", 6, "jpg")
    (record,), report, line = surveyed(path, box(30, 92))
    assert not len(report) and line.endswith("the upright pixels")
    np.testing.assert_array_equal(record.polygons[0], box(30, 92))


def test_the_data_set_decides_for_images_that_fit_both_ways(tmp_path):
    report = Report()
    records = []
    for number, place in enumerate([(92, 30), (92, 20), (30, 30)]):  # the last one fits both ways
        path = photo(tmp_path / str(number), 6, "jpg")
        records.append(to_record(path, None, [Region(box(*place))]))
    _, line = check_image_headers({"train": records}, report)
    assert "upright image: 0, only the stored pixels: 2, both: 1" in line
    assert len(report.of("IM063")) == 3
    asked = check_image_headers({"train": records[2:]}, Report(), exif="upright")[0]["train"][0]
    np.testing.assert_array_equal(asked.polygons[0], box(30, 30))


def test_a_stated_size_decides_the_frame(tmp_path):
    path = photo(tmp_path / "a", 6, "jpg")
    record = to_record(path, None, [Region(box(30, 30))], stated=(HEIGHT, WIDTH))
    report = Report()
    check_image_headers({"train": [record]}, report)
    assert [finding.code for finding in report] == ["IM063"]


def test_labels_that_state_another_size_are_scaled(tmp_path):
    record = to_record(photo(tmp_path / "a"), None, [Region(box(20, 10))], stated=(HEIGHT // 2, WIDTH // 2))
    report = Report()
    (found,) = check_image_headers({"train": [record]}, report)[0]["train"]
    assert [finding.code for finding in report] == [
        "GT124"
    ] and "for an image 50 px wide, 30 high, this one is 100 px wide, 60 high: scaled" in report[0].text
    np.testing.assert_array_equal(found.polygons[0], box(20, 10) * 2)


@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}])
def test_a_truncated_tiff_is_found_before_it_is_read(tmp_path, options):
    path = tmp_path / "a.tif"
    noise = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    PIL.Image.fromarray(noise).save(path, **options)
    assert read_header(path)[:2] == (HEIGHT, WIDTH)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ImageFault) as fault:
        read_header(path)
    assert fault.value.code == "IM052"


def test_normalized_regions_that_exceed_the_border(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    photo(tmp_path / "images" / "a")
    (tmp_path / "labels" / "a.txt").write_text(
        "0.1,0.1,0.3,0.1,0.3,0.5,0.1,0.5,x\n0.5,0.5,1.01,0.5,1.01,0.9,0.5,0.9,y\n"
    )
    reading = read_data(tmp_path, options=LabelOptions(coords="normalized"))
    (record,) = reading.splits["train"]
    assert record.lost == 0 and not record.ignore.any() and not reading.report.at("error")
    np.testing.assert_allclose(record.polygons[1][:, 0], [0.5 * WIDTH, 1.01 * WIDTH, 1.01 * WIDTH, 0.5 * WIDTH])


def test_normalized_coordinates(tmp_path):
    shares = np.array([[0.1, 0.1], [0.3, 0.1], [0.3, 0.5], [0.1, 0.5]], np.float32)
    (record,), report, _ = surveyed(photo(tmp_path / "a"), shares)
    assert [finding.code for finding in report] == ["GT023"] and record.lost == 1 and not record.polygons
    (record,), report, _ = surveyed(photo(tmp_path / "a"), shares, coords="normalized")
    assert not len(report)
    np.testing.assert_allclose(record.polygons[0], shares * (WIDTH, HEIGHT), rtol=1e-6)


@pytest.mark.parametrize(
    ("boxes", "codes", "kept", "lost"),
    [
        ([box(30, 92), box(20, 80)], ["GT025"], 0, 2),
        ([box(190, 110), box(150, 100), box(120, 30)], ["GT024"], 0, 3),
        ([box(50, 30), box(51, 31), box(500, 30)], ["PG040"], 2, 0),
        ([box(50, 30), box(98, 58)], ["PG039"], 2, 0),  # kept here, clipped later
        ([box(50, 30), box(0, 0)], ["PG039"], 2, 0),
        ([box(95, 55), box(4, 4)], [], 2, 0),
        ([box(97, 57)], [], 1, 0),  # 101 of 99: tools round up
    ],
)
def test_labels_that_do_not_fit(tmp_path, boxes, codes, kept, lost):
    (record,), report, _ = surveyed(photo(tmp_path / "a"), *boxes)
    assert [finding.code for finding in report] == codes
    assert (len(record.polygons), record.lost) == (kept, lost)
    assert len(record.lines) == kept


def broken(path, kind):
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "html":
        path.write_bytes(b"<html>404</html>")
    elif kind == "cut":
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        path.write_bytes(cv2.imencode(".jpg", noise)[1].tobytes()[:-400])
    elif kind == "link":
        path.symlink_to("nowhere.jpg")
    return path


@pytest.mark.parametrize(
    ("kind", "code", "message"),
    [
        ("empty", "IM051", "0 bytes"),
        ("html", "IM053", "starts with b'<html"),
        ("cut", "IM052", "truncated"),
        ("link", "FS077", "a link to nowhere.jpg"),
        ("absent", "IM055", "No such file"),
    ],
)
def test_files_that_are_not_images_are_reported_and_skipped(tmp_path, kind, code, message):
    path = broken(tmp_path / "a.jpg", kind)
    good = to_record(photo(tmp_path / "b"), None, [Region(box(50, 30))])
    report = Report()
    parts = check_image_headers({"train": [to_record(path, None, [Region(box(50, 30))]), good]}, report)[0]
    assert [record.image_path.name for record in parts["train"]] == ["b.png"]
    (finding,) = report
    assert (finding.code, finding.path, finding.image) == (code, path, path) and message in finding.text
    assert finding.text.count(str(path)) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_without_permission(tmp_path):
    path = photo(tmp_path / "a")
    path.chmod(0)
    with pytest.raises(ImageFault, match="Permission denied") as caught:
        read_header(path)
    assert caught.value.code == "IM055"


def test_too_many_pixels(tmp_path, monkeypatch):
    path = photo(tmp_path / "a")
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 5999 / 2)
    told = r"0.006 megapixels; at most 0.005999 \(max_megapixels\)$"
    with pytest.raises(ImageFault, match=told) as caught:
        read_header(path)
    assert caught.value.code == "IM064"
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 3000)
    assert read_header(path)[:2] == (60, 100)


def test_data_after_the_end_of_a_jpeg_is_ignored(tmp_path):
    path = photo(tmp_path / "a", suffix="jpg")
    path.write_bytes(path.read_bytes() + b"x" * 10_000)
    assert read_header(path)[:2] == (HEIGHT, WIDTH)


def test_an_impossible_stated_size_is_ignored(tmp_path):
    record = to_record(photo(tmp_path / "a"), None, [Region(box(60, 30))], stated=(HEIGHT * 2, WIDTH * 2))
    report = Report()
    (found,) = check_image_headers({"train": [record]}, report)[0]["train"]
    assert [finding.code for finding in report] == ["GT124"] and "fit without scaling" in report[0].text
    np.testing.assert_array_equal(found.polygons[0], box(60, 30))
    far = to_record(photo(tmp_path / "b"), None, [Region(box(150, 100))], stated=(HEIGHT * 2, WIDTH * 2))
    (found,) = check_image_headers({"train": [far]}, Report())[0]["train"]
    np.testing.assert_array_equal(found.polygons[0], box(150, 100) / 2)


def test_y_before_x_is_detected_from_images_that_fit_only_exchanged(tmp_path):
    places = [(30, 80), (20, 90), (40, 20), (30, 30)]  # y, x: the first two leave the image, the others fit both ways
    records = [
        to_record(photo(tmp_path / str(number)), None, [Region(box(*place)), Region(box(25, 25))])
        for number, place in enumerate(places)
    ]
    report = Report()
    found = check_image_headers({"train": records}, report)[0]["train"]
    assert [(finding.code, finding.image.name) for finding in report] == [("GT025", "0.png"), ("GT025", "1.png")]
    assert [record.lost for record in found] == [2, 2, 0, 0]
    proof = to_record(photo(tmp_path / "4"), None, [Region(box(90, 30))])  # fits only without exchange
    report = Report()
    check_image_headers({"train": [records[0], proof, records[2]]}, report)
    assert [finding.code for finding in report] == ["PG040"]


def test_a_rotated_photo_whose_labels_fit_both_ways_gets_a_hint(tmp_path):
    _, _, line = surveyed(photo(tmp_path / "a", 6, "jpg"), box(30, 30))
    assert "the upright pixels" in line and "data.exif=raw" in line
