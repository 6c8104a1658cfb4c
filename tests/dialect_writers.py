"""One data set, written in every dialect that is read: small writers made from the formats' public descriptions.

A writer knows nothing of the readers. It says what its dialect can hold, and `expressible` cuts the set down to that.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

import cv2
import numpy as np
from scipy.io import savemat

Points = tuple[tuple[int, int], ...]

FREE_NAMES = ("Straße nach Süden 1.png", "東京 menu (2).jpg", "a.b #3.png", "plain.jpg")
FOUR_CORNERS = ("rectangle", "rotated", "quad")
ANYTHING = (*FOUR_CORNERS, "curve")


class Word(NamedTuple):
    """One region of the set."""

    kind: str  # "rectangle", "rotated" rectangle, "quad" or "curve" of 14 corners
    points: Points  # from the top left corner of the text, clockwise
    text: str
    ignore: bool = False


class Picture(NamedTuple):
    """One image of the set."""

    part: str  # "train" or "test"
    name: str
    height: int
    width: int
    words: tuple[Word, ...]


def box(left: int, top: int, right: int, bottom: int) -> Points:
    return (left, top), (right, top), (right, bottom), (left, bottom)


def band(left: int, step: int, tops: tuple[int, ...], thickness: int) -> Points:
    """A curved line of text: 7 corners along its upper edge, 7 back along the lower one."""
    upper = tuple((left + step * place, top) for place, top in enumerate(tops))
    return (*upper, *((x, y + thickness) for x, y in reversed(upper)))


# The turned rectangles have sides along (4, 3) / 5 or (4, -3) / 5, so that their corners are whole numbers.
PICTURES = (
    Picture("train", "1", 96, 128, (
        Word("rectangle", box(4, 2, 44, 14), 'Hello, "old" world'),
        Word("rotated", ((30, 20), (70, 50), (58, 66), (18, 36)), 'say "hi"'),
        Word("quad", ((80, 4), (124, 10), (120, 30), (76, 22)), "Größe 東京"),
        Word("quad", ((4, 70), (30, 72), (28, 90), (2, 86)), "blurred", ignore=True),
    )),
    Picture("train", "2", 96, 128, (
        Word("curve", band(8, 18, (44, 24, 12, 8, 12, 24, 44), 10), "it's CURVED"),
        Word("curve", band(20, 14, (70, 66, 64, 63, 64, 66, 70), 14), "worn", ignore=True),
        Word("rectangle", box(50, 36, 80, 48), ""),
    )),
    Picture("train", "3", 80, 120, ()),
    Picture("test", "4", 100, 140, (
        Word("rotated", ((10, 60), (50, 30), (62, 46), (22, 76)), "1,000"),
        Word("curve", band(6, 17, (30, 18, 8, 4, 8, 18, 30), 10), "テスト <&> [1]"),
        Word("rectangle", box(70, 60, 120, 80), "noise", ignore=True),
        Word("curve", band(6, 10, (90, 88, 87, 86, 87, 88, 90), 8), ""),
        Word("quad", ((100, 40), (136, 44), (134, 56), (98, 52)), '"quoted"\\'),
    )),
)  # fmt: skip


@dataclass(frozen=True)
class Dialect:
    """A way to write the set, and what of the set it can hold."""

    key: str  # of reading.DIALECTS or FALLBACK
    write: Callable[[Path, list[Picture]], None]
    kinds: tuple[str, ...] = ANYTHING
    texts: bool = True
    mark: str | None = None  # the text that means don't-care; None: a flag says it, the text stays
    ignores: bool = True  # whether anything can be marked as don't-care
    empty: bool = True  # whether a text may be empty
    digits_first: bool = True  # whether a text may begin with a digit, where the numbers before it are not counted
    names: Callable[[int], str] = field(default=lambda number: FREE_NAMES[number - 1])  # of image number 1, 2, ...
    parts: tuple[str, str] = ("train", "test")  # how the two parts come out
    tolerance: float = 0.0  # px

    def expressible(self) -> list[Picture]:
        """The set as far as this dialect can hold it, under the names and in the parts that it gives."""
        return [
            picture._replace(
                part=self.parts[picture.part == "test"],
                name=self.names(number),
                words=tuple(self._word(word) for word in picture.words if self._holds(word)),
            )
            for number, picture in enumerate(PICTURES, start=1)
        ]

    def _holds(self, word: Word) -> bool:
        return (
            word.kind in self.kinds
            and (self.ignores or not word.ignore)
            and (self.empty or bool(word.text))
            and (self.digits_first or not word.text[:1].isdigit())
        )

    def _word(self, word: Word) -> Word:
        text = self.mark if word.ignore and self.mark is not None else word.text
        return word._replace(text=text if self.texts else "")


def pixels(picture: Picture) -> bytes:
    """The image file: a slope of grey, another one in each image."""
    rows, columns = np.mgrid[: picture.height, : picture.width]
    grey = (rows * 2 + columns + len(picture.words) * 20 + picture.height).astype(np.uint8)
    return cv2.imencode(Path(picture.name).suffix, np.stack([grey, 255 - grey, grey // 2], axis=2))[1].tobytes()


def put(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def put_json(path: Path, content: Any, **options: Any) -> None:
    put(path, json.dumps(content, **options))


def numbers(points: Points) -> list[int]:
    return [number for point in points for number in point]


def joined(points: Points) -> str:
    return ",".join(map(str, numbers(points)))


def bounds(points: Points) -> tuple[int, int, int, int]:
    """Left, top, right, bottom."""
    x, y = zip(*points, strict=True)
    return min(x), min(y), max(x), max(y)


def size_box(points: Points) -> list[int]:
    left, top, right, bottom = bounds(points)
    return [left, top, right - left, bottom - top]


def icdar_lines(picture: Picture, end: str = "\n") -> str:
    return "".join(f"{joined(word.points)},{word.text}{end}" for word in picture.words)


# Official folders of the Robust Reading Competition


def icdar2015(root: Path, pictures: list[Picture]) -> None:
    """https://rrc.cvc.uab.es/?ch=4&com=tasks: UTF-8 with a byte order mark, lines end as on Windows."""
    folders = {
        "train": ("ch4_training_images", "ch4_training_localization_transcription_gt"),
        "test": ("ch4_test_images", "Challenge4_Test_Task1_GT"),
    }
    for picture in pictures:
        images, labels = folders[picture.part]
        put(root / images / picture.name, pixels(picture))
        put(root / labels / f"gt_{Path(picture.name).stem}.txt", "\ufeff" + icdar_lines(picture, "\r\n"))


