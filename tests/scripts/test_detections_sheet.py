"""scripts/detections_sheet.py: rows of images of one height."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from resnet18_ocrdet.data.image_io import read_image
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.viz import draw

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))  # scripts are no package

import detections_sheet


def plain(height: int, width: int, grey: int) -> np.ndarray:
    return np.full((height, width, 3), grey, np.uint8)


def test_a_row_has_the_width_asked_for_and_images_keep_their_shape():
    """Aspect ratios 2 and 0.5: at a height of 400 they are 800 and 200 px wide."""
    row = detections_sheet.justified([plain(100, 200, 50), plain(600, 300, 200)], width=1000)
    assert row.shape == (400, 1000, 3)
    assert (row[:, :800] == 50).all() and (row[:, 800:] == 200).all()


def test_scenes_are_whole_rows_of_four(tmp_path: Path):
    for folder, number in (("first", 1), ("scenes", 9)):
        (tmp_path / folder).mkdir()
        for index in range(number):
            draw.write(tmp_path / folder / f"{index}.png", plain(50, 100, index))
    output = tmp_path / "sheet.png"
    arguments = [str(tmp_path / "first"), "--scenes", str(tmp_path / "scenes"), "--output", str(output)]
    assert detections_sheet.main(arguments) == 0
    heights = 800 + 200 + 200  # 1600 px wide: one image, then two rows of four; the ninth is left out
    assert read_image(output).shape == (heights + 3 * 4, 1600, 3)  # 4 px below each row


@pytest.mark.parametrize("made", [False, True])
def test_a_folder_without_images_is_refused(tmp_path: Path, made: bool):
    folder = tmp_path / "empty"
    if made:
        folder.mkdir()
    with pytest.raises(UserError, match=str(folder)):
        detections_sheet.main([str(folder)])
