"""A folder of small labelled images, for tests that train on files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from resnet18_ocrdet.viz.draw import write


def photos(root: Path, *labels: str, side: int = 128) -> str:
    """Write a square grey image with a dark word for each label file content. Returns `data.root=…`."""
    for part in ("images", "gts"):
        (root / part).mkdir(parents=True)
    for number, text in enumerate(labels):
        image = np.full((side, side, 3), 200 - number, np.uint8)  # no two images are equal
        image[20:50, 10:100] = 40
        write(root / f"images/{number}.jpg", image)
        (root / f"gts/{number}.txt").write_text(text)
    return f"data.root={root}"


def box(x: int, y: int, width: int, height: int, text: str = "word") -> str:
    return f"{x},{y},{x + width},{y},{x + width},{y + height},{x},{y + height},{text}\n"


WORD = box(10, 20, 90, 30)
