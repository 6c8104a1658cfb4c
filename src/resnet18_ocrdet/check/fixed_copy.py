"""A cleaned copy of a data set: unchanged images, labels in a format of `copy_formats`."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain, count
from pathlib import Path

import numpy as np

from ..data.error_policy import RecordsBySplit, mask_lost
from ..data.findings import Report
from ..data.formats.listed_pairs import LABEL_NAMES
from ..data.image_header import read_header
from ..data.image_io import has_image_suffix
from ..data.record import LabelRecord
from ..errors import UserError
from ..geometry.polygon import clip_to_image, is_polygon
from ..runtime.atomic_write import staging_folder
from .copy_formats import COPY_FORMATS, CopiedImage, CopyFormat
from .images import BROKEN

UNUSABLE = (*BROKEN, "QA104")  # images that are left out
NO_IMAGE = "FS079"  # a name without an image
COPIES = ("FS072", "IM072")


def clean_records(parts: RecordsBySplit, report: Report) -> tuple[RecordsBySplit, int]:
    """The records for the copy, and the number of images left out: broken, unlabelled and duplicate ones.

    An image in two splits stays in the one that is not used for training."""
    broken = {finding.image for finding in report.of("GT001", *UNUSABLE)}
    copies = {finding.image for finding in report.of(*COPIES)}
    listed: Counter[Path | None] = Counter(record.image_path for records in parts.values() for record in records)
    kept: RecordsBySplit = {}
    for split, records in sorted(parts.items(), key=lambda item: item[0] == "train"):
        present = {record.image_path for found in kept.values() for record in found}
        duplicate = {path for path in copies if path in present or listed[path] == 1}
        kept[split] = [clip_regions(record) for record in records if record.image_path not in broken | duplicate]
    missing = {finding.image for finding in report.at("error") if finding.code != NO_IMAGE} - {None, *listed}
    return kept, sum(map(len, parts.values())) - sum(map(len, kept.values())) + len(missing)


def clip_regions(record: LabelRecord) -> LabelRecord:
    """Clip the regions at the image border; of several pieces the largest stays, the others become don't-care."""
    if record.size is None:
        return record
    height, width = record.size
    pieces = [clip_to_image(polygon, height, width) or [polygon] for polygon in record.polygons]
    cut = record.only([region for region, found in enumerate(pieces) for _ in found])
    further = np.array([number > 0 for found in pieces for number in range(len(found))], np.bool_)
    return replace(cut, polygons=tuple(piece for found in pieces for piece in found), ignore=cut.ignore | further)


def write_fixed_copy(
    parts: RecordsBySplit,
    folder: Path,
    advance: Callable[[], None] = lambda: None,
    overwrite: bool = False,
    form: CopyFormat = COPY_FORMATS["icdar"],
) -> int:
    """Write the images and labels of cleaned records, each split in its folder; returns the number of images.

    Image files are copied, never linked. `folder` appears only when it is complete. If the position of a region is
    unknown, a don't-care region covers its whole image, so that only the other labels are trained on. advance: called
    after each image. overwrite: replace a folder that is not empty, once the copy is complete. Raises UserError if the
    folder is not empty or inside a folder of source images, or if a file cannot be copied."""
    refuse_folder(parts, folder, overwrite)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with staging_folder(folder.parent) as staged:
            copy = staged / "copy"
            copy.mkdir()
            _write(parts, copy, form, advance)
            if overwrite and folder.is_dir():
                folder.rename(staged / "old")  # removed with the staging folder
            elif folder.is_dir():
                folder.rmdir()  # fails if the folder is no longer empty
            copy.rename(folder)
    except OSError as error:
        raise UserError(f"{folder}: the copy cannot be written: {error.filename}: {error.strerror or error}") from None
    return sum(len(records) for records in parts.values())


def refuse_folder(
    parts: RecordsBySplit, folder: Path, overwrite: bool = False, remedy: str = "choose an empty folder"
) -> None:
    """Raise UserError for a folder that must not be written. overwrite: it may be non-empty."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UserError(f"{folder}: not a folder")
    if folder.exists() and not overwrite and next(folder.iterdir(), None) is not None:
        raise UserError(f"{folder}: not empty: {remedy}")
    target = folder.resolve()
    for source in {record.image_path.parent for records in parts.values() for record in records}:
        if target.is_relative_to(source.resolve()):
            raise UserError(f"{folder}: is inside {source}, which holds images of the data set; choose another folder")
        if folder.exists() and source.resolve().is_relative_to(target):
            raise UserError(f"{folder}: holds images of the data set; choose another folder")


def copy_names(paths: Sequence[Path]) -> list[str]:
    """A file name for each image, so that no label file can belong to two of them.

    The labels of `1.jpg` may be 1.txt, gt_1.txt or 1.jpg.txt, so all three are reserved, ignoring case because some
    file systems do."""
    taken: set[str] = set()
    names = []
    for path in paths:
        plain = path.name.lstrip(".") or "image"
        plain = plain if has_image_suffix(plain) else f"{plain}.jpg"  # readers list files by suffix
        numbered = (f"{Path(plain).stem}_{number}{Path(plain).suffix}" for number in count(2))
        tries = chain([plain, f"{path.parent.name}_{plain}"], numbered)
        name = next(name for name in tries if taken.isdisjoint(_label_names(name)))
        taken |= _label_names(name)
        names.append(name)
    return names


def _label_names(name: str) -> set[str]:
    return {pattern.format(stem=Path(name).stem, name=name).casefold() for pattern in LABEL_NAMES}


def _write(parts: RecordsBySplit, folder: Path, form: CopyFormat, advance: Callable[[], None]) -> None:
    copied: dict[str, list[CopiedImage]] = {}
    for split, records in parts.items():
        if not records:
            continue  # readers refuse a folder without images
        images = folder / form.images.format(split)
        images.mkdir()
        copied[split] = []
        for record, name in zip(records, copy_names([record.image_path for record in records]), strict=True):
            shutil.copyfile(record.image_path, images / name)
            copied[split].append(CopiedImage(_writable(record), name))
            advance()
    form.write(folder, copied)


def _writable(record: LabelRecord) -> LabelRecord:
    """The record with the size of its image, polygons only, and lost regions masked. Raises UserError."""
    record = replace(record, size=record.size or read_header(record.image_path)[:2])
    return mask_lost(record.only([n for n, polygon in enumerate(record.polygons) if is_polygon(polygon)]))
