"""Writers of the exports of labelling tools, from their public descriptions."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from dialect_set import Picture, Word, bounds, pixels, put, put_json, size_box
from resnet18_ocrdet.data.formats.served import upload_name


def sides_of(word: Word) -> tuple[float, float, float]:
    """Width and height in px, and the clockwise angle in radians, of a rectangle."""
    (x0, y0), (x1, y1), (x2, y2), _ = word.points
    return math.hypot(x1 - x0, y1 - y0), math.hypot(x2 - x1, y2 - y1), math.atan2(y1 - y0, x1 - x0)


# Pascal VOC, http://host.robots.ox.ac.uk/pascal/VOC, and roLabelImg, https://github.com/cgvict/roLabelImg


def voc_sheet(picture: Picture, name: str, turned: bool) -> str:
    objects = []
    for word in picture.words:
        if turned:
            (x0, y0), _, (x2, y2), _ = word.points
            width, height, angle = sides_of(word)
            tags = ("cx", "cy", "w", "h", "angle")
            values = zip(tags, ((x0 + x2) / 2, (y0 + y2) / 2, width, height, angle % math.pi), strict=True)
            kind, inner = "robndbox", "".join(f"<{tag}>{value:.6f}</{tag}>" for tag, value in values)
        else:
            values = zip(("xmin", "ymin", "xmax", "ymax"), bounds(word.points), strict=True)
            kind, inner = "bndbox", "".join(f"<{tag}>{value}</{tag}>" for tag, value in values)
        objects.append(
            f"\t<object>\n\t\t<name>text</name>\n\t\t<pose>Unspecified</pose>\n\t\t<truncated>0</truncated>\n"
            f"\t\t<difficult>{int(word.ignore)}</difficult>\n\t\t<{kind}>{inner}</{kind}>\n\t</object>\n"
        )
    size = f"<width>{picture.width}</width><height>{picture.height}</height><depth>3</depth>"
    heading = f"\t<folder>scans</folder>\n\t<filename>{escape(name)}</filename>\n\t<size>{size}</size>\n"
    return f"<annotation>\n{heading}{''.join(objects)}</annotation>\n"


def voc(root: Path, pictures: list[Picture]) -> None:
    """The folders of the challenge, with lists of the splits."""
    lists: dict[str, list[str]] = {"train": [], "test": []}
    for picture in pictures:
        stem = Path(picture.name).stem
        put(root / "JPEGImages" / picture.name, pixels(picture))
        put(root / "Annotations" / f"{stem}.xml", voc_sheet(picture, picture.name, turned=False))
        lists[picture.split].append(f"{stem}\n")
    for split, names in lists.items():
        put(root / "ImageSets/Main" / f"{split}.txt", "".join(names))


def ro_label_img(root: Path, pictures: list[Picture]) -> None:
    """Files beside the images, whose names in the files have no suffix."""
    for picture in pictures:
        stem = Path(picture.name).stem
        put(root / picture.split / picture.name, pixels(picture))
        put(root / picture.split / f"{stem}.xml", voc_sheet(picture, stem, turned=True))


# CVAT for images 1.1, https://docs.cvat.ai/docs/other/xml_format


def cvat(root: Path, pictures: list[Picture]) -> None:
    """The export of a project with two subsets."""
    images = []
    for number, picture in enumerate(pictures):
        put(root / "images" / picture.split / picture.name, pixels(picture))
        shapes = []
        for word in picture.words:
            if word.kind in ("rectangle", "rotated"):
                (x0, y0), _, (x2, y2), _ = word.points
                width, height, angle = sides_of(word)
                corner = ((x0 + x2 - width) / 2, (y0 + y2 - height) / 2)
                tag = "box"
                place = f'xtl="{corner[0]:.2f}" ytl="{corner[1]:.2f}" '
                place += f'xbr="{corner[0] + width:.2f}" ybr="{corner[1] + height:.2f}"'
                place += f' rotation="{math.degrees(angle) % 360:.2f}"' if angle else ""
            else:
                tag, place = "polygon", 'points="' + ";".join(f"{x:.2f},{y:.2f}" for x, y in word.points) + '"'
            attributes = {"text": word.text, "illegible": str(word.ignore).lower()}
            inner = "".join(
                f'\n      <attribute name="{name}">{escape(value)}</attribute>' for name, value in attributes.items()
            )
            shapes.append(
                f'    <{tag} label="word" source="manual" occluded="0" {place} z_order="0">{inner}\n    </{tag}>\n'
            )
        images.append(
            f'  <image id="{number}" name={quoteattr(picture.name)} subset="{picture.split}" task_id="1" '
            f'width="{picture.width}" height="{picture.height}">\n{"".join(shapes)}  </image>\n'
        )
    heading = '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n  <meta>\n  </meta>\n'
    put(root / "annotations.xml", f"{heading}{''.join(images)}</annotations>\n")


# Label Studio, https://labelstud.io/guide/export


def position(word: Word, picture: Picture) -> dict[str, Any]:
    """Percentages; a box is turned around its first corner."""
    shares = [[100 * x / picture.width, 100 * y / picture.height] for x, y in word.points]
    if word.kind not in ("rectangle", "rotated"):
        return {"points": shares, "closed": True}
    width, height, angle = sides_of(word)
    return {
        "x": shares[0][0],
        "y": shares[0][1],
        "width": 100 * width / picture.width,
        "height": 100 * height / picture.height,
        "rotation": math.degrees(angle) % 360,
    }


def label_studio(root: Path, pictures: list[Picture]) -> None:
    """JSON of two projects, with the names that Label Studio gives to uploaded files."""
    tasks: dict[str, list[dict[str, Any]]] = {"train": [], "test": []}
    for number, picture in enumerate(pictures, start=1):
        put(root / picture.split / picture.name, pixels(picture))
        results = []
        for place, word in enumerate(picture.words):
            shared = {"original_width": picture.width, "original_height": picture.height, "image_rotation": 0}
            shared |= {"id": f"r{place}", "to_name": "image", "origin": "manual"}
            where = position(word, picture)
            kind = "polygon" if "points" in where else "rectangle"
            results.append({**shared, "value": where, "from_name": "bbox", "type": kind})
            results.append({**shared, "value": {**where, "labels": ["Text"]}, "from_name": "label", "type": "labels"})
            if word.text:
                value = {**where, "text": [word.text]}
                results.append({**shared, "value": value, "from_name": "transcription", "type": "textarea"})
        annotation = {"id": number, "completed_by": 1, "result": results, "was_cancelled": False, "ground_truth": False}
        address = f"/data/upload/1/{number:08x}-{upload_name(picture.name)}"
        tasks[picture.split].append({"id": number, "annotations": [annotation], "data": {"ocr": address}, "project": 1})
    for split, found in tasks.items():
        put_json(root / split / "project-1-at-2024-05-07-16-27.json", found)


def label_studio_min(root: Path, pictures: list[Picture]) -> None:
    """JSON-MIN of one project whose files are served from the disk."""
    records = []
    for number, picture in enumerate(pictures, start=1):
        put(root / "images" / picture.split / picture.name, pixels(picture))
        size = {"original_width": picture.width, "original_height": picture.height}
        places = [{**position(word, picture), **size} for word in picture.words]
        texts = [word.text for word in picture.words]
        columns = {
            "bbox": [place for place in places if "points" not in place],
            "poly": [place for place in places if "points" in place],
            "label": [{**place, "labels": ["Text"]} for place in places],
            "transcription": texts[0] if len(texts) == 1 else texts,
        }
        about = {"annotator": 1, "annotation_id": number, "created_at": "2024", "updated_at": "2024", "lead_time": 1.5}
        image = {"ocr": f"/data/local-files/?d=images/{picture.split}/{picture.name}", "id": number}
        records.append({**image, **{key: value for key, value in columns.items() if value}, **about})
    put_json(root / "project-1-at-2024-05-07-16-27.json", records, ensure_ascii=False, indent=2)


# VGG Image Annotator, https://www.robots.ox.ac.uk/~vgg/software/via


def via_shape(word: Word) -> dict[str, Any]:
    if word.kind == "rectangle":
        return {"name": "rect", **dict(zip(("x", "y", "width", "height"), size_box(word.points), strict=True))}
    x, y = (list(axis) for axis in zip(*word.points, strict=True))
    return {"name": "polygon", "all_points_x": x, "all_points_y": y}


def via_json(root: Path, pictures: list[Picture]) -> None:
    """A project of version 2 for each split."""
    found: dict[str, dict[str, Any]] = {"train": {}, "test": {}}
    for picture in pictures:
        data = pixels(picture)
        put(root / picture.split / picture.name, data)
        regions = [
            {
                "shape_attributes": via_shape(word),
                "region_attributes": {"text": word.text, "illegible": {"yes": True} if word.ignore else {}},
            }
            for word in picture.words
        ]
        entry = {"filename": picture.name, "size": len(data), "regions": regions, "file_attributes": {}}
        found[picture.split][f"{picture.name}{len(data)}"] = entry
    for split, metadata in found.items():
        project = {"_via_settings": {"ui": {}}, "_via_img_metadata": metadata, "_via_attributes": {"region": {}}}
        put_json(root / split / "via_project.json", project)


def via_csv(root: Path, pictures: list[Picture]) -> None:
    """The CSV export of version 1."""
    heading = "#filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n"
    lines = {"train": [heading], "test": [heading]}
    for picture in pictures:
        put(root / picture.split / picture.name, pixels(picture))
        total = len(picture.words)
        for number, word in enumerate(picture.words):
            columns = (json.dumps(value).replace('"', '""') for value in (via_shape(word), {"text": word.text}))
            shape, attributes = (f'"{column}"' for column in columns)
            lines[picture.split].append(f'{picture.name},1,"{{}}",{total},{number},{shape},{attributes}\n')
        if not total:
            lines[picture.split].append(f'{picture.name},1,"{{}}",0,0,"{{}}","{{}}"\n')
    for split, found in lines.items():
        put(root / split / "via_region_data.csv", "".join(found))
