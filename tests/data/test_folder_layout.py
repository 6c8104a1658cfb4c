"""Folders of splits in any order and depth, lists from other machines, and label files that no reader takes."""

from __future__ import annotations

import pytest

from format_files import build, names
from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats import folders, ppocr
from resnet18_ocrdet.data.formats.json_file import shown
from resnet18_ocrdet.data.formats.label_like import guess_tool
from resnet18_ocrdet.data.formats.split_names import splits_of_folders
from resnet18_ocrdet.data.load_annotations import detect_format, read_data
from resnet18_ocrdet.data.splits import custom
from resnet18_ocrdet.errors import UserError

BOX = "1,1,6,1,6,5,1,5,a\n"


def pairs(images: str, labels: str) -> dict:
    """One image of each split with its label file; the patterns get the name of the split and that of the image."""
    parts = {"train": "1", "val": "2", "test": "3"}
    found = {images.format(part, number): None for part, number in parts.items()}
    return found | {labels.format(part, number): BOX for part, number in parts.items()}


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("images/{}/{}.png", "labels/{}/{}.txt"),
        ("images/{}/a/{}.png", "gts/{}/a/gt_{}.txt"),
        ("images/x/{}/{}.png", "labels/x/{}/{}.png.txt"),
        ("images/{}_imgs/{}.png", "labels/{}_imgs/{}.txt"),
        ("{}/images/{}.png", "{}/labels/{}.txt"),
        ("set/{}/images/{}.png", "set/{}/labels/{}.txt"),
        ("set/images/{}/{}.png", "set/labels/{}/{}.txt"),
        ("{}/{}.png", "{}/{}.txt"),
        ("images/{}/{}.png", "images/{}/{}.txt"),
    ],
)
def test_names_of_folders_decide_at_every_depth(tmp_path, images, labels):
    build(tmp_path, pairs(images, labels))
    reading = read_data(tmp_path)
    assert names(reading.splits) == {"train": ["1.png"], "val": ["2.png"], "test": ["3.png"]}
    assert all(record.texts == ("a",) for records in reading.splits.values() for record in records)
    assert not reading.unsplit and not reading.report.at("error")


@pytest.mark.parametrize("part", ["valid", "validation", "Val", "val2017", "VAL_1"])
def test_words_for_the_validation_images(tmp_path, part):
    build(tmp_path, {f"train/images/{n}.png": None for n in (1, 2)} | {f"train/labels/{n}.txt": BOX for n in (1, 2)})
    build(tmp_path, {f"{part}/images/3.png": None, f"{part}/labels/3.txt": BOX})
    assert names(read_data(tmp_path).splits) == {"train": ["1.png", "2.png"], "val": ["3.png"]}


def test_a_folder_that_only_contains_the_word_is_no_test_set_by_itself(tmp_path):
    build(tmp_path, {"images/test_shots/1.png": None, "images/menu/2.png": None})
    build(tmp_path, {"labels/test_shots/1.txt": BOX, "labels/menu/2.txt": BOX})
    reading = read_data(tmp_path)
    assert names(reading.splits) == {"train": ["2.png", "1.png"]} and reading.unsplit
    a, b, c = tmp_path / "a_train", tmp_path / "test_b", tmp_path / "c/test/train_x"
    assert splits_of_folders(tmp_path, [a, b, tmp_path]) == {a: "train", b: "test", tmp_path: None}
    assert splits_of_folders(tmp_path, [b, c]) == {b: None, c: "test"}


def test_lists_of_other_machines(tmp_path):
    build(tmp_path, {f"train_images/{n}.png": None for n in (1, 2, 3)} | {f"train_gts/{n}.txt": BOX for n in (1, 2, 3)})
    build(tmp_path, {"more/deep/4.png": None, "more/deep/4.txt": BOX})
    lines = [
        "icdar/train_images/1.png",
        "./data/icdar/train_images/2.png\tdata/icdar/train_gts/2.txt",
        "C:\\sets\\icdar\\train_images\\3.png",
        "..\\..\\upload\\4\\4.png",
        "gone/5.png",
    ]
    build(tmp_path, {"train_list.txt": "\n".join(lines)})
    report = Report()
    records = folders.read(tmp_path, report)["train"]
    assert [record.image_path.name for record in records] == ["1.png", "2.png", "3.png", "4.png"]
    assert [record.label_path.name for record in records] == ["1.txt", "2.txt", "3.txt", "4.txt"]
    assert [(finding.code, finding.line) for finding in report.of("FS079")] == [("FS079", 5)]
    (note,) = report.notes
    assert "1 image found by the file name alone" in note and "more/deep/4.png" in note


