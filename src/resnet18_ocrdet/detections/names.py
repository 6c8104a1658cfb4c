"""Names of the files in an output folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

SETTINGS = "detections.settings.json"
TEXTS, PICTURES, CROPS, LABEL_FILES = "txt", "vis", "crops", "labelme"
OF_IMAGE = {  # folder -> names of its files, with the image's in group 1
    TEXTS: re.compile(r"res_(.+)\.txt", re.DOTALL),
    PICTURES: re.compile(r"(.+)\.jpg", re.DOTALL),
    CROPS: re.compile(r"(.+)_\d{4,}\.jpg", re.DOTALL),
    LABEL_FILES: re.compile(r"(.+)\.json", re.DOTALL),
}
RECORD_FILE = re.compile(r"detections(\.\d+-of-\d+)?\.jsonl?")
ERROR_FILE = re.compile(r"errors(\.\d+-of-\d+)?\.json")
COCO_FILE = re.compile(r"coco(\.\d+-of-\d+)?\.json")
LOCK_FILE = re.compile(r"\.detections(\.\d+-of-\d+)?\.lock")
MANIFEST_FILE = re.compile(r"\.detections(\.\d+-of-\d+)?\.files\.jsonl")
TEXT_MODE: Any = {"encoding": "utf-8", "errors": "backslashreplace"}  # names that are not UTF-8 stay readable JSON


def tag_of(shard: str | None) -> str:
    """Part of the names of a shard's files: ".1-of-2" for "1/2", "" for a call without a shard."""
    return "" if shard is None else "." + shard.replace("/", "-of-")


def is_shard_file(path: Path) -> bool:
    """Whether a file of the output folder belongs to a shard."""
    return "-of-" in path.name


def manifest_file(root: Path, shard: str | None) -> Path:
    """Where a call lists the files that it writes."""
    return root / f".detections{tag_of(shard)}.files.jsonl"


def own_files(root: Path, name: re.Pattern[str]) -> list[Path]:
    """Files of one kind in the output folder itself."""
    return [path for path in root.iterdir() if name.fullmatch(path.name)]


def is_own(root: Path, path: Path) -> bool:
    """Whether ocrdet-detect writes files of this name."""
    folder, *below = path.relative_to(root).parts
    if below:
        return folder in OF_IMAGE and OF_IMAGE[folder].fullmatch(path.name) is not None
    return any(pattern.fullmatch(folder) for pattern in (RECORD_FILE, ERROR_FILE, COCO_FILE, MANIFEST_FILE))


def is_label_file(root: Path, path: Path) -> bool:
    """Whether it is a label file for LabelMe."""
    return path.relative_to(root).parts[0] == LABEL_FILES
