"""What formats with one label file per image share: pairing files, opening them, reading numbers."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeVar

from ...errors import UserError
from ...runtime.regular_file import open_regular
from ..file_names import is_broken_link, is_file, is_folder
from ..findings import MAX_REGIONS, TOO_MANY, Report
from ..image_io import UNREAD_SUFFIXES, has_image_suffix, list_images
from ..record import Frame, LabelRecord, Region
from ..text_file import label_bytes, label_text, lines_of, quoted
from .locate import files_in, folders_in
from .location import LabelError, Location

Entry = TypeVar("Entry")
Entries = Iterable[tuple[int, Entry]]  # each with its line
Parse = Callable[[Entry, int], Region]  # of an entry and its line; raises LabelError for a region that is lost

PEEK_FILES = 5  # label files that are opened to recognise a format; some may be empty
PEEK_BYTES = 4096  # of each of them

_NUMBER = re.compile(r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?|nan|inf(?:inity)?)", re.I | re.A)


class SplitFolders(NamedTuple):
    """Folders of one split below the root: names in any case, the first that exists is used."""

    images: tuple[str, ...]
    labels: tuple[str, ...]


def read_splits(
    root: Path,
    layout: Mapping[str, SplitFolders],
    names: Sequence[str],
    report: Report,
    read_file: Callable[[Location], LabelRecord | None],
    by_number: bool = False,
) -> dict[str, list[LabelRecord]]:
    """Read every split of `layout` that exists. names, by_number: see `pair_by_stem`.

    read_file: returns the labels of one image; None if the file cannot be read, which it has reported.
    Raises UserError if no split exists, or none has an image."""
    splits: dict[str, list[LabelRecord]] = {}
    found_images = False
    for split, folders in layout.items():
        images, labels = find_folder(root, folders.images), find_folder(root, folders.labels)
        if images is None and labels is None:
            continue
        images, labels = images or root / folders.images[0], labels or root / folders.labels[0]
        found = list_images(images) if is_folder(images) else []
        found_images |= bool(found)
        pairs = pair_by_stem(found, images, labels, names, report, by_number)
        splits[split] = [record for label in pairs if (record := read_file(label))]
    if not found_images:
        wanted = "; ".join(f"{'|'.join(entry.images)} with {'|'.join(entry.labels)}" for entry in layout.values())
        raise UserError(f"{root}: 0 images found (looked for {wanted})")
    return splits


def pair_folders(images: Path, labels: Path, names: Sequence[str], report: Report) -> list[Location]:
    """Pair the images below a folder with their label files, see `pair_by_stem`. Raises UserError without an image."""
    if not (found := list_images(images)):
        raise UserError(f"{images}: 0 images found (looked for .jpg, .png and other image suffixes)")
    return pair_by_stem(found, images, labels, names, report)


def pair_by_stem(
    images: Sequence[Path],
    images_folder: Path,
    labels_folder: Path,
    names: Sequence[str],
    report: Report,
    by_number: bool = False,
    others: Collection[str] = (),
) -> list[Location]:
    """Find the label file of each image, all of them below `images_folder`, in the order of the images.

    names: patterns such as "gt_{stem}.txt" or "{name}.txt", for the image's file name without and with suffix. If
    patterns have different suffixes, the first kind of file is preferred. Sub-folders of the images are also looked
    for below the labels. by_number: if no name fits, 1001.jpg is paired with 0001001.txt. others: names, in lower case,
    of files that are no labels.
    Skipped and reported: images without a label file (GT001), with several (GT026), that share one (FS076), and
    broken links (FS077). Labels without an image are reported (GT027)."""
    present = list_images(labels_folder, {Path(name).suffix for name in names}) if is_folder(labels_folder) else []
    by_name: dict[Path, list[Path]] = defaultdict(list)  # key: the suffix in lower case, so 1.TXT is found as 1.txt
    numbered: dict[tuple[Path, int], list[Path]] = defaultdict(list)
    for label in sorted(present):
        by_name[label.with_suffix(label.suffix.lower())].append(label)
        if by_number and re.fullmatch("[0-9]+", label.stem):
            numbered[label.parent, int(label.stem)].append(label)
    pairs: list[tuple[Path, Path]] = []
    used: set[Path] = set()
    exact = {name.removeprefix("{stem}") for name in names if name.startswith("{stem}")}  # suffixes
    stems = {image.stem for image in images}
    for image in images:
        below = labels_folder / image.relative_to(images_folder).parent
        folder = below if is_folder(below) else labels_folder
        wanted = [folder / name.format(stem=image.stem, name=image.name) for name in names]
        labels = [label for name in dict.fromkeys(wanted) for label in by_name.get(name, ())]
        is_own = [label.stem == image.stem or label.stem not in stems for label in labels]  # gt_1.txt is of gt_1.jpg
        labels = [label for label, own in zip(labels, is_own, strict=True) if own or label.suffix.lower() not in exact]
        if not labels and re.fullmatch("[0-9]+", image.stem):
            labels = numbered.get((folder, int(image.stem)), [])
        used.update(labels)
        if is_broken_link(image):
            report.add("FS077", image, detail=f"a link to {image.readlink()}, which does not exist", image=image)
            continue
        same_kind = [label for label in labels if label.suffix.lower() == labels[0].suffix.lower()]
        if not labels:
            looked = f"looked for {', '.join(path.name for path in wanted)} in {folder}"
            report.add("GT001", image, detail=f"no label file ({looked})", image=image)
        elif len(same_kind) > 1:
            detail = f"{image.name} has {len(same_kind)} label files: {', '.join(label.name for label in same_kind)}"
            report.add("GT026", labels[0], detail=detail, image=image)
        else:
            pairs.append((image, labels[0]))
    for label in present:
        if label not in used and label.name.lower() not in others:
            report.add("GT027", label, detail=f"no image of this name in {images_folder}")
    return without_shared(pairs, report)


def without_shared(pairs: list[tuple[Path, Path]], report: Report) -> list[Location]:
    """The label files of pairs of image and label file; those of several images are dropped and reported."""
    owners: dict[Path, list[Path]] = defaultdict(list)
    for image, label in pairs:
        owners[label].append(image)
    for label, images in owners.items():
        for image in images if len(images) > 1 else []:
            shared = " and ".join(owner.name for owner in images)
            report.add("FS076", label, detail=f"belongs to {shared}", image=image)
    return [Location(report, label, image=image) for image, label in pairs if len(owners[label]) == 1]


def read_text(
    label: Location, parse: Parse[str], cut: Callable[[str], Entries[str]] = lines_of, frame: Frame = "unknown"
) -> LabelRecord | None:
    """Read a label file in text; None, reported, if it cannot be read."""
    text = label_text(label.path, label.report, label.image)
    return None if text is None else parse_entries(label, cut(text), parse, frame)


def read_packed(
    label: Location, parse: Parse[Entry], unpack: Callable[[bytes], list[tuple[int, Entry]]]
) -> LabelRecord | None:
    """Read a label file of another kind; None, reported, if it cannot be read. unpack: raises LabelError then."""
    data = label_bytes(label.path, label.report, label.image)
    entries = None if data is None else label.attempt(unpack, data)
    if entries is None:
        return None
    if not entries:
        label.add("GT002", "")
    return parse_entries(label, entries, parse)


def parse_entries(
    label: Location, entries: Entries[Entry], parse: Parse[Entry], frame: Frame = "unknown"
) -> LabelRecord:
    """Parse the entries of a label file; regions that are lost are reported.

    If there are more entries than an image may have regions, all are lost (GT028); entries are consumed one at a time
    to bound the memory."""
    regions: list[Region | None] = []
    for line, entry in entries:
        if len(regions) == MAX_REGIONS:
            label.add("GT028", TOO_MANY)
            return label.record([None] * (MAX_REGIONS + 1), frame=frame)
        regions.append(replace(label, line=line).attempt(parse, entry, line))
    return label.record(regions, frame=frame)


def report_unread(folder: Path, report: Report) -> None:
    """Report files among images that are not read: HEIC, PDF and others (IM071), folders named *.jpg (IM054)."""
    for path in sorted([*files_in(folder, ""), *folders_in(folder)]):
        if path.suffix.lower() in UNREAD_SUFFIXES and is_file(path):
            report.add("IM071", path, detail=f"{path.suffix} files are skipped")
        elif has_image_suffix(path.name) and is_folder(path):
            report.add("IM054", path)


def find_folder(root: Path, names: Sequence[str]) -> Path | None:
    """Find the first existing folder, such as "images/train", below the root, in upper or lower case."""
    return next((folder for name in names if (folder := _folder_in_any_case(root, name))), None)


def _folder_in_any_case(root: Path, name: str) -> Path | None:
    folder = root
    for piece in Path(name).parts:
        alike = [path for path in folders_in(folder) if path.name.casefold() == piece.casefold()]
        if is_folder(folder / piece):
            folder /= piece
        elif alike:
            folder = alike[0]
        else:
            return None
    return folder


def recognise_labels(
    root: Path, layout: Mapping[str, SplitFolders], suffixes: Sequence[str], sign_of: Callable[[Path, str], str]
) -> str | None:
    """Name one of the first label files of the folders of `layout`, with its sign of a format; None if none has one.

    suffixes: in lower case; files with the first one come first. sign_of(path, first characters): "" for no sign."""
    folders = [find_folder(root, (name,)) for split in layout.values() for name in split.labels]
    files = [files_in(folder, suffix)[:PEEK_FILES] for folder in folders if folder for suffix in suffixes]
    for path in (path for some in files for path in some):
        head = ""
        with suppress(OSError), open_regular(path) as file:
            head = file.read(PEEK_BYTES).decode("utf-8-sig", "replace")
        if sign := sign_of(path, head):
            return f"{path.relative_to(root).as_posix()} {sign}"
    return None


def are_numbers(fields: Sequence[str]) -> bool:
    """Whether `read_numbers` can read all fields."""
    return all(_NUMBER.fullmatch(field.strip()) for field in fields)


def read_numbers(fields: Sequence[str]) -> list[float]:
    """Read numbers, nan and inf included. Raises LabelError, GT020, for the first field that is not a number."""
    numbers = []
    for position, field in enumerate(fields, start=1):
        text = field.strip()
        if not _NUMBER.fullmatch(text):
            raise LabelError("GT020", f"number {position} is {quoted(text)}")
        numbers.append(float(text))
    return numbers
