"""Where images and their label files lie: lists, folders of splits in any order and depth, or side by side.

root/train_list.txt  root/train_images/1.jpg  root/train_gts/1.txt      and the same with val_ and test_
root/images/1.jpg    root/labels/1.txt (or gts/)                        no splits, no lists
root/images/train/1.jpg  root/labels/train/1.txt                        and the same with valid/, test/
root/train/images/1.jpg  root/train/labels/1.txt                        likewise, also one folder deeper
root/1.jpg           root/1.txt                                         side by side, also in train/ and so on
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...errors import UserError
from ..file_names import is_file, is_folder
from ..findings import Report
from ..image_io import has_image_suffix
from .label_like import more_files
from .listed_pairs import LABEL_FOLDERS, LABEL_NAMES, listed_pairs
from .locate import files_in, folders_in
from .location import Location
from .pairing import pair_folders
from .split_names import SPLITS, only_of_splits, split_of, splits_of_folders

IMAGES = "images"
Pairs = dict[str, list[Location]]


def shown_layout(root: Path) -> str | None:
    """The first file or folder that shows one of the layouts; None if nothing does."""
    for split in SPLITS:
        for name in (f"{split}_list.txt", f"{split}_images"):
            if is_file(root / name) or is_folder(root / name):
                return name
    if is_folder(root / IMAGES):
        return f"{IMAGES}/"
    if _side_by_side(root):
        return "images and .txt files side by side"
    if found := next(_image_folders(root), None):
        return f"{found.relative_to(root).as_posix()}/"
    folder = _split_side_by_side(root)
    return None if folder is None else f"images and .txt files side by side in {folder.name}/"


def find_pairs(root: Path, report: Report) -> Pairs:
    """Images with their label files by split; images without a split in the names above them are "train".

    Files that cannot be paired are reported. Raises UserError if there is no layout, and if a folder of labels is
    missing."""
    pairs: Pairs = {}
    for split in SPLITS:
        list_path, images = root / f"{split}_list.txt", root / f"{split}_images"
        if is_file(list_path):
            pairs[split] = listed_pairs(list_path, split, report)
        elif is_folder(images):
            pairs[split] = pair_folders(images, label_folder(root, f"{split}_"), LABEL_NAMES, report)
    if pairs:
        return pairs
    if is_folder(root / IMAGES):
        return _by_split(root, pair_folders(root / IMAGES, _labels_of(root), LABEL_NAMES, report), report)
    if _side_by_side(root):
        return _by_split(root, pair_folders(root, root, LABEL_NAMES, report), report)
    folders = only_of_splits(root, list(_image_folders(root)), report)
    found = [pair for images in folders for pair in _pairs_below(images, report)]
    beside = [folder for folder in folders_in(root) if _side_by_side(folder)] if _split_side_by_side(root) else []
    beside = only_of_splits(root, beside, report)
    found += [pair for folder in beside for pair in pair_folders(folder, folder, LABEL_NAMES, report)]
    if not found:
        raise UserError(
            f"{root}: no labelled images found (looked for train_list.txt, train_images/ with train_gts/, "
            f"the same with test_ and val_, and images/ with labels/ or gts/, also in train/, val/ and test/)"
            f"{more_files(root)}"
        )
    return _by_split(root, found, report)


def label_folder(root: Path, prefix: str) -> Path:
    """Find the folder `<prefix>gts` or `<prefix>labels`. Raises UserError for none or both."""
    wanted = [root / f"{prefix}{name}" for name in LABEL_FOLDERS]
    present = [folder for folder in wanted if is_folder(folder)]
    if len(present) != 1:
        names = " or ".join(f"{folder.name}/" for folder in wanted)
        raise UserError(
            f"{root}: {prefix}images/ needs exactly one label folder, {names}; found {len(present)}"
            f"{more_files(root) if not present else ''}"
        )
    return present[0]


def _labels_of(root: Path) -> Path:
    """The label folder beside images/, or images/ itself if the labels are in there."""
    images = root / IMAGES
    has_folder = any(is_folder(root / name) for name in LABEL_FOLDERS)
    beside = not has_folder and any(map(_side_by_side, (images, *folders_in(images))))
    return images if beside else label_folder(root, "")


def _pairs_below(images: Path, report: Report) -> list[Location]:
    return pair_folders(images, _labels_of(images.parent), LABEL_NAMES, report)


def _image_folders(root: Path) -> Iterator[Path]:
    """The images/ folders in the folders of splits, and one folder deeper: train/images, set/images, set/train/images.

    Below a folder without the name of a split, only those with labels beside them."""
    for folder in folders_in(root):
        inside = (folder, *folders_in(folder))
        for place in inside:
            has_labels = any(is_folder(place / name) for name in LABEL_FOLDERS)
            if is_folder(place / IMAGES) and (has_labels or (place == folder and folder.name in SPLITS)):
                yield place / IMAGES


def _split_side_by_side(root: Path) -> Path | None:
    """The first folder named after a split that holds images with their label files beside them."""
    return next((folder for folder in folders_in(root) if split_of(folder.name) and _side_by_side(folder)), None)


def _side_by_side(folder: Path) -> bool:
    """Whether an image in the folder has its label file beside it."""
    labels = {path.name for path in files_in(folder, ".txt")}
    images = (path for path in files_in(folder, "") if has_image_suffix(path.name)) if labels else ()
    names = (name.format(stem=path.stem, name=path.name) for path in images for name in LABEL_NAMES)
    return any(name in labels and is_file(folder / name) for name in names)


def _by_split(root: Path, found: list[Location], report: Report) -> Pairs:
    """Pairs grouped by the split of their image's folder, or of their label's."""
    named = splits_of_folders(root, (path.parent for label in found for path in (label.image, label.path) if path))
    splits = [(label.image and named[label.image.parent]) or named[label.path.parent] for label in found]
    report.unsplit = not any(splits)
    pairs: Pairs = {split: [] for split in SPLITS if split in {split or "train" for split in splits}}
    for label, split in zip(found, splits, strict=True):
        pairs[split or "train"].append(label)
    return pairs or {"train": []}
