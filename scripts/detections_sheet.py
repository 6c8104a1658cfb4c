"""One image of the detections of `make quickstart`: docs/detections.jpg, at the top of the README.

python scripts/detections_sheet.py runs/quickstart/DATE_TIME/detect/vis
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from resnet18_ocrdet.data.image_io import list_images, read_image
from resnet18_ocrdet.viz import draw

COLUMNS = 4


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--output", type=Path, default=Path("docs/detections.jpg"))
    asked = parser.parse_args()
    pictures = [read_image(path) for path in list_images(asked.folder)]
    full = len(pictures) // COLUMNS * COLUMNS
    rows = [np.hstack(pictures[start : start + COLUMNS]) for start in range(0, full, COLUMNS)]
    draw.write(asked.output, draw.grid(rows))
    print(f"wrote {asked.output}: {full} pictures, {asked.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
