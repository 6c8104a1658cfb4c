"""The files about all images, made from their records: detections.json, and the formats of labelling tools.

LabelMe: https://labelme.io/docs, COCO: https://cocodataset.org/#format-data. LabelMe files may be corrected by hand, so
an existing one is never overwritten.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from ..data.image_guard import ImageFault
from ..data.pages import PageReader
from ..geometry.polygon import area
from ..runtime.atomic_write import staging_folder
from ..runtime.manifest import digest_of
from ..viz import draw
from .files import ImageFiles, Item
from .folder import ResultFolder
from .records import ImageRecord, lines_at, read_records

CLASS = "text"  # the only one


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
        yield from _separated(lines())
        yield f'], "errors": {json.dumps(errors, ensure_ascii=False)}}}'

    label_files = _write_label_files(folder, zip(done, lines(), strict=True), errors, dpi)
    folder.write_whole(f"detections{folder.tag}.json", detections())
    if "coco" in folder.formats:
        folder.write_whole(f"coco{folder.tag}.json", _coco(lambda: map(ImageRecord.from_json, lines())))
    folder.write_whole(f"errors{folder.tag}.json", [json.dumps(errors, ensure_ascii=False, indent=1)])
    return label_files


def _separated(lines: Iterable[str]) -> Iterator[str]:
    """The lines of a JSON list, without its brackets."""
    previous = None
    for line in lines:
        if previous is not None:
            yield previous + ","
        previous = line
    if previous is not None:
        yield previous


def _coco(records: Callable[[], Iterable[ImageRecord]]) -> Iterator[str]:
    """All images, line by line; `records` is called twice. Annotations have a score."""
    images = (
        {"id": number, "file_name": record.image, "height": record.height, "width": record.width}
        for number, record in enumerate(records(), start=1)
    )
    yield f'{{"categories": [{{"id": 1, "name": "{CLASS}"}}], "images": ['
    yield from _separated(json.dumps(image, ensure_ascii=False) for image in images)
    yield '], "annotations": ['
    yield from _separated(map(json.dumps, _annotations(records())))
    yield "]}"


def _annotations(records: Iterable[ImageRecord]) -> Iterator[dict[str, Any]]:
    regions = (
        (image, polygon, score)
        for image, record in enumerate(records, start=1)
        for polygon, score in zip(record.polygons, record.scores, strict=True)
    )
    for number, (image, polygon, score) in enumerate(regions, start=1):
        points = np.array(polygon)
        low, high = points.min(axis=0), points.max(axis=0)
        yield {
            "id": number,
            "image_id": image,
            "category_id": 1,
            "segmentation": [points.ravel().tolist()],
            "bbox": [*low.tolist(), *(high - low).round(2).tolist()],
            "area": round(area(points), 2),
            "iscrowd": 0,
            "score": score,
        }


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
    text = json.dumps(_labelme(record, image.name), ensure_ascii=False, indent=1, allow_nan=False)
    files.manifest.put(label_file, (text + "\n").encode("utf-8", "backslashreplace"))
    return True


def _labelme(record: ImageRecord, image_path: str) -> dict[str, Any]:
    """The label file of one image. image_path: relative to the folder of the label file."""
    shapes: list[dict[str, Any]] = [
        {
            "label": CLASS,
            "points": polygon,
            "group_id": None,
            "description": text or "",
            "shape_type": "polygon",
            "flags": {},
        }
        for polygon, text in zip(record.polygons, record.texts or [None] * len(record.polygons), strict=True)
    ]
    size = {"imageHeight": record.height, "imageWidth": record.width}
    return {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": image_path, "imageData": None, **size}


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
