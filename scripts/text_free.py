"""Cut text-free parts from labelled photos, as backgrounds for rendered scenes.

    python scripts/text_free.py data=icdar2015 data.root=FOLDER data.train=1-800 --output backgrounds
    ocrdet-train experiment=pretrain_synthetic data.backgrounds=backgrounds

Overrides are those of ocrdet-train; only its training images are cut. A part is a rectangle that no labelled region
touches, don't-care regions included. It may contain text without a label.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig

from resnet18_ocrdet import build
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.runtime.console import Display
from resnet18_ocrdet.runtime.messages import count
from resnet18_ocrdet.runtime.run_folder import make_folder
from resnet18_ocrdet.structures import Polygon
from resnet18_ocrdet.viz import draw

CELL = 8  # px: rectangles start and end at multiples of it
MARGIN = 12  # px between a region and a part, because outlines are imprecise
MIN_SIDE = 256  # px of a part
MAX_PARTS = 3  # per photo, largest first
QUALITY = 95  # of the JPEG files


class Box(NamedTuple):
    """In cells or pixels; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int


def free_cells(height: int, width: int, polygons: Sequence[Polygon]) -> NDArray[np.bool_]:
    """(height // CELL, width // CELL): whether no polygon comes within MARGIN of the cell."""
    taken = np.zeros((height, width), np.uint8)
    for polygon in polygons:
        corners = [np.rint(polygon).astype(np.int32)]
        cv2.fillPoly(taken, corners, 1)
        cv2.polylines(taken, corners, True, 1, 2 * MARGIN + 1)
    rows, columns = height // CELL, width // CELL
    blocks = taken[: rows * CELL, : columns * CELL].reshape(rows, CELL, columns, CELL)
    return np.asarray(~blocks.any(axis=(1, 3)))


def largest_free(free: NDArray[np.bool_], least: int) -> Box | None:
    """The largest rectangle of free cells with sides of at least `least` cells, or None.

    For each row: the largest rectangle in the histogram of free cells above it, with a stack."""
    best, best_area = None, 0
    heights = np.zeros(free.shape[1], np.int64)
    for row, line in enumerate(free):
        heights = np.where(line, heights + 1, 0)
        stack: list[tuple[int, int]] = []  # (first column, height), heights rising
        for column, height in enumerate([*heights.tolist(), 0]):
            first = column
            while stack and stack[-1][1] >= height:
                first, tall = stack.pop()
                area = tall * (column - first)
                if min(tall, column - first) >= least and area > best_area:
                    best, best_area = Box(first, row + 1 - tall, column, row + 1), area
            stack.append((first, height))
    return best


def free_parts(height: int, width: int, polygons: Sequence[Polygon]) -> Iterator[Box]:
    """Up to MAX_PARTS rectangles in pixels, largest first, without overlap."""
    free = free_cells(height, width, polygons)
    for _ in range(MAX_PARTS):
        cells = largest_free(free, -(-MIN_SIDE // CELL))
        if cells is None:
            return
        free[cells.top : cells.bottom, cells.left : cells.right] = False
        yield Box(*(side * CELL for side in cells))


def cut(output: Path, cfg: DictConfig, _: list[str]) -> int:
    """Write the parts of all training images of `cfg`. The folder appears when it is complete. Returns 0.

    Raises UserError if there are no parts, or if the folder exists."""
    if output.exists():
        raise UserError(f"--output={output}: exists already; choose another folder")
    source, display, parts, stems = build.build_splits(cfg.data, build.input_size(cfg)).train, Display(), 0, set[str]()
    unfinished = output.with_name(output.name + ".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    make_folder("--output", unfinished)
    with display.progress("cut", len(source)) as advance:
        for index in range(len(source)):
            picture = source.open(index)
            boxes = list(free_parts(picture.height, picture.width, picture.polygons))
            image = picture.pixels(1) if boxes else None
            stem = Path(picture.name).stem
            stem = f"{stem}_{index}" if stem in stems else stem
            stems.add(stem)
            for number, box in enumerate(boxes):
                part = image[box.top : box.bottom, box.left : box.right]
                draw.write(unfinished / f"{stem}_{number}.jpg", np.ascontiguousarray(part), QUALITY)
            parts += len(boxes)
            advance()
    if not parts:
        unfinished.rmdir()
        raise UserError(f"no part of {MIN_SIDE}x{MIN_SIDE} px in {count(len(source), 'image')} is free of text")
    unfinished.rename(output)
    display.line(f"{count(parts, 'part')} of {count(len(source), 'image')} in {output}")
    return 0


def main() -> int:
    """Returns 0, or the exit code of ocrdet-train for refused overrides."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder of the parts")
    args, overrides = parser.parse_known_args()
    return run_command("train", partial(cut, args.output), overrides)


if __name__ == "__main__":
    sys.exit(main())