def icdar2013(root: Path, pictures: list[Picture]) -> None:
    """https://rrc.cvc.uab.es/?ch=2&com=tasks: the halves separate their fields differently."""
    folders = {
        "train": ("Challenge2_Training_Task12_Images", "Challenge2_Training_Task1_GT", " "),
        "test": ("Challenge2_Test_Task12_Images", "Challenge2_Test_Task1_GT", ", "),
    }
    for picture in pictures:
        images, labels, between = folders[picture.part]
        put(root / images / picture.name, pixels(picture))
        lines = []
        for word in picture.words:
            quoted = word.text.replace("\\", "\\\\").replace('"', '\\"')
            lines.append(between.join([*map(str, bounds(word.points)), f'"{quoted}"']) + "\r\n")
        put(root / labels / f"gt_{Path(picture.name).stem}.txt", "".join(lines))


# ICDAR lines in folders of one's own


def listed_folders(root: Path, pictures: list[Picture]) -> None:
    """Lists of image names, labels by the image's stem."""
    for part in ("train", "test"):
        put(root / f"{part}_list.txt", "".join(f"{p.name}\n" for p in pictures if p.part == part))
    for picture in pictures:
        put(root / f"{picture.part}_images" / picture.name, pixels(picture))
        put(root / f"{picture.part}_gts" / f"{Path(picture.name).stem}.txt", icdar_lines(picture))


def paired_lists(root: Path, pictures: list[Picture]) -> None:
    """Lists of image and label file with a tab between, as DBNet.pytorch has them."""
    for picture in pictures:
        image, label = f"{picture.part}_images/{picture.name}", f"{picture.part}_gts/{picture.name}.txt"
        put(root / image, pixels(picture))
        put(root / label, icdar_lines(picture))
        path = root / f"{picture.part}_list.txt"
        put(path, (path.read_text("utf-8") if path.exists() else "") + f"{image}\t{label}\n")


