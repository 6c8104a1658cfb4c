"""What stands beside the labels of YOLO: the names of the classes, and which images belong to which split.

    data.yaml     names: [text, logo], or {0: text, 1: logo}; train: images/train, or a file of image names
    classes.txt   one name a line (labelImg, Label Studio); also obj.names (Darknet, CVAT), _darknet.labels (Roboflow)
    train.txt     image names (Darknet, CVAT)

None of them is required.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import yaml  # type: ignore[import-untyped]

from ..file_names import invalid_name, is_file
from ..findings import Report
from ..image_io import has_image_suffix
from ..text_file import label_text, lines_of
from .locate import files_in
from .split_names import SPLITS, split_of

NAME_FILES = ("classes.txt", "obj.names", "_darknet.labels", "predefined_classes.txt", "labels.txt")
FIRST_YAML = ("data.yaml", "dataset.yaml")  # before other files of this kind
MAX_YAML = 2  # files that are read
MAX_MB = 1  # of each, and of a file of names
MAX_NAMES = 65_536  # characters of the names: more than a thousand
MAX_VALUE = 4096  # of another key
MAX_BRACKETS = 500  # in either; thousands of them take PyYAML a second
MAX_NAME = 60  # characters


class Classes(NamedTuple):
    """The classes of a data set."""

    names: dict[int, str]  # by number; those without a name are missing
    keypoints: Path | None  # a file that declares keypoints


def read_classes(root: Path, folders: Sequence[Path]) -> Classes:
    """Read the names that `root` or one of the folders holds. Files that cannot be read count as missing."""
    texts = _descriptions(root)
    keypoints = next((path for path, text in texts if _value(text, "kpt_shape") is not None), None)
    names = next((found for _, text in texts if (found := _numbered(_value(text, "names")))), {})
    paths = [folder / name for folder in (root, *folders) for name in NAME_FILES if not names]
    lines = next((list(lines_of(_text(path, MAX_MB))) for path in paths if is_file(path)), [])
    return Classes(names or _numbered([line.text for line in lines]), keypoints)


def read_splits(root: Path, images: Iterable[Path], max_mb: int) -> dict[Path, str]:
    """The splits of images by lists in `root` whose names say a split, and by train, val and test of data.yaml."""
    by_name = {image.relative_to(root).as_posix(): image for image in images}
    below: dict[str, list[Path]] = {}  # images by the folders above them
    for name, image in by_name.items():
        for folder in PurePosixPath(name).parents[:-1]:
            below.setdefault(folder.as_posix(), []).append(image)
    named = [(split, path.name) for path in files_in(root, ".txt") if (split := split_of(path.stem))]
    splits: dict[Path, str] = {}
    for split, name in [*named, *(entry for _, text in _descriptions(root) for entry in _parts(text))]:
        if is_file(root / name) and name.lower().endswith(".txt"):
            lines = (line.text.strip() for line in lines_of(_text(root / name, max_mb)))
            known = (_known(line, by_name) for line in lines if has_image_suffix(line))
            found = [image for image in known if image is not None]
        else:
            found = below.get(PurePosixPath(name).as_posix(), [])
        for image in found:
            splits.setdefault(image, split)
    return splits


def _descriptions(root: Path) -> list[tuple[Path, str]]:
    """The YAML files of a folder, data.yaml first, as text."""
    files = [path for suffix in (".yaml", ".yml") for path in files_in(root, suffix)]
    files.sort(key=lambda path: path.name.lower() not in FIRST_YAML)
    return [(path, _text(path, MAX_MB)) for path in files[:MAX_YAML]]


def _text(path: Path, max_mb: int) -> str:
    return label_text(path, Report(max_mb), None, blank="") or ""


def _value(text: str, key: str) -> Any:
    """Value of a top-level key of a YAML file, all scalars as text; None without it, and if it is broken or large.

    Only its lines are parsed, as text, lists and dictionaries."""
    block = re.search(rf"(?m)^{key}[ \t]*:.*(?:\n(?:[ \t\r#\-\]}}].*)?)*", text)
    limit = MAX_NAMES if key == "names" else MAX_VALUE
    if block is None or len(block[0]) > limit or block[0].count("[") + block[0].count("{") > MAX_BRACKETS:
        return None
    try:
        found = yaml.load(block[0], Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError, ValueError):
        return None
    return found.get(key) if isinstance(found, dict) else None


def _numbered(value: Any) -> dict[int, str]:
    """Names by number, from a list or a mapping; none from anything else."""
    pairs = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else ()
    named = [(str(number), name) for number, name in pairs if isinstance(name, str)]
    return {int(key): " ".join(name.split())[:MAX_NAME] for key, name in named if re.fullmatch("[0-9]{1,6}", key)}


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """The folders and lists of each split in data.yaml. Roboflow writes ../train/images for train/images."""
    base = _value(text, "path")
    for split in SPLITS:
        value = _value(text, split)
        for name in value if isinstance(value, list) else [value]:
            if isinstance(name, str) and name.strip() and not invalid_name(name):
                yield split, re.sub(r"^(\.{1,2}/)+", "", name.replace("\\", "/"))
                if isinstance(base, str) and not invalid_name(f"{base}/{name}"):
                    yield split, re.sub(r"^(\.{1,2}/)+", "", f"{base}/{name}")


def _known(name: str, by_name: dict[str, Path]) -> Path | None:
    """The image of a list line: the name, or what is left of it without its first folders, is that of an image."""
    if invalid_name(name):
        return None
    parts = name.replace("\\", "/").split("/")
    return next((by_name[key] for start in range(len(parts)) if (key := "/".join(parts[start:])) in by_name), None)
