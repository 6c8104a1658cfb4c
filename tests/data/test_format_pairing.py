"""What formats with one label file per image share; each recognises only its own folders."""

from __future__ import annotations

import numpy as np
import pytest

from format_files import build
from label_files import FOOTPATH, IMG11, IMG_0030, OFFSETS, OUTLINE, XML
from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats import ctw1500, icdar2013, msra_td500, totaltext
from resnet18_ocrdet.data.formats.location import LabelError
from resnet18_ocrdet.data.formats.pairing import find_folder, pair_by_stem, read_numbers
from resnet18_ocrdet.data.formats.points import polygon_of
from resnet18_ocrdet.data.image_io import list_images

FOLDERS = {
    "totaltext": {"train_images/1.jpg": "", "train_gts/1.txt": IMG11},
    "ctw1500 xml": {"train_images/1.jpg": "", "ctw1500_train_labels/1.xml": XML},
    "ctw1500 test": {"test_images/1.jpg": "", "test_gts/1.txt": OUTLINE + ",####a"},
    "ctw1500 old": {"train/text_image/1.jpg": "", "train/text_label_curve/1.txt": OFFSETS},
    "msra_td500": {"train/1.JPG": "", "train/1.gt": IMG_0030},
    "boxes": {"train_images/1.jpg": "", "train_gts/1.txt": FOOTPATH},
    "quads": {"train_images/1.jpg": "", "train_gts/1.txt": "0,0,9,0,9,9,0,9,###"},
    "official quads": {
        "ch4_training_images/img_1.jpg": "",
        "ch4_training_localization_transcription_gt/gt_img_1.txt": "0,0,9,0,9,9,0,9,###",
    },
    "polygons": {"train_images/1.jpg": "", "train_gts/1.txt": OUTLINE + ",###"},
    "paddle": {"Label.txt": '1.jpg\t[{"transcription": "a", "points": [[0, 0], [9, 0], [9, 9], [0, 9]]}]'},
    "json": {"train_images/1.jpg": "", "train_gts/1.json": '{"x": [[0]]}', "train/1.json": "{}"},
    "nothing": {"train/1.jpg": ""},
}


def pair(root, report, names=("{stem}.txt",), **arguments):
    images = root / "images"
    pairs = pair_by_stem(list_images(images), images, root / "labels", names, report, **arguments)
    return [tuple(path.relative_to(root).as_posix() for path in (found.image, found.path)) for found in pairs]


@pytest.mark.parametrize("name", FOLDERS)
def test_each_folder_has_one_reader(tmp_path, name):
    root = build(tmp_path, FOLDERS[name])
    readers = [reader for reader in (totaltext, ctw1500, msra_td500, icdar2013) if reader.recognise(root)]
    wanted = {"totaltext": [totaltext], "ctw1500": [ctw1500], "msra_td500": [msra_td500]}
    assert readers == wanted.get(name.split()[0], [])


def test_sub_folders_and_special_characters(tmp_path):
    names = ["a.b", "sub/a.b", "{stem} %", "照片 #1"]
    files = {f"images/{name}.jpg": "" for name in names} | {f"labels/{name}.txt": "" for name in names}
    report = Report()
    pairs = pair(build(tmp_path, files), report)
    assert sorted(pairs) == sorted((f"images/{name}.jpg", f"labels/{name}.txt") for name in names)
    assert len(report) == 0


def test_an_exact_name_is_preferred_to_a_number(tmp_path):
    files = {"images/1.jpg": "", "labels/1.txt": "", "labels/0001.txt": ""}
    report = Report()
    assert pair(build(tmp_path, files), report, by_number=True) == [("images/1.jpg", "labels/1.txt")]
    assert [(finding.code, finding.path.name) for finding in report] == [("GT027", "0001.txt")]


def test_folders_that_link_to_each_other(tmp_path):
    root = build(tmp_path, {"images/1.jpg": "", "labels/1.txt": ""})
    (root / "labels/loop").symlink_to(root / "labels")
    report = Report()
    assert pair(root, report) == [("images/1.jpg", "labels/1.txt")] and len(report) == 0


def test_labels_in_hidden_folders_are_copies_of_a_tool(tmp_path):
    files = {"images/1.jpg": "", "labels/1.txt": "", "labels/.ipynb_checkpoints/1-checkpoint.txt": ""}
    report = Report()
    assert pair(build(tmp_path, files), report) == [("images/1.jpg", "labels/1.txt")] and len(report) == 0


def test_find_folder(tmp_path):
    build(tmp_path, {"Images/TRAIN/1.jpg": "", "file": ""})
    assert find_folder(tmp_path, ("other", "images/train")) == tmp_path / "Images/TRAIN"
    assert find_folder(tmp_path, ("file", "images/test")) is None


def test_numbers():
    assert read_numbers(["1", " -2.5", "+.5", "1e2", "7."]) == [1, -2.5, 0.5, 100, 7]
    assert np.isnan(read_numbers(["NaN"])[0]) and read_numbers(["-inf"]) == [-np.inf]
    for word in ("", "1_0", "0x1", "١", "1 2", "--1", "ınf", "1,5"):
        with pytest.raises(LabelError, match="number 2 is ") as caught:
            read_numbers(["1", word])
        assert caught.value.code == "GT020"


def test_polygons():
    polygon = polygon_of([0, 1, 2, 3, 4, 1e300])
    assert polygon.dtype == np.float32 and polygon.tolist() == [[0, 1], [2, 3], [4, np.inf]]
    for count, code in ((5, "GT019"), (4, "GT018"), (0, "GT018")):
        with pytest.raises(LabelError) as caught:
            polygon_of([1.0] * count)
        assert caught.value.code == code
