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


def write_sheet(files: ImageFiles, item: Item, record: ImageRecord) -> bool:
    """Write the label file of an image unless it exists, and link the image next to it; returns whether it was written.

    The folder can then be opened in LabelMe, and trained on. Raises OSError."""
    sheet = files.sheet(item.result)
    sheet.parent.mkdir(parents=True, exist_ok=True)
    image = sheet.parent / item.path.name
    _link(files, image, item.path.resolve())
    if sheet.exists():
        return False
    text = json.dumps(labelme(record, image.name), ensure_ascii=False, indent=1, allow_nan=False)
    files.manifest.put(sheet, (text + "\n").encode("utf-8", "backslashreplace"))
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


def links_beside(sheet: Path) -> list[Path]:
    """The links to its image next to a label file."""
    names = (sheet.parent / sheet.stem, *sheet.parent.glob(f"{escape(sheet.stem)}.*"))
    return [path for path in names if path.is_symlink()]
