"""Which images are taught, which choose the epoch, and which are only reported.

The three functions are what the run config's `data` group calls. A split is given as
- a fraction 0 < f < 1: that share of the images, at least one, drawn by the seed;
- a range "801-900": the images whose names end in these numbers, both ends included;
- the path of a text file: the images it names, with or without suffix, one a line.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from resnet18_ocrdet.data.custom import read_custom
from resnet18_ocrdet.data.icdar2015 import HALVES, read_icdar2015
from resnet18_ocrdet.data.icdar_text import read_lines
from resnet18_ocrdet.data.labels import LabelledImages
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.structures import Picture, Sample, Source
from resnet18_ocrdet.wording import looked_in

__all__ = ["EmptySource", "LabelledImages", "Splits", "custom", "icdar2015", "overlap", "synthetic"]

SplitSpec: TypeAlias = float | str | None

VAL_FRACTION = 0.1  # of the training images, where no validation images are given
SYNTHETIC_VAL_FIRST = 1_000_000_000  # number of the first validation scene: no training set reaches it
SYNTHETIC_TEST_FIRST = 2_000_000_000  # and of the first test scene, which never chose an epoch


class Splits(NamedTuple):
    """The images of a run. A part that is not there is empty; only `test`, which many sets lack, is None instead."""

    train: Source
    val: Source
    test: Source | None


class EmptySource:
    """No images: the training part of a root that holds only test images."""

    def __len__(self) -> int:
        """Count the images: 0."""
        return 0

    def open(self, index: int) -> Picture:
        """Raise IndexError: there is nothing to open."""
        raise IndexError(f"image {index} of 0")

    def load(self, index: int) -> Sample:
        """Raise IndexError: there is nothing to load."""
        raise IndexError(f"image {index} of 0")

    def fingerprint(self) -> Iterable[bytes]:
        """No chunks."""
        return ()


def synthetic(
    train_size: int,
    val_size: int,
    test_size: int,
    height: int,
    width: int,
    seed: int,
    fonts: str | Path | None = None,
    backgrounds: str | Path | None = None,
) -> Splits:
    """Render the images: `train_size`, `val_size` and `test_size` different scenes of height × width pixels.

    fonts, backgrounds: folders to take typefaces and photos from; None for the built-in ones."""
    folders = {"fonts": Path(fonts) if fonts else None, "backgrounds": Path(backgrounds) if backgrounds else None}
    train = SyntheticScenes(train_size, height, width, seed, first=0, **folders)
    val = SyntheticScenes(val_size, height, width, seed, first=SYNTHETIC_VAL_FIRST, **folders)
    test = SyntheticScenes(test_size, height, width, seed, first=SYNTHETIC_TEST_FIRST, **folders)
    return Splits(train, val, test)


def icdar2015(root: str | Path, train: SplitSpec = None, val: SplitSpec = VAL_FRACTION, seed: int = 0) -> Splits:
    """Read ICDAR 2015 in its official folders below `root`; `train` and `val` split the official training half.

    train None: all that is not in val. val None: no validation images. A root with only one half gives that half.
    Raises UserError when neither is there."""
    root = _existing(root)
    train_half, test_half = read_icdar2015(root, "train"), read_icdar2015(root, "test")
    if train_half is None and test_half is None:
        wanted = ", or ".join(f"{half.images}/ with {half.labels}/" for half in HALVES.values())
        raise UserError(f"{root}: not the folder of ICDAR 2015 (looked for {wanted})")
    chosen = split(train_half or [], train, val, seed, root)
    return Splits(*chosen, LabelledImages(test_half) if test_half else None)


def custom(root: str | Path, train: SplitSpec = None, val: SplitSpec = None, seed: int = 0) -> Splits:
    """Read one's own images below `root`, see `data.custom` for the folders; `train` and `val` split its train part.

    train None: all that is not in val. val None: the val part if the root has one, else a tenth of the train part.
    Raises UserError when nothing usable is there."""
    root = _existing(root)
    parts = read_custom(root)
    records, test = parts.get("train", []), LabelledImages(parts["test"]) if "test" in parts else None
    if val is None and "val" in parts:
        chosen = split(records, train, None, seed, root)
        return Splits(chosen[0], LabelledImages(parts["val"]), test)
    return Splits(*split(records, train, VAL_FRACTION if val is None else val, seed, root), test)


def _existing(root: str | Path) -> Path:
    """The root as a path. Raises UserError when it is no folder: a config may come from another machine or folder."""
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"data.root={root}: {'not a folder' if root.exists() else f'no such folder{looked_in(root)}'}")
    return root


def split(
    records: Sequence[LabelRecord], train: SplitSpec, val: SplitSpec, seed: int, root: Path
) -> tuple[Source, Source]:
    """Split the records in a train and a validation part, in their order; no records give two empty parts.

    A train fraction is drawn from what val left over; a train range or file is taken as it says, even if it overlaps.
    Raises UserError, which names `root`, for a split that cannot be understood or takes no image."""
    if not records:
        return EmptySource(), EmptySource()
    everything = range(len(records))
    val_indices = [] if val is None else choose(records, everything, val, seed, f"{root}: val")
    left = sorted(set(everything) - set(val_indices))
    train_indices = left if train is None else choose(records, left, train, seed, f"{root}: train")
    return _pack(records, train_indices), _pack(records, val_indices)


def choose(
    records: Sequence[LabelRecord], drawn_from: Sequence[int], spec: float | str, seed: int, where: str
) -> list[int]:
    """Find the indices, ascending, of the records that a split takes.

    drawn_from: the indices that a fraction, of all records, is drawn from. `where` opens the message of a UserError."""
    if isinstance(spec, str) and re.fullmatch(r"\s*[0-9]*\.[0-9]+\s*", spec):
        spec = float(spec)
    if not isinstance(spec, str):
        if isinstance(spec, bool) or not 0 < spec < 1:
            raise UserError(f"{where}={spec}: a fraction must lie between 0 and 1, both excluded")
        count = max(1, round(spec * len(records)))
        return sorted(int(index) for index in np.random.default_rng(seed).permutation(drawn_from)[:count])
    if bounds := re.fullmatch(r"\s*([0-9]+)\s*-\s*([0-9]+)\s*", spec):
        return _choose_range(records, int(bounds[1]), int(bounds[2]), f"{where}={spec}")
    return _choose_named(records, Path(spec), f"{where}={spec}")


def overlap(splits: Splits) -> list[str]:
    """List the image files that are both taught and used to choose the epoch: a score on them means little."""
    if not isinstance(splits.train, LabelledImages) or not isinstance(splits.val, LabelledImages):
        return []
    taught = {_from_root(record) for record in splits.train.records}
    return [str(record.image_path) for record in splits.val.records if _from_root(record) in taught]


def _from_root(record: LabelRecord) -> str:
    """The image file, however the way to it was typed."""
    return os.path.abspath(record.image_path)  # noqa: PTH100  Path.resolve asks the disk, for each of many images


def _choose_range(records: Sequence[LabelRecord], low: int, high: int, where: str) -> list[int]:
    """Take the records whose image names end in a number from low to high, inclusive. Raises UserError for none."""
    endings = [re.search(r"[0-9]+$", record.image_path.stem) for record in records]
    numbers = [int(ending[0]) if ending else None for ending in endings]
    known = [number for number in numbers if number is not None]
    if not known:
        raise UserError(f"{where}: a range needs image names that end in a number, as img_801.jpg; got none such")
    chosen = [index for index, number in enumerate(numbers) if number is not None and low <= number <= high]
    if not chosen:
        raise UserError(f"{where}: no image falls into this range, the names run from {min(known)} to {max(known)}")
    return chosen


def _choose_named(records: Sequence[LabelRecord], path: Path, where: str) -> list[int]:
    """Take the records that a file names. Raises UserError for unknown names, an empty or a missing file."""
    if not path.is_file():
        raise UserError(f"{where}: neither a fraction, nor a range such as 801-900, nor an existing file of names")
    by_name: dict[str, list[int]] = {}
    for index, record in enumerate(records):
        for name in {record.image_path.name, record.image_path.stem}:
            by_name.setdefault(name, []).append(index)
    chosen: set[int] = set()
    for line in read_lines(path):
        name = line.text.strip()
        if name not in by_name:
            raise UserError(f"{path}:{line.number}: no image is called {name!r}, with or without its suffix")
        chosen.update(by_name[name])
    if not chosen:
        raise UserError(f"{where}: the file names no image")
    return sorted(chosen)


def _pack(records: Sequence[LabelRecord], indices: Sequence[int]) -> Source:
    """Make a source of the chosen records."""
    return LabelledImages([records[index] for index in indices]) if indices else EmptySource()