def scanned_folders(root: Path, pictures: list[Picture]) -> None:
    """The same without lists, labels by the image's whole name, as in the training parts of MhLiao/DB."""
    for picture in pictures:
        put(root / f"{picture.part}_images" / picture.name, pixels(picture))
        put(root / f"{picture.part}_gts" / f"{picture.name}.txt", icdar_lines(picture))


def plain_folders(root: Path, pictures: list[Picture]) -> None:
    for picture in pictures:
        put(root / "images" / picture.name, pixels(picture))
        put(root / "labels" / f"gt_{Path(picture.name).stem}.txt", icdar_lines(picture))


# Total-Text, https://github.com/cs-chan/Total-Text-Dataset


def total_text_image(root: Path, picture: Picture, suffix: str) -> Path:
    part = picture.part.capitalize()
    put(root / "Images" / part / picture.name, pixels(picture))
    return root / "Groundtruth" / "Polygon" / part / f"poly_gt_{Path(picture.name).stem}{suffix}"


def orientation(word: Word) -> str:
    return "#" if word.ignore else "c" if word.kind == "curve" else "h" if word.kind == "rectangle" else "m"


def totaltext_txt(root: Path, pictures: list[Picture]) -> None:
    """What Python 2 prints of numpy arrays and of lists of unicode texts; here, arrays wrap early."""
    for picture in pictures:
        lines = []
        for word in picture.words:
            x, y = (np.array2string(np.array([axis]), max_line_width=40) for axis in zip(*word.points, strict=True))
            lines.append(f"x: {x}, y: {y}, ornt: [u'{orientation(word)}'], transcriptions: [u{word.text!a}]\n")
        put(total_text_image(root, picture, ".txt"), "".join(lines))


def totaltext_mat(root: Path, pictures: list[Picture]) -> None:
    """Cells 'x:', numbers, 'y:', numbers, text, orientation, a row for each word."""
    for picture in pictures:
        rows = np.empty((len(picture.words), 6), object)
        for row, word in zip(rows, picture.words, strict=True):
            x, y = (np.array([axis], np.int16) for axis in zip(*word.points, strict=True))
            row[:] = ["x:", x, "y:", y, word.text, orientation(word)]
        path = total_text_image(root, picture, ".mat")
        path.parent.mkdir(parents=True, exist_ok=True)
        savemat(path, {"polygt": rows}, do_compression=True)


# SCUT-CTW1500, https://github.com/Yuliang-Liu/Curve-Text-Detector


def ctw1500_xml(root: Path, pictures: list[Picture]) -> None:
    """Both parts in XML; the official test part is below, in `ctw1500_text`."""
    for picture in pictures:
        boxes = []
        for word in picture.words:
            left, top, width, height = size_box(word.points)
            middle = (f'<pts x="{x}" y="{y}" />' for x, y in word.points[:7])
            boxes.append(
                f'<box height="{height}" left="{left}" top="{top}" width="{width}">\n'
                f"<label>{escape(word.text)}</label>\n<segs>{joined(word.points)}</segs>\n"
                f"{''.join(middle)}\n</box>"
            )
        inner = "\n".join(boxes)
        image = f'<Annotations>\n  <image file="{picture.name}">\n{inner}\n</image>\n</Annotations>\n'
        put(root / f"{picture.part}_images" / picture.name, pixels(picture))
        put(root / f"ctw1500_{picture.part}_labels" / f"{Path(picture.name).stem}.xml", image)


def ctw1500_offsets(root: Path, pictures: list[Picture]) -> None:
    """The first release: the rectangle, then each corner counted from its top left one."""
    for picture in pictures:
        lines = []
        for word in picture.words:
            left, top, right, bottom = bounds(word.points)
            offsets = tuple((x - left, y - top) for x, y in word.points)
            lines.append(f"{left},{top},{right},{bottom},{joined(offsets)}\n")
        put(root / picture.part / "text_image" / picture.name, pixels(picture))
        put(root / picture.part / "text_label_curve" / f"{Path(picture.name).stem}.txt", "".join(lines))


