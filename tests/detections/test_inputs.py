"""Which files of a folder are images, and the names of their results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from resnet18_ocrdet.detections.inputs import find_items, name_results
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.viz.draw import write


def test_images_with_the_same_stem_keep_their_extension():
    images = [Path("a.jpg"), Path("a.png"), Path("b.jpg"), Path("sub/a.jpg")]
    assert name_results(images) == [Path("a.jpg"), Path("a.png"), Path("b"), Path("sub/a")]
    images = [Path("a.jpg"), Path("a.png"), Path("a.jpg.png")]
    assert name_results(images) == images


def test_pictures_of_earlier_calls_are_skipped(tmp_path: Path):
    for folder in ("in", "in/found/vis", "in/mine/vis", "elsewhere/vis", "elsewhere/labelme"):
        (tmp_path / folder).mkdir(parents=True)
        write(tmp_path / folder / "a.jpg", np.zeros((8, 8, 3), np.uint8))
    for folder in ("in/found", "elsewhere"):
        (tmp_path / folder / "detections.settings.json").write_text("{}")
    (tmp_path / "in/mine/detections.json").write_text("{}")  # of another program
    (tmp_path / "in/linked").symlink_to(tmp_path / "elsewhere")
    found, left_out, _ = find_items(tmp_path / "in", tmp_path / "out", crops=True)
    assert [item.relative for item in found] == ["a.jpg", "mine/vis/a.jpg"] and left_out == 3
    with pytest.raises(UserError, match=r"elsewhere/vis: contains only pictures that a detection wrote"):
        find_items(tmp_path / "elsewhere/vis", tmp_path / "out", crops=True)


def test_formats_that_are_not_read_are_counted(tmp_path: Path):
    for name in ("a.heic", "more/b.HEIC", "c.pdf", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "._a.heic").touch()  # written by macOS
    with pytest.raises(UserError, match=r"0 images found .*; 2 \.heic, 1 \.pdf: not read"):
        find_items(tmp_path, tmp_path / "out", crops=False)
    write(tmp_path / "d.jpg", np.zeros((8, 8, 3), np.uint8))
    line = "2 .heic, 1 .pdf: not read, convert to JPEG or PNG"
    assert find_items(tmp_path, tmp_path / "out", crops=False).unread == line
    assert find_items(tmp_path / "d.jpg", tmp_path / "out", crops=False).unread == ""


def test_photos_in_a_folder_called_crops_are_images_unless_regions_are_written_there(tmp_path: Path):
    (tmp_path / "crops").mkdir()
    for name in ("a.jpg", "crops/b.jpg"):
        write(tmp_path / name, np.zeros((8, 8, 3), np.uint8))
    assert len(find_items(tmp_path, tmp_path, crops=False)[0]) == 2
    items, left_out, _ = find_items(tmp_path, tmp_path, crops=True)
    assert [item.relative for item in items] == ["a.jpg"] and left_out == 1
