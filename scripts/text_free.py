"""Cut the parts without text out of labelled photos: real backgrounds for rendered scenes.

    python scripts/text_free.py data=icdar2015 data.root=FOLDER data.train=1-800 --output backgrounds
    ocrdet-train experiment=pretrain_synthetic data.backgrounds=backgrounds

Words are those of ocrdet-train; only its training images are cut. A part is a rectangle that no labelled region
touches, don't-care included; text that nobody labelled stays in it.
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
MARGIN = 12  # px between a region and a part: outlines are drawn by hand
LEAST_SIDE = 256  # px of a part
MOST_PARTS = 3  # of one photo, largest first
QUALITY = 95  # of the JPEG files


class Box(NamedTuple):
    """Of cells or pixels; right and bottom are the first outside."""

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
    """The largest rectangle of free cells whose sides are `least` cells or more; None where there is none.

    Row by row over the heights of the free columns above it, each rectangle that cannot grow sideways once: the
    largest rectangle in a histogram, with a stack."""
    best, best_area = None, 0
    heights = np.zeros(free.shape[1], np.int64)
    for row, line in enumerate(free):
        heights = np.where(line, heights + 1, 0)
        open_ones: list[tuple[int, int]] = []  # (first column, height), heights rising
        for column, height in enumerate([*heights.tolist(), 0]):
            first = column
            while open_ones and open_ones[-1][1] >= height:
                first, tall = open_ones.pop()
                area = tall * (column - first)
                if min(tall, column - first) >= least and area > best_area:
                    best, best_area = Box(first, row + 1 - tall, column, row + 1), area
            open_ones.append((first, height))
    return best


def free_parts(height: int, width: int, polygons: Sequence[Polygon]) -> Iterator[Box]:
    """Up to MOST_PARTS rectangles in pixels, largest first, none over another."""
    free = free_cells(height, width, polygons)
    for _ in range(MOST_PARTS):
        cells = largest_free(free, -(-LEAST_SIDE // CELL))
        if cells is None:
            return
        free[cells.top : cells.bottom, cells.left : cells.right] = False
        yield Box(*(side * CELL for side in cells))


def cut(output: Path, cfg: DictConfig, _: list[str]) -> int:
    """Write the parts of all training images of `cfg`; the folder is there when all are. Returns 0.

    Raises UserError where there are none, or where the folder is there already."""
    if output.exists():
        raise UserError(f"--output={output}: is there already; choose another folder")
    source, display, parts, stems = build.build_splits(cfg.data).train, Display(), 0, set[str]()
    beside = output.with_name(output.name + ".part")
    shutil.rmtree(beside, ignore_errors=True)
    make_folder("--output", beside)
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
                draw.write(beside / f"{stem}_{number}.jpg", np.ascontiguousarray(part), QUALITY)
            parts += len(boxes)
            advance()
    if not parts:
        beside.rmdir()
        raise UserError(f"no part of {LEAST_SIDE}x{LEAST_SIDE} px in {count(len(source), 'image')} is free of text")
    beside.rename(output)
    display.line(f"{count(parts, 'part')} of {count(len(source), 'image')} in {output}")
    return 0


def main() -> int:
    """Cut. Returns the exit code of ocrdet-train for the same words, or 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder of the parts")
    args, words = parser.parse_known_args()
    return run_command("train", partial(cut, args.output), words)


if __name__ == "__main__":
    sys.exit(main())
