"""One data set, written in every format, loads to the same records."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dialect_writers import WAYS, pixels
from resnet18_ocrdet.cli import _check
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.data.formats.reader import BY_KEY, FALLBACK, FORMATS
from resnet18_ocrdet.data.labels import LabelledImages
from resnet18_ocrdet.data.load_annotations import detect_format, read_data
from resnet18_ocrdet.data.splits import custom
from resnet18_ocrdet.evaluation.metrics import IcdarMetric
from resnet18_ocrdet.geometry.polygon import min_area_quad
from resnet18_ocrdet.structures import Detection

CURVED = [name for name, way in WAYS.items() if "curve" in way.kinds]


@pytest.fixture
def written(request, tmp_path):
    """The dialect, its folder, and the images written to it."""
    way = WAYS[request.param]
    root = tmp_path / "my photos"
    root.mkdir()
    pictures = way.expressible()
    way.write(root, pictures)
    return way, root, pictures


def same(polygons, points, tolerance):
    wanted = [np.array(corners, np.float32) for corners in points]
    if [polygon.shape for polygon in polygons] != [polygon.shape for polygon in wanted]:
        return False
    return all(np.abs(one - other).max() <= tolerance for one, other in zip(polygons, wanted, strict=True))


@pytest.mark.parametrize("written", WAYS, indirect=True)
def test_each_format_loads_what_was_written(written):
    way, root, pictures = written
    reading = read_data(root)
    assert reading.dialect == BY_KEY[way.key].NAME
    assert [finding.text for level in ("error", "warning", "repair") for finding in reading.report.at(level)] == []
    assert set(reading.splits) == {picture.split for picture in pictures}
    records = {(split, record.image_path.name): record for split, found in reading.splits.items() for record in found}
    assert set(records) == {(picture.split, picture.name) for picture in pictures}
    assert reading.images == len(pictures)
    for picture in pictures:
        record = records[picture.split, picture.name]
        assert same(record.polygons, [word.points for word in picture.words], way.tolerance)
        assert record.ignore.tolist() == [word.ignore for word in picture.words]
        assert record.texts == tuple(word.text for word in picture.words)
        assert (record.lost, record.size) == (0, (picture.height, picture.width))


@pytest.mark.parametrize("written", WAYS, indirect=True)
def test_exactly_one_format_is_recognised(written):
    way, root, _ = written
    wanted = [] if way.key == "folders" else [way.key]
    assert [reader.KEY for reader in FORMATS if reader is not FALLBACK and reader.recognise(root)] == wanted
    assert way.key == detect_format(root)[0].KEY


@pytest.mark.parametrize("written", WAYS, indirect=True)
def test_check_names_the_format_and_its_copy_is_equal(written, tmp_path, capsys):
    way, root, pictures = written
    run_command("check", _check, [f"data.root={root}", f"output={tmp_path}/out", "fix=true"])
    assert capsys.readouterr().out.startswith(f"data: {BY_KEY[way.key].NAME} (")
    copied = read_data(tmp_path / "out" / "fixed")
    records = {(split, record.image_path.name): record for split, found in copied.splits.items() for record in found}
    for picture in pictures:
        record = records.get((picture.split, picture.name))
        if record is not None:
            assert same(record.polygons, [word.points for word in picture.words], way.tolerance)
            assert record.ignore.tolist() == [word.ignore for word in picture.words]
    assert copied.images == len({pixels(picture) for picture in pictures})  # duplicates once


@pytest.mark.parametrize("written", WAYS, indirect=True)
def test_training_gets_the_same_samples(written):
    way, root, pictures = written
    splits = custom(root)
    sources = [source for source in (splits.train, splits.val, splits.test) if source is not None]
    assert all(isinstance(source, LabelledImages) for source in sources)
    samples = {sample.name: sample for source in sources for sample in map(source.load, range(len(source)))}
    assert sum(map(len, sources)) == len(samples) == len(pictures)
    for picture in pictures:
        sample = samples[picture.name]
        assert same(sample.polygons, [word.points for word in picture.words], way.tolerance)
        assert sample.ignore.tolist() == [word.ignore for word in picture.words]
        decoded = cv2.imdecode(np.frombuffer(pixels(picture), np.uint8), cv2.IMREAD_COLOR)
        assert np.array_equal(sample.image, decoded[:, :, ::-1])


@pytest.mark.parametrize("written", CURVED, indirect=True)
def test_curved_polygons_survive_from_file_to_score(written):
    way, root, pictures = written
    splits = custom(root)
    curves = {picture.name: [word for word in picture.words if word.kind == "curve"] for picture in pictures}
    assert sum(map(len, curves.values())) >= 2
    exact, boxes = IcdarMetric(), IcdarMetric()
    for source in (splits.train, splits.val, splits.test):
        for index in range(len(source) if source is not None else 0):
            sample = source.load(index)
            ours = [place for place, polygon in enumerate(sample.polygons) if len(polygon) == 14]
            found = [np.array(word.points, np.float32) for word in curves[sample.name] if not word.ignore]
            regions, ignore = [sample.polygons[place] for place in ours], sample.ignore[ours]
            exact.update(regions, ignore, [Detection(polygon, 1.0) for polygon in found], sample.name)
            quads = [min_area_quad(polygon)[0] for polygon in found]
            boxes.update(regions, ignore, [Detection(quad, 1.0) for quad in quads], sample.name)
    wanted = sum(not word.ignore for words in curves.values() for word in words)
    assert (exact.result().hmean, exact.result().matched) == (1.0, wanted)
    assert exact.best_iou == pytest.approx(1.0, abs=1e-4 if way.tolerance else 1e-9)
    assert boxes.result().hmean < 0.7  # quads around the same regions match few: the score depends on the curves


def test_the_data_set_covers_the_differences_of_the_formats():
    """The writers must not drop the difficult cases."""
    pictures = {name: way.expressible() for name, way in WAYS.items()}
    for name, way in WAYS.items():
        words = [word for picture in pictures[name] for word in picture.words]
        assert {word.kind for word in words} == set(way.kinds)
        assert any(word.ignore for word in words) == way.ignores
        assert any(not picture.words for picture in pictures[name])
        assert any(word.text for word in words) == way.texts
    everything = "".join(word.text for picture in pictures["PPOCRLabel"] for word in picture.words)
    assert set(",\"'\\ö東<&[") <= set(everything)


def test_icdar_2015_folders_beside_other_labels_are_not_recognised(tmp_path):
    (tmp_path / "ch4_test_images").mkdir()
    assert detect_format(tmp_path) == (BY_KEY["icdar2015"], "ch4_test_images/")  # its reader names the missing labels
    (tmp_path / "test_icdar2015_label.txt").write_text("ch4_test_images/img_1.jpg\t[]\n")
    assert detect_format(tmp_path)[0].KEY == "ppocr"
