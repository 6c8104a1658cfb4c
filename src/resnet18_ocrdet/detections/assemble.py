"""The files about all images: detections.json, errors.json, and the formats of labelling tools."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from .folder import ResultFolder
from .formats import coco
from .item import Item
from .label_files import write_label_file
from .records import ImageRecord, lines_at, read_records


def assemble(folder: ResultFolder, mine: Sequence[Item], errors: Sequence[dict[str, str]]) -> int:
    """Write detections.json in the order of the images, errors.json, and the formats; returns new LabelMe files.

    Records are copied line by line: all of them may not fit into memory. mine: the images of this call. errors: "image"
    and "error" of each one that failed."""
    offsets = {record.image: offset for record, offset in read_records(folder.records)}
    done = [item for item in mine if item.relative in offsets]

    def lines() -> Iterator[str]:
        return lines_at((folder.records, offsets[item.relative]) for item in done)

    def detections() -> Iterator[str]:
        yield json.dumps(folder.about, ensure_ascii=False)[:-1] + ', "images": ['
        for number, line in enumerate(lines(), start=1):
            yield line + ("," if number < len(done) else "")
        yield f'], "errors": {json.dumps(list(errors), ensure_ascii=False)}}}'

    folder.write_whole(f"detections{folder.tag}.json", detections())
    if "coco" in folder.formats:
        folder.write_whole(f"coco{folder.tag}.json", coco(lambda: map(ImageRecord.from_json, lines())))
    label_files = 0
    if "labelme" in folder.formats:
        for item, line in zip(done, lines(), strict=True):
            label_files += write_label_file(folder.files, item, ImageRecord.from_json(line))
    folder.write_whole(f"errors{folder.tag}.json", [json.dumps(list(errors), ensure_ascii=False, indent=1)])
    return label_files
