"""Text files beside images, as tools for detection lay them out.

    root/images/train/1.jpg   root/labels/train/1.txt      splits inside, or none
    root/train/images/1.jpg   root/train/labels/1.txt      splits outside
    root/train_images/1.jpg   root/train_labels/1.txt
    root/train/1.jpg          root/train/1.txt             also in the root itself
    root/train/1.jpg          root/train/labels/1.txt      the same

Each format has its own names for labels/.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ...runtime.regular_file import open_regular
from ..file_names import file_size
from ..findings import Report
from ..image_io import has_image_suffix, list_images
from ..text_file import lines_of
from .locate import files_in, folders_in
from .location import Location
from .pairing import pair_by_stem
from .split_names import only_of_splits, split_of

_OTHERS = (
    "classes.txt predefined_classes.txt labels.txt train.txt val.txt valid.txt test.txt readme.txt readme.dataset.txt "
    "readme.roboflow.txt notes.txt autosplit_train.txt autosplit_val.txt autosplit_test.txt"
)
OTHER_FILES = frozenset(_OTHERS.split())  # text files that are not the labels of an image, in lower case
PEEK_FILES = 5  # of one folder that are opened to recognise a format
MAX_LISTED = 200  # of one folder that are looked at to find those; others may be empty
HEAD_BYTES = 65_536  # of each of them: a line may be an outline of hundreds of corners


class Place(NamedTuple):
    """Images and the folder with their label files; both may have the same sub-folders."""

    images: Path
    labels: Path


def label_places(root: Path, label_folders: Sequence[str], report: Report | None = None) -> list[Place]:
    """Find the folders of a data set. label_folders: names beside images/, in any case; the first one counts.

    Images that are not in images/ count only if there are no such folders, and those in folders below only if one of
    these is named after a split. If root has no images/, and some folders are named after splits, the others are not
    read; report: notes them."""
    own = _beside_images(root, "", label_folders)
    bases = [root, *(folder for folder in folders_in(root) if own is None or split_of(folder.name))]
    found = [_beside_images(base, "", label_folders) for base in bases]
    starts = [folder.name[: -len("images")] for folder in bases[1:] if folder.name.casefold().endswith("_images")]
    found += [_beside_images(root, start, label_folders) for start in starts]
    places = [place for place in found if place]
    if own is not None:
        return places
    if not places:
        apart = [Place(base, path) for base in bases for path in _named(base, *label_folders)]
        places = [place for place in (*(Place(base, base) for base in bases), *apart) if _share_a_name(place)]
        places = [place for place in places if place.images == root][:1] or places
        if not any(place.images == root or split_of(place.images.name) for place in places):
            return []
    kept = only_of_splits(root, [place.images for place in places], report)
    return [place for place in places if place.images in kept]


def _beside_images(base: Path, start: str, label_folders: Sequence[str]) -> Place | None:
    """The folders `images` and labels in a folder, with `start` before both names."""
    images, labels = (_named(base, *(f"{start}{name}" for name in names)) for names in (("images",), label_folders))
    return Place(images[0], labels[0]) if images and labels else None


def _named(base: Path, *names: str) -> list[Path]:
    """The folders in a folder with these names, in any case, in the order of the names."""
    present = {folder.name.casefold(): folder for folder in folders_in(base)}
    return [present[name.casefold()] for name in names if name.casefold() in present]


def _share_a_name(place: Place) -> bool:
    """Whether an image in the one folder has a text file in the other."""
    stems = {path.stem for path in files_in(place.labels, ".txt")}
    return any(path.stem in stems and has_image_suffix(path.name) for path in files_in(place.images, ""))


def label_pairs(place: Place, report: Report) -> list[Location]:
    """The label file of each image, see `pair_by_stem`."""
    images = list_images(place.images)
    return pair_by_stem(images, place.images, place.labels, ("{stem}.txt",), report, others=OTHER_FILES)


def some_lines(places: Sequence[Place]) -> Iterator[tuple[Path, str]]:
    """Yield the first lines of a few label files, and the file of each."""
    for folder in (folder for place in places for folder in (place.labels, *folders_in(place.labels))):
        files = [path for path in files_in(folder, ".txt") if path.name.lower() not in OTHER_FILES][:MAX_LISTED]
        for path in [path for path in files if file_size(path) > 0][:PEEK_FILES]:
            yield from ((path, text) for text in head_lines(path))


def head_lines(path: Path) -> list[str]:
    """The non-blank lines at the start of a text file, without one that is cut; none if it cannot be read."""
    with suppress(OSError), open_regular(path) as file:
        data = file.read(HEAD_BYTES)
        text = data.decode("utf-8-sig", "replace")
        return [line.text for line in lines_of(text.rpartition("\n")[0] if len(data) == HEAD_BYTES else text)]
    return []
