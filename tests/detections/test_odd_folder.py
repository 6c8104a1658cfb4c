"""A folder of all kinds of image files: those that can be read are searched, the others listed with a reason."""

from __future__ import annotations

import json
import struct
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from conftest import installed
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes

EXIF_ORIENTATION = 0x0112
SIDES = [(96, 128), (97, 131), (33, 400), (64, 64), (20, 30), (1, 1), (5, 2000), (300, 31), (1, 700), (96, 1300)]
MODES = {  # kind -> mode of the stored pixels, format, further arguments of save
    "colour.jpg": ("RGB", "JPEG", {}),
    "progressive.JPG": ("RGB", "JPEG", {"progressive": True}),
    "grey.jpeg": ("L", "JPEG", {}),
    "print.jpg": ("CMYK", "JPEG", {}),
    "turned.jpg": ("RGB", "JPEG", {"orientation": 6}),
    "png called.jpg": ("RGB", "PNG", {}),
    "bit.png": ("1", "PNG", {}),
    "palette.png": ("P", "PNG", {}),
    "deep.png": ("I;16", "PNG", {}),
    "clear.png": ("RGBA", "PNG", {}),
    "clear grey 照片\n#%.png": ("LA", "PNG", {}),
    "moving.gif": ("P", "GIF", {"save_all": True, "pages": 3}),
    "pages.tif": ("RGB", "TIFF", {"save_all": True, "pages": 2}),
    "odd.webp": ("RGBA", "WEBP", {}),
}
REASONS = {
    "empty.jpg": "the file is empty",
    "cut.jpg": "truncated",
    "cut.png": "truncated",
    "page.jpg": "not an image (starts with",
    "float.tif": "pixels are float32",
    "bomb.png": "megapixels; at most 179 (max_megapixels)",
}


def pages_of(kind: str, number: int) -> list[str]:
    """The images in a file. Pillow writes equal frames once, and of 1 × 1 pixel all are equal."""
    several = kind == "pages.tif" or (kind == "moving.gif" and SIDES[number] != (1, 1))
    return [f"{number}/{kind}#{page}" for page in (1, 2)] if several else [f"{number}/{kind}"]


def write_readable(folder: Path, kind: str, number: int) -> None:
    """One image of a kind, in the number-th size, in its own folder."""
    mode, form, more = MODES[kind]
    height, width = SIDES[number]
    pixels = SyntheticScenes(1, 96, 128, seed=number).load(0).image
    image = PIL.Image.fromarray(pixels).resize((width, height))
    grey = np.asarray(image.convert("L"))
    image = PIL.Image.fromarray(grey.astype(np.uint16) * 257) if mode == "I;16" else image.convert(mode)
    saved = {key: value for key, value in more.items() if key not in ("pages", "orientation")}
    if "pages" in more:
        saved["append_images"] = [image.rotate(180) for _ in range(more["pages"] - 1)]
    if "orientation" in more:
        saved["exif"] = PIL.Image.Exif()
        saved["exif"][EXIF_ORIENTATION] = more["orientation"]
    (folder / str(number)).mkdir(parents=True, exist_ok=True)
    image.save(folder / str(number) / kind, form, **saved)


def write_unreadable(folder: Path, kind: str, number: int) -> None:
    """One file that is not an image, or is truncated."""
    picture = PIL.Image.fromarray(np.random.default_rng(number).integers(0, 256, (90, 120, 3), dtype=np.uint8))
    (folder / str(number)).mkdir(parents=True, exist_ok=True)
    path = folder / str(number) / kind
    if kind in ("cut.jpg", "cut.png"):
        picture.save(path)
        path.write_bytes(path.read_bytes()[: 3000 + 100 * number])
    elif kind == "float.tif":
        PIL.Image.fromarray(np.ones((9, 9), np.float32)).save(path)
    elif kind == "bomb.png":
        chunks = [
            (b"IHDR", struct.pack(">IIBBBBB", 40_000, 40_000 + number, 8, 2, 0, 0, 0)),
            (b"IDAT", b""),
            (b"IEND", b""),
        ]
        whole = (struct.pack(">I", len(c)) + name + c + struct.pack(">I", zlib.crc32(name + c)) for name, c in chunks)
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(whole))
    else:
        path.write_text("<html>no</html>" if kind == "page.jpg" else "")


@pytest.mark.slow
def test_140_of_200_are_searched_and_60_listed_with_their_reasons(tiny_run: Path, tmp_path: Path):
    folder = tmp_path / "in"
    for number in range(10):
        for kind in MODES:
            write_readable(folder, kind, number)
        for kind in REASONS:
            write_unreadable(folder, kind, number)
    assert sum(path.is_file() for path in folder.rglob("*")) == 200
    words = ("input=in", "output=out", f"checkpoint={tiny_run}/checkpoints/last.pt", "decode.box_thresh=0")
    done = installed("ocrdet-detect", *words, "crops=true", "labelme=true", "coco=true", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    content = json.loads((tmp_path / "out/detections.json").read_text())
    names = [image["image"] for image in content["images"]]
    assert sorted(names) == sorted(name for number in range(10) for kind in MODES for name in pages_of(kind, number))
    for image in content["images"]:
        number, kind = image["image"].split("/", 1)
        sides = SIDES[int(number)]
        assert (image["height"], image["width"]) == (sides[::-1] if kind == "turned.jpg" else sides)
        points = np.array([point for polygon in image["polygons"] for point in polygon]).reshape(-1, 2)
        assert ((points >= 0) & (points <= [image["width"] - 1, image["height"] - 1])).all()
    assert sum(len(image["polygons"]) for image in content["images"]) > 100
    for failed in json.loads((tmp_path / "out/errors.json").read_text()):
        assert REASONS[failed["image"].split("/")[1]] in failed["error"], failed
    failed = Counter(each["image"].split("/")[1] for each in content["errors"])
    assert failed == dict.fromkeys(REASONS, 10)
    assert len(list((tmp_path / "out/txt").rglob("res_*.txt"))) == 159  # 19 files have two pages
    files = sorted((tmp_path / "out").rglob("*.*"))
    again = installed("ocrdet-detect", *words, "crops=true", cwd=tmp_path)
    assert sorted((tmp_path / "out").rglob("*.*")) == files
    assert again.returncode == 1 and "219 images in in, 159 of them done already" in again.stdout
