"""Which images have labels already."""

from __future__ import annotations

from pathlib import Path

from ..data.formats.label_like import describe_files, label_files_below
from ..data.label_options import LabelOptions
from ..data.load_annotations import read_data
from ..errors import UserError

UNLABELLED = ("GT001", "GT006")  # findings about images without a label file that can be read


def labelled_in(root: Path, dialect: str, options: LabelOptions) -> list[Path]:
    """The images of a data set that have a label file. Raises UserError if it is none, see `read_data`."""
    reading = read_data(root, dialect, options)
    without = {finding.image for finding in reading.report.of(*UNLABELLED)}
    records = [record for records in reading.splits.values() for record in records]
    return [record.image_path for record in records if record.image_path not in without]


def labelled_beside(root: Path, dialect: str, options: LabelOptions) -> tuple[list[Path], str | None]:
    """The same for images that may have no labels at all; and why files beside them are not read as labels."""
    files = label_files_below(root)
    if not files:
        return [], None
    try:
        return labelled_in(root, dialect, options), None
    except UserError as error:
        return [], str(error).partition("\n")[0] if describe_files(root, files) else None
