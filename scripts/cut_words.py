"""Cut labelled segments of text lines into words, for a detector that is trained on words.

    python scripts/cut_words.py data=custom data.root=FOLDER data.train=0-139 --output receipt-words
    ocrdet-train experiment=finetune data.root=receipt-words

Overrides are those of ocrdet-train; only its training images are written, as links, with new labels. An upright segment
is cut where its transcription has a space and its picture a gap. Where gaps and spaces do not agree, it stays whole and
becomes don't-care, because it is not one word. So do lone signs such as "-".
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig

from kinds.ink import CORE, HALF, rectangle, window_ink
from kinds.words import is_scored
from resnet18_ocrdet import build
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.data.formats.write_icdar import regions_to_densify, write_icdar_text
from resnet18_ocrdet.data.labels import LabelledImages
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.runtime.console import Display
from resnet18_ocrdet.runtime.run_folder import make_folder
from resnet18_ocrdet.structures import Image, Polygon

SLANT = 2.0  # px between the corners of a side of an upright segment
SPECK = 4  # px: smaller ink is dust of the scanner
CLEAR = 1.25  # the narrowest gap between words / the widest one between letters
LEAST_GAP = 0.12  # of the height of the ink
UNEVEN = 2.5  # a word's width per character / the segment's: more, or less than its inverse, is a wrong cut


class Piece(NamedTuple):
    """A word of a segment."""

    polygon: Polygon
    text: str


def ink_of(window: Image) -> NDArray[np.bool_]:
    """(H, W, 3) -> (H, W): ink without specks and without what reaches in from the lines above and below."""
    _, labels, stats, centres = cv2.connectedComponentsWithStats(window_ink(window).astype(np.uint8), connectivity=8)
    edge = CORE * len(window)
    kept = (stats[:, cv2.CC_STAT_AREA] >= SPECK) & (edge <= centres[:, 1]) & (centres[:, 1] <= len(window) - 1 - edge)
    kept[0] = False  # the paper
    return np.asarray(kept[labels])


def cut_columns(ink: NDArray[np.bool_], words: Sequence[str]) -> list[tuple[int, int]] | None:
    """Columns (first, end) of each word, from left to right; None if the gaps disagree.

    The widest gaps are those between the words, if they are clearly wider than the next one."""
    columns, rows = np.flatnonzero(ink.any(axis=0)), np.flatnonzero(ink.any(axis=1))
    if not len(columns):
        return None
    gaps = np.diff(columns) - 1
    order = np.argsort(-gaps, kind="stable")
    count = len(words) - 1
    if count > len(order):
        return None
    narrowest = gaps[order[count - 1]] if count else 0
    widest_other = gaps[order[count]] if count < len(order) else 0
    height = rows[-1] - rows[0] + 1
    if count and (narrowest < CLEAR * widest_other or narrowest < LEAST_GAP * height):
        return None
    after = sorted(order[:count])
    starts = [columns[0], *(columns[place + 1] for place in after)]
    ends = [*(columns[place] + 1 for place in after), columns[-1] + 1]
    usual = (columns[-1] + 1 - columns[0] - gaps[after].sum()) / sum(map(len, words))
    for word, start, end in zip(words, starts, ends, strict=True):
        share = (end - start) / len(word) / usual
        if len(word) > 1 and is_scored(word) and not 1 / UNEVEN < share < UNEVEN:
            return None
    return [(int(start), int(end)) for start, end in zip(starts, ends, strict=True)]


def cut_segment(image: Image, polygon: Polygon, text: str) -> list[Piece] | None:
    """The words of a segment, each box around its ink; None if it is slanted or its gaps disagree with its text."""
    words = text.split()
    left, top, right, bottom = (*polygon.min(axis=0), *polygon.max(axis=0))
    corners = rectangle(left, top, right, bottom)
    apart = (
        np.abs(polygon[:, None] - corners[None]).max(axis=2).min(axis=0) if len(polygon) == 4 else np.array([np.inf])
    )
    if not words or apart.max() > SLANT:
        return None
    x, y = max(round(float(left)), 0), max(round(float(top)), 0)
    window = image[y : round(float(bottom)) + 1, x : round(float(right)) + 1]
    if not window.size:
        return None
    ink = ink_of(window)
    columns = cut_columns(ink, words)
    if columns is None:
        return None
    pieces = []
    for word, (first, end) in zip(words, columns, strict=True):
        rows = np.flatnonzero(ink[:, first:end].any(axis=1))
        box = rectangle(x + first - HALF, y + rows[0] - HALF, x + end - HALF, y + rows[-1] + HALF)
        pieces.append(Piece(box, word))
    return pieces


def cut_record(record: LabelRecord, image: Image, output: Path, tally: Counter[str]) -> LabelRecord:
    """The same image with a region for each word. tally: counts segments by what became of them."""
    polygons: list[Polygon] = []
    texts: list[str] = []
    ignore: list[bool] = []
    for polygon, text, skipped in zip(record.polygons, record.texts, record.ignore, strict=True):
        spaced = len(text.split()) > 1
        pieces = cut_segment(image, polygon, text) if spaced and not skipped else None
        tally["one word" if not spaced else "cut" if pieces else "whole"] += 1
        for piece in pieces or [Piece(polygon, text)]:
            polygons.append(piece.polygon)
            texts.append(piece.text)
            ignore.append(bool(skipped) or not is_scored(piece.text) or (spaced and not pieces))
    label = output / "gts" / f"gt_{record.image_path.stem}.txt"
    return LabelRecord(record.image_path, label, tuple(polygons), np.array(ignore, bool), tuple(texts))


def cut(output: Path, cfg: DictConfig, _: list[str]) -> int:
    """Write the words of all training images of `cfg`. The folder appears when it is complete. Returns 0.

    Raises UserError if the folder exists, and for rendered images, which have no transcriptions."""
    if output.exists():
        raise UserError(f"--output={output}: exists already; choose another folder")
    source, display, tally, records = (
        build.build_splits(cfg.data, build.input_size(cfg)).train,
        Display(),
        Counter[str](),
        [],
    )
    if not isinstance(source, LabelledImages):
        raise UserError("labelled images are needed: data=custom data.root=FOLDER")
    unfinished = output.with_name(output.name + ".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    for name in ("images", "gts"):
        make_folder("--output", unfinished / name)
    with display.progress("cut", len(source)) as advance:
        for index, record in enumerate(source.records):
            records.append(cut_record(record, source.open(index).pixels(1), unfinished, tally))
            (unfinished / "images" / record.image_path.name).symlink_to(record.image_path.resolve())
            advance()
    for record, dense in zip(records, regions_to_densify(records), strict=True):
        assert record.label_path is not None
        write_icdar_text(record.label_path, record, dense)
    unfinished.rename(output)
    words = sum(int((~record.ignore).sum()) for record in records)
    display.line(
        f"{words} words of {len(records)} images in {output}: {tally['one word']} segments were one word, "
        f"{tally['cut']} cut, {tally['whole']} whole and don't-care"
    )
    return 0


def main() -> int:
    """Returns 0, or the exit code of ocrdet-train for refused overrides."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder of the words")
    args, overrides = parser.parse_known_args()
    return run_command("train", partial(cut, args.output), overrides)


if __name__ == "__main__":
    sys.exit(main())
