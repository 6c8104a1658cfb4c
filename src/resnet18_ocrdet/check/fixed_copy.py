"""A cleaned copy of a data set: images as they are, labels as ICDAR text."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from resnet18_ocrdet.data.error_policy import mask_lost
from resnet18_ocrdet.data.formats.write_icdar import regions_to_thicken, write_icdar_text
from resnet18_ocrdet.data.image_head import look_at
from resnet18_ocrdet.data.image_io import has_image_suffix
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.runtime.atomic_write import staging_folder


def write_fixed_copy(
    parts: Mapping[str, Sequence[LabelRecord]],
    folder: Path,
    advance: Callable[[], None] = lambda: None,
    overwrite: bool = False,
) -> int:
    """Write `train_images/` with `train_gts/`, likewise val and test, of cleaned records; returns the images copied.

    Image files are copied byte by byte, never linked; nothing but `folder` is written to, and it appears only when it
    is complete. An image with regions whose place is unknown gets a don't-care region over all of it: what else is
    labelled is learnt, its background is not. advance: called after each image. overwrite: replace a folder that is
    not empty, once the copy is complete. Raises UserError for a folder that is not empty or lies inside a folder of
    source images, and for what cannot be copied."""
    refuse_folder(parts, folder, overwrite)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with staging_folder(folder.parent) as staged:
            copy = staged / "copy"
            copy.mkdir()
            _write(parts, copy, advance)
            if overwrite and folder.is_dir():
                folder.rename(staged / "old")  # removed with the hidden folder
            elif folder.is_dir():
                folder.rmdir()  # which fails where somebody has put a file into it
            copy.rename(folder)
    except OSError as error:
        raise UserError(f"{folder}: the copy cannot be written: {error.filename}: {error.strerror or error}") from None
    return sum(len(records) for records in parts.values())


def refuse_folder(
    parts: Mapping[str, Sequence[LabelRecord]],
    folder: Path,
    overwrite: bool = False,
    remedy: str = "a copy goes into a folder of its own",
) -> None:
    """Raise UserError where a copy must not go. overwrite: into a folder that is not empty it may."""
    if folder.is_symlink() or folder.exists():
        if folder.is_symlink() or not folder.is_dir():
            raise UserError(f"{folder}: not a folder")
        if not overwrite and next(folder.iterdir(), None) is not None:
            raise UserError(f"{folder}: not empty: {remedy}")
    target = folder.resolve()
    for source in {record.image_path.parent for records in parts.values() for record in records}:
        if target.is_relative_to(source.resolve()):
            raise UserError(f"{folder}: lies inside {source}, which holds images of the set: they would be read twice")
        if folder.exists() and source.resolve().is_relative_to(target):
            raise UserError(f"{folder}: holds images of the set itself: a copy goes into another folder")


def copy_names(paths: Sequence[Path]) -> list[str]:
    """A file name for each image, such that no label file can belong to two of them.

    The labels of `1.jpg` may be called 1.txt, gt_1.txt or 1.jpg.txt, so all three are kept free; case does not count,
    as some file systems do not know it."""
    taken: set[str] = set()
    names = []
    for path in paths:
        plain = path.name.lstrip(".") or "image"
        plain = plain if has_image_suffix(plain) else f"{plain}.jpg"  # told by its content; the suffix gets it listed
        stem, suffix = os.path.splitext(plain)  # noqa: PTH122  a name, not a path
        tries = [plain, f"{path.parent.name}_{plain}"]
        number = 1
        while True:
            name = tries.pop(0) if tries else f"{stem}_{(number := number + 1)}{suffix}"
            wanted = _label_names(name)
            if not wanted & taken:
                break
        taken |= wanted
        names.append(name)
    return names


def _label_names(name: str) -> set[str]:
    stem = os.path.splitext(name)[0]  # noqa: PTH122
    return {text.casefold() for text in (f"{stem}.txt", f"gt_{stem}.txt", f"{name}.txt")}


def _write(parts: Mapping[str, Sequence[LabelRecord]], folder: Path, advance: Callable[[], None]) -> None:
    whole = {part: [_masked(record) for record in records] for part, records in parts.items()}
    every = [record for records in whole.values() for record in records]
    quads = all(len(polygon) == 4 for record in every for polygon in record.polygons)
    dense = iter(regions_to_thicken(every))
    for part, records in whole.items():
        images, labels = folder / f"{part}_images", folder / f"{part}_gts"
        images.mkdir()
        labels.mkdir()
        for record, name in zip(records, copy_names([record.image_path for record in records]), strict=True):
            shutil.copyfile(record.image_path, images / name)
            stem = os.path.splitext(name)[0]  # noqa: PTH122
            write_icdar_text(labels / f"{stem}.txt", record, next(dense), quads)
            advance()


def _masked(record: LabelRecord) -> LabelRecord:
    """As `mask_lost`, also of an image that was not looked at yet. Raises UserError for what is no image."""
    return mask_lost(replace(record, size=record.size or look_at(record.image_path)[:2]) if record.lost else record)
