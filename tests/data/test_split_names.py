"""Names of folders as splits, in every format with a label file in each folder."""

from __future__ import annotations

import pytest

from format_files import build, corners, names
from resnet18_ocrdet.data.formats.split_names import splits_of_files, splits_of_folders
from resnet18_ocrdet.data.load_annotations import read_data

QUAD = [[1, 1], [6, 1], [6, 5], [1, 5]]  # of an image of 8 x 8 px; in shares: centre 0.4375, 0.375, sides 0.625, 0.5
FLAT = [number for corner in QUAD for number in corner]
ICDAR = ",".join(map(str, FLAT)) + ",a\n"
DOTA = f"gsd:0.1\n{' '.join(map(str, FLAT))} word 0\n"
YOLO = "0 0.4375 0.375 0.625 0.5\n"
SIGN = {"chars": [], "lines": [{"transcription": "a", "points": FLAT, "ignore": 0}]}
VOC = (
    "<annotation><filename>x</filename><object><name>word</name>"
    "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>6</xmax><ymax>5</ymax></bndbox></object></annotation>"
)
LABELME = {"shapes": [{"label": "a", "points": QUAD, "shape_type": "polygon"}], "imagePath": "", "version": "5.5.0"}
PPOCR = '{0}.png\t[{{"transcription": "a", "points": [[1, 1], [6, 1], [6, 5], [1, 5]]}}]\n'

# the label file of image {1} in folder {0}, and where the image is
INSIDE = {  # train/images/1.png
    "yolo": ("{0}/images/{1}.png", "{0}/labels/{1}.txt", YOLO),
    "dota": ("{0}/images/{1}.png", "{0}/labelTxt/{1}.txt", DOTA),
    "rects": ("{0}/img/{1}.png", "{0}/gt/{1}.json", SIGN),
    "voc": ("{0}/images/{1}.png", "{0}/annotations/{1}.xml", VOC),
    "labelme": ("{0}/images/{1}.png", "{0}/images/{1}.json", LABELME),
    "ppocr": ("{0}/images/{1}.png", "{0}/Label.txt", PPOCR),
    "doctr": ("{0}/images/{1}.png", "{0}/labels.json", '{{"{0}.png": {{"polygons": [[[1,1],[6,1],[6,5],[1,5]]]}}}}'),
    "folders": ("{0}/images/{1}.png", "{0}/gts/{1}.txt", ICDAR),
}
BESIDE = {  # train/1.png
    "yolo": ("{0}/{1}.png", "{0}/{1}.txt", YOLO),
    "dota": ("{0}/{1}.png", "{0}/{1}.txt", DOTA),
    "rects": ("{0}/{1}.png", "{0}/{1}.json", SIGN),
    "voc": ("{0}/{1}.png", "{0}/{1}.xml", VOC),
    "labelme": ("{0}/{1}.png", "{0}/{1}.json", LABELME),
    "ppocr": ("{0}/{1}.png", "{0}/Label.txt", PPOCR),
    "folders": ("{0}/{1}.png", "{0}/{1}.txt", ICDAR),
}
OUTSIDE = {  # images/train/1.png
    "yolo": ("images/{0}/{1}.png", "labels/{0}/{1}.txt", YOLO),
    "dota": ("images/{0}/{1}.png", "labelTxt/{0}/{1}.txt", DOTA),
    "rects": ("img/{0}/{1}.png", "gt/{0}/{1}.json", SIGN),
    "voc": ("JPEGImages/{0}/{1}.png", "Annotations/{0}/{1}.xml", VOC),
    "labelme": ("images/{0}/{1}.png", "images/{0}/{1}.json", LABELME),
    "folders": ("images/{0}/{1}.png", "labels/{0}/{1}.txt", ICDAR),
}
LAYOUTS = [
    pytest.param(key, layout, id=f"{key} {name}")
    for name, layouts in (("inside", INSIDE), ("beside", BESIDE), ("outside", OUTSIDE))
    for key, layout in layouts.items()
]


def split_up(root, layout, folders):
    """Write image 1 to the first folder, and so on; the images of each split."""
    image, label, text = layout
    for number, folder in enumerate(folders, start=1):
        own = text.format(number) if text in (PPOCR, INSIDE["doctr"][2]) else text
        build(root, {image.format(folder, number): None, label.format(folder, number): own})
    reading = read_data(root)
    assert not reading.report.at("error")
    for records in reading.splits.values():
        assert all(corners(record) == [QUAD] and not record.ignore.any() for record in records)
    return {split: sorted(found) for split, found in names(reading.splits).items()}, reading


@pytest.mark.parametrize(("key", "layout"), LAYOUTS)
def test_names_of_folders_are_splits(tmp_path, key, layout):
    found, reading = split_up(tmp_path, layout, ["train", "valid", "test2017"])
    assert found == {"train": ["1.png"], "val": ["2.png"], "test": ["3.png"]} and not reading.unsplit


@pytest.mark.parametrize(("key", "layout"), LAYOUTS)
def test_names_that_contain_such_a_word_are_splits_beside_training_images(tmp_path, key, layout):
    found, _ = split_up(tmp_path, layout, ["training_data", "test_2024"])
    assert found == {"train": ["1.png"], "test": ["2.png"]}


@pytest.mark.parametrize("folders", [["training_data", "validated"], ["menus", "test_2024"]], ids=" ".join)
@pytest.mark.parametrize(("key", "layout"), LAYOUTS)
def test_other_names_are_no_splits(tmp_path, key, layout, folders):
    found, reading = split_up(tmp_path, layout, folders)
    assert found == {"train": ["1.png", "2.png"]} and reading.unsplit


def test_one_function_decides_for_folders_and_label_files(tmp_path):
    a, b, c = tmp_path / "training_data", tmp_path / "validated", tmp_path / "test_2024"
    assert splits_of_folders(tmp_path, [a, b]) == {a: None, b: None}
    assert splits_of_folders(tmp_path, [a, b, c]) == {a: "train", b: None, c: "test"}
    assert splits_of_folders(tmp_path, [c / "images", tmp_path]) == {c / "images": None, tmp_path: None}
    files = [a / "Label.txt", b / "train.txt", c / "Label.txt"]
    assert list(splits_of_files(tmp_path, files).values()) == ["train", "train", "test"]
    assert list(splits_of_files(tmp_path, files[1:]).values()) == ["train", None]
