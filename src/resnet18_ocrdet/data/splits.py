"""Training, validation and test images of a run.

The three functions are the targets of the config group `data`. A split is given as
- a fraction 0 < f < 1: that share of the images, at least one, drawn at random with the seed;
- a range "801-900": the images whose names end in these numbers, inclusive;
- the path of a text file: the images it names, with or without suffix, one per line.
"""

from __future__ import annotations

import filecmp
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from ..errors import UserError
from ..runtime.messages import count
from ..structures import Source
from .cache import CacheKind
from .error_policy import MissingGt, OnError, apply_error_policy
from .file_names import file_size, is_file
from .findings import MAX_LABEL_MB
from .ignore_causes import LOST, IgnoreCauses
from .label_options import DEFAULTS, options_of
from .labels import LabelledImages
from .load_annotations import Reading, read_data
from .record import LabelRecord
from .synthetic.source import SyntheticScenes
from .synthetic.varied.source import VariedScenes
from .text_file import read_lines

SplitSpec: TypeAlias = float | str | None

VAL_FRACTION = 0.1  # of the training images, if no validation images are given
SYNTHETIC_VAL_FIRST = 1_000_000_000  # number of the first validation scene: larger than any training set
SYNTHETIC_TEST_FIRST = 2_000_000_000  # number of the first test scene


class Splits(NamedTuple):
    """The images of a run. A missing split is empty; `test`, which many data sets do not have, is None instead."""

    train: Source
    val: Source
    test: Source | None
    notes: tuple[str, ...] = ()  # what was found in the files, one line each
    everything: Source | None = None  # every image of the data set, if that was asked for
    unsplit: bool = False  # neither a name in the data set nor a setting says train or val: `val` is drawn


def synthetic(
    train_size: int,
    val_size: int,
    test_size: int,
    height: int,
    width: int,
    seed: int,
    fonts: str | Path | None = None,
    backgrounds: str | Path | None = None,
    texts: str | Path | None = None,
    style: Literal["plain", "varied"] = "plain",
    documents: float = 0.0,
) -> Splits:
    """Render the images: `train_size`, `val_size` and `test_size` different scenes of height × width pixels.

    fonts, backgrounds, texts: folders of font files, photos and text files; None: built-in fonts and words, painted
    backgrounds. texts, and documents, a share of scenes, are for varied scenes."""
    fonts, backgrounds, texts = (Path(folder) if folder else None for folder in (fonts, backgrounds, texts))

    def render(count: int, first: int) -> Source:
        if style == "plain":
            return SyntheticScenes(count, height, width, seed, first, fonts, backgrounds)
        return VariedScenes(count, height, width, seed, first, fonts, backgrounds, texts, documents)

    train, val = render(train_size, 0), render(val_size, SYNTHETIC_VAL_FIRST)
    test = render(test_size, SYNTHETIC_TEST_FIRST)
    return Splits(train, val, test)


def icdar2015(root: str | Path, val: SplitSpec = VAL_FRACTION, **options: Any) -> Splits:
    """Read ICDAR 2015 from its official folders below `root`; `train` and `val` split the official training set.

    val None: no validation images. options: as for `custom`. The training or the test set may be missing."""
    return _labelled(Path(root), "icdar2015", val, None, **options)


def custom(root: str | Path, dialect: str = "auto", val: SplitSpec = None, **options: Any) -> Splits:
    """Read labelled images below `root` in any format of `data.formats`; `train` and `val` split its training set.

    val None: the val split if the root has one, else a tenth of the training set. options, see `_labelled`: train,
    seed, on_error, missing_gt, cache, and those of `label_options.DEFAULTS`. Raises UserError if there is
    nothing usable."""
    return _labelled(Path(root), dialect, val, VAL_FRACTION, **options)


def _labelled(
    root: Path,
    dialect: str,
    val: SplitSpec,
    val_fraction: float | None,
    train: SplitSpec = None,
    seed: int = 0,
    on_error: OnError = "fix",
    missing_gt: MissingGt = "fail",
    cache: CacheKind = "none",
    with_everything: bool = False,
    draw_val: bool = True,
    reading: Reading | None = None,
    **labels: Any,
) -> Splits:
    """Read, apply the error policy, split. val_fraction: drawn if there is neither `val` nor a val split.

    A train fraction is drawn from the images not in val; a train range or file may overlap with val. with_everything:
    fill `everything`. draw_val: False: without `val` and a val split, all images are for training. reading: the labels,
    if they were read before, with the same settings. labels: keys of `label_options.DEFAULTS`."""
    if unknown := set(labels) - set(DEFAULTS):
        raise TypeError(f"unknown options: {', '.join(sorted(unknown))}")
    options = options_of(labels)
    if reading is None:
        reading = read_data(root, dialect, options)
    by_split, lines = apply_error_policy(reading.splits, reading.report, on_error, missing_gt)
    records, test = by_split.get("train", []), by_split.get("test", [])
    own_val = by_split.get("val") if val is None else None
    drawn = val if val is not None else val_fraction if draw_val and not own_val else None
    everything, in_val = range(len(records)), []
    if records and drawn is not None:
        in_val = choose(records, everything, drawn, seed, f"{root}: val", options.max_label_mb)
    in_train = sorted(set(everything) - set(in_val))
    if records and train is not None:
        in_train = choose(records, in_train, train, seed, f"{root}: train", options.max_label_mb)
    notes = [f"data: {reading.dialect} ({reading.why}), {count(reading.images, 'image')}"]
    notes += [f"note: {line}" for line in (*reading.chosen, *lines, reading.exif) if line]
    test_cache: CacheKind = "none" if cache == "ram" else cache  # test images are read once per run
    masked = sum(record.lost > 0 for found in reading.splits.values() for record in found) if on_error == "fix" else 0
    causes = IgnoreCauses.of({**reading.causes, LOST: masked}, reading.marks or IgnoreCauses().marks)
    every = _once([*records, *by_split.get("val", []), *test]) if with_everything else []
    return Splits(
        LabelledImages([records[index] for index in in_train], cache, causes),
        LabelledImages(own_val or [records[index] for index in in_val], cache, causes),
        LabelledImages(test, test_cache, causes) if test else None,
        tuple(notes),
        LabelledImages(every, causes=causes) if with_everything else None,
        reading.unsplit and val is None and train is None,
    )


