"""What happens to images with findings: fail, skip, fix."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from resnet18_ocrdet.data.error_policy import mask_lost
from resnet18_ocrdet.data.formats.reader import BY_KEY, FORMATS
from resnet18_ocrdet.data.load_annotations import read_data
from resnet18_ocrdet.data.record import Region, to_record
from resnet18_ocrdet.data.splits import custom
from resnet18_ocrdet.data.targets import TargetMaker
from resnet18_ocrdet.errors import UserError

BOX = "10,20,60,20,60,40,10,40"


@pytest.fixture
def folder(tmp_path):
    """Write a data set of `count` images of 96x96, each with one good word; other label texts by number."""

    def write(count=4, **texts):
        for name in ("images", "labels"):
            (tmp_path / name).mkdir(exist_ok=True)
        pixels = cv2.imencode(".png", np.full((96, 96, 3), 99, np.uint8))[1].tobytes()
        for number in range(count):
            (tmp_path / "images" / f"{number}.png").write_bytes(pixels)
            (tmp_path / "labels" / f"{number}.txt").write_text(texts.get(f"_{number}", f"{BOX},word\n"))
        return tmp_path

    return write


def train(root, **options):
    return custom(root, val=0.1, **options).train.records + custom(root, val=0.1, **options).val.records


def named(records):
    return sorted(record.image_path.stem for record in records)


BAD = f"{BOX},word\n1,2,3,4,5,6,7,word\n"


def test_fix_masks_the_whole_image_but_its_other_text(folder):
    root = folder(4, _2=BAD)
    (record,) = [record for record in train(root) if record.image_path.stem == "2"]
    assert record.ignore.tolist() == [False, True] and record.texts == ("word", "###")
    planes = TargetMaker()(record.polygons, record.ignore, 96, 96)
    assert planes.prob_map.sum() > 0  # the word is trained on
    np.testing.assert_array_equal(planes.prob_mask, planes.prob_map)  # and nothing is background
    notes = custom(root).notes
    assert notes[0].startswith("data: folders or lists with ICDAR lines (images/), 4 images")
    assert any("GT020" in line and "2.txt:2" in line and "don't-care" in line for line in notes)


def test_skip_drops_the_image(folder):
    assert named(train(folder(4, _2=BAD), on_error="skip")) == ["0", "1", "3"]


def test_fail_lists_the_first_ten(folder):
    root = folder(4, _2="1,2,3,word\n" * 12)
    with pytest.raises(UserError, match=r"12 x GT020 .*data.on_error=fix") as caught:
        train(root, on_error="fail")
    lines = str(caught.value).splitlines()
    assert len(lines) == 12 and "2.txt:1:" in lines[1] and lines[-1].startswith("  ... and 2 more; ocrdet-check")


def test_one_bad_image_is_allowed_and_two_of_ten_are_refused(folder):
    assert len(train(folder(10, _2=BAD))) == 10
    with pytest.raises(UserError, match=r"2 of 10 images, .*5%"):
        train(folder(10, _2=BAD, _3=BAD))
    assert len(train(folder(10, _2=BAD, _3=BAD), on_error="skip")) == 8


def coco(images, annotations):
    """A COCO file of these images, and a box for each id of an image."""
    box = {"bbox": [10, 20, 50, 20], "category_id": 1}
    listed = [{"id": number, "file_name": f"photos/{number}.png"} for number in images]
    boxes = [{"id": number, "image_id": image, **box} for number, image in enumerate(annotations)]
    return json.dumps({"images": listed, "annotations": boxes, "categories": []})


def test_annotations_of_no_image_do_not_count_as_images(folder):
    """39 images allow 1.95 errors, so one missing image beside one annotation of image 99 is too much; 40 allow 2."""
    root = folder(38).rename(folder(38).parent / "set")
    (root / "images").rename(root / "photos")
    (root / "a.json").write_text(coco(range(39), [*range(38), 99]))
    with pytest.raises(UserError, match=r"1 x FS079 .*1 x GT030 .*1 of 39 images and annotations of 1 image that"):
        train(root)
    (root / "a.json").write_text(coco([*range(38), 38, 39], [*range(38)]))
    assert len(train(root)) == 38  # 2 of 40 are missing
    (root / "a.json").write_text(coco(range(38), [*range(38), 98, 99]))
    with pytest.raises(UserError, match=r"0 of 38 images and annotations of 2 images"):
        train(root)
    records = train(root, on_error="skip")
    assert len(records) == 38 and not any(record.ignore.any() or record.lost for record in records)
    assert records[0].polygons[0].tolist() == [[10, 20], [60, 20], [60, 40], [10, 40]]


def test_a_list_without_any_image_is_one_line_with_folder_and_count(tmp_path):
    (tmp_path / "a.json").write_text(coco(range(20), range(20)))
    with pytest.raises(UserError) as caught:
        custom(tmp_path)
    first, second = str(caught.value).splitlines()
    assert "20 of 20 images" in first
    assert f"a.json: none of its 20 images exists: image 1: 'photos/0.png': not found in {tmp_path}/" in second


def test_a_data_set_without_usable_images_is_refused(folder):
    root = folder(1)
    (root / "images" / "0.png").write_bytes(b"<html>")
    with pytest.raises(UserError, match="IM053 not an image; 1 of 1 images"):
        train(root)


def test_many_regions_outside_are_refused(folder):
    outside = "500,20,560,20,560,40,500,40,word\n"
    few = {"_0": f"{BOX},a\n{BOX},b\n{outside}5{outside}"}
    with pytest.raises(UserError, match=r"PG040 .* 40.0% of all regions"):
        train(folder(2, **few))
    (record, _) = train(folder(2, _0=f"{BOX},a\n{outside}"))  # a single one is allowed
    assert len(record.polygons) == 1 and not record.ignore.any()
    many = "".join(f"{n % 30},{n // 10},90,60,90,70,{n % 30},70,{n}\n" for n in range(300))
    assert len(train(folder(2, _0=many + outside + f"5{outside}"))) == 2


@pytest.mark.parametrize(("missing_gt", "names"), [("negative", ["0", "1", "2", "3"]), ("skip", ["0", "2", "3"])])
def test_images_without_a_label_file(folder, missing_gt, names):
    root = folder(4)
    (root / "labels" / "1.txt").unlink()
    with pytest.raises(UserError, match=r"1 x GT001 .*data.missing_gt=skip .*=negative .*\n.*1\.png: no label file"):
        train(root)
    records = train(root, missing_gt=missing_gt)
    assert named(records) == names
    assert all(record.polygons == () for record in records if record.image_path.stem == "1")


def test_all_problems_are_reported_at_once(folder):
    root = folder(10, _2=BAD, _3=BAD)
    (root / "labels" / "1.txt").unlink()
    with pytest.raises(UserError) as caught:
        train(root)
    reasons = [line for line in str(caught.value).splitlines() if line.startswith("data: ")]
    assert len(reasons) == 2 and "1 x GT001" in reasons[0] and "2 of 10 images" in reasons[1]


def test_marks_can_be_configured(folder):
    root = folder(2, _0=f"{BOX},*\n", _1=f"{BOX},###\n")
    by_name = {record.image_path.stem: record for record in train(root, ignore_marks="* xxx")}
    assert by_name["0"].ignore.tolist() == [True] and by_name["1"].ignore.tolist() == [False]


def test_masking_needs_no_label_line():
    record = to_record(Path("1.jpg"), None, [Region(np.zeros((3, 2), np.float32))], lost=2)
    assert mask_lost(record) is record  # of an image that was not checked
    empty = to_record(Path("1.jpg"), None, [])
    assert mask_lost(empty) is empty


def test_unknown_folders_and_configured_formats(tmp_path, folder):
    with pytest.raises(UserError, match=r"the folder is empty .looked for ICDAR 2015"):
        read_data(tmp_path)
    reading = read_data(folder(1), "folders")
    assert (reading.dialect, reading.why) == ("folders or lists with ICDAR lines", "as configured")
    with pytest.raises(UserError, match="not ICDAR 2015; looks like folders"):
        read_data(tmp_path, "icdar2015")


def test_images_without_labels_are_told_the_label_names(tmp_path):
    """Its parent is not a data set, so it is not suggested."""
    root = tmp_path / "photos"
    root.mkdir()
    (root / "shop 7.jpg").touch()
    with pytest.raises(UserError, match=r"1 image without labels.*shop 7\.txt or gt_shop 7\.txt"):
        read_data(root)


def test_the_contents_of_an_unknown_folder_are_reported(tmp_path, folder):
    (tmp_path / "notes.docx").touch()
    with pytest.raises(UserError, match=r"no images; .*notes\.docx"):
        read_data(tmp_path)
    root = folder(2)
    with pytest.raises(UserError, match=f"2 images without labels.* {root}"):
        read_data(root / "images")
    with pytest.raises(UserError, match=r"not COCO; looks like folders .*: data=custom"):
        read_data(root, "coco")


def test_images_and_labels_side_by_side(tmp_path, folder):
    root = folder(3)
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in [*root.glob("images/*"), *root.glob("labels/*")]:
        path.rename(flat / path.name)
    reading = read_data(flat)
    assert [record.texts for record in reading.splits["train"]] == [("word",)] * 3 and not len(reading.report)


def test_every_format_has_the_members_of_the_protocol():
    for reader in FORMATS:
        assert reader.NAME and isinstance(reader.IGNORE_MARKS, tuple) and callable(reader.recognise)


def test_the_choices_of_the_config_are_the_readers():
    from resnet18_ocrdet.config.library import train_keys

    assert set(train_keys()["data.dialect"].rule.choices) == {"auto", *BY_KEY}