def ctw1500_text(root: Path, pictures: list[Picture]) -> None:
    """The official halves: XML to train with, and to test with corners and ####text, in files of longer names."""
    ctw1500_xml(root, [picture for picture in pictures if picture.part == "train"])
    for picture in (picture for picture in pictures if picture.part == "test"):
        lines = [f"{joined(word.points)},####{word.text}\n" for word in picture.words]
        put(root / "test_images" / picture.name, pixels(picture))
        put(root / "gt_ctw1500" / f"000{Path(picture.name).stem}.txt", "".join(lines))


# MSRA-TD500, http://www.iapr-tc11.org/mediawiki/index.php/MSRA_Text_Detection_500_Database_(MSRA-TD500)


def msra_td500(root: Path, pictures: list[Picture]) -> None:
    for picture in pictures:
        lines = []
        for index, word in enumerate(picture.words):
            (x0, y0), (x1, y1), (x2, y2), _ = word.points
            width, height = math.hypot(x1 - x0, y1 - y0), math.hypot(x2 - x1, y2 - y1)
            left, top = (x0 + x2) / 2 - width / 2, (y0 + y2) / 2 - height / 2
            theta = math.atan2(y1 - y0, x1 - x0)
            lines.append(f"{index} {int(word.ignore)} {left:.0f} {top:.0f} {width:.0f} {height:.0f} {theta:.6f}\n")
        put(root / picture.part / picture.name, pixels(picture))
        put(root / picture.part / f"{Path(picture.name).stem}.gt", "".join(lines))


# PaddleOCR, docs/datasets/ocr_datasets.md, and PPOCRLabel


def ppocr(root: Path, pictures: list[Picture]) -> None:
    """As the documentation of PaddleOCR tells to lay out ICDAR 2015."""
    images = {"train": "icdar_c4_train_imgs", "test": "ch4_test_images"}
    lines: dict[str, list[str]] = {"train": [], "test": []}
    for picture in pictures:
        put(root / images[picture.part] / picture.name, pixels(picture))
        words = [{"transcription": word.text, "points": [list(p) for p in word.points]} for word in picture.words]
        lines[picture.part].append(f"{images[picture.part]}/{picture.name}\t{json.dumps(words)}\n")
    for part, found in lines.items():
        put(root / f"{part}_icdar2015_label.txt", "".join(found))


def ppocr_label(root: Path, pictures: list[Picture]) -> None:
    """The folder of images that was opened, with all that PPOCRLabel leaves in it."""
    lines, states = [], []
    for picture in pictures:
        put(root / picture.name, pixels(picture))
        words = [
            {"transcription": word.text, "points": [list(p) for p in word.points], "difficult": word.ignore}
            for word in picture.words
        ]
        lines.append(f"{root.name}/{picture.name}\t{json.dumps(words, ensure_ascii=False)}\n")
        states.append(f"{root / picture.name}\t1\n")
        put(root / "crop_img" / f"{Path(picture.name).stem}_crop_0.jpg", pixels(picture._replace(name="crop.jpg")))
    put(root / "Label.txt", "".join(lines))
    put(root / "fileState.txt", "".join(states))
    put(root / "rec_gt.txt", "crop_img/plain_crop_0.jpg\tHello\n")


# MMOCR 1.x, https://mmocr.readthedocs.io/en/dev-1.x/user_guides/dataset_prepare.html


def mmocr(task: str, root: Path, pictures: list[Picture]) -> None:
    kind = {"textdet": "TextDetDataset", "textspotting": "TextSpottingDataset"}[task]
    metainfo = {"dataset_type": kind, "task_name": task, "category": [{"id": 0, "name": "text"}]}
    listed: dict[str, list[dict[str, Any]]] = {"train": [], "test": []}
    for picture in pictures:
        image = f"textdet_imgs/{picture.part}/{picture.name}"
        put(root / image, pixels(picture))
        instances = []
        for word in picture.words:
            instance = {"bbox": list(bounds(word.points)), "bbox_label": 0, "polygon": numbers(word.points)}
            instance |= {"text": word.text} if task == "textspotting" else {}
            instances.append(instance | {"ignore": word.ignore})
        entry = {"img_path": image, "height": picture.height, "width": picture.width, "instances": instances}
        listed[picture.part].append(entry)
    for part, entries in listed.items():
        put_json(root / f"{task}_{part}.json", {"metainfo": metainfo, "data_list": entries})


# LabelMe 5, https://github.com/wkentaro/labelme


