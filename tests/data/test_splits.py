"""Training, validation and test images."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from resnet18_ocrdet.data.splits import Splits, custom, icdar2015, overlap, synthetic
from resnet18_ocrdet.errors import UserError

PIXELS = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
TRAIN = ("ch4_training_images", "ch4_training_localization_transcription_gt")
TEST = ("ch4_test_images", "Challenge4_Test_Task1_GT")


def write_half(root, folders, count, line="0,0,5,0,5,5,0,5,word", name="img_{}"):
    for folder in folders:
        (root / folder).mkdir()
    for number in range(1, count + 1):
        stem = name.format(number)
        (root / folders[0] / f"{stem}.jpg").write_bytes(PIXELS + bytes(number))  # all different
        (root / folders[1] / f"gt_{stem}.txt").write_text(f"\ufeff{line}\n", "utf-8")


@pytest.fixture
def root(tmp_path):
    write_half(tmp_path, TRAIN, 20)
    return tmp_path


def numbers(source):
    return [int(record.image_path.stem.split("_")[1]) for record in source.records]


def test_a_tenth_is_validation_by_default(root):
    splits = icdar2015(root)
    assert (len(splits.train), len(splits.val), splits.test) == (18, 2, None)
    assert sorted(numbers(splits.train) + numbers(splits.val)) == list(range(1, 21))
    assert overlap(splits) == []


def test_the_seed_decides_the_draw(root):
    draws = [numbers(icdar2015(root, val=0.25, seed=seed).val) for seed in (0, 0, 1, 2)]
    assert draws[0] == draws[1]
    assert len({tuple(draw) for draw in draws}) > 1
    assert all(len(draw) == 5 and draw == sorted(draw) for draw in draws)


def test_at_least_one_image_is_drawn(root):
    assert len(icdar2015(root, val=0.001).val) == 1


def test_ranges_include_both_ends(root):
    splits = icdar2015(root, val="9-11")
    assert numbers(splits.val) == [9, 10, 11]
    assert numbers(splits.train) == [*range(1, 9), *range(12, 21)]
    splits = icdar2015(root, train="1-8", val="9-11")
    assert numbers(splits.train) == list(range(1, 9))
    assert splits.test is None


def test_names_file(root, tmp_path):
    names = tmp_path / "val.txt"
    names.write_bytes(b"\xef\xbb\xbfimg_3\r\nimg_12.jpg\r\n\r\n")
    assert numbers(icdar2015(root, val=str(names)).val) == [3, 12]


def test_a_train_fraction_is_drawn_from_images_not_in_val(root):
    splits = icdar2015(root, train=0.5, val="1-10")
    assert numbers(splits.train) == list(range(11, 21))
    assert len(icdar2015(root, train="0.25", val="1-10").train) == 5


def test_overlap_is_allowed_and_reported(root):
    splits = icdar2015(root, train="1-10", val="10-11")
    assert [Path(path).name for path in overlap(splits)] == ["img_10.jpg"]


def test_a_copy_under_another_name_is_reported(tmp_path):
    for part, levels in {"train": (0, 100), "val": (100, 200)}.items():
        for folder in ("images", "gts"):
            (tmp_path / f"{part}_{folder}").mkdir()
        for level in levels:
            image = cv2.imencode(".png", np.full((8, 8, 3), level, np.uint8))[1].tobytes()
            (tmp_path / f"{part}_images" / f"{part}{level}.png").write_bytes(image)
            (tmp_path / f"{part}_gts" / f"{part}{level}.txt").write_text("0,0,5,0,5,5,0,5,word")
    assert [Path(name).name for name in overlap(custom(tmp_path))] == ["val100.png"]


def test_no_validation(root):
    splits = icdar2015(root, val=None)
    assert (len(splits.train), len(splits.val)) == (20, 0)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (0.0, "val=0.0: a fraction must be greater than 0"),
        (1, "val=1: a fraction must be greater than 0"),
        (True, "val=True: a fraction"),
        (float("nan"), "val=nan: a fraction"),
        ("1.5", "val=1.5: a fraction"),
        ("801-900", "val=801-900: .*from 1 to 20"),
        ("11-9", "val=11-9: no image in this range"),
        ("val.txt", "val=val.txt: not a fraction, a range such as 801-900"),
    ],
)
def test_invalid_splits_raise_a_user_error(root, spec, message):
    with pytest.raises(UserError, match=message):
        icdar2015(root, val=spec)


def test_names_without_numbers_have_no_range(tmp_path):
    write_half(tmp_path, TRAIN, 3, name="{}_photo")
    with pytest.raises(UserError, match="val=1-2: a range needs image names that end in a number"):
        icdar2015(tmp_path, val="1-2")


def test_unknown_and_missing_names(root, tmp_path):
    names = tmp_path / "val.txt"
    names.write_text("img_1\nimg_99\n")
    with pytest.raises(UserError, match=r"val\.txt:2: no image named 'img_99'"):
        icdar2015(root, val=str(names))
    names.write_text("\n")
    with pytest.raises(UserError, match="the file does not name any image"):
        icdar2015(root, val=str(names))


def test_the_size_limit_of_label_files_holds_for_files_of_names(root, tmp_path):
    names = tmp_path / "val.txt"
    names.write_text("img_1\n" + " " * 10**6 + "\n")
    assert len(icdar2015(root, val=str(names), max_label_mb=2).val) == 1
    with pytest.raises(UserError, match=r"val\.txt: .*1 MB \(data\.max_label_mb\)"):
        icdar2015(root, val=str(names), max_label_mb=1)


def test_training_and_test_set_or_only_the_test_set(root, tmp_path_factory):
    write_half(root, TEST, 3)
    assert len(icdar2015(root).test) == 3
    alone = tmp_path_factory.mktemp("alone")
    write_half(alone, TEST, 3)
    splits = icdar2015(alone, val="801-900")
    assert (len(splits.train), len(splits.val), len(splits.test)) == (0, 0, 3)
    with pytest.raises(IndexError):
        splits.train.load(0)


def test_icdar2015_folders_that_cannot_be_used(tmp_path):
    with pytest.raises(UserError, match=r"not the folder of ICDAR 2015 \(looked for ch4_training_images/ with"):
        icdar2015(tmp_path)
    (tmp_path / TRAIN[0]).mkdir()
    with pytest.raises(UserError, match=f"found {TRAIN[0]}/ but not {TRAIN[1]}/"):
        icdar2015(tmp_path)
    (tmp_path / TRAIN[1]).mkdir()
    with pytest.raises(UserError, match="0 images found"):
        icdar2015(tmp_path)
    (tmp_path / TRAIN[0] / "img_1.jpg").write_bytes(PIXELS)
    with pytest.raises(UserError, match=r"GT001 .*img_1\.jpg: no label file"):
        icdar2015(tmp_path)
    (tmp_path / TRAIN[1] / "gt_img_1.txt").write_text("1,2,3")
    with pytest.raises(UserError, match=r"gt_img_1\.txt:1: column 6"):
        icdar2015(tmp_path)


@pytest.mark.parametrize("read", [custom, icdar2015])
def test_a_missing_root_is_reported_with_the_working_directory(read, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=re.escape(f"data.root=nowhere: no such folder (looked in {tmp_path})")):
        read("nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file: not a folder"):
        read(tmp_path / "file")


def test_images_are_the_same_for_any_spelling_of_the_path(root, monkeypatch):
    monkeypatch.chdir(root / TRAIN[0])
    train, val = icdar2015(root, val="1-2").val, icdar2015("..", val="2-3").val
    assert len(overlap(Splits(train, val, None))) == 1


def test_custom_splits(tmp_path):
    write_half(tmp_path, ("train_images", "train_gts"), 10)
    splits = custom(tmp_path)
    assert (len(splits.train), len(splits.val), splits.test) == (9, 1, None)
    write_half(tmp_path, ("test_images", "test_gts"), 4)
    splits = custom(tmp_path, val="1-3")
    assert (len(splits.train), len(splits.val), len(splits.test)) == (7, 3, 4)
    write_half(tmp_path, ("val_images", "val_gts"), 2)
    splits = custom(tmp_path)
    assert (len(splits.train), len(splits.val), len(splits.test)) == (10, 2, 4)
    assert numbers(custom(tmp_path, train="1-6").train) == [1, 2, 3, 4, 5, 6]
    assert len(custom(tmp_path, val=0.5).val) == 5  # drawn from the train split


def test_custom_with_only_test_images(tmp_path):
    write_half(tmp_path, ("test_images", "test_gts"), 4)
    splits = custom(tmp_path)
    assert (len(splits.train), len(splits.val), len(splits.test)) == (0, 0, 4)


def test_synthetic_splits_share_no_scene():
    splits = synthetic(2, 3, 4, 96, 128, seed=0)
    assert splits.test is not None
    assert (len(splits.train), len(splits.val), len(splits.test)) == (2, 3, 4)
    first = [part.load(0) for part in (splits.train, splits.val, splits.test)]
    assert {scene.image.shape for scene in first} == {(96, 128, 3)}
    assert len({scene.name for scene in first}) == len({scene.image.tobytes() for scene in first}) == 3


def test_official_training_set():
    folder = os.environ.get("OCRDET_ICDAR2015")
    if not folder:
        pytest.skip("OCRDET_ICDAR2015 is not set: no real photos")
    splits = icdar2015(folder, train="1-800", val="801-900")
    assert (len(splits.train), len(splits.val)) == (800, 100)
    assert sum(int((~record.ignore).sum()) for record in splits.val.records) == 417
    sample = splits.val.load(0)
    assert sample.name == "img_801.jpg" and sample.image.shape == (720, 1280, 3)


def test_everything_is_every_image_of_every_split(tmp_path):
    for part, count in {"train": 10, "val": 2, "test": 4}.items():
        write_half(tmp_path, (f"{part}_images", f"{part}_gts"), count, name=f"{part}_{{}}")
    assert custom(tmp_path).everything is None
    splits = custom(tmp_path, train="1-3", with_everything=True)
    assert [record.image_path.parent.name for record in splits.everything.records] == (
        ["train_images"] * 10 + ["val_images"] * 2 + ["test_images"] * 4
    )
    assert not splits.unsplit


def test_a_folder_without_splits_is_known_as_such(tmp_path):
    write_half(tmp_path, ("images", "labels"), 20)
    splits = custom(tmp_path, with_everything=True)
    assert splits.unsplit and numbers(splits.everything) == list(range(1, 21))
    assert (len(splits.train), len(splits.val)) == (18, 2)  # training is as before
    assert not custom(tmp_path, val="1-2").unsplit and not custom(tmp_path, train="1-2").unsplit
    (tmp_path / "images").rename(tmp_path / "train_images")
    (tmp_path / "labels").rename(tmp_path / "train_gts")
    assert not custom(tmp_path).unsplit


@pytest.mark.parametrize(
    ("place", "unsplit"), [("labels.json", True), ("train/labels.json", False), ("test/labels.json", False)]
)
def test_other_formats_say_whether_a_name_tells_the_split(tmp_path, place, unsplit):
    folder = (tmp_path / place).parent
    (folder / "images").mkdir(parents=True)
    (folder / "images/1.jpg").write_bytes(PIXELS)
    entry = {"img_dimensions": [8, 8], "img_hash": "", "polygons": [[[0, 0], [5, 0], [5, 5], [0, 5]]]}
    (tmp_path / place).write_text(json.dumps({"1.jpg": entry}))
    assert custom(tmp_path).unsplit == unsplit
