"""What can be wrong with a data set: one code for each kind, and the list of what was found.

A code is stable: its number is the row of the catalogue in docs/check.md. Readers and checks only report; what then
happens is decided in one place, `policy.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

MAX_LABEL_MB = 1024  # the largest published file, of TextOCR, has some hundreds
MAX_REGIONS = 100_000  # of one image; more is a file of something else
TOO_MANY = f"more than {MAX_REGIONS} regions"  # the detail of GT028
Level = Literal["error", "warning", "repair", "info"]


class Kind(NamedTuple):
    """One kind of finding."""

    level: Level
    title: str  # what is wrong, in a few words
    remedy: str  # what to do, in a few words; "" where nothing needs to be done


# error: labels or images are lost by it. warning: taken as it stands, but probably not meant. repair: mended without
# loss. info: worth knowing, nothing is wrong.
CODES: dict[str, Kind] = {
    # label files
    "GT001": Kind(
        "error",
        "image without a label file",
        "label it; in training data.missing_gt=skip, or negative where there is no text",
    ),
    "GT002": Kind("info", "empty label file: an image without text", ""),
    "GT003": Kind("info", "byte order mark", ""),
    "GT004": Kind("repair", "text that is not UTF-8", "save as UTF-8; only the transcriptions are affected"),
    "GT006": Kind("error", "label file that cannot be read, or is not of its kind", "replace it"),
    "GT009": Kind("info", "a score after the coordinates", ""),
    "GT010": Kind("info", "regions without transcription, learnt as text", ""),
    "GT013": Kind("warning", "more than half of the images have only don't-care regions", "label more of them"),
    "GT014": Kind("error", "no region that can be learnt", "a region marked as don't-care is never learnt"),
    "GT015": Kind("info", "separated by something else than commas", ""),
    "GT016": Kind("repair", "quotes or brackets in a line", ""),
    "GT017": Kind("repair", "header or comment line", ""),
    "GT018": Kind("error", "too few numbers for a region", "complete it"),
    "GT019": Kind("error", "odd number of coordinates", "complete it"),
    "GT020": Kind("error", "coordinate that is no number", "correct it"),
    "GT021": Kind("error", "coordinate that is not finite, or outside of any image", "correct it"),
    "GT022": Kind("error", "entry that lacks what its format asks for", "complete the entry"),
    "GT023": Kind("error", "coordinates between 0 and 1", "data.coords=normalized if they are shares of the sides"),
    "GT024": Kind("error", "labels made for images of another size", "label these images, or scale the labels"),
    "GT124": Kind("warning", "labels that state another size than their image has", "look at the drawn examples"),
    "GT025": Kind("error", "x and y exchanged", "write x before y"),
    "GT026": Kind("error", "several label files or entries for one image", "keep one"),
    "GT027": Kind("warning", "labels without an image", "add the image or delete the labels"),
    "GT028": Kind("error", "more regions than any image holds", "is it really the label file of one image?"),
    "GT029": Kind("repair", "the same region twice", ""),
    # regions
    "PG030": Kind("info", "triangle", ""),
    "PG031": Kind("repair", "outline that crosses itself", "write the corners in order round the region"),
    "PG034": Kind("repair", "repeated corner", ""),
    "PG035": Kind("error", "region without area", "draw it again"),
    "PG036": Kind("info", "text too small to be learnt at this input size", "a larger input_size"),
    "PG037": Kind("info", "region that vanishes when it is shrunk", ""),
    "PG038": Kind("info", "region that falls into pieces when it is shrunk", ""),
    "PG039": Kind("repair", "region partly outside its image", ""),
    "PG040": Kind("error", "region entirely outside its image", "wrong image, wrong resolution, or turned by EXIF"),
    "PG042": Kind("warning", "region that covers nearly the whole image", "is it a left-over of the labelling tool?"),
    "PG043": Kind("warning", "two regions that cover each other", "keep one"),
    "PG045": Kind("info", "outline of more than a hundred corners", ""),
    "PG046": Kind("info", "region more than a hundred times as long as high", ""),
    "PG047": Kind("warning", "curved text in a box of four corners", "draw a polygon along the text"),
    "PG048": Kind("warning", "one line of text in several boxes", "one box a line, or one box a word throughout"),
    # images
    "IM051": Kind("error", "empty image file", "copy it again"),
    "IM052": Kind("error", "damaged image", "copy it again"),
    "IM053": Kind("error", "not an image", "remove it from the set"),
    "IM054": Kind("info", "folder that is named like an image", ""),
    "IM055": Kind("error", "image that cannot be opened", "check its permissions"),
    "IM060": Kind("error", "pixels without a range that says what white is", "save it with 8 or 16 bits"),
    "IM062": Kind("info", "animation or several pages: the first one is taken", ""),
    "IM063": Kind("repair", "turned by its EXIF orientation, labels made for the unturned pixels", ""),
    "IM064": Kind("error", "too many pixels", "scale it down, or cut it"),
    "IM065": Kind("info", "image smaller than the network's stride", ""),
    "IM066": Kind("warning", "extremely long image", "cut it into pieces"),
    "IM067": Kind("warning", "image of a single colour", "remove it if it is no blank page"),
    "IM071": Kind("warning", "image of a kind that is not read", "convert it to JPEG or PNG"),
    "IM072": Kind("warning", "the same image in training and validation or test", "remove it from one of them"),
    # files and lists
    "FS072": Kind("warning", "the same image twice in one part", "keep one, or weight it on purpose"),
    "FS076": Kind("error", "two images with one label file", "keep one of them, or rename"),
    "FS077": Kind("error", "link that leads nowhere", "restore its target or remove it"),
    "FS079": Kind("error", "list line or entry that names no image that is there", "correct it, or add the image"),
    "FS080": Kind("repair", "image listed twice", ""),
    # quality
    "QA101": Kind("warning", "low contrast", "look at these images"),
    "QA102": Kind("warning", "blurred", "look at these images"),
    "QA103": Kind("warning", "words and lines mixed", "one box a word, or one box a line, throughout"),
    "QA104": Kind("error", "an image of a single colour with labelled text", "replace the image or its labels"),
}


class Finding(NamedTuple):
    """One thing that was found."""

    code: str  # key of CODES
    path: Path  # the file in which it is wrong: labels, list or image
    line: int  # of that file, or number of the entry, from 1; 0 for the file as a whole
    detail: str  # what was seen, and the rule; without the place; may be ""
    image: Path | None = None  # the image that is affected

    @property
    def place(self) -> str:
        """`labels/gt_1.txt:12`."""
        return f"{self.path}:{self.line}" if self.line else str(self.path)

    @property
    def text(self) -> str:
        """The whole finding in one line, without its code; file names may hold line ends."""
        told = f"{self.place}: {self.detail or CODES[self.code].title}"
        return told.replace("\r", "\\r").replace("\n", "\\n")


class Report:
    """Findings in the order in which they were made.

    It also carries how much of a label file may be read: whoever opens one has the report at hand, and reports it."""

    def __init__(self, max_label_mb: int = MAX_LABEL_MB) -> None:
        """max_label_mb: of the largest label file, in MB of 10^6 bytes."""
        self.findings: list[Finding] = []
        self.max_label_mb = max_label_mb

    def add(self, code: str, path: Path, line: int = 0, detail: str = "", image: Path | None = None) -> None:
        """Note one. Raises KeyError for an unknown code."""
        CODES[code]
        self.findings.append(Finding(code, path, line, detail, image))

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def of(self, *codes: str) -> list[Finding]:
        """Those with one of the codes."""
        return [finding for finding in self.findings if finding.code in codes]

    def at(self, level: Level) -> list[Finding]:
        """Those of a level."""
        return [finding for finding in self.findings if CODES[finding.code].level == level]

    def counts(self) -> Counter[str]:
        """How many of each code."""
        return Counter(finding.code for finding in self.findings)
