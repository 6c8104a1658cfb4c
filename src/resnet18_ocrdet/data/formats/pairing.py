"""What the readers of one label file an image share: finding the pairs, opening the files, reading the numbers."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from resnet18_ocrdet.data.file_names import is_file, is_folder, leads_nowhere
from resnet18_ocrdet.data.findings import MAX_REGIONS, TOO_MANY, Report
from resnet18_ocrdet.data.image_io import UNREAD_SUFFIXES, has_image_suffix, list_images, natural_key
from resnet18_ocrdet.data.record import LabelRecord, Region
from resnet18_ocrdet.data.text_file import shown
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.runtime.regular_file import open_regular
from resnet18_ocrdet.structures import Polygon

Entry = TypeVar("Entry")

MIN_NUMBERS = 6  # x and y of 3 corners
PEEK_FILES = 5  # label files that are opened to recognise a dialect; some may be empty
PEEK_BYTES = 4096  # of each of them

_NUMBER = re.compile(r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?|nan|inf(?:inity)?)", re.I | re.A)


class PartFolders(NamedTuple):
    """Where one part of a set may lie below its root; names in any case, the first that is there counts."""

    images: tuple[str, ...]
    labels: tuple[str, ...]


class RegionError(Exception):
    """A region that is written, but whose place cannot be told."""

    def __init__(self, code: str, detail: str) -> None:
        """code: of findings.CODES. detail: what was seen, and the rule."""
        super().__init__(detail)
        self.code, self.detail = code, detail


def read_parts(
    root: Path,
    layout: Mapping[str, PartFolders],
    names: Sequence[str],
    report: Report,
    read_one: Callable[[Path, Path], LabelRecord | None],
    by_number: bool = False,
) -> dict[str, list[LabelRecord]]:
    """Read every part of `layout` that is there, see `pair_by_stem` for `names` and `by_number`.

    read_one(image, label): the labels of one image; None where the file cannot be read, which it has reported.
    Raises UserError when no part is there, or none has an image."""
    parts: dict[str, list[LabelRecord]] = {}
    found_images = False
    for part, folders in layout.items():
        images, labels = find_folder(root, folders.images), find_folder(root, folders.labels)
        if images is None and labels is None:
            continue
        images, labels = images or root / folders.images[0], labels or root / folders.labels[0]
        found = list_images(images) if is_folder(images) else []
        found_images |= bool(found)
        pairs = pair_by_stem(found, images, labels, names, report, by_number)
        records = (read_one(image, label) for image, label in pairs)
        parts[part] = [record for record in records if record is not None]
    if not found_images:
        wanted = "; ".join(f"{'|'.join(entry.images)} with {'|'.join(entry.labels)}" for entry in layout.values())
        raise UserError(f"{root}: 0 images found (looked for {wanted})")
    return parts


def pair_by_stem(
    images: Sequence[Path],
    images_folder: Path,
    labels_folder: Path,
    names: Sequence[str],
    report: Report,
    by_number: bool = False,
) -> list[tuple[Path, Path]]:
    """Pair every image, all of them below `images_folder`, with its label file, in the order of the images.

    names: patterns such as "gt_{stem}.txt" or "{name}.txt", of the image's file name without and with suffix; where
    patterns differ in their own suffix, the kind of file that is named first is preferred. Sub-folders of the images
    are looked for below the labels, too. by_number: where no name fits, 1001.jpg takes 0001001.txt.
    Images without a label file (GT001), with several (GT026), that share one (FS076) or that are links to nowhere
    (FS077) are reported and left out; labels without an image (GT027) are reported."""
    suffixes = tuple({Path(name).suffix: None for name in names})
    there = _files_below(labels_folder, suffixes)
    spelled: dict[Path, list[Path]] = defaultdict(list)  # by the name with its suffix in lower case: 1.TXT is 1.txt
    for label in sorted(there):
        spelled[label.with_suffix(label.suffix.lower())].append(label)
    numbered = _by_number(there) if by_number else {}
    pairs: list[tuple[Path, Path]] = []
    spoken_for: set[Path] = set()
    for image in images:
        below = labels_folder / image.relative_to(images_folder).parent
        folder = below if is_folder(below) else labels_folder
        wanted = [folder / name.format(stem=image.stem, name=image.name) for name in names]
        labels = [label for name in dict.fromkeys(wanted) for label in spelled.get(name, ())]
        if not labels and re.fullmatch("[0-9]+", image.stem):
            labels = numbered.get((folder, int(image.stem)), [])
        spoken_for.update(labels)
        if leads_nowhere(image):
            target = f"a link to {image.readlink()}, which does not exist"
            report.add("FS077", image, detail=target, image=image)
            continue
        rivals = [label for label in labels if label.suffix.lower() == labels[0].suffix.lower()]
        if not labels:
            looked = f"looked for {', '.join(path.name for path in wanted)} in {folder}"
            report.add("GT001", image, detail=f"no label file ({looked})", image=image)
        elif len(rivals) > 1:
            found = ", ".join(label.name for label in rivals)
            report.add("GT026", labels[0], detail=f"{image.name} has {len(rivals)} label files: {found}", image=image)
        else:
            pairs.append((image, labels[0]))
    for label in sorted(there - spoken_for, key=lambda path: natural_key(path.as_posix())):
        report.add("GT027", label, detail=f"no image of this name in {images_folder}")
    return without_shared(pairs, report)


def without_shared(pairs: list[tuple[Path, Path]], report: Report) -> list[tuple[Path, Path]]:
    """Drop images that have their label file in common: whose it is cannot be told."""
    owners: dict[Path, list[Path]] = defaultdict(list)
    for image, label in pairs:
        owners[label].append(image)
    for label, images in owners.items():
        for image in images if len(images) > 1 else []:
            shared = " and ".join(owner.name for owner in images)
            report.add("FS076", label, detail=f"belongs to {shared}", image=image)
    return [(image, label) for image, label in pairs if len(owners[label]) == 1]


def parse_each(
    entries: Iterable[tuple[int, Entry]],
    parse: Callable[[Entry, int], Region],
    label: Path,
    image: Path,
    report: Report,
) -> tuple[list[Region], int]:
    """Parse the entries of a label file, each given with its line. Returns the regions, and how many were lost.

    parse(entry, line): raises RegionError for a lost one, which is reported. Of more entries than an image may have
    regions all are lost (GT028); they are taken one at a time, so that a huge file becomes no huge list."""
    regions: list[Region] = []
    lost = 0
    for number, (line, entry) in enumerate(entries):
        if number == MAX_REGIONS:
            report.add("GT028", label, detail=TOO_MANY, image=image)
            return [], number + 1
        try:
            regions.append(parse(entry, line))
        except RegionError as error:
            report.add(error.code, label, line, error.detail, image)
            lost += 1
    return regions, lost


def report_unread(folder: Path, report: Report) -> None:
    """Report what lies among images and is not read: HEIC, PDF and the like (IM071), folders named *.jpg (IM054)."""
    for path in sorted(path for path in _entries(folder) if not path.name.startswith(".")):
        if path.suffix.lower() in UNREAD_SUFFIXES and is_file(path):
            report.add("IM071", path, detail=f"{path.suffix} files are left out")
        elif has_image_suffix(path.name) and is_folder(path):
            report.add("IM054", path)


def find_folder(root: Path, names: Sequence[str]) -> Path | None:
    """Find the first of the folders, such as "images/train", that is below the root, in upper or lower case."""
    return next((folder for name in names if (folder := _folder_in_any_case(root, name))), None)


def peek_files(folder: Path, suffix: str) -> list[tuple[Path, bytes]]:
    """Open the first label files of a folder, by name: the head of each, as far as they can be read."""
    names = sorted(path for path in _entries(folder) if path.suffix.lower() == suffix and not path.name.startswith("."))
    heads = []
    for path in names[:PEEK_FILES]:
        try:
            with open_regular(path) as file:
                heads.append((path, file.read(PEEK_BYTES)))
        except OSError:  # a folder of this name, or no permission: `read` will say so
            continue
    return heads


def read_numbers(fields: Sequence[str]) -> list[float]:
    """Read numbers, nan and inf included. Raises RegionError, GT020, which names the first that is none."""
    numbers = []
    for position, field in enumerate(fields, start=1):
        word = field.strip()
        if not _NUMBER.fullmatch(word):
            raise RegionError("GT020", f"number {position} is {shown(word)}")
        numbers.append(float(word))
    return numbers


def to_polygon(numbers: Sequence[float]) -> Polygon:
    """Make (V, 2) of x1, y1, x2, y2, ...; too large a number becomes infinite. Raises RegionError: odd, or too few."""
    if len(numbers) % 2:
        raise RegionError("GT019", f"{len(numbers)} coordinates: a corner needs x and y")
    if len(numbers) < MIN_NUMBERS:
        raise RegionError("GT018", f"{len(numbers)} coordinates: a region needs {MIN_NUMBERS} or more")
    with np.errstate(over="ignore"):
        return np.array(numbers, np.float64).astype(np.float32).reshape(-1, 2)


def _entries(folder: Path) -> list[Path]:
    """What lies in a folder; nothing where it cannot be listed."""
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
    """Files with one of the suffixes, in upper or lower case, hidden ones left out.

    Linked folders are followed, each folder once."""
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
    """Group label files whose name is a number by their folder and this number."""
    groups: dict[tuple[Path, int], list[Path]] = defaultdict(list)
    for label in sorted(labels):
        if re.fullmatch("[0-9]+", label.stem):
            groups[label.parent, int(label.stem)].append(label)
    return groups
