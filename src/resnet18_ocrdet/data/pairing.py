"""Which label file belongs to which image; what has no partner is reported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.image_io import list_images

UNREAD_SUFFIXES = frozenset({".heic", ".heif", ".avif", ".pdf", ".svg", ".psd", ".raw", ".dng", ".nef", ".cr2"})


class Pair(NamedTuple):
    """An image and where its labels are."""

    image: Path
    label: Path | None  # None where it has no label file: reported


def pair_folders(images: Path, labels: Path, report: Report, names: Callable[[Path], Sequence[str]]) -> list[Pair]:
    """Pair every image below a folder with the file of its labels, in sub-folders of the same name.

    names: the names that the label file of an image may have. Reports images that are not there (FS077), without
    labels (GT001), with several label files (GT026), label files of two images (FS076) and of none (GT027)."""
    pairs: list[Pair] = []
    found = list_images(images)
    for image in found:
        if image.is_symlink() and not image.exists():
            report.add("FS077", image, detail=f"a link to {image.readlink()}, which does not exist", image=image)
            continue
        folder = labels / image.relative_to(images).parent
        there = [folder / name for name in dict.fromkeys(names(image)) if (folder / name).is_file()]
        pairs += take_label(image, there, labels, report)
    report_unread(images, report)
    taken = {pair.label for pair in pairs} | {Path(f.path) for f in report.of("GT026", "FS076")}
    suffixes = {Path(name).suffix.lower() for image in found[:1] for name in names(image)}
    for label in sorted(labels.rglob("*")) if labels.is_dir() else []:
        if label not in taken and label.suffix.lower() in suffixes and label.is_file() and label.name[0] != ".":
            report.add("GT027", label, detail=f"no image in {images.name} goes with it")
    return refuse_shared_labels(pairs, report)


def take_label(image: Path, there: Sequence[Path], looked_in: Path, report: Report) -> list[Pair]:
    """Pair an image with the one label file that it has; reports none (GT001) and several (GT026)."""
    if len(there) > 1:
        for label in there:
            report.add("GT026", label, detail=f"{', '.join(path.name for path in there)} for one image", image=image)
        return []
    if not there:
        report.add("GT001", image, detail=f"no label file in {looked_in}", image=image)
    return [Pair(image, there[0] if there else None)]


def refuse_shared_labels(pairs: Iterable[Pair], report: Report) -> list[Pair]:
    """Leave out images that share a label file, such as 1.jpg and 1.png: which one it describes is unknown (FS076)."""
    owners: dict[Path | None, list[Pair]] = {}
    for pair in pairs:
        owners.setdefault(pair.label, []).append(pair)
    for label, shared in owners.items():
        for pair in shared if label is not None and len(shared) > 1 else ():
            named = " and ".join(other.image.name for other in shared)
            report.add("FS076", label or pair.image, detail=f"belongs to two images, {named}", image=pair.image)
    return [pair for shared in owners.values() for pair in shared if len(shared) == 1 or pair.label is None]


def report_unread(folder: Path, report: Report) -> None:
    """Report what looks like an image and is not read: HEIC, PDF and the like (IM071), folders named *.jpg (IM054)."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in UNREAD_SUFFIXES and path.is_file():
            report.add("IM071", path, detail=f"{path.suffix} files are left out")
        elif path.suffix.lower() in (".jpg", ".jpeg", ".png") and path.is_dir() and not path.is_symlink():
            report.add("IM054", path)
