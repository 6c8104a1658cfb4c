"""A folder of images and labels, in any dialect, to records: find out the dialect, read, clean, look at the images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from resnet18_ocrdet.data.file_names import is_file, is_folder
from resnet18_ocrdet.data.findings import MAX_LABEL_MB, Report
from resnet18_ocrdet.data.formats import (
    coco,
    ctw1500,
    doctr,
    folders,
    icdar2013,
    icdar2015,
    labelme,
    mmocr,
    msra_td500,
    ppocr,
    totaltext,
)
from resnet18_ocrdet.data.formats.pairing import report_unread
from resnet18_ocrdet.data.image_checks import Coords, Exif, survey
from resnet18_ocrdet.data.image_io import MAX_NAMED, has_image_suffix
from resnet18_ocrdet.data.polygon_repair import clean
from resnet18_ocrdet.data.record import LabelRecord, to_record
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.runtime.messages import count, looked_in

DIALECTS: dict[str, ModuleType] = {  # by their own look
    "icdar2015": icdar2015,
    "icdar2013": icdar2013,
    "totaltext": totaltext,
    "ctw1500": ctw1500,
    "msra_td500": msra_td500,
    "ppocr": ppocr,
    "mmocr": mmocr,
    "labelme": labelme,
    "coco": coco,
    "doctr": doctr,
}
FALLBACK = {"folders": folders}  # whose layout others share: asked last


class Reading(NamedTuple):
    """A data set as it was understood."""

    dialect: str  # its name, as people call it
    why: str  # what showed it, or that it was asked for
    parts: dict[str, list[LabelRecord]]  # "train", "val", "test": those that are there
    report: Report
    exif: str = ""  # what was found about turned images, in a line

    @property
    def images(self) -> int:
        """How many there are in all parts."""
        return sum(map(len, self.parts.values()))


def read_data(
    root: Path,
    dialect: str = "auto",
    marks: Sequence[str] | None = None,
    exif: Exif = "auto",
    coords: Coords = "pixels",
    max_label_mb: int = MAX_LABEL_MB,
) -> Reading:
    """Read the labels of a folder and look at its images.

    dialect: a key of DIALECTS or FALLBACK, or "auto". marks: texts that mean don't-care; None: those of the dialect.
    max_label_mb: label files of more MB are not read, and reported.
    Raises UserError where the folder is not there, of no known dialect, or of several."""
    if not is_folder(root):
        raise UserError(f"data.root={root}: {'not a folder' if root.exists() else f'no such folder{looked_in(root)}'}")
    chosen, why = choose_dialect(root) if dialect == "auto" else (dialect, "as asked")
    if dialect != "auto":
        _refuse_other_dialect(root, dialect)
    reader = (DIALECTS | FALLBACK)[chosen]
    report = Report(max_label_mb)
    read = reader.read(root, report, tuple(marks) if marks is not None else reader.IGNORE_MARKS)
    _keep_unlabelled(read, report)
    for folder in sorted({record.image_path.parent for records in read.values() for record in records}):
        report_unread(folder, report)
    if coords == "pixels":
        read = {part: [clean(record, report) for record in records] for part, records in read.items()}
    looked = survey(read, report, exif, coords)
    parts = looked.parts
    if coords == "normalized":  # they are pixels only now: as shares, all of them are smaller than one
        parts = {part: [clean(record, report) for record in records] for part, records in parts.items()}
    return Reading(reader.NAME, why, parts, report, looked.exif)


def _refuse_other_dialect(root: Path, asked: str) -> None:
    """Raise UserError where a folder shows nothing of the dialect asked for, and something of another one."""
    if asked == "icdar2013" or (DIALECTS | FALLBACK)[asked].recognise(root):
        return  # boxes of four numbers show nothing in most folders
    for name, reader in (DIALECTS | FALLBACK).items():
        if name != asked and (why := reader.recognise(root)):
            wanted = (DIALECTS | FALLBACK)[asked].NAME
            option = "custom" if name in FALLBACK else name
            raise UserError(
                f"data.root={root}: nothing of {wanted} is there; it looks like {reader.NAME} ({why}): data={option}"
            )


def _keep_unlabelled(parts: dict[str, list[LabelRecord]], report: Report) -> None:
    """Put images whose labels lack or cannot be read among those of their folder: their fate is decided later."""
    part_of = {record.image_path.parent: part for part, records in parts.items() for record in records}
    known = {record.image_path for records in parts.values() for record in records}
    for finding in report.of("GT001", "GT006"):
        if finding.image is not None and finding.image not in known and is_file(finding.image):
            known.add(finding.image)
            part = part_of.get(finding.image.parent, next(iter(parts), "train"))
            unread = finding.code == "GT006"
            parts.setdefault(part, []).append(
                to_record(finding.image, finding.path if unread else None, [], int(unread))
            )


def choose_dialect(root: Path) -> tuple[str, str]:
    """The dialect of a folder, and what shows it. Raises UserError for none, and for several."""
    found = {name: why for name, reader in DIALECTS.items() if (why := reader.recognise(root))}
    if len(found) > 1:
        seen = "; ".join(f"{DIALECTS[name].NAME} ({why}): data={name}" for name, why in found.items())
        raise UserError(f"data.root={root}: looks like several kinds of data set, say which: {seen}")
    if not found:
        found = {name: why for name, reader in FALLBACK.items() if (why := reader.recognise(root))}
    if not found:
        names = ", ".join(reader.NAME for reader in (DIALECTS | FALLBACK).values())
        raise UserError(f"data.root={root}: no data set of a known kind found: {_seen(root)} (looked for {names})")
    return next(iter(found.items()))


def _seen(root: Path) -> str:
    """What lies in a folder that is no data set, in a few words."""
    there = sorted(path for path in root.iterdir() if not path.name.startswith("."))
    images = sum(has_image_suffix(path.name) and is_file(path) for path in there)
    if not there:
        return "the folder is empty"
    if images:
        held = f"{count(images, 'image')} and no labels beside them"
        if any(reader.recognise(root.parent) for reader in (DIALECTS | FALLBACK).values()):
            return f"{held}; is {root.parent} meant?"
        stem = next(path.stem for path in there if has_image_suffix(path.name) and is_file(path))
        return f"{held}: a file {stem}.txt or gt_{stem}.txt for each"
    return f"no image in it; it holds {', '.join(path.name for path in there[:MAX_NAMED])}"
