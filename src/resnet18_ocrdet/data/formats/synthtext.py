"""SynthText: rendered words, all images in the MATLAB file gt.mat (Gupta et al., CVPR 2016).

    root/gt.mat  root/8/ballet_106_0.jpg

Cell arrays with one cell for each image: imnames, the file name; wordBB, 2 x 4 x N, or 2 x 4 for one word: x and y of
the corners of N words, clockwise from the top left; txt, rows of characters, in which the N words are separated by
white space. charBB, the characters, is not read. There is no don't-care. The file is read cell by cell, in little
memory; the regions are kept, which takes some GB for the 858,750 images of the published set.
https://www.robots.ox.ac.uk/~vgg/data/scenetext/readme.txt
"""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Iterator, Sequence
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...runtime.regular_file import open_regular
from ..findings import Report
from ..record import LabelRecord, Region
from ..text_file import why_unreadable
from .image_index import FindByName, ImageIndex
from .locate import check_root, files_in, image_folders, locate
from .location import LabelError, Location, numbered
from .mat_stream import cell_arrays, cells
from .matlab import Array
from .split_names import ListedImage, group_by_split, split_of

KEY = "synthtext"
NAME = "SynthText"
IGNORE_MARKS: tuple[str, ...] = ()
IGNORE_FLAGS: tuple[str, ...] = ()
LABEL_FILE = "gt.mat"
NAMES, BOXES, TEXTS = "imnames", "wordBB", "txt"
MAX_PEEKED = 3  # files that `recognise` opens
_HDF5 = b"MATLAB 7.3"


def recognise(root: Path) -> str | None:
    """Report the first MATLAB file with the variables of the format."""
    found = next((path for path in files_in(root, ".mat")[:MAX_PEEKED] if _is_label_file(path)), None)
    return None if found is None else f"{found.name}: has imnames and wordBB"


def read(root: Path, report: Report, marks: Sequence[str]) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist, by the names of the files. Raises UserError if `root` cannot be listed."""
    check_root(root)
    files = [path for path in files_in(root, ".mat") if path.name == LABEL_FILE or _is_label_file(path)]
    index = ImageIndex(root)
    listed = [entry for path in files for entry in read_label_file(root, path, report, marks, index)]
    report.notes += index.notes()
    return group_by_split((split_of(path.stem) for path in files), listed, report, root)


def read_label_file(
    root: Path, path: Path, report: Report, marks: Sequence[str], index: ImageIndex
) -> list[ListedImage]:
    """Read all images of one file; images that cannot be read are reported and skipped. [] if the file is damaged."""
    return Location(report, path).attempt(_read_images, root, path, report, marks, index) or []


def _read_images(root: Path, path: Path, report: Report, marks: Sequence[str], index: ImageIndex) -> list[ListedImage]:
    """Raises LabelError if the file cannot be read."""
    folders, split = image_folders(root, path), split_of(path.stem)
    listed = []
    try:
        for number, (name, boxes, texts) in numbered(_rows(path, report.max_label_mb)):
            location = Location(report, path, number, entry=f"image {number}")
            if record := location.attempt(_read_image, name, boxes, texts, location, folders, index.of(split), marks):
                listed.append(ListedImage(split, number, record))
    except ValueError as error:
        raise LabelError("GT006", f"not a readable MATLAB file: {error}") from None
    except OSError as error:
        raise LabelError("GT006", why_unreadable(error, report.max_label_mb)) from None
    return listed


def _rows(path: Path, max_mb: int) -> Iterator[tuple[str, Array | None, Array | None]]:
    """Yield file name, boxes and texts of each image. Raises ValueError and OSError."""
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > max_mb * 10**6:
            raise OSError(errno.EFBIG, "")
        if file.read(len(_HDF5)) == _HDF5:
            raise ValueError("version 7.3 is HDF5; MATLAB's save -v7 and SciPy's savemat write what is read")
    arrays = cell_arrays(path)
    if missing := [name for name in (NAMES, BOXES) if name not in arrays]:
        raise ValueError(f"no cell array {missing[0]}")
    shapes = {name: arrays[name].shape for name in (NAMES, BOXES, TEXTS) if name in arrays}
    if len(set(shapes.values())) > 1:
        listed = ", ".join(f"{name} {' x '.join(map(str, shape))}" for name, shape in shapes.items())
        raise ValueError(f"cell arrays of different sizes: {listed}")
    texts = cells(path, arrays[TEXTS], max_mb) if TEXTS in arrays else repeat(None)
    rows = zip(cells(path, arrays[NAMES], max_mb), cells(path, arrays[BOXES], max_mb), texts, strict=False)
    for number, (name, boxes, text) in enumerate(rows, start=1):
        if name is None or not isinstance(name.values, str):
            raise ValueError(f"cell {number} of {NAMES} is not a text")
        yield name.values.strip(), boxes, text


def _read_image(
    name: str,
    boxes: Array | None,
    texts: Array | None,
    location: Location,
    folders: Sequence[Path],
    find: FindByName,
    marks: Sequence[str],
) -> LabelRecord:
    """Read the words of one image. Raises LabelError if the image or the boxes are missing."""
    location.image = locate(name, folders, NAMES, find=find)
    polygons = _polygons(boxes)
    if location.too_many(len(polygons)):
        return location.record([None] * len(polygons))
    words = [] if texts is None else _words(texts)
    if texts is not None and len(words) != len(polygons):
        location.add("GT010", f"{len(words)} words in {TEXTS}, {len(polygons)} in {BOXES}")
        words = []
    regions = [
        Region(polygon, word, word in marks, number)
        for number, (polygon, word) in enumerate(zip(polygons, words or [""] * len(polygons), strict=True), start=1)
    ]
    return location.record(regions)


def _polygons(boxes: Array | None) -> NDArray[np.float32]:
    """(N, 4, 2) in px: the corners of N words. Raises LabelError for another array."""
    if boxes is None or isinstance(boxes.values, str):
        raise LabelError("GT022", f"{BOXES} needs an array of numbers")
    if 0 in boxes.shape:
        return np.zeros((0, 4, 2), np.float32)
    if boxes.shape[:2] != (2, 4) or len(boxes.shape) > 3:
        raise LabelError("GT022", f"{BOXES} is {' x '.join(map(str, boxes.shape))}, needs 2 x 4 x the number of words")
    corners = boxes.values.reshape(2, 4, -1, order="F").transpose(2, 1, 0)
    with np.errstate(over="ignore"):
        return corners.astype(np.float32)


def _words(texts: Array) -> list[str]:
    """The words in the rows of an array of characters; none for another array, or too few characters."""
    if not isinstance(texts.values, str) or len(texts.values) != math.prod(texts.shape):
        return []
    height = texts.shape[0]
    return "\n".join(texts.values[row::height] for row in range(height)).split()


def _is_label_file(path: Path) -> bool:
    """Whether a file is a MATLAB file with the variables of the format."""
    try:
        return {NAMES, BOXES} <= set(cell_arrays(path))
    except (OSError, ValueError):
        return False
