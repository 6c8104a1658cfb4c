"""What ocrdet-check says at the end: the same refusals as ocrdet-train, and words that fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from defective_set import WORD, encoded, picture
from resnet18_ocrdet.cli import _check
from resnet18_ocrdet.commands.check_messages import below_root
from resnet18_ocrdet.commands.launch import run_command


def told(tmp_path: Path, capsys, *words: str) -> str:
    run_command("check", _check, [f"data.root={tmp_path}/set", f"output={tmp_path}/out", "overwrite=true", *words])
    return capsys.readouterr().out


def outcome(text: str) -> str:
    (line,) = [line for line in text.splitlines() if line.startswith("ocrdet-train would")]
    return line


def write(root: Path, labels: dict[str, str | dict]) -> None:
    """An image for each label file; LabelMe for an object."""
    root.mkdir(exist_ok=True)
    for number, (name, content) in enumerate(labels.items()):
        (root / f"{name}.png").write_bytes(encoded(".png", picture(number)))
        if isinstance(content, dict):
            (root / f"{name}.json").write_text(json.dumps({"imagePath": f"{name}.png", **content}))
        else:
            (root / f"{name}.txt").write_text(content)


def shapes(**more) -> dict:
    return {"shapes": [{"label": "word", "points": [[10, 10], [60, 10], [60, 40], [10, 40]], **more}]}


def test_regions_that_a_flag_masks_are_refused_as_in_training(tmp_path, capsys):
    write(tmp_path / "set", {str(number): shapes(difficult=True) for number in range(3)})
    line = outcome(told(tmp_path, capsys))
    assert "refuse this data set: none of the 2 training regions is usable: 100% don't-care (difficult)" in line
    assert "data.ignore_flags=none" in line and "###" not in line
    assert "would use 3 of 3 images" in outcome(told(tmp_path, capsys, "data.ignore_flags=none"))


def test_a_set_without_regions_is_not_told_about_dont_care(tmp_path, capsys):
    write(tmp_path / "set", dict.fromkeys("abc", ""))
    text = told(tmp_path, capsys)
    assert "no labelled regions" in outcome(text)
    (line,) = [line for line in text.splitlines() if "GT014" in line]
    assert "train: no regions" in line and "don't-care regions are not trained on" not in line


def test_a_single_image_is_told_what_works(tmp_path, capsys):
    write(tmp_path / "set", {"a": WORD})
    line = outcome(told(tmp_path, capsys))
    assert "only one image" in line and "data.train=NAMES.txt data.val=NAMES.txt" in line and "None" not in line
    (tmp_path / "names.txt").write_text("a\n")
    line = outcome(told(tmp_path, capsys, *(f"data.{part}={tmp_path}/names.txt" for part in ("train", "val"))))
    assert "would use 1 of 1 image" in line


def test_only_test_images_are_told_as_such(tmp_path, capsys):
    for number in range(2):
        (tmp_path / "set/test_images").mkdir(parents=True, exist_ok=True)
        (tmp_path / "set/test_gts").mkdir(exist_ok=True)
        (tmp_path / f"set/test_images/{number}.png").write_bytes(encoded(".png", picture(number)))
        (tmp_path / f"set/test_gts/{number}.txt").write_text(WORD)
    line = outcome(told(tmp_path, capsys))
    assert "no training images" in line and "it has 2 images for test" in line and "data.val=null" in line


def test_a_copy_without_images_is_nothing_to_train_on(tmp_path, capsys):
    write(tmp_path / "set", {"a": WORD, "b": WORD})
    for name in "ab":
        (tmp_path / f"set/{name}.png").write_bytes(b"<html>")
    text = told(tmp_path, capsys, "fix=true")
    assert "wrote 0 images" in text and "nothing to train on" in text and "to train on them" not in text


def test_missing_images_are_told_with_the_folder_that_was_searched(tmp_path, capsys):
    write(tmp_path / "set", {"a": WORD, "b": WORD})
    entries = '[{"transcription": "a", "points": [[10, 10], [60, 10], [60, 40]]}]'
    (tmp_path / "set/Label.txt").write_text(f"a.png\t{entries}\nb.png\t{entries}\nupload/gone.png\t[]\n")
    (line,) = [line for line in told(tmp_path, capsys).splitlines() if line.startswith("error FS079")]
    assert f"first Label.txt:3: 'upload/gone.png': not found in {tmp_path}/set/" in line and "in ," not in line


@pytest.mark.parametrize(
    ("text", "root", "shorter"),
    [
        ("/a/b/1.txt:3: not found in /a/b/, /a/b/images/", "/a/b", "1.txt:3: not found in /a/b/, images/"),
        ("/a/b/1.txt: 'x/a/b/2.png'", "/a/b", "1.txt: 'x/a/b/2.png'"),
        ("set/1.txt: '../set/2.png' in set/", "set", "1.txt: '../set/2.png' in set/"),
        ("1.txt: './2.png' and a./3.png", ".", "1.txt: './2.png' and a./3.png"),
    ],
)
def test_the_root_is_left_out_only_before_a_name(text, root, shorter):
    assert below_root(text, Path(root)) == shorter
