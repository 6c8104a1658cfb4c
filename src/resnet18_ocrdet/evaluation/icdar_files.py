"""Result files of detectors: one text file for each image, in a folder or a zip.

ICDAR 2015, Challenge 4, Task 1, calls them `res_<stem>.txt`; `<stem>.txt` and `pred_<stem>.txt` are read as well. The
lines: `result_lines`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

import numpy as np

from ..data.findings import MAX_REGIONS
from ..data.formats.icdar_text import leading_numbers
from ..data.text_file import TextLine, decode_text, lines_of
from ..errors import UserError
from ..runtime.messages import count, one_line
from ..structures import Detection
from .result_archive import SUFFIX, ResultFile, is_text, opened
from .result_lines import BOX, form_of, parse_line

SCORE_DECIMALS = 4
MAX_NAMED = 10  # files that one message names
PREFIX = "res_"
_NAME = re.compile(r"(res_|pred_)?(.+)(\.txt)", re.IGNORECASE | re.DOTALL)


class Predictions(NamedTuple):
    """The result files of a set of images."""

    found: dict[str, list[Detection]]  # by the name of the image, without its suffix unless the file has it
    unknown: list[str]  # names of result files that belong to none of the images
    read_as: str  # how names and lines were read, in a line

    def of(self, image: str) -> list[Detection] | None:
        """Those of an image; None if it has no file. image: its file name."""
        return self.found.get(self.key(image))

    def key(self, image: str) -> str:
        """The key of an image in `found`."""
        return image if image in self.found else PurePath(image).stem


def read_predictions(path: Path, images: Sequence[str]) -> Predictions:
    """Read the result files of a folder or a zip, sub-folders included. images: file names, without folders.

    The score of a line without one is NaN. Other files are ignored. Raises UserError if there are no result files, if
    two are for one image, and, with file and line, for a line that is not a region."""
    with opened(path) as files:
        chosen, unknown = _assign(files, images)
        if not chosen and not unknown:
            found = one_line(", ".join(file.name for file in files[:MAX_NAMED])) or "nothing"
            looked = "res_<image name>.txt or <image name>.txt"
            raise UserError(f"{path}: no result files (looked for {looked}, found {found})")
        texts = {key: (file.where, decode_text(file.read(), file.where)) for key, file in chosen.items()}
    kept = texts.items()
    form = form_of(line.text for _, (where, text) in kept for line in _lines(text, where))
    parsed = {key: [parse_line(line, where, form) for line in _lines(text, where)] for key, (where, text) in kept}
    regions = [each for found in parsed.values() for each in found]
    scores = [each.score for each in regions if not math.isnan(each.score)]
    patterns = ", ".join(sorted({_pattern(file.name, key) for key, file in chosen.items()}))
    lines = form.describe(len(regions), scores, max((len(each.polygon) for each in regions), default=0))
    return Predictions(parsed, unknown, f"{count(len(chosen), 'file')} {patterns}; {lines}")


def _assign(files: Sequence[ResultFile], images: Sequence[str]) -> tuple[dict[str, ResultFile], list[str]]:
    """The file of each image that has one, by the name of the image in it, and the files of no image.

    A name without a prefix counts as a file of no image only if no name has one, and it holds numbers: a readme does
    not. Raises UserError if two files are for one image."""
    known = {key for image in images for key in (image, PurePath(image).stem)}
    chosen: dict[str, ResultFile] = {}
    prefixed, plain = list[ResultFile](), list[ResultFile]()
    for file in files:
        name = _NAME.fullmatch(file.name) if is_text(file.name) else None
        if name is None:
            continue
        prefix, stem = name[1] or "", name[2]
        readings = (stem, prefix + stem) if prefix.lower() == PREFIX else (prefix + stem, stem)
        key = next((reading for reading in readings if reading in known), None)
        if key is None:
            (prefixed if prefix else plain).append(file)
        elif key in chosen:
            first = chosen[key].where
            raise UserError(
                f"{file.where}: image {key!r} already has {first}: only one result file per image is allowed"
            )
        else:
            chosen[key] = file
    used = {image if image in chosen else PurePath(image).stem for image in images}
    shadowed = [chosen.pop(key) for key in chosen.keys() - used]  # res_1.txt beside res_1.jpg.txt
    if not prefixed and not any(_NAME.fullmatch(file.name)[1] for file in chosen.values()):  # type: ignore[index]
        prefixed = list(filter(_holds_numbers, plain))
    return chosen, sorted(file.name for file in (*prefixed, *shadowed))


def _holds_numbers(file: ResultFile) -> bool:
    """Whether the first line of a file starts as a region does."""
    try:
        first = next(lines_of(decode_text(file.read(), file.where)), None)
    except UserError:
        return False
    return first is not None and len(leading_numbers(first.text, BOX).values) == BOX


def _pattern(name: str, key: str) -> str:
    """`res_X.txt`: the name with X for the image."""
    end = len(name) - len(SUFFIX)
    return f"{name[: end - len(key)]}X{name[end:]}"


def _lines(text: str, where: str) -> Iterator[TextLine]:
    """The lines that are not blank. Raises UserError for more than MAX_REGIONS."""
    for number, line in enumerate(lines_of(text)):
        if number == MAX_REGIONS:
            raise UserError(f"{where}: more than {MAX_REGIONS} regions in one image")
        yield line


def format_detections(detections: Sequence[Detection], with_scores: bool) -> str:
    """The content of a result file: whole pixels, and with `with_scores` the score unless it is NaN.

    The official protocol reads the score from the end of the line. Regions that were read have their text behind it, as
    the official end-to-end protocol with confidences takes it: in quotes, with a backslash before quotes and
    backslashes; empty without a text."""
    lines = []
    for each in detections:
        fields = [str(number) for number in np.rint(each.polygon).astype(np.int64).ravel()]
        if with_scores and not math.isnan(each.score):
            fields.append(f"{each.score:.{SCORE_DECIMALS}f}")
        if each.recognition is not None:
            text = (each.text or "").replace("\\", "\\\\").replace('"', '\\"')
            fields.append(f'"{text}"')
        lines.append(",".join(fields) + "\n")
    return "".join(lines)
