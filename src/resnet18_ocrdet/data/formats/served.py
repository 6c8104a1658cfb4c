"""Find the image that a labelling tool in the browser shows under an address.

/data/upload/3/1f2e3d4c-menu_2.jpg      an uploaded file: 8 digits are put before its name, and blanks become _
/data/local-files/?d=scans/menu%202.jpg a file of the machine
https://host/scans/menu.jpg?size=1, s3://bucket/scans/menu.jpg
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from ..text_file import quoted
from .image_index import ImageIndex
from .json_file import describe
from .locate import find_image
from .location import LabelError

_LOCAL, _UPLOADS = "?d=", "/data/upload/"
_QUERY = re.compile(r"[?#].*", re.DOTALL)
_SCHEME = re.compile(r"\A[A-Za-z][A-Za-z0-9+.-]*://[^/]*/?")  # and the host or bucket
_UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)", re.DOTALL)
_RENAMED = re.compile(r"(.+)_[A-Za-z0-9]{7}(\.[^.]+)", re.DOTALL)  # by Label Studio before version 1.2


def upload_name(name: str) -> str:
    """A file name as Django stores it, without blanks and special characters (django.utils.text.get_valid_filename)."""
    return re.sub(r"[^-\w.]", "", name.strip().replace(" ", "_"))


def names_behind(address: str, uploaded: bool = False) -> list[str]:
    """Names that the file behind an address may have, the most exact first.

    uploaded: Label Studio renamed the file, as all those in /data/upload/."""
    if _LOCAL in address:
        return [unquote(address.split(_LOCAL, 1)[1])]
    plain = _SCHEME.sub("", address, count=1)
    paths = list(dict.fromkeys([plain, unquote(plain), unquote(_QUERY.sub("", plain))]))
    last = PurePosixPath(paths[-1].replace("\\", "/")).name
    names = [last]
    uploaded |= _UPLOADS in address
    if uploaded and (found := _UPLOADED.fullmatch(last)):
        names.append(found[1])
    if uploaded and (found := _RENAMED.fullmatch(last)):
        names.append(found[1] + found[2])
    return list(dict.fromkeys([*paths, *names]))


def locate_served(
    address: Any,
    folders: Sequence[Path],
    index: ImageIndex,
    split: str | None = None,
    key: str = "image",
    uploaded: bool = False,
) -> Path:
    """Find the image behind an address. index: with the spelling `upload_name`. split: of the labels, None if unknown.

    uploaded: as in `names_behind`. Raises LabelError if it does not exist, and for a name of several images outside the
    folders."""
    if not isinstance(address, str) or not address.strip():
        raise LabelError("GT022", f"needs the address of an image as {key}, got {describe(address)}")
    names = names_behind(address.strip(), uploaded)
    for name in names:
        if image := find_image(name, folders, folders):
            return image
    for name in names:
        if image := index.find(name, split):
            return image
        if len(alike := index.named(name)) > 1:
            listed = ", ".join(str(image) for image in alike[:3])
            raise LabelError("FS079", f"{quoted(address)}: may be each of {len(alike)} images: {listed}")
    raise LabelError("FS079", f"{quoted(address)}: no image {quoted(names[-1])} in or near {folders[0]}/")