def labelme(root: Path, pictures: list[Picture]) -> None:
    for picture in pictures:
        put(root / picture.part / picture.name, pixels(picture))
        shapes = []
        for word in picture.words:
            is_box = word.kind == "rectangle"
            points = [word.points[0], word.points[2]] if is_box else word.points
            shapes.append(
                {
                    "label": word.text,
                    "points": [[float(x), float(y)] for x, y in points],
                    "group_id": None,
                    "description": "",
                    "shape_type": "rectangle" if is_box else "polygon",
                    "flags": {},
                    "mask": None,
                }
            )
        sheet = {
            "version": "5.5.0",
            "flags": {},
            "shapes": shapes,
            "imagePath": picture.name,
            "imageData": base64.b64encode(pixels(picture)).decode(),
            "imageHeight": picture.height,
            "imageWidth": picture.width,
        }
        put_json(root / picture.part / f"{Path(picture.name).stem}.json", sheet, ensure_ascii=False, indent=2)


# COCO, https://cocodataset.org/#format-data, and COCO-Text, https://bgshih.github.io/cocotext


def area(points: Points) -> float:
    following = (*points[1:], points[0])
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(points, following, strict=True))) / 2


def coco(root: Path, pictures: list[Picture]) -> None:
    for part in ("train", "test"):
        images, annotations = [], []
        for number, picture in enumerate((p for p in pictures if p.part == part), start=11):
            put(root / f"{part}2017" / picture.name, pixels(picture))
            size = {"height": picture.height, "width": picture.width}
            images.append({"id": number, "file_name": picture.name, "license": 1, **size})
            for word in picture.words:
                annotations.append(
                    {
                        "segmentation": [numbers(word.points)],
                        "area": area(word.points),
                        "iscrowd": int(word.ignore),
                        "image_id": number,
                        "bbox": size_box(word.points),
                        "category_id": 1,
                        "id": len(annotations) + 1,
                    }
                )
        categories = [{"supercategory": "text", "id": 1, "name": "text"}]
        whole = {"info": {}, "licenses": [], "images": images, "annotations": annotations, "categories": categories}
        put_json(root / "annotations" / f"instances_{part}2017.json", whole)


def coco_text(outline: str, root: Path, pictures: list[Picture]) -> None:
    """All images come from train2014 of COCO; "set", train or val, says what part they are of here.

    outline: "mask", as version 2 has it, or "polygon", as the first one had."""
    imgs: dict[str, Any] = {}
    anns: dict[str, Any] = {}
    of_image: dict[str, list[int]] = {}
    for number, picture in enumerate(pictures, start=11):
        put(root / "train2014" / picture.name, pixels(picture))
        size = {"width": picture.width, "height": picture.height}
        imgs[str(number)] = {"id": number, "set": picture.part, "file_name": picture.name, **size}
        of_image[str(number)] = []
        for word in picture.words:
            key = 1000 + len(anns)
            of_image[str(number)].append(key)
            anns[str(key)] = {
                outline: numbers(word.points),
                "class": "machine printed",
                "bbox": [float(side) for side in size_box(word.points)],
                "image_id": number,
                "id": key,
                "language": "english",
                "area": area(word.points),
                "utf8_string": word.text,
                "legibility": "illegible" if word.ignore else "legible",
            }
    whole = {"cats": {}, "anns": anns, "imgs": imgs, "imgToAnns": of_image, "info": {"version": "2"}}
    put_json(root / "cocotext.v2.json", whole)


def textocr(root: Path, pictures: list[Picture]) -> None:
    """https://textvqa.org/textocr/dataset: one file for each part, all images in the folder of one archive."""
    for part in ("train", "val"):
        imgs: dict[str, Any] = {}
        anns: dict[str, Any] = {}
        of_image: dict[str, list[str]] = {}
        for picture in (picture for picture in pictures if picture.part == part):
            put(root / "train_images" / picture.name, pixels(picture))
            key = Path(picture.name).stem
            size = {"width": picture.width, "height": picture.height}
            imgs[key] = {"id": key, **size, "set": part, "file_name": f"train/{picture.name}"}
            of_image[key] = [f"{key}_{number}" for number in range(1, len(picture.words) + 1)]
            for name, word in zip(of_image[key], picture.words, strict=True):
                anns[name] = {
                    "id": name,
                    "image_id": key,
                    "bbox": [float(side) for side in size_box(word.points)],
                    "utf8_string": word.text,
                    "points": [float(number) for number in numbers(word.points)],
                    "area": area(word.points),
                }
        put_json(root / f"TextOCR_0.1_{part}.json", {"imgs": imgs, "anns": anns, "img2Anns": of_image})


