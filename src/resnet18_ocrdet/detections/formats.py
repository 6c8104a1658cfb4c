"""The files about all images, made from their records: detections.json, and the formats of labelling tools.

LabelMe files may be corrected by hand, so an existing one is never overwritten.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from ..data.formats.write_coco import CocoImage, coco_lines, separated
from ..data.formats.write_labelme import labelme_file, labelme_shape
from ..data.image_guard import ImageFault
from ..data.pages import PageReader
from ..runtime.atomic_write import staging_folder
from ..runtime.manifest import digest_of
from ..viz import draw
from .files import ImageFiles, Item
from .folder import ResultFolder
from .records import ImageRecord, lines_at, read_records


def write_formats(
    folder: ResultFolder, mine: Sequence[Item], errors: list[dict[str, str]], dpi: int | None = None
) -> int:
    """Write detections.json in the order of the images, errors.json, and the formats; returns new LabelMe files.

    Records are copied line by line: all of them may not fit into memory. mine: the images of this call. errors: "image"
    and "error" of each one that failed; pages that cannot be read again are added. dpi: see `detect_all`. Raises
    OSError."""
    offsets = {record.image: offset for record, offset in read_records(folder.records)}
    done = [item for item in mine if item.relative in offsets]

    def lines() -> Iterator[str]:
        return lines_at((folder.records, offsets[item.relative]) for item in done)

    def detections() -> Iterator[str]:
        yield json.dumps(folder.about, ensure_ascii=False)[:-1] + ', "images": ['
        yield from separated(lines())
        yield f'], "errors": {json.dumps(errors, ensure_ascii=False)}}}'

    label_files = _write_label_files(folder, zip(done, lines(), strict=True), errors, dpi)
    folder.write_whole(f"detections{folder.tag}.json", detections())
    if "coco" in folder.formats:
        folder.write_whole(f"coco{folder.tag}.json", coco_lines(lambda: _coco_images(lines())))
    folder.write_whole(f"errors{folder.tag}.json", [json.dumps(errors, ensure_ascii=False, indent=1)])
    return label_files


def _coco_images(lines: Iterable[str]) -> Iterator[CocoImage]:
    """The images in lines of detections.jsonl; annotations have a score."""
    for record in map(ImageRecord.from_json, lines):
        scores = [{"score": score} for score in record.scores]
        yield CocoImage(record.image, record.height, record.width, record.polygons, scores)


def _write_label_files(
    folder: ResultFolder, records: Iterable[tuple[Item, str]], errors: list[dict[str, str]], dpi: int | None
) -> int:
    """Write the label files that do not exist, with the image next to each; returns their number."""
    if "labelme" not in folder.formats:
        return 0
    written = 0
    with closing(PageReader(dpi)) as reader:
        for item, line in records:
            try:
                written += _write_label_file(folder.files, item, ImageRecord.from_json(line), reader)
            except ImageFault as fault:
                errors.append({"image": item.relative, "error": str(fault)})
    return written


def _write_label_file(files: ImageFiles, item: Item, record: ImageRecord, reader: PageReader) -> bool:
    """Write the label file of an image unless it exists; returns whether it was written.

    Next to it is a link to the image, or the picture of a page, also of a PDF with one page. The folder can then be
    opened in LabelMe, and trained on."""
    label_file = files.label_file(item.result)
    label_file.parent.mkdir(parents=True, exist_ok=True)
    if item.page is None and record.dpi is None:
        image = label_file.parent / item.path.name
        _link(files, image, item.path.resolve())
    elif not (image := files.page_picture(item)).exists():
        files.manifest.put(image, draw.encode(".png", reader.read(item.path, item.page or 1).image))
    if label_file.exists():
        return False
    texts = record.texts or [None] * len(record.polygons)
    shapes = [labelme_shape(polygon, text or "") for polygon, text in zip(record.polygons, texts, strict=True)]
    files.manifest.put(label_file, labelme_file(image.name, record.height, record.width, shapes))
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
