"""Writers of the formats with one text, XML or MATLAB file per image, from their public descriptions."""

from __future__ import annotations

import math
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from scipy.io import savemat

from dialect_set import Picture, Word, bounds, icdar_lines, joined, pixels, put, size_box

# Official folders of the Robust Reading Competition


def icdar2015(root: Path, pictures: list[Picture]) -> None:
    """https://rrc.cvc.uab.es/?ch=4&com=tasks: UTF-8 with a byte order mark, with CRLF."""
    folders = {
        "train": ("ch4_training_images", "ch4_training_localization_transcription_gt"),
        "test": ("ch4_test_images", "Challenge4_Test_Task1_GT"),
    }
    for picture in pictures:
        images, labels = folders[picture.split]
        put(root / images / picture.name, pixels(picture))
        put(root / labels / f"gt_{Path(picture.name).stem}.txt", "\ufeff" + icdar_lines(picture, "\r\n"))


def icdar2013(root: Path, pictures: list[Picture]) -> None:
    """https://rrc.cvc.uab.es/?ch=2&com=tasks: the two sets use different separators."""
    folders = {
        "train": ("Challenge2_Training_Task12_Images", "Challenge2_Training_Task1_GT", " "),
        "test": ("Challenge2_Test_Task12_Images", "Challenge2_Test_Task1_GT", ", "),
    }
    for picture in pictures:
        images, labels, between = folders[picture.split]
        put(root / images / picture.name, pixels(picture))
        lines = []
        for word in picture.words:
            quoted = word.text.replace("\\", "\\\\").replace('"', '\\"')
            lines.append(between.join([*map(str, bounds(word.points)), f'"{quoted}"']) + "\r\n")
        put(root / labels / f"gt_{Path(picture.name).stem}.txt", "".join(lines))


# Folders with ICDAR lines


def listed_folders(root: Path, pictures: list[Picture]) -> None:
    """Lists of image names, labels by the image's stem."""
    for split in ("train", "test"):
        put(root / f"{split}_list.txt", "".join(f"{p.name}\n" for p in pictures if p.split == split))
    for picture in pictures:
        put(root / f"{picture.split}_images" / picture.name, pixels(picture))
        put(root / f"{picture.split}_gts" / f"{Path(picture.name).stem}.txt", icdar_lines(picture))


def paired_lists(root: Path, pictures: list[Picture]) -> None:
    """Lists of image and label file separated by a tab, as in DBNet.pytorch."""
    for picture in pictures:
        image, label = f"{picture.split}_images/{picture.name}", f"{picture.split}_gts/{picture.name}.txt"
        put(root / image, pixels(picture))
        put(root / label, icdar_lines(picture))
        path = root / f"{picture.split}_list.txt"
        put(path, (path.read_text("utf-8") if path.exists() else "") + f"{image}\t{label}\n")


def scanned_folders(root: Path, pictures: list[Picture]) -> None:
    """Without lists, labels named after the image with its suffix, as in MhLiao/DB."""
    for picture in pictures:
        put(root / f"{picture.split}_images" / picture.name, pixels(picture))
        put(root / f"{picture.split}_gts" / f"{picture.name}.txt", icdar_lines(picture))


def plain_folders(root: Path, pictures: list[Picture]) -> None:
    for picture in pictures:
        put(root / "images" / picture.name, pixels(picture))
        put(root / "labels" / f"gt_{Path(picture.name).stem}.txt", icdar_lines(picture))


# Total-Text, https://github.com/cs-chan/Total-Text-Dataset


def total_text_image(root: Path, picture: Picture, suffix: str) -> Path:
    split = picture.split.capitalize()
    put(root / "Images" / split / picture.name, pixels(picture))
    return root / "Groundtruth" / "Polygon" / split / f"poly_gt_{Path(picture.name).stem}{suffix}"


def orientation(word: Word) -> str:
    return "#" if word.ignore else "c" if word.kind == "curve" else "h" if word.kind == "rectangle" else "m"


def totaltext_txt(root: Path, pictures: list[Picture]) -> None:
    """Numpy arrays and lists of unicode strings as printed by Python 2; here, arrays wrap early."""
    for picture in pictures:
        lines = []
        for word in picture.words:
            x, y = (np.array2string(np.array([axis]), max_line_width=40) for axis in zip(*word.points, strict=True))
            lines.append(f"x: {x}, y: {y}, ornt: [u'{orientation(word)}'], transcriptions: [u{word.text!a}]\n")
        put(total_text_image(root, picture, ".txt"), "".join(lines))


def totaltext_mat(root: Path, pictures: list[Picture]) -> None:
    """Cells 'x:', numbers, 'y:', numbers, text, orientation, one row per word."""
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
    """Both splits in XML; the official test set is written by `ctw1500_text`."""
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
        put(root / f"{picture.split}_images" / picture.name, pixels(picture))
        put(root / f"ctw1500_{picture.split}_labels" / f"{Path(picture.name).stem}.xml", image)


def ctw1500_offsets(root: Path, pictures: list[Picture]) -> None:
    """The first release: the rectangle, then corners relative to its top left."""
    for picture in pictures:
        lines = []
        for word in picture.words:
            left, top, right, bottom = bounds(word.points)
            offsets = tuple((x - left, y - top) for x, y in word.points)
            lines.append(f"{left},{top},{right},{bottom},{joined(offsets)}\n")
        put(root / picture.split / "text_image" / picture.name, pixels(picture))
        put(root / picture.split / "text_label_curve" / f"{Path(picture.name).stem}.txt", "".join(lines))


def ctw1500_text(root: Path, pictures: list[Picture]) -> None:
    """The official sets: XML for training; corners and ####text in files with longer names for testing."""
    ctw1500_xml(root, [picture for picture in pictures if picture.split == "train"])
    for picture in (picture for picture in pictures if picture.split == "test"):
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
        put(root / picture.split / picture.name, pixels(picture))
        put(root / picture.split / f"{Path(picture.name).stem}.gt", "".join(lines))
