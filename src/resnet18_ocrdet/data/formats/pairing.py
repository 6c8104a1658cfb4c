"""What formats with one label file per image share: pairing files, opening them, reading numbers."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from resnet18_ocrdet.data.file_names import is_broken_link, is_file, is_folder
from resnet18_ocrdet.data.findings import MAX_REGIONS, TOO_MANY, Report
from resnet18_ocrdet.data.formats.points import flat_polygon
from resnet18_ocrdet.data.image_io import UNREAD_SUFFIXES, has_image_suffix, list_images, natural_key
from resnet18_ocrdet.data.record import Frame, LabelRecord, Region, to_record
from resnet18_ocrdet.data.text_file import label_text, lines_of, quoted
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.runtime.regular_file import open_regular
from resnet18_ocrdet.structures import Polygon

Entry = TypeVar("Entry")

MIN_NUMBERS = 6  # x and y of 3 corners
PEEK_FILES = 5  # label files that are opened to recognise a format; some may be empty
PEEK_BYTES = 4096  # of each of them

_NUMBER = re.compile(r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?|nan|inf(?:inity)?)", re.I | re.A)


class SplitFolders(NamedTuple):
    """Folders of one split below the root: names in any case, the first that exists is used."""

    images: tuple[str, ...]
    labels: tuple[str, ...]


class RegionError(Exception):
    """A region whose position cannot be read."""

    def __init__(self, code: str, detail: str) -> None:
        """code: of findings.CODES. detail: what was found, and the rule."""
        super().__init__(detail)
        self.code, self.detail = code, detail


def read_splits(
    root: Path,
    layout: Mapping[str, SplitFolders],
    names: Sequence[str],
    report: Report,
    read_file: Callable[[Path, Path], LabelRecord | None],
    by_number: bool = False,
) -> dict[str, list[LabelRecord]]:
    """Read every split of `layout` that exists. names, by_number: see `pair_by_stem`.

    read_file(image, label): returns the labels of one image; None if the file cannot be read, which it has reported.
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
        records = (read_file(image, label) for image, label in pairs)
        splits[split] = [record for record in records if record is not None]
    if not found_images:
        wanted = "; ".join(f"{'|'.join(entry.images)} with {'|'.join(entry.labels)}" for entry in layout.values())
        raise UserError(f"{root}: 0 images found (looked for {wanted})")
    return splits


def list_some_images(folder: Path) -> list[Path]:
    """List images as `list_images` does. Raises UserError if there are none."""
    if not (found := list_images(folder)):
        raise UserError(f"{folder}: 0 images found (looked for .jpg, .png and other image suffixes)")
    return found


def pair_by_stem(
    images: Sequence[Path],
    images_folder: Path,
    labels_folder: Path,
    names: Sequence[str],
    report: Report,
    by_number: bool = False,
) -> list[tuple[Path, Path]]:
    """Pair each image, all of them below `images_folder`, with its label file, in the order of the images.

    names: patterns such as "gt_{stem}.txt" or "{name}.txt", for the image's file name without and with suffix. If
    patterns have different suffixes, the first kind of file is preferred. Sub-folders of the images are also looked
    for below the labels. by_number: if no name fits, 1001.jpg is paired with 0001001.txt.
    Skipped and reported: images without a label file (GT001), with several (GT026), that share one (FS076), and
    broken links (FS077). Labels without an image are reported (GT027)."""
    suffixes = tuple({Path(name).suffix: None for name in names})
    present = _files_below(labels_folder, suffixes)
    by_name: dict[Path, list[Path]] = defaultdict(list)  # key: the suffix in lower case, so 1.TXT is found as 1.txt
    for label in sorted(present):
        by_name[label.with_suffix(label.suffix.lower())].append(label)
    numbered = _by_number(present) if by_number else {}
    pairs: list[tuple[Path, Path]] = []
    used: set[Path] = set()
    for image in images:
        below = labels_folder / image.relative_to(images_folder).parent
        folder = below if is_folder(below) else labels_folder
        wanted = [folder / name.format(stem=image.stem, name=image.name) for name in names]
        labels = [label for name in dict.fromkeys(wanted) for label in by_name.get(name, ())]
        if not labels and re.fullmatch("[0-9]+", image.stem):
            labels = numbered.get((folder, int(image.stem)), [])
        used.update(labels)
        if is_broken_link(image):
            target = f"a link to {image.readlink()}, which does not exist"
            report.add("FS077", image, detail=target, image=image)
            continue
        same_kind = [label for label in labels if label.suffix.lower() == labels[0].suffix.lower()]
        if not labels:
            looked = f"looked for {', '.join(path.name for path in wanted)} in {folder}"
            report.add("GT001", image, detail=f"no label file ({looked})", image=image)
        elif len(same_kind) > 1:
            found = ", ".join(label.name for label in same_kind)
            detail = f"{image.name} has {len(same_kind)} label files: {found}"
            report.add("GT026", labels[0], detail=detail, image=image)
        else:
            pairs.append((image, labels[0]))
    for label in sorted(present - used, key=lambda path: natural_key(path.as_posix())):
        report.add("GT027", label, detail=f"no image of this name in {images_folder}")
    return without_shared(pairs, report)


