"""YOLO: boxes, oriented boxes and segments, one text file for each image, in the lines of `yolo_lines`.

The layouts of folders are those of `label_places`, names of classes are read by `yolo_names`. Ultralytics looks for
labels/ beside the last folder images/ of a path, and in the folder of the image without one (ultralytics/data/utils.py,
img2label_paths). Texts and don't-care regions are not part of the format.
https://docs.ultralytics.com/datasets/detect, .../obb and .../segment; also written by CVAT, Label Studio and Roboflow
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ...errors import UserError
from ..findings import Report
from ..record import LabelRecord
from .label_places import label_pairs, label_places, some_lines
from .locate import check_root
from .pairing import read_text
from .split_names import ListedImage, group_by_split, split_by_folder
from .yolo_lines import is_yolo, parse_line
from .yolo_names import read_classes, read_splits

KEY = "yolo"
NAME = "YOLO"
IGNORE_MARKS = ("###",)  # as the name of a class
IGNORE_FLAGS: tuple[str, ...] = ()
LABEL_FOLDERS = ("labels", "gts")
USUAL = 0.9  # share of the lines that show the format


def recognise(root: Path) -> str | None:
    """Report the first label file, if almost all lines of a few files are a class and shares."""
    lines = list(some_lines(label_places(root, LABEL_FOLDERS)))
    showing = [path for path, text in lines if is_yolo(text)]
    if not showing or len(showing) < USUAL * len(lines):
        return None
    return f"{showing[0].relative_to(root).as_posix()} holds a class and shares of width and height"


def read(root: Path, report: Report, marks: Sequence[str]) -> dict[str, list[LabelRecord]]:
    """Read the splits that exist, by the names of folders, else by lists of images and data.yaml. Raises UserError.

    Coordinates stay shares of width and height: `report.normalized` says so."""
    check_root(root)
    places = label_places(root, LABEL_FOLDERS, report)
    if not places:
        raise UserError(f"{root}: no YOLO labels found (looked for labels/ beside images/, and 1.txt beside 1.jpg)")
    classes = read_classes(root, [folder for place in places for folder in place[::-1]])
    if classes.keypoints is not None:
        raise UserError(f"{classes.keypoints}: kpt_shape: labels with keypoints are not read; export boxes")
    report.normalized = True
    parse = partial(parse_line, names=classes.names, marks=marks)
    labels = [label for place in places for label in label_pairs(place, report)]
    records = [record for label in labels if (record := read_text(label, parse))]
    listed = split_by_folder(root, (ListedImage(None, 0, record) for record in records))
    if unsplit := [entry.record.image_path for entry in listed if entry.split is None]:
        splits = read_splits(root, unsplit, report.max_label_mb)
        listed = [entry._replace(split=entry.split or splits.get(entry.record.image_path)) for entry in listed]
    return group_by_split((entry.split for entry in listed), listed, report)