MASA = '[{"transcription": "MASA", "points": [[1, 1], [6, 1], [6, 5], [1, 5]]}]'


def test_the_folders_of_several_annotators_are_one_set(tmp_path):
    for person, number in (("anna", 1), ("ben", 2), ("carl", 1)):
        label = f"{person}/{number}.png\t{MASA}\nphotos/9.png\t[]\n"
        build(tmp_path, {f"{person}/Label.txt": label, f"{person}/{number}.png": None, f"{person}/9.png": None})
    build(tmp_path, {"9.png": None, "anna/notes.txt": f"1.png\t{MASA}\n", "anna/fileState.txt": "x\t1\n"})
    assert detect_format(tmp_path)[0] is ppocr
    reading = read_data(tmp_path)
    found = [record.image_path.relative_to(tmp_path).as_posix() for record in reading.splits["train"]]
    assert found == ["anna/1.png", "anna/9.png", "ben/2.png", "ben/9.png", "carl/1.png", "carl/9.png"]
    assert not reading.report.at("error")


def test_images_of_one_label_file_in_the_folders_of_splits(tmp_path):
    build(tmp_path, {"Label.txt": f"train/1.png\t{MASA}\nval/2.png\t{MASA}\n3.png\t[]\n"})
    build(tmp_path, {"train/1.png": None, "val/2.png": None, "3.png": None})
    assert names(read_data(tmp_path).splits) == {"train": ["1.png", "3.png"], "val": ["2.png"]}


CVAT = '<annotations><version>1.1</version><image id="0" name="a/1.png"></image></annotations>'
TASK = {"id": 1, "annotations": [{"id": 7, "result": []}], "data": {"image": "/data/upload/1/1f2e3d4c-1.png"}}
REGION = {"transcription": "a", "points": [[0, 0], [4, 0], [4, 4]]}


def test_a_folder_with_the_images_of_all_splits_is_not_read(tmp_path):
    for folder in ("train", "val", "all"):
        build(tmp_path, {f"{folder}/images/{folder}.png": None, f"{folder}/labels/{folder}.txt": "1,1,9,1,9,9,1,9,a\n"})
    reading = read_data(tmp_path)
    assert names(reading.splits) == {"train": ["train.png"], "val": ["val.png"]}
    assert any("not read" in line and "all/images" in line for line in reading.chosen)


def test_images_without_labels_in_a_folder_named_like_a_test_do_not_hinder(tmp_path):
    build(tmp_path, {"train/images/1.png": None, "train/labels/1.txt": "1,1,9,1,9,9,1,9,a\n"})
    build(tmp_path, {"test_2024/images/9.png": None})
    assert names(read_data(tmp_path).splits) == {"train": ["1.png"]}


def test_a_missing_image_is_not_replaced_by_one_of_another_folder_of_the_set(tmp_path):
    """Frames of two cameras have equal names; 1.png of camera b is missing."""
    lines = "".join(f"images/{name}.png\t{MASA}\n" for name in ("b/1", "b/2", "a/1"))
    build(tmp_path, {"Label.txt": lines, "images/a/1.png": None, "images/b/2.png": None})
    reading = read_data(tmp_path)
    assert [record.image_path.relative_to(tmp_path).as_posix() for record in reading.splits["train"]] == [
        "images/b/2.png",
        "images/a/1.png",
    ]
    assert [(finding.code, finding.line) for finding in reading.report.of("FS079")] == [("FS079", 1)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("annotations.xml", CVAT),
        ("project-1.json", [TASK]),
        ("via_region_data.json", {"1.png9": {"filename": "1.png", "size": 9, "regions": [], "file_attributes": {}}}),
        ("labels.json", {"1": [REGION]}),
        ("gt/all.jsonl", {"annotations": [{"image_id": "1", "paragraphs": []}]}),
        ("labels.jsonl", '{"file_name": "a/1.png", "annotations": []}\n'),
    ],
)
def test_every_list_of_images_finds_one_by_its_name_alone(tmp_path, name, content):
    build(tmp_path, {name: content, "scans/may/1.png": None})
    reading = read_data(tmp_path)
    assert names(reading.splits) == {"train": ["1.png"]} and not reading.report.of("FS079")
    assert any("1 image found by the file name alone" in line and "scans/may/1.png" in line for line in reading.chosen)


def test_splits_of_lists_without_one_are_those_of_the_folders_of_their_images(tmp_path):
    images = "".join(f'<image id="{name}" name="{name}.png"></image>' for name in ("a/train/1", "a/val/2"))
    build(tmp_path, {"annotations.xml": f"<annotations><version>1.1</version>{images}</annotations>"})
    build(tmp_path, {"images/a/train/1.png": None, "images/a/val/2.png": None})
    assert names(read_data(tmp_path).splits) == {"train": ["1.png"], "val": ["2.png"]}


