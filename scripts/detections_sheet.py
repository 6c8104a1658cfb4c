"""One image of drawn detections, for the top of the README: docs/detections.jpg.

    python scripts/detections_sheet.py FOLDER                                    # all drawn images of the folder
    python scripts/detections_sheet.py PHOTOS/vis --scenes runs/quickstart/DATE_TIME/detect/vis

FOLDER is vis/ of ocrdet-detect, as is --scenes, whose images are rows below it. The images of a row have one height.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from resnet18_ocrdet.data.image_io import list_images, read_image
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.structures import Image
from resnet18_ocrdet.viz import draw
from script_cli import Parser, run_script

WIDTH = 1600  # px, of the sheet
COLUMNS = 4  # of --scenes


def main(argv: Sequence[str] | None = None) -> int:
    """Write the sheet. Returns 0. Raises UserError for a folder without images."""
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="images of the first row")
    parser.add_argument("--scenes", type=Path, metavar="FOLDER", help=f"images of rows of {COLUMNS}")
    parser.add_argument("--output", type=Path, default=Path("docs/detections.jpg"))
    options = parser.parse_args(argv)
    rows = [justified(read_folder(options.folder))]
    if options.scenes is not None:
        scenes = read_folder(options.scenes)
        rows += [justified(scenes[at : at + COLUMNS]) for at in range(0, len(scenes) - COLUMNS + 1, COLUMNS)]
    draw.write(options.output, draw.grid(rows, WIDTH))
    print(f"wrote {options.output}: {len(rows)} rows, {options.output.stat().st_size} bytes")
    return 0


def read_folder(folder: Path) -> list[Image]:
    """The images of a folder by name, (H, W, 3) uint8. Raises UserError."""
    if not folder.is_dir():
        raise UserError(f"{folder}: not a folder")
    if not (paths := list_images(folder)):
        raise UserError(f"{folder}: has no images")
    return [read_image(path) for path in paths]


def justified(images: Sequence[Image], width: int = WIDTH) -> Image:
    """Images side by side, scaled to one height at which they are `width` px wide together: (H, width, 3) uint8."""
    height = width / sum(image.shape[1] / image.shape[0] for image in images)
    ends = np.cumsum([0, *(height * image.shape[1] / image.shape[0] for image in images)]).round().astype(int)
    sizes = [(int(right - left), max(1, round(height))) for left, right in pairwise(ends)]
    return np.hstack(
        [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image, size in zip(images, sizes, strict=True)]
    )


if __name__ == "__main__":
    sys.exit(run_script("detections_sheet", main))