def _once(records: Sequence[LabelRecord]) -> list[LabelRecord]:
    """The records in their order, the first one of each image."""
    return list({record.image_path: record for record in reversed(records)}.values())[::-1]


def choose(
    records: Sequence[LabelRecord],
    drawn_from: Sequence[int],
    spec: float | str,
    seed: int,
    where: str,
    max_label_mb: int = MAX_LABEL_MB,
) -> list[int]:
    """Return the indices, ascending, of the records in a split.

    drawn_from: indices from which a fraction of all records is drawn. `where` starts the message of a UserError."""
    if isinstance(spec, str) and re.fullmatch(r"\s*[0-9]*\.[0-9]+\s*", spec):
        spec = float(spec)
    if not isinstance(spec, str):
        if isinstance(spec, bool) or not 0 < spec < 1:
            raise UserError(f"{where}={spec}: a fraction must be greater than 0 and less than 1")
        number = max(1, round(spec * len(records)))
        return sorted(int(index) for index in np.random.default_rng(seed).permutation(drawn_from)[:number])
    if bounds := re.fullmatch(r"\s*([0-9]{1,255})\s*-\s*([0-9]{1,255})\s*", spec):
        endings = [re.search(r"[0-9]+$", record.image_path.stem) for record in records]
        numbers = {index: int(ending[0]) for index, ending in enumerate(endings) if ending}
        if not numbers:
            raise UserError(
                f"{where}={spec}: a range needs image names that end in a number, such as img_801.jpg; found none"
            )
        chosen = [index for index, number in numbers.items() if int(bounds[1]) <= number <= int(bounds[2])]
        if not chosen:
            known = f"the names go from {min(numbers.values())} to {max(numbers.values())}"
            raise UserError(f"{where}={spec}: no image in this range, {known}")
        return chosen
    return _choose_named(records, Path(spec), f"{where}={spec}", max_label_mb)


def overlap(splits: Splits) -> list[str]:
    """List the images that are in both training and validation: the same file, or another one with the same bytes."""
    if isinstance(splits.train, LabelledImages) and isinstance(splits.val, LabelledImages):
        return same_images(splits.train.records, splits.val.records)
    return []


def same_images(first: Sequence[LabelRecord], second: Sequence[LabelRecord]) -> list[str]:
    """List the images of the second that are also in the first: the same file, or another one with the same bytes."""
    known = {_absolute(record): record.image_path for record in first}
    by_size: dict[int, list[Path]] = {}
    for path in known.values():
        by_size.setdefault(file_size(path), []).append(path)
    return [
        str(record.image_path)
        for record in second
        if _absolute(record) in known or _has_copy(record.image_path, by_size.get(file_size(record.image_path), []))
    ]


def _has_copy(path: Path, others: Sequence[Path]) -> bool:
    """Whether one of the files, all of the same size, has the same bytes."""
    try:
        return any(filecmp.cmp(path, other, shallow=False) for other in others)
    except OSError:
        return False


def _absolute(record: LabelRecord) -> str:
    """Absolute path of the image file."""
    return os.path.abspath(record.image_path)  # noqa: PTH100  Path.resolve reads from the disk, for each of many images


def _choose_named(records: Sequence[LabelRecord], path: Path, where: str, max_label_mb: int) -> list[int]:
    """Records that a file names. Raises UserError for unknown names, and an empty, too large or missing file."""
    if not is_file(path):
        raise UserError(f"{where}: not a fraction, a range such as 801-900, or an existing file of names")
    by_name: dict[str, list[int]] = {}
    for index, record in enumerate(records):
        for name in {record.image_path.name, record.image_path.stem}:
            by_name.setdefault(name, []).append(index)
    chosen: set[int] = set()
    for line in read_lines(path, max_label_mb):
        name = line.text.strip()
        if name not in by_name:
            raise UserError(f"{path}:{line.number}: no image named {name!r}, with or without its suffix")
        chosen.update(by_name[name])
    if not chosen:
        raise UserError(f"{where}: the file does not name any image")
    return sorted(chosen)