def test_most_entries_without_an_image_are_refused(tmp_path):
    """20 entries, 5 images."""
    lines = [f"upload/{n}.png\t{MASA}\n" for n in range(20)]
    build(tmp_path, {"Label.txt": "".join(lines)} | {f"{n}.png": None for n in range(5)})
    with pytest.raises(UserError, match=r"15 x FS079 .*15 of 20 images"):
        custom(tmp_path)
    assert len(custom(tmp_path, on_error="skip").train) == 4
    build(tmp_path, {f"{n}.png": None for n in range(19)})
    assert len(custom(tmp_path).train) == 17  # one of 20 is allowed; two are for validation


def test_long_names_keep_their_end(tmp_path):
    name = "/".join(["photos of the year 2026"] * 4) + "/receipt 0815.png"
    build(tmp_path, {"Label.txt": f"{name}\t[]\n1.png\t{MASA}\n", "1.png": None})
    (finding,) = read_data(tmp_path).report.of("FS079")
    assert "/receipt 0815.png'" in finding.detail and "..." in finding.detail


VOC = "<annotation><object><name>text</name><bndbox><xmin>1</xmin></bndbox></object></annotation>"
LABEL_FILES = {
    "a.xml": (VOC, "Pascal VOC (data=voc)"),
    "b.xml": ('<PcGts xmlns="http://schema.primaresearch.org"></PcGts>', "PAGE"),
    "c.json": ('{"version": "5.5.0", "shapes": [], "imagePath": "c.png"}', "LabelMe (data=labelme)"),
    "d.json": ('{"chars": [], "lines": []}', "ReCTS (data=rects)"),
    "e.json": ('[{"image": "1.jpg", "annotations": [{"label": "text", "coordinates": {"x": 1}}]}]', "Create ML"),
    "f.json": ('{"objects": [{"classTitle": "text"}]}', "Supervisely"),
    "g.json": ('{"a": 1}', ""),
    "h.csv": ("filename,xmin,ymin,xmax,ymax\n", "boxes in a table"),
    "i.csv": ("a;b\n", ""),
    "j.mat": ("MATLAB 5.0 MAT-file", "MATLAB"),
    "k.txt": ("0 0.51 0.5 0.25 0.1\n0 0.5 0.5 0.25 0.1\n", "YOLO (data=yolo)"),
    "l.txt": ("0 0.1 0.1 0.2 0.1 0.2 0.2 0.1 0.2\n", "YOLO (data=yolo)"),
    "m.txt": ("imagesource:GoogleEarth\ngsd:0.1\n1.0 2.0 9.0 2.0 9.0 8.0 1.0 8.0 plane 0\n", "DOTA (data=dota)"),
    "n.txt": ("Taken in May.\n", ""),
}


@pytest.mark.parametrize("name", LABEL_FILES)
def test_the_tool_that_wrote_a_file_is_guessed(tmp_path, name):
    content, tool = LABEL_FILES[name]
    build(tmp_path, {name: content.encode()})
    assert guess_tool(tmp_path / name) == tool


def test_label_files_that_are_not_read_are_named(tmp_path):
    images = {f"{number}.png": None for number in range(3)}
    build(tmp_path, images | {"extra/g.json": b'{"a": 1}', "i.csv": b"a;b\n", "n.txt": b"Taken in May.\n"})
    with pytest.raises(UserError) as caught:
        detect_format(tmp_path)
    message = str(caught.value)
    assert "3 images, and no label file that is read" in message and "without labels" not in message
    assert "extra/g.json" in message and "i.csv" in message and "n.txt" not in message


def test_a_missing_label_folder_is_told_with_the_label_files(tmp_path):
    build(tmp_path, {"images/1.png": None, "boxes.csv": b"filename,xmin,ymin,xmax,ymax\n"})
    with pytest.raises(UserError, match=r"exactly one label folder, gts/ or labels/.* boxes\.csv \(boxes in a table\)"):
        folders.read(tmp_path, Report())


def test_a_label_file_of_another_kind_keeps_its_image_from_being_a_negative(tmp_path):
    build(tmp_path, pairs("images/{}/{}.png", "labels/{}/{}.txt"))
    build(tmp_path, {"images/train/4.png": None, "labels/train/4.xml": VOC.encode(), "images/val/5.png": None})
    reading = read_data(tmp_path, "folders")
    told = [(finding.code, finding.path.name) for finding in reading.report.at("error")]
    assert sorted(told) == [("GT001", "5.png"), ("GT006", "4.xml")]
    lost = {record.image_path.name: record.lost for record in reading.splits["train"]}
    assert lost == {"1.png": 0, "4.png": 1}
    assert names(reading.splits)["val"] == ["2.png", "5.png"]


