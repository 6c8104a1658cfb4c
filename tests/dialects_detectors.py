"""Writers of the line formats of tools for detection, and of ICDAR lines with other columns."""

from __future__ import annotations

from pathlib import Path

from dialect_set import Picture, Points, Word, bounds, joined, numbers, pixels, put

CLASS = 12  # the class of every region
NAMES = [f"kind {number}" for number in range(CLASS)] + ["text"]


def shares(points: Points, picture: Picture) -> list[float]:
    return [value / (picture.width, picture.height)[place % 2] for place, value in enumerate(numbers(points))]


def spaced(values: list[float]) -> str:
    return " ".join(f"{value:.6f}" for value in values)


# YOLO: https://docs.ultralytics.com/datasets, and CVAT's export for Darknet


def box_line(word: Word, picture: Picture) -> str:
    left, top, right, bottom = bounds(word.points)
    box = (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
    sides = picture.width, picture.height
    return f"{CLASS} {spaced([value / sides[place % 2] for place, value in enumerate(box)])}\n"


def outline_line(word: Word, picture: Picture) -> str:
    return f"{CLASS} {spaced(shares(word.points, picture))}\n"


def yolo_boxes(root: Path, pictures: list[Picture]) -> None:
    """Ultralytics: splits below images/ and labels/."""
    for picture in pictures:
        put(root / "images" / picture.split / picture.name, pixels(picture))
        lines = "".join(box_line(word, picture) for word in picture.words)
        put(root / "labels" / picture.split / f"{Path(picture.name).stem}.txt", lines)
    listed = "".join(f"  {number}: {name}\n" for number, name in enumerate(NAMES))
    put(root / "data.yaml", f"path: ../sets/mine\ntrain: images/train\nval: images/val\n\nnames:\n{listed}")


def yolo_outlines(root: Path, pictures: list[Picture]) -> None:
    """Roboflow: images/ and labels/ in the folder of each split."""
    for picture in pictures:
        put(root / picture.split / "images" / picture.name, pixels(picture))
        lines = "".join(outline_line(word, picture) for word in picture.words)
        put(root / picture.split / "labels" / f"{Path(picture.name).stem}.txt", lines)
    put(root / "data.yaml", f"train: ../train/images\ntest: ../test/images\n\nnc: {len(NAMES)}\nnames: {NAMES}\n")
    put(root / "README.dataset.txt", "# photos\nhttps://universe.example/photos\n")


def yolo_beside(root: Path, pictures: list[Picture]) -> None:
    """CVAT: labels beside the images, all in one folder, which train.txt lists."""
    for picture in pictures:
        put(root / "obj_train_data" / picture.name, pixels(picture))
        lines = "".join(box_line(word, picture) for word in picture.words)
        put(root / "obj_train_data" / f"{Path(picture.name).stem}.txt", lines)
    put(root / "obj.names", "".join(f"{name}\n" for name in NAMES))
    put(root / "obj.data", f"classes = {len(NAMES)}\nnames = obj.names\ntrain = train.txt\n")
    put(root / "train.txt", "".join(f"data/obj_train_data/{picture.name}\n" for picture in pictures))


# DOTA, https://captain-whu.github.io/DOTA/dataset.html


def dota(root: Path, pictures: list[Picture], labels: str = "labelTxt", header: bool = True) -> None:
    for picture in pictures:
        put(root / picture.split / "images" / picture.name, pixels(picture))
        lines = ["imagesource:GoogleEarth\n", "gsd:0.146343590398\n"] if header else []
        for word in picture.words:
            place = " ".join(map(str, numbers(word.points)))
            lines.append(f"{place} text {int(word.ignore)}\n")
        put(root / picture.split / labels / f"{Path(picture.name).stem}.txt", "".join(lines))


# ICDAR lines with other columns


def with_columns(root: Path, pictures: list[Picture], columns: str) -> None:
    """columns: what follows the corners, with {level} and {text}; after ",box", what follows a box."""
    for picture in pictures:
        lines = []
        for word in picture.words:
            place = ",".join(map(str, bounds(word.points))) if columns.startswith(",box") else joined(word.points)
            end = columns.removeprefix(",box").format(level=int(word.ignore), text=word.text)
            lines.append(f"{place}{end}\n")
        put(root / f"{picture.split}_images" / picture.name, pixels(picture))
        put(root / f"{picture.split}_gts" / f"gt_{Path(picture.name).stem}.txt", "".join(lines))
