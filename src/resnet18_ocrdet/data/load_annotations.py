"""Read a folder of images and labels in any format: detect the format, read, repair polygons, check the images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from ..errors import UserError
from ..runtime.messages import count, looked_in
from .file_names import is_file, is_folder
from .findings import Report
from .formats.columns import check_columns
from .formats.label_like import files_of_images, label_files_below, more_files, report_label_like
from .formats.pairing import report_unread
from .formats.reader import (
    BY_KEY,
    FALLBACK,
    FILE_SUFFIXES,
    FORMATS,
    ICDAR_LINES,
    LEVELLED,
    SECOND,
    LabelFormat,
)
from .formats.split_names import splits_of_folders
from .image_checks import Coords, check_image_headers
from .image_io import MAX_NAMED, has_image_suffix
from .label_options import LabelOptions
from .polygon_repair import repair_record
from .record import LabelRecord, to_record
from .region_selection import select_regions

DEFAULT_OPTIONS = LabelOptions()
Recognised = list[tuple[LabelFormat, str]]  # formats, and what shows each
MAX_TRIED = 8  # folders in which a data set is looked for, to name it


class Reading(NamedTuple):
    """A data set that was read."""

    dialect: str  # name of the format in messages
    why: str  # what shows the format, or that the config names it
    splits: dict[str, list[LabelRecord]]  # those that exist: "train", "val", "test"
    report: Report
    exif: str = ""  # what was found about rotated images, in one line
    unsplit: bool = False  # no name says train, val or test: all images are in "train"
    chosen: tuple[str, ...] = ()  # what was decided about lines, labels, flags and classes, one line each
    causes: Mapping[str, int] = MappingProxyType({})  # don't-care regions by cause, see `region_selection`
    marks: tuple[str, ...] = ()  # the texts that mean don't-care in these labels

    @property
    def images(self) -> int:
        """Count the images of all splits."""
        return sum(map(len, self.splits.values()))


def read_data(root: Path, dialect: str = "auto", options: LabelOptions = DEFAULT_OPTIONS) -> Reading:
    """Read the labels of a folder and check its images.

    dialect: a key of `formats.reader.BY_KEY`, or "auto". Raises UserError if the folder does not exist, or is of no
    known format or of several."""
    if not is_folder(root):
        reason = "not a folder" if root.exists() else f"no such folder{looked_in(root)}"
        raise UserError(f"data.root={root}: {reason}")
    if dialect == "auto":
        reader, why = detect_format(root)
    else:
        reader, why = BY_KEY[dialect], "as configured"
        _refuse_other_format(root, reader)
    if (columns := options.columns) is not None:
        check_columns(columns)
        if reader not in ICDAR_LINES:
            raise UserError(f"data.columns={','.join(columns)}: {reader.NAME} has fixed columns; it is for ICDAR lines")
    report = Report(options.max_label_mb, columns)
    marks = reader.IGNORE_MARKS if options.marks is None else tuple(options.marks)
    read, levels = _read_level(reader, root, report, marks, options.level)
    flags = reader.IGNORE_FLAGS if options.flags is None else options.flags
    chosen = select_regions(read, flags, options.flags is not None, options.classes, options.other_classes)
    read = chosen.splits
    coords: Coords = "normalized" if report.normalized else options.coords
    report_label_like(root, report, {record.place for records in read.values() for record in records})
    _keep_unlabelled(root, read, report)
    for folder in sorted({record.image_path.parent for records in read.values() for record in records}):
        report_unread(folder, report)
    if coords == "pixels":
        read = {split: [repair_record(record, report) for record in records] for split, records in read.items()}
    splits, exif_line = check_image_headers(read, report, options.exif, coords)
    if coords == "normalized":  # repaired only now: regions of normalized coordinates are smaller than a pixel
        splits = {split: [repair_record(record, report) for record in records] for split, records in splits.items()}
    lines = (*report.notes, *levels, *chosen.lines)
    return Reading(reader.NAME, why, splits, report, exif_line, report.unsplit, lines, chosen.causes, chosen.marks)


def _read_level(
    reader: LabelFormat, root: Path, report: Report, marks: Sequence[str], level: str | None
) -> tuple[dict[str, list[LabelRecord]], tuple[str, ...]]:
    """Read the labels at a level, and say which it is. Raises UserError for a level that the format does not have."""
    levelled = LEVELLED.get(reader.KEY)
    if levelled is None:
        if level is not None:
            raise UserError(f"data.level={level}: {reader.NAME} has one level: leave it null")
        return reader.read(root, report, marks), ()
    chosen = level or levelled.LEVELS[0]
    if chosen not in levelled.LEVELS:
        raise UserError(f"data.level={level}: {reader.NAME} has {', '.join(levelled.LEVELS)}")
    others = " or ".join(f"data.level={other}" for other in levelled.LEVELS if other != chosen)
    return levelled.read(root, report, marks, chosen), (f"level: {chosen}; {others} reads the others",)


def detect_format(root: Path) -> tuple[LabelFormat, str]:
    """The format of a folder, and what shows it. Raises UserError for none, and for several."""
    found = _recognised(root)
    if len(found) > 1:
        seen = "; ".join(f"{reader.NAME} ({why}): data={reader.KEY}" for reader, why in found)
        raise UserError(f"data.root={root}: matches several formats, choose one: {seen}")
    if found:
        return found[0]
    names = ", ".join(reader.NAME for reader in FORMATS)
    raise UserError(f"data.root={root}: no known data set format found: {_contents(root)} (looked for {names})")


def _recognised(root: Path) -> Recognised:
    """The formats that recognise a folder; those in SECOND, and then the fallback, only if no other does, or if they
    have more label files."""
    found = [(reader, why) for reader in FORMATS if reader is not FALLBACK and (why := reader.recognise(root))]
    first = [pair for pair in found if pair[0] not in SECOND] or found
    others = [pair for pair in found if pair not in first]
    if not others and all(reader.KEY in FILE_SUFFIXES for reader, _ in first):
        others = [(reader, why) for reader in (FALLBACK,) if (why := reader.recognise(root))]
    return _with_most_files(root, first, others) if first else others


def _with_most_files(root: Path, first: Recognised, others: Recognised) -> Recognised:
    """Of formats with a label file for each image, that with the most: a stray file of another tool does not decide.

    others: preferred only if they have more files. Files of the other formats are named."""
    suffixes = {reader.KEY: FILE_SUFFIXES.get(reader.KEY, "") for reader, _ in (*first, *others)}
    if len(set(suffixes.values())) < 2 or not all(suffixes[reader.KEY] for reader, _ in first):
        return first
    files = files_of_images(root)
    counts = {key: len(files.get(suffix, ())) for key, suffix in suffixes.items()}
    if not any(counts[reader.KEY] for reader, _ in first):  # they name their images in another way
        return first
    most = max(counts.values())
    chosen = [pair for pair in first if counts[pair[0].KEY] == most]
    chosen = chosen or [pair for pair in others if counts[pair[0].KEY] == most]
    kept = {suffixes[reader.KEY] for reader, _ in chosen}
    strays = [path for suffix in sorted({*suffixes.values()} - kept) for path in files.get(suffix, ())]
    if not strays:
        return chosen
    first_stray = strays[0].relative_to(root).as_posix()
    named = f"{count(len(strays), 'label file')} of another format not read, first {first_stray}"
    return [(reader, f"{why}; {named}") for reader, why in chosen]


def _refuse_other_format(root: Path, wanted: LabelFormat) -> None:
    """Raise UserError if a folder shows nothing of the configured format, but another one."""
    if wanted.KEY == "icdar2013" or wanted.recognise(root):
        return  # ICDAR 2013's boxes in other folders cannot be recognised
    for reader, why in _recognised(root):
        option = "custom" if reader is FALLBACK else reader.KEY
        raise UserError(f"data.root={root}: not {wanted.NAME}; looks like {reader.NAME} ({why}): data={option}")


def _keep_unlabelled(root: Path, splits: dict[str, list[LabelRecord]], report: Report) -> None:
    """Add images without readable labels to the split of their folder; the error policy decides about them later."""
    of_records = {record.image_path.parent: split for split, records in splits.items() for record in records}
    known = {record.image_path for records in splits.values() for record in records}
    unread = report.of("GT001", "GT006")
    folders = splits_of_folders(root, [*of_records, *(finding.image.parent for finding in unread if finding.image)])
    for finding in unread:
        if finding.image is not None and finding.image not in known and is_file(finding.image):
            known.add(finding.image)
            folder = finding.image.parent
            split = of_records.get(folder) or folders[folder] or next(iter(splits), "train")
            is_lost = finding.code == "GT006"
            record = to_record(finding.image, finding.path if is_lost else None, [], int(is_lost))
            splits.setdefault(split, []).append(record)


def _contents(root: Path) -> str:
    """Contents of a folder that is not a data set, in a few words."""
    present = sorted(path for path in root.iterdir() if not path.name.startswith("."))
    images = [path for path in present if has_image_suffix(path.name) and is_file(path)]
    if not present:
        return "the folder is empty"
    if inside := _data_set_below(root):
        return f"no images and labels in the folder itself; did you mean {inside}?"
    labels = more_files(root, "; there are ")
    if not images:
        return f"no images; it contains {', '.join(path.name for path in present[:MAX_NAMED])}{labels}"
    if labels:
        return f"{count(len(images), 'image')}, and no label file that is read{labels}"
    held = f"{count(len(images), 'image')} without labels beside them"
    if any(reader.recognise(root.parent) for reader in FORMATS):
        return f"{held}; did you mean {root.parent}?"
    stem = images[0].stem
    return f"{held}; each image needs a file such as {stem}.txt or gt_{stem}.txt"


def _data_set_below(root: Path) -> str:
    """The first of a few folders with label files that is a data set, and its format; "" if there is none."""
    parents = (parent for path in label_files_below(root) for parent in (path.parent, path.parent.parent))
    folders = dict.fromkeys(folder for folder in parents if folder != root and folder.is_relative_to(root))
    found = ((folder, pair) for folder in islice(folders, MAX_TRIED) for pair in _recognised(folder))
    return next((f"{folder} ({reader.NAME})" for folder, (reader, _) in found), "")