# docTR, https://github.com/mindee/doctr/tree/main/references/detection


def doctr(root: Path, pictures: list[Picture]) -> None:
    sheets: dict[str, dict[str, Any]] = {"train": {}, "test": {}}
    for picture in pictures:
        put(root / picture.part / "images" / picture.name, pixels(picture))
        sheets[picture.part][picture.name] = {
            "img_dimensions": (picture.height, picture.width),
            "img_hash": hashlib.sha256(pixels(picture)).hexdigest(),
            "polygons": [[list(point) for point in word.points] for word in picture.words],
        }
    for part, sheet in sheets.items():
        put_json(root / part / "labels.json", sheet)


def _task(write: Callable[[str, Path, list[Picture]], None], first: str) -> Callable[[Path, list[Picture]], None]:
    return lambda root, pictures: write(first, root, pictures)


_TOTAL_TEXT = Dialect("totaltext", totaltext_txt, mark="#", names="img{}.jpg".format)
_CTW1500 = Dialect("ctw1500", ctw1500_xml, kinds=("curve",), mark="###", names="{:04}.jpg".format)
_QUADS = Dialect("folders", listed_folders, kinds=FOUR_CORNERS, mark="###")
_POLYGONS = Dialect("folders", scanned_folders, mark="###", digits_first=False)
_ALL_TRAIN = ("train", "train")
_TRAIN_VAL = ("train", "val")
_COCO_TEXT = Dialect("coco", _task(coco_text, "mask"), names="COCO_train2014_{:012}.jpg".format, parts=_TRAIN_VAL)

WAYS: dict[str, Dialect] = {
    "icdar2015": Dialect("icdar2015", icdar2015, kinds=FOUR_CORNERS, mark="###", names="img_{}.jpg".format),
    "icdar2013": Dialect("icdar2013", icdar2013, kinds=("rectangle",), mark="###", names="img_{}.jpg".format),
    "lists": _QUADS,
    "lists of pairs": replace(_QUADS, write=paired_lists),
    "folders without lists": _POLYGONS,
    "images and labels": replace(_POLYGONS, write=plain_folders, parts=_ALL_TRAIN),
    "totaltext .txt": _TOTAL_TEXT,
    "totaltext .mat": replace(_TOTAL_TEXT, write=totaltext_mat),
    "ctw1500 XML": _CTW1500,
    "ctw1500 offsets": replace(_CTW1500, write=ctw1500_offsets, texts=False, ignores=False),
    "ctw1500 ####": replace(_CTW1500, write=ctw1500_text, names=lambda number: f"{1000 + number}.jpg"),
    "msra_td500": Dialect(
        "msra_td500",
        msra_td500,
        kinds=("rectangle", "rotated"),
        texts=False,
        names="IMG_{:04}.JPG".format,
        tolerance=0.05,
    ),
    "ppocr": Dialect("ppocr", ppocr, mark="###", names="img_{}.jpg".format),
    "PPOCRLabel": Dialect("ppocr", ppocr_label, parts=_ALL_TRAIN),
    "mmocr": Dialect("mmocr", _task(mmocr, "textdet"), texts=False),
    "mmocr spotting": Dialect("mmocr", _task(mmocr, "textspotting")),
    "labelme": Dialect("labelme", labelme, mark="###", empty=False),
    "coco": Dialect("coco", coco, texts=False),
    "coco-text": Dialect(
        "coco", _task(coco_text, "mask"), names="COCO_train2014_{:012}.jpg".format, parts=("train", "val")
    ),
    "coco-text 1": Dialect(
        "coco", _task(coco_text, "polygon"), names="COCO_train2014_{:012}.jpg".format, parts=("train", "val")
    ),
    "textocr": Dialect("coco", textocr, mark=".", names="a4ea732cd3d5948{}.jpg".format, parts=_TRAIN_VAL),
    "doctr": Dialect("doctr", doctr, kinds=FOUR_CORNERS, texts=False, ignores=False),
}
