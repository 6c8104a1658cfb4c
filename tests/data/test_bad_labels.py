"""Label files and regions of docs/bad-input.md that no other test covers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from defective_set import OTHER, WORD, encoded, picture
from resnet18_ocrdet.data.error_policy import apply_error_policy
from resnet18_ocrdet.data.label_options import LabelOptions
from resnet18_ocrdet.data.load_annotations import read_data
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.data.targets import TargetMaker
from resnet18_ocrdet.errors import UserError

PLACE = WORD.removesuffix("word")  # 8 numbers and a comma


def write(root: Path, *labels: str | bytes) -> Path:
    """A data set of 96x128 images, 1.png with the first label file, and so on."""
    for folder in ("images", "labels"):
        (root / folder).mkdir(exist_ok=True)
    for number, label in enumerate(labels, start=1):
        (root / f"images/{number}.png").write_bytes(encoded(".png", picture(number)))
        (root / f"labels/{number}.txt").write_bytes(label.encode() if isinstance(label, str) else label)
    return root


def codes(root: Path, **options: str) -> list[tuple[str, str, int]]:
    report = read_data(root, options=LabelOptions(**options)).report
    return [(finding.code, finding.path.name, finding.line) for finding in report]


def used(root: Path) -> list[LabelRecord]:
    reading = read_data(root)
    return apply_error_policy(reading.splits, reading.report).splits["train"]


def test_an_empty_label_file_means_no_text(tmp_path: Path):
    first, second = used(write(tmp_path, " \r\n\n", WORD))
    assert first.polygons == () and first.lost == 0 and len(second.polygons) == 1
    assert codes(tmp_path) == [("GT002", "1.txt", 0)]


def test_carriage_returns_as_line_ends(tmp_path: Path):
    (record,) = used(write(tmp_path, f"{WORD}\r{OTHER}"))
    assert record.texts == ("word", "other") and codes(tmp_path) == []


def test_a_mark_is_the_whole_text_and_a_star_is_text(tmp_path: Path):
    lines = [PLACE.replace("20,20", f"{20 + n},20", 1) + text for n, text in enumerate(("###", "*", "#", "foo,###"))]
    (record,) = used(write(tmp_path, "\n".join(lines)))
    assert record.ignore.tolist() == [True, False, False, False]


def test_json_in_a_text_file_is_reported_with_its_line(tmp_path: Path):
    line = '[{"points": [[20,20],[60,20],[60,40],[20,40]], "transcription": "a"}]'
    assert codes(write(tmp_path, f"{WORD}\n{line}")) == [("GT020", "1.txt", 2)]


def test_two_corners_are_a_box_only_on_request(tmp_path: Path):
    assert codes(write(tmp_path, f"{WORD}\n20,60,60,80")) == [("GT018", "1.txt", 2)]
    for folder, name in (("images", "train_images"), ("labels", "train_gts")):
        (tmp_path / folder).rename(tmp_path / name)
    (tmp_path / "train_gts/1.txt").write_text('20,60,60,80,"word"\n')
    (record,) = read_data(tmp_path, "icdar2013").splits["train"]
    assert record.polygons[0].tolist() == [[20, 60], [60, 60], [60, 80], [20, 80]]


@pytest.mark.parametrize(
    "line",
    [
        "20,60,60,80",  # too few
        "20,60,60,60,60,80,20",  # odd
        "20,6O,60,60,60,80,20,80,word",  # a letter
        "20,nan,60,60,60,80,20,80,word",
        "20,60,60,60,1e9,80,20,80,word",
    ],
)
def test_lost_regions_are_never_trained_on_as_background(tmp_path: Path, line: str):
    first, second = used(write(tmp_path, f"{WORD}\n{line}\n", OTHER))
    planes = TargetMaker(min_text_size=4)(first.polygons, first.ignore, 96, 128)
    assert planes.prob_map.any()
    np.testing.assert_array_equal(planes.prob_mask, planes.prob_map)  # only the other word is trained on
    assert TargetMaker(min_text_size=4)(second.polygons, second.ignore, 96, 128).prob_mask.all()


def test_labels_of_a_larger_image_name_the_ratio(tmp_path: Path):
    root = write(tmp_path, "256,20,300,20,300,40,256,40,a\n200,120,300,120,300,150,200,150,b", WORD)
    with pytest.raises(UserError, match="GT024") as caught:
        reading = read_data(root)
        apply_error_policy(reading.splits, reading.report, "fail")
    assert "2 of 2 regions lie outside, up to 2.34 times the image, 128 px wide, 96 high" in str(
        caught.value
    )  # 300 / 128


def test_a_region_outside_its_image_is_counted_and_dropped(tmp_path: Path):
    first, _ = used(write(tmp_path, f"{WORD}\n220,60,260,60,260,80,220,80,word\n", OTHER))
    assert len(first.polygons) == 1 and not first.ignore.any() and codes(tmp_path) == [("PG040", "1.txt", 2)]


def test_a_triangle_stays_a_triangle(tmp_path: Path):
    (record,) = used(write(tmp_path, "10,10,90,10,50,80"))
    planes = TargetMaker()(record.polygons, record.ignore, 96, 128)
    assert planes.prob_map[30, 50] and not planes.prob_map[70, 20] and codes(tmp_path)[-1][0] == "PG030"


def test_a_region_without_area_is_masked_along_its_corners(tmp_path: Path):
    record, _ = used(write(tmp_path, f"{OTHER}\n20,20,60,20,40,20,30,20,word\n", WORD))
    planes = TargetMaker(min_text_size=4)(record.polygons, record.ignore, 96, 128)
    assert not planes.prob_mask[20, 20:61].any() and planes.prob_mask[23].all() and planes.prob_map.any()