def test_a_label_file_belongs_to_the_image_that_has_its_whole_name(tmp_path):
    """gt_1.xml is that of gt_1.png, not of 1.png, and res_2.json of res_2.png; gt_3.xml is that of 3.png."""
    build(tmp_path, {f"{name}.png": None for name in ("0", "1", "gt_1", "2", "res_2", "3")} | {"0.txt": BOX})
    build(tmp_path, {"gt_1.xml": VOC.encode(), "res_2.json": b"{}", "gt_3.xml": VOC.encode()})
    reading = read_data(tmp_path, "folders")
    told = {finding.image.name: (finding.code, finding.path.name) for finding in reading.report.at("error")}
    assert told == {
        "1.png": ("GT001", "1.png"),
        "gt_1.png": ("GT006", "gt_1.xml"),
        "2.png": ("GT001", "2.png"),
        "res_2.png": ("GT006", "res_2.json"),
        "3.png": ("GT006", "gt_3.xml"),
    }


def test_images_that_are_named_as_label_files_are(tmp_path):
    build(tmp_path, {"1.png": None, "gt_1.png": None, "1.txt": BOX, "gt_1.txt": BOX.replace("a", "b")})
    (one, two) = read_data(tmp_path).splits["train"]
    assert [(record.image_path.name, record.texts) for record in (one, two)] == [
        ("1.png", ("a",)),
        ("gt_1.png", ("b",)),
    ]
    (tmp_path / "1.txt").unlink()
    reading = read_data(tmp_path)
    assert [(finding.code, finding.image.name) for finding in reading.report.at("error")] == [("GT001", "1.png")]


def test_the_most_label_files_decide_between_formats_with_one_for_each_image(tmp_path):
    """Three ICDAR files beside one of Pascal VOC, which belongs to an image without a text file; then the reverse."""
    xml = VOC.replace("<bndbox><xmin>1</xmin>", "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>6</xmax><ymax>5</ymax>")
    images = {f"images/{number}.png": None for number in range(1, 5)}
    build(tmp_path / "a", images | {f"labels/{number}.txt": BOX for number in (1, 2, 3)} | {"labels/4.xml": xml})
    reading = read_data(tmp_path / "a")
    assert reading.dialect == folders.NAME
    assert "1 label file of another format not read, first labels/4.xml" in reading.why
    records = {record.image_path.stem: record for record in reading.splits["train"]}
    assert all(records[name].texts == ("a",) and records[name].lost == 0 for name in "123")
    assert records["4"].lost == 1 and [finding.code for finding in reading.report.at("error")] == ["GT006"]
    build(tmp_path / "b", images | {f"labels/{number}.xml": xml for number in (1, 2, 3)} | {"labels/1.txt": BOX})
    reading = read_data(tmp_path / "b")
    assert reading.dialect == "Pascal VOC" and "1 label file of another format not read" in reading.why
    assert [record.polygons[0].tolist() for record in reading.splits["train"][:3]] == [
        [[1, 1], [6, 1], [6, 5], [1, 5]]
    ] * 3
    build(tmp_path / "b", {f"labels/{number}.txt": b"what the sign says\n" for number in range(1, 5)})
    assert read_data(tmp_path / "b").dialect == "Pascal VOC"  # texts without coordinates are no labels


def test_a_data_set_in_a_folder_below_is_named(tmp_path):
    build(tmp_path, {"1.png": None, "may/first/annotations.xml": CVAT, "may/first/images/a/1.png": None})
    with pytest.raises(UserError, match=r"did you mean .*may/first \(CVAT\)\?"):
        detect_format(tmp_path)
    assert names(read_data(tmp_path / "may/first").splits) == {"train": ["1.png"]}


def test_a_search_inside_a_large_file_is_only_for_json(tmp_path):
    build(tmp_path, {"a.json": b"{" + b" " * 9000 + b'"images": [], ' + b" " * 9000 + b"}", "a.txt": b"x" * 9000})
    assert shown(tmp_path / "a.json", lambda text: '"images": [' in text)
    assert not shown(tmp_path / "a.json", lambda text: '"annotations"' in text)
    assert not shown(tmp_path / "a.txt", lambda text: "images" in text)
    assert not shown(tmp_path / "gone.json", lambda text: "images" in text)
