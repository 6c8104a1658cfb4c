"""A folder of labelled images, most of them with a defect, and the finding for each.

The layout is images/ with labels/ and ICDAR lines; image and label file are named after the defect. The images are all
different, sharp and of high contrast, unless that is the defect.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import PIL.Image

SIDES = (96, 128)  # height and width, px
WORD = "20,20,60,20,60,40,20,40,word"
OTHER = "70,50,110,50,110,70,70,70,other"


class Defect(NamedTuple):
    """Label file of one image, and the expected finding."""

    code: str
    line: int  # 0: the whole file
    label: str | bytes | None  # None: no label file
    file: str = "label"  # reported file: "label" or "image"


def after(line: str) -> str:
    """A label file with the line as the second of three."""
    return f"{WORD}\n{line}\n{OTHER}\n"


LABELS = {  # by name
    "no_label": Defect("GT001", 0, None, "image"),
    "empty_label": Defect("GT002", 0, " \r\n"),
    "byte_order_mark": Defect("GT003", 0, f"\ufeff{WORD}\n"),
    "other_encoding": Defect("GT004", 0, f"{WORD[:-4]}\u7167\u7247\n".encode("gb18030")),
    "a_picture_for_labels": Defect("GT006", 0, b"\xff\xd8\xff\xe0\0\x10JFIF"),
    "zero_bytes": Defect("GT006", 0, b"1,2,3\0,4"),
    "no_text": Defect("GT010", 1, "20,20,60,20,60,40,20,40\n"),
    "semicolons": Defect("GT015", 1, WORD.replace(",", ";")),
    "tabs": Defect("GT015", 1, WORD.replace(",", "\t")),
    "brackets": Defect("GT016", 1, "[[20,20],[60,20],[60,40],[20,40]],word"),
    "quotes": Defect("GT016", 1, '"20","20","60","20","60","40","20","40","word"'),
    "header": Defect("GT017", 1, f"x1,y1,x2,y2,x3,y3,x4,y4,text\n{WORD}\n"),
    "comment": Defect("GT017", 2, after("# the next one is hard to read")),
    "four_numbers": Defect("GT018", 2, after("20,60,60,80")),
    "seven_numbers": Defect("GT019", 2, after("20,60,60,60,60,80,20")),
    "letter_for_a_digit": Defect("GT020", 2, after("20,6O,60,60,60,80,20,80,word")),
    "other_digits": Defect("GT020", 2, after("20,\u0666\u0660,60,60,60,80,20,80,word")),
    "a_number_missing": Defect("GT020", 2, after("20,60,,60,60,80,20,80,word")),
    "not_a_number": Defect("GT021", 2, after("20,nan,60,60,60,80,20,80,word")),
    "astronomical": Defect("GT021", 2, after("20,60,60,60,1e9,80,20,80,word")),
    "shares": Defect("GT023", 0, "0.2,0.2,0.5,0.2,0.5,0.4,0.2,0.4,word"),
    "other_size": Defect(
        "GT024", 0, "600,20,900,20,900,80,600,80,a\n200,300,300,300,300,350,200,350,b\n20,20,40,20,40,40,20,40,c"
    ),
    "x_and_y_exchanged": Defect("GT025", 0, "20,98,40,98,40,125,20,125,a\n50,100,70,100,70,120,50,120,b"),
    "twice": Defect("GT029", 2, f"{WORD}\n{WORD}\n"),
    "triangle": Defect("PG030", 2, after("20,60,60,60,40,80")),
    "bow_tie": Defect("PG031", 2, after("20,60,60,80,60,60,20,80,word")),
    "repeated_corner": Defect("PG034", 2, after("20,60,60,60,60,60,40,80,word")),
    "flat": Defect("PG035", 2, after("20,60,60,60,40,60,30,60,word")),
    "a_point": Defect("PG035", 2, after("20,60,20,60,20,60,20,60,word")),
    "over_the_border": Defect("PG039", 2, after("100,75,160,75,160,90,100,90,word")),
    "negative": Defect("PG039", 2, after("-30,60,30,60,30,80,-30,80,word")),
    "outside": Defect("PG040", 2, after("220,60,260,60,260,80,220,80,word")),
    "everything": Defect("PG042", 2, after("0,0,127,0,127,95,0,95,word")),
    "one_on_the_other": Defect("PG043", 2, after("21,20,60,20,60,40,21,40,word again")),
    "empty_image": Defect("IM051", 0, WORD, "image"),
    "cut_short": Defect("IM052", 0, WORD, "image"),
    "web_page": Defect("IM053", 0, WORD, "image"),
    "black": Defect("QA104", 0, WORD, "image"),
    "blank": Defect("IM067", 0, "", "image"),
    "animation": Defect("IM062", 0, WORD, "image"),
    "floating_point": Defect("IM060", 0, WORD, "image"),
    "broken_link": Defect("FS077", 0, WORD, "image"),
    "good_1_again": Defect("FS072", 0, WORD, "image"),
    "long": Defect("IM066", 0, WORD, "image"),
}
SUFFIXES = {"cut_short": ".jpg", "animation": ".gif", "floating_point": ".tiff"}
GOOD = 12  # images without a defect


def build(root: Path) -> dict[tuple[str, str, int], str]:
    """Write the data set. Returns the expected findings: code, file below `root` and line -> name of the defect."""
    (root / "images").mkdir(parents=True)
    (root / "labels").mkdir()
    wanted: dict[tuple[str, str, int], str] = {}
    for number, (name, defect) in enumerate(LABELS.items()):
        image = root / "images" / f"{name}{SUFFIXES.get(name, '.png')}"
        write_image(name, image, number)
        write_label(root / "labels" / f"{name}.txt", defect.label)
        file = image if defect.file == "image" else root / "labels" / f"{name}.txt"
        wanted[defect.code, file.relative_to(root).as_posix(), defect.line] = name
    for number in range(GOOD):
        write_image("good", root / "images" / f"good_{number}.png", 1000 + number)
        write_label(root / "labels" / f"good_{number}.txt", f"{WORD}\n{OTHER}\n")
    write_between_files(root, wanted)
    return wanted


def write_between_files(root: Path, wanted: dict[tuple[str, str, int], str]) -> None:
    """Defects that concern several files."""
    for number, name in enumerate(("two_labels.png", "shared.png", "shared.jpg")):
        write_image("good", root / "images" / name, 2000 + number)
    write_label(root / "labels" / "two_labels.txt", WORD)
    write_label(root / "labels" / "gt_two_labels.txt", OTHER)
    write_label(root / "labels" / "shared.txt", WORD)
    write_label(root / "labels" / "nobody.txt", WORD)
    (root / "images" / "photo.HEIC").write_bytes(b"x")
    wanted["GT026", "labels/two_labels.txt", 0] = "two label files"
    wanted["FS076", "labels/shared.txt", 0] = "two images with one label file"
    wanted["GT027", "labels/nobody.txt", 0] = "labels without an image"
    wanted["IM071", "images/photo.HEIC", 0] = "an image of an unsupported kind"


def write_image(name: str, path: Path, number: int) -> None:
    """The image of a defect."""
    if name == "broken_link":
        path.symlink_to("gone.png")
    elif name == "empty_image":
        path.write_bytes(b"")
    elif name == "web_page":
        path.write_bytes(b"<html><body>404</body></html>")
    elif name == "cut_short":
        path.write_bytes(encoded(".jpg", picture(number))[:-600])
    elif name == "black":
        path.write_bytes(encoded(".png", np.zeros((*SIDES, 3), np.uint8)))
    elif name == "blank":
        path.write_bytes(encoded(".png", np.full((*SIDES, 3), 255, np.uint8)))
    elif name == "animation":
        frames = [PIL.Image.fromarray(picture(number + frame)) for frame in (0, 500)]
        frames[0].save(path, save_all=True, append_images=frames[1:])
    elif name == "floating_point":
        path.write_bytes(encoded(".tiff", picture(number).astype(np.float32) / 255))
    elif name == "good_1_again":
        path.write_bytes(encoded(".png", picture(1001)))
    elif name == "long":
        path.write_bytes(encoded(".png", picture(number, (96, 3200))))
    else:
        path.write_bytes(encoded(path.suffix, picture(number)))


def picture(number: int, sides: tuple[int, int] = SIDES) -> np.ndarray:
    """Two sharp words where the labels are, and a third below, different for each number; (H, W, 3) uint8."""
    rng = np.random.default_rng(number)
    image = np.full((*sides, 3), 225, np.uint8)
    for left, bottom, size in ((22, 37, 0.5), (73, 67, 0.5), (21, 77, 0.4)):
        word = "".join(chr(ord("A") + int(rng.integers(26))) for _ in range(3))
        cv2.putText(image, word, (left, bottom), cv2.FONT_HERSHEY_SIMPLEX, size, (20, 30, 40), 1, cv2.LINE_AA)
    return image


def encoded(suffix: str, pixels: np.ndarray) -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()


def write_label(path: Path, content: str | bytes | None) -> None:
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
