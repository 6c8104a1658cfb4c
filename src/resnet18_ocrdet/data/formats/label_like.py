"""Files that look like labels but were not read, and the tool that probably wrote them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path

from ...errors import UserError
from ...runtime.messages import count
from ..findings import Finding, Report
from ..image_io import has_image_suffix, list_images
from .json_file import peek
from .split_names import splits_of_folders

SUFFIXES = (".txt", ".json", ".xml", ".csv", ".tsv", ".jsonl", ".ndjson", ".mat", ".gt")
MAX_KINDS = 3  # that one message names
MAX_PEEKED = 8  # text files that are opened to see whether they hold regions
_PREFIXES = re.compile(r"^(?:poly_gt_|gt_|res_)")
_NUMBER = r"[-+]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)"  # possessive: no long backtracking
_REGION = re.compile(rf"(?m)^\s*+{_NUMBER}(?:[,;\t ]++{_NUMBER}){{3}}")  # four numbers at the start of a line
_SHARE = r"(?:0?\.[0-9]+|[01](?:\.0*)?)"
# name, suffix, and patterns of its first and last characters, all of which must be there; the first that fits counts
_UNREAD: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("PAGE", ".xml", (r"<(?:\w+:)?PcGts",)),
    ("ALTO", ".xml", (r"<(?:\w+:)?alto[\s>]",)),
    ("Supervisely", ".json", (r'"classTitle"',)),
    ("Datumaro", ".json", (r'"dm_format_version"',)),
    ("Create ML", ".json", (r'"coordinates"', r'"image"')),
    ("Labelbox", ".ndjson", (r'"data_row"',)),
    ("boxes in a table", ".csv", (r"(?i)x_?min", r"(?i)file_?name|image")),
    ("MATLAB", ".mat", ("",)),
)
# the same for files of one image that a reader takes, which may lie beside labels of another format
_READ: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Pascal VOC (data=voc)", ".xml", (r"<annotation[\s>]", r"<object>")),
    ("LabelMe (data=labelme)", ".json", (r'"shape_type"|"imageData"|"imagePath"',)),
    ("ReCTS (data=rects)", ".json", (r'"chars"', r'"lines"')),
    ("YOLO (data=yolo)", ".txt", (rf"\A\s*[0-9]+(?: {_SHARE}){{4,}}\s*$",)),
    ("DOTA (data=dota)", ".txt", (rf"(?m)^(?:{_NUMBER} ){{8}}[^\s,]+ [0-2]\s*$",)),
)
_PATTERNS = [
    (name, suffix, [re.compile(each, re.M) for each in patterns]) for name, suffix, patterns in _UNREAD + _READ
]


def label_files_below(root: Path) -> list[Path]:
    """Files below a folder that may hold labels, by their suffixes; none if a folder cannot be listed."""
    try:
        return list_images(root, SUFFIXES)
    except UserError:
        return []


def guess_tool(path: Path) -> str:
    """The tool that probably wrote a file, by its first and last characters; "" if nothing shows it.

    Lists of images that a reader takes are not named: nothing but their format would be recognised beside them."""
    suffix, text = path.suffix.lower(), peek(path)
    fits = (name for name, kind, signs in _PATTERNS if kind == suffix and all(sign.search(text) for sign in signs))
    return next(fits, "")


def describe_files(root: Path, paths: Iterable[Path]) -> str:
    """`labels/1.xml (Pascal VOC) and 11 more .xml, train.json`: the first of each suffix. Text files that are not
    labels of a known tool are left out; "" if nothing is left."""
    kinds: dict[tuple[str, str], list[Path]] = {}
    by_suffix: dict[str, list[Path]] = {}
    for path in paths:
        by_suffix.setdefault(path.suffix.lower(), []).append(path)
    for suffix, found in by_suffix.items():
        tool = guess_tool(found[0])
        if tool or suffix != ".txt":
            kinds[suffix, tool] = found
    named = []
    for (suffix, tool), found in list(kinds.items())[:MAX_KINDS]:
        more = f" and {len(found) - 1} more {suffix}" if len(found) > 1 else ""
        named.append(found[0].relative_to(root).as_posix() + (f" ({tool})" if tool else "") + more)
    return ", ".join(named)


def report_label_like(root: Path, report: Report, used: Collection[Path]) -> None:
    """Report images without labels that have a file with their name, which is not read: not GT001 but GT006.

    Their text must not be trained on as background. used: label files that were read."""
    places = [place for place, finding in enumerate(report) if finding.code == "GT001" and finding.image is not None]
    if not places:
        return
    stems = _image_stems(root)
    by_stem: dict[str, list[Path]] = {}
    for path in label_files_below(root):
        if path not in used:
            by_stem.setdefault(_stem(path, stems), []).append(path)
    images = [finding.image for finding in report if finding.code == "GT001" and finding.image is not None]
    near = (path.parent for paths in by_stem.values() for path in paths)
    splits = splits_of_folders(root, [*(image.parent for image in images), *near])
    for place in places:
        finding = report[place]
        assert finding.image is not None
        own = splits[finding.image.parent]
        found = [path for path in by_stem.get(finding.image.stem, ()) if splits[path.parent] in (own, None) or not own]
        if found:
            tool = guess_tool(found[0])
            why = f"belongs to {finding.image.name}, but has another format than the labels that were read"
            why += f"; it looks like {tool}" if tool else ""
            report[place] = Finding("GT006", found[0], 0, why, finding.image)


def files_of_images(root: Path) -> dict[str, list[Path]]:
    """The label files below a folder with the name of an image, by suffix; text files only if they hold regions."""
    stems = _image_stems(root)
    found: dict[str, list[Path]] = {}
    for path in label_files_below(root):
        if _stem(path, stems) in stems:
            found.setdefault(path.suffix.lower(), []).append(path)
    some = found.get(".txt", [])[:MAX_PEEKED]
    if 2 * sum(_REGION.search(peek(path)) is not None for path in some) < len(some):
        del found[".txt"]
    return found


def more_files(root: Path, what: str = "; it contains ") -> str:
    """The label files below a folder in a few words, after `what`; "" if there are none."""
    files = label_files_below(root)
    described = describe_files(root, files)
    return f"{what}{count(len(files), 'label file')}: {described}" if described else ""


def _image_stems(root: Path) -> set[str]:
    try:
        return {image.stem for image in list_images(root)}
    except UserError:  # a folder without permission
        return set()


def _stem(path: Path, images: Collection[str]) -> str:
    """The stem of the image that a label file is named after: 1 for gt_1.txt and 1.jpg.txt, but gt_1 if there is an
    image gt_1.jpg. images: the stems of all images."""
    stem = Path(path.stem).stem if has_image_suffix(path.stem) else path.stem
    return stem if stem in images else _PREFIXES.sub("", stem)