def without_shared(pairs: list[tuple[Path, Path]], report: Report) -> list[tuple[Path, Path]]:
    """Drop and report images that share a label file: it is unknown which of them it belongs to."""
    owners: dict[Path, list[Path]] = defaultdict(list)
    for image, label in pairs:
        owners[label].append(image)
    for label, images in owners.items():
        for image in images if len(images) > 1 else []:
            shared = " and ".join(owner.name for owner in images)
            report.add("FS076", label, detail=f"belongs to {shared}", image=image)
    return [(image, label) for image, label in pairs if len(owners[label]) == 1]


def read_text(
    image: Path,
    label: Path,
    report: Report,
    parse: Callable[[str, int], Region],
    cut: Callable[[str], Iterable[tuple[int, str]]] = lines_of,
    frame: Frame = "unknown",
) -> LabelRecord | None:
    """Read a label file in text; None, reported, if it cannot be read. cut: text -> line numbers and entries."""
    text = label_text(label, report, image)
    return None if text is None else parse_entries(cut(text), parse, image, label, report, frame)


def parse_entries(
    entries: Iterable[tuple[int, Entry]],
    parse: Callable[[Entry, int], Region],
    image: Path,
    label: Path,
    report: Report,
    frame: Frame = "unknown",
) -> LabelRecord:
    """Parse the entries of a label file, each given with its line.

    parse(entry, line): raises RegionError for a region that is lost, which is reported. If there are more entries than
    an image may have regions, all are lost (GT028); entries are consumed one at a time to bound the memory."""
    regions: list[Region | None] = []
    for line, entry in entries:
        if len(regions) == MAX_REGIONS:
            report.add("GT028", label, detail=TOO_MANY, image=image)
            return to_record(image, label, [], MAX_REGIONS + 1, frame=frame)
        try:
            regions.append(parse(entry, line))
        except RegionError as error:
            report.add(error.code, label, line, error.detail, image)
            regions.append(None)
    return to_record(image, label, regions, frame=frame)


def report_unread(folder: Path, report: Report) -> None:
    """Report files among images that are not read: HEIC, PDF and others (IM071), folders named *.jpg (IM054)."""
    for path in sorted(path for path in _entries(folder) if not path.name.startswith(".")):
        if path.suffix.lower() in UNREAD_SUFFIXES and is_file(path):
            report.add("IM071", path, detail=f"{path.suffix} files are skipped")
        elif has_image_suffix(path.name) and is_folder(path):
            report.add("IM054", path)


def find_folder(root: Path, names: Sequence[str]) -> Path | None:
    """Find the first existing folder, such as "images/train", below the root, in upper or lower case."""
    return next((folder for name in names if (folder := _folder_in_any_case(root, name))), None)


def peek_files(folder: Path, suffix: str) -> list[tuple[Path, bytes]]:
    """Read the first bytes of the first label files of a folder, by name; files that cannot be read are skipped."""
    names = sorted(path for path in _entries(folder) if path.suffix.lower() == suffix and not path.name.startswith("."))
    heads = []
    for path in names[:PEEK_FILES]:
        try:
            with open_regular(path) as file:
                heads.append((path, file.read(PEEK_BYTES)))
        except OSError:  # `read` reports it
            continue
    return heads


def read_numbers(fields: Sequence[str]) -> list[float]:
    """Read numbers, nan and inf included. Raises RegionError, GT020, for the first field that is not a number."""
    numbers = []
    for position, field in enumerate(fields, start=1):
        text = field.strip()
        if not _NUMBER.fullmatch(text):
            raise RegionError("GT020", f"number {position} is {quoted(text)}")
        numbers.append(float(text))
    return numbers


def to_polygon(numbers: Sequence[float]) -> Polygon:
    """(V, 2) from x1, y1, x2, y2, ...; values too large for float32 become infinite.

    Raises RegionError for an odd count, and for fewer than MIN_NUMBERS."""
    if len(numbers) % 2:
        raise RegionError("GT019", f"{len(numbers)} coordinates: a corner needs x and y")
    if len(numbers) < MIN_NUMBERS:
        raise RegionError("GT018", f"{len(numbers)} coordinates: a region needs {MIN_NUMBERS} or more")
    return flat_polygon(numbers)


def _entries(folder: Path) -> list[Path]:
    """Files and folders in a folder; none if it cannot be listed."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _folder_in_any_case(root: Path, name: str) -> Path | None:
    folder = root
    for piece in Path(name).parts:
        exact = folder / piece
        alike = (path for path in _entries(folder) if path.name.casefold() == piece.casefold())
        found = exact if is_folder(exact) else next((path for path in sorted(alike) if is_folder(path)), None)
        if found is None:
            return None
        folder = found
    return folder


def _files_below(folder: Path, suffixes: tuple[str, ...]) -> set[Path]:
    """Files with one of the suffixes, in upper or lower case, without hidden ones. Each linked folder is read once."""
    found: set[Path] = set()
    seen: set[tuple[int, int]] = set()  # (device, inode): links may form loops
    for parent, folders, files in os.walk(folder, followlinks=True):
        status = Path(parent).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        found.update(
            Path(parent, name) for name in files if name.lower().endswith(suffixes) and not name.startswith(".")
        )
    return found


def _by_number(labels: set[Path]) -> dict[tuple[Path, int], list[Path]]:
    """Group label files whose name is a number by folder and number."""
    groups: dict[tuple[Path, int], list[Path]] = defaultdict(list)
    for label in sorted(labels):
        if re.fullmatch("[0-9]+", label.stem):
            groups[label.parent, int(label.stem)].append(label)
    return groups
