"""Label files for LabelMe. They may be corrected by hand, so an existing one is never overwritten."""

from __future__ import annotations

import json
import shutil
from glob import escape
from pathlib import Path

from ..runtime.atomic_write import staging_folder
from ..runtime.manifest import digest_of
from .files import ImageFiles
from .formats import labelme
from .item import Item
from .records import ImageRecord


def write_label_file(files: ImageFiles, item: Item, record: ImageRecord) -> bool:
    """Write the label file of an image unless it exists, and link the image next to it; returns whether it was written.

    The folder can then be opened in LabelMe, and trained on. Raises OSError."""
    label_file = files.label_file(item.result)
    label_file.parent.mkdir(parents=True, exist_ok=True)
    image = label_file.parent / item.path.name
    _link(files, image, item.path.resolve())
    if label_file.exists():
        return False
    text = json.dumps(labelme(record, image.name), ensure_ascii=False, indent=1, allow_nan=False)
    files.manifest.put(label_file, (text + "\n").encode("utf-8", "backslashreplace"))
    return True


def _link(files: ImageFiles, image: Path, target: Path) -> None:
    """Link to the image. A link to another place is replaced, and a copy; any other file stays."""
    if image.is_symlink() and image.readlink() == target:
        return
    if image.exists() and not image.is_symlink() and not files.manifest.wrote(image):
        return
    with staging_folder(image.parent) as folder:
        hidden = folder / image.name
        try:
            hidden.symlink_to(target)
        except OSError:  # a file system without links
            shutil.copyfile(target, hidden)
            files.manifest.add(image, digest_of(hidden))
        hidden.replace(image)


def image_links(label_file: Path) -> list[Path]:
    """The links to its image next to a label file."""
    names = (label_file.parent / label_file.stem, *label_file.parent.glob(f"{escape(label_file.stem)}.*"))
    return [path for path in names if path.is_symlink()]
