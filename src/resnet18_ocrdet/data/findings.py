"""Findings about a data set: a code for each kind, and the list of findings.

Codes are stable, docs/check.md lists them. Label formats and checks only report; `error_policy.py` decides the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

MAX_LABEL_MB = 1024  # the largest published file, TextOCR's, has some hundreds
MAX_REGIONS = 100_000  # of one image
TOO_MANY = f"more than {MAX_REGIONS} regions"  # detail of GT028
Level = Literal["error", "warning", "repair", "info"]


class FindingKind(NamedTuple):
    """One kind of finding."""

    level: Level
    title: str  # what is wrong
    remedy: str  # what to do; "" for nothing


# error: labels or images are lost. warning: used unchanged, but probably wrong. repair: fixed without loss.
# info: nothing is wrong.
CODES: dict[str, FindingKind] = {
    # label files
    "GT001": FindingKind(
        "error", "image without a label file", "label it, or set data.missing_gt=skip, or negative if it has no text"
    ),
    "GT002": FindingKind("info", "empty label file: an image without text", ""),
    "GT003": FindingKind("info", "byte order mark", ""),
    "GT004": FindingKind("repair", "text that is not UTF-8", "save as UTF-8; only the transcriptions are affected"),
    "GT006": FindingKind("error", "label file that cannot be read or has another format", "replace it"),
    "GT009": FindingKind("info", "a score after the coordinates", ""),
    "GT010": FindingKind("info", "regions without transcription (treated as text)", ""),
    "GT011": FindingKind(
        "warning", "texts that end in a don't-care mark", "is there a column before the text? data.columns=script,text"
    ),
    "GT013": FindingKind("warning", "more than half of the images have only don't-care regions", "label more of them"),
    "GT014": FindingKind("error", "no usable region", "label text that is not don't-care"),
    "GT015": FindingKind("info", "separated by something other than commas", ""),
    "GT016": FindingKind("repair", "quotes or brackets in a line", ""),
    "GT017": FindingKind("repair", "header or comment line", ""),
    "GT018": FindingKind("error", "too few numbers for a region", "complete it"),
    "GT019": FindingKind("error", "odd number of coordinates", "complete it"),
    "GT020": FindingKind("error", "coordinate that is not a number", "correct it"),
    "GT021": FindingKind("error", "coordinate that is not finite, or outside any image", "correct it"),
    "GT022": FindingKind("error", "entry without a field that its format requires", "complete the entry"),
    "GT023": FindingKind(
        "error", "coordinates between 0 and 1", "data.coords=normalized for fractions of width and height"
    ),
    "GT024": FindingKind("error", "labels made for images of another size", "label these images, or scale the labels"),
    "GT124": FindingKind("warning", "labels that state a different image size", "check the drawn examples"),
    "GT025": FindingKind("error", "x and y exchanged", "write x before y"),
    "GT026": FindingKind("error", "several label files or entries for one image", "keep one"),
    "GT126": FindingKind("warning", "several annotations of one image: one is used", "keep one of them"),
    "GT027": FindingKind("warning", "labels without an image", "add the image or delete the labels"),
    "GT028": FindingKind("error", "too many regions for one image", "is this the label file of one image?"),
    "GT029": FindingKind("repair", "duplicate region", ""),
    "GT030": FindingKind(
        "error", "annotation that belongs to no image of its file", "correct image_id, or add the image to the list"
    ),
    # regions
    "PG030": FindingKind("info", "triangle", ""),
    "PG031": FindingKind("repair", "outline that crosses itself", "write the corners in order around the region"),
    "PG034": FindingKind("repair", "repeated corner", ""),
    "PG035": FindingKind("error", "region without area", "draw it again"),
    "PG036": FindingKind("info", "text too small to train on at this input size", "use a larger input_size"),
    "PG037": FindingKind("info", "region that vanishes when shrunk", ""),
    "PG038": FindingKind("info", "region that splits when shrunk", ""),
    "PG039": FindingKind("repair", "region partly outside its image", ""),
    "PG040": FindingKind("error", "region entirely outside its image", "wrong image, resolution or EXIF orientation"),
    "PG042": FindingKind(
        "warning", "region that covers nearly the whole image", "is it an artefact of the labelling tool?"
    ),
    "PG043": FindingKind("warning", "two overlapping regions", "keep one"),
    "PG045": FindingKind("info", "outline with more than a hundred corners", ""),
    "PG046": FindingKind("info", "region more than a hundred times longer than high", ""),
    "PG047": FindingKind("warning", "curved text in a quad", "draw a polygon along the text"),
    "PG048": FindingKind(
        "warning", "one line of text in several boxes", "use one box per line, or one box per word, throughout"
    ),
    # images
    "IM051": FindingKind("error", "empty image file", "copy it again"),
    "IM052": FindingKind("error", "damaged image", "copy it again"),
    "IM053": FindingKind("error", "not an image", "remove it from the set"),
    "IM054": FindingKind("info", "folder named like an image", ""),
    "IM055": FindingKind("error", "image that cannot be opened", "check its permissions"),
    "IM060": FindingKind("error", "pixel type without a defined white", "save it with 8 or 16 bits"),
    "IM062": FindingKind("info", "animation or several pages: the first one is read", ""),
    "IM063": FindingKind("repair", "rotated by its EXIF orientation, labels made for the stored pixels", ""),
    "IM064": FindingKind("error", "too many pixels", "resize or crop it"),
    "IM065": FindingKind("info", "image smaller than the network's stride", ""),
    "IM066": FindingKind("warning", "extremely long image", "split it"),
    "IM067": FindingKind("warning", "image of a single colour", "remove it unless it is a blank page"),
    "IM071": FindingKind("warning", "image of an unsupported kind", "convert it to JPEG or PNG"),
    "IM072": FindingKind("warning", "the same image in training and validation or test", "remove it from one of them"),
    # files and lists
    "FS072": FindingKind("warning", "the same image twice in one split", "keep one, unless intended"),
    "FS076": FindingKind("error", "two images with one label file", "remove or rename one of them"),
    "FS077": FindingKind("error", "broken link", "restore its target or remove it"),
    "FS079": FindingKind("error", "list line or entry that names a missing image", "correct it, or add the image"),
    "FS080": FindingKind("repair", "image listed twice", ""),
    # quality
    "QA101": FindingKind("warning", "low contrast", "check these images"),
    "QA102": FindingKind("warning", "blurred", "check these images"),
    "QA103": FindingKind("warning", "words and lines mixed", "use one box per word, or one box per line, throughout"),
    "QA104": FindingKind("error", "image of a single colour with labelled text", "replace the image or its labels"),
}


class Finding(NamedTuple):
    """One finding."""

    code: str  # key of CODES
    path: Path  # the affected file: labels, list or image
    line: int  # of that file, or number of the entry, from 1; 0 for the whole file
    detail: str  # what was found, and the rule, without the location; may be ""
    image: Path | None = None  # the affected image

    @property
    def place(self) -> str:
        """`labels/gt_1.txt:12`."""
        return f"{self.path}:{self.line}" if self.line else str(self.path)

    @property
    def text(self) -> str:
        """The finding in one line, without its code; line ends in file names are escaped."""
        line = f"{self.place}: {self.detail or CODES[self.code].title}"
        return line.replace("\r", "\\r").replace("\n", "\\n")


class Report(list[Finding]):
    """Findings in the order in which they were reported, the size limit of label files, and what formats decided.

    columns: those that the user chose for ICDAR lines. Set by a label format: unsplit, if it found no name which says
    train, val or test: all images are then "train"; normalized, if its coordinates are shares of width and height;
    notes: what it decided, one line each."""

    def __init__(self, max_label_mb: int = MAX_LABEL_MB, columns: Sequence[str] | None = None) -> None:
        """max_label_mb: size of the largest label file that is read, in MB of 10^6 bytes."""
        super().__init__()
        self.max_label_mb = max_label_mb
        self.columns = columns
        self.unsplit = False
        self.normalized = False
        self.notes: list[str] = []

    def add(self, code: str, path: Path, line: int = 0, detail: str = "", image: Path | None = None) -> None:
        """Add a finding. Raises KeyError for an unknown code."""
        CODES[code]
        self.append(Finding(code, path, line, detail, image))

    def of(self, *codes: str) -> list[Finding]:
        """Findings with one of the codes."""
        return [finding for finding in self if finding.code in codes]

    def at(self, level: Level) -> list[Finding]:
        """Findings of a level."""
        return [finding for finding in self if CODES[finding.code].level == level]

    def counts(self) -> Counter[str]:
        """Number of findings of each code."""
        return Counter(finding.code for finding in self)
