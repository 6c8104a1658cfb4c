"""Images of docs/bad-input.md that no other test covers."""

from __future__ import annotations

import errno
import io
import json
import struct
import warnings
import zlib
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
import torch

from conftest import TINY
from resnet18_ocrdet.check.image_stats import measure_image
from resnet18_ocrdet.cli import _detect, _train
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.data import image_io
from resnet18_ocrdet.data.image_checks import to_upright
from resnet18_ocrdet.data.image_guard import ImageFault
from resnet18_ocrdet.data.image_header import read_header
from resnet18_ocrdet.data.image_io import read_image
from resnet18_ocrdet.data.record import to_record
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.model.layers import Normalize

HEIGHT, WIDTH = 32, 48  # of the stored pixels
MARK = (38, 8)  # x, y: the middle of a dark square
EXIF_ORIENTATION = 0x0112


def marked(mode: str) -> PIL.Image.Image:
    """A white image with one dark square, opaque or with a clear border; 16 bits as "I;16"."""
    pixels = np.full((HEIGHT, WIDTH), 255, np.uint8)
    pixels[MARK[1] - 5 : MARK[1] + 6, MARK[0] - 5 : MARK[0] + 6] = 0
    if mode == "I;16":
        return PIL.Image.fromarray(pixels.astype(np.uint16) * 257)
    grey = PIL.Image.fromarray(pixels)
    if mode not in ("LA", "RGBA"):
        return grey.convert("RGB").convert(mode)
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[:, :3] = 0
    image = grey.convert(mode)
    image.putalpha(PIL.Image.fromarray(alpha))
    return image


def centre(image: np.ndarray) -> tuple[float, float]:
    """x and y of the dark square."""
    rows, columns = np.nonzero(image[..., 0] < 110)
    return float(columns.mean()), float(rows.mean())


FORMATS = {
    ".jpg": ("RGB", "L", "CMYK"),
    ".png": ("RGB", "L", "P", "1", "I;16", "RGBA", "LA"),
    ".webp": ("RGB", "RGBA"),
    ".tif": ("RGB", "L", "P", "RGBA", "CMYK", "I;16"),
}


@pytest.mark.parametrize("orientation", [1, 2, 3, 6, 8])
@pytest.mark.parametrize(("suffix", "mode"), [(suffix, mode) for suffix, modes in FORMATS.items() for mode in modes])
def test_the_header_gives_the_upright_size(tmp_path: Path, suffix: str, mode: str, orientation: int):
    """Labels are rotated by the header's orientation, which must match reading, for every format."""
    path = tmp_path / f"a{suffix}"
    exif = PIL.Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    marked(mode).save(path, exif=exif)
    head, image = read_header(path), read_image(path)
    assert image.shape == (head.height, head.width, 3)
    (point,) = to_upright(np.array([MARK], np.float32), head.orientation, HEIGHT, WIDTH)
    assert centre(image) == pytest.approx(tuple(point), abs=0.6)


@pytest.mark.parametrize(("mode", "colour"), [("RGB", (1, 2, 3)), ("L", 3), ("P", 3)])
def test_a_transparent_colour_of_a_png(tmp_path: Path, mode: str, colour: object):
    exif = PIL.Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    marked(mode).save(tmp_path / "a.png", exif=exif, transparency=colour)
    head = read_header(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").shape[:2] == (head.height, head.width)


@pytest.mark.parametrize("mode", ["1", "P"])
def test_one_bit_and_palette(tmp_path: Path, mode: str):
    colours = np.zeros((8, 8, 3), np.uint8)
    colours[:4] = 255 if mode == "1" else (255, 0, 0)
    PIL.Image.fromarray(colours).convert(mode).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), colours)


def adobe_jpeg(cmyk: np.ndarray, transform: int) -> bytes:
    """A JPEG of (H, W, 4) ink, 0 to 255; transform 2: the planes are YCCK."""
    file = io.BytesIO()
    PIL.Image.fromarray(cmyk, "CMYK").save(file, "JPEG", quality=100, subsampling=0)
    data = bytearray(file.getvalue())
    place = data.index(b"Adobe") + 11  # version, two flags of 2 bytes each, then the transform: Adobe TN 5116
    assert data[place] == 0
    data[place] = transform
    return bytes(data)


def test_cmyk_with_and_without_ycck(tmp_path: Path):
    # a fifth of cyan, no magenta, all yellow, no black: red 255 * 0.8 = 204, green 255, blue 0
    ink = np.full((16, 16, 4), (51, 0, 255, 0), np.uint8)
    (tmp_path / "cmyk.jpg").write_bytes(adobe_jpeg(ink, 0))
    assert np.abs(read_image(tmp_path / "cmyk.jpg").astype(int) - (204, 255, 0)).max() <= 3
    # Adobe stores 255 - ink, as YCCK: the YCbCr of 255 minus that, which is the ink itself (Adobe TN 5116).
    # Pillow stores 255 minus what it is given, too.
    y, cr, cb = cv2.cvtColor(np.uint8([[[255, 0, 51]]]), cv2.COLOR_BGR2YCrCb)[0, 0]
    (tmp_path / "ycck.jpg").write_bytes(adobe_jpeg(255 - np.full((16, 16, 4), (y, cb, cr, 255), np.uint8), 2))
    assert np.abs(read_image(tmp_path / "ycck.jpg").astype(int) - (204, 255, 0)).max() <= 4


@pytest.mark.parametrize("suffix", [".gif", ".tif", ".webp", ".png"])
def test_the_first_of_several_frames_is_read(tmp_path: Path, suffix: str):
    first, second = (PIL.Image.fromarray(np.full((8, 8, 3), level, np.uint8)) for level in (10, 200))
    options = {"lossless": True} if suffix == ".webp" else {}
    first.save(tmp_path / f"a{suffix}", save_all=True, append_images=[second], **options)
    assert (read_image(tmp_path / f"a{suffix}") == 10).all()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_a_damaged_colour_profile_is_ignored(tmp_path: Path, suffix: str):
    path = tmp_path / f"a{suffix}"
    PIL.Image.fromarray(np.full((8, 8, 3), 90, np.uint8)).save(path, icc_profile=b"rubbish" * 20)
    assert read_header(path)[:2] == (8, 8) and (read_image(path) == 90).all()


@pytest.mark.parametrize("exif", [b"rubbish", b"MM\0*\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff\x01\x12"])
def test_damaged_exif_is_ignored(tmp_path: Path, exif: bytes):
    PIL.Image.fromarray(np.full((16, 24, 3), 90, np.uint8)).save(tmp_path / "whole.jpg")
    data, segment = (tmp_path / "whole.jpg").read_bytes(), b"Exif\0\0" + exif
    (tmp_path / "a.jpg").write_bytes(
        data[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + data[2:]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_header(tmp_path / "a.jpg") == (16, 24, 1)
    assert read_image(tmp_path / "a.jpg").shape == (16, 24, 3)


@pytest.mark.parametrize("share", [0.3, 0.999])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tif", ".gif", ".jp2", ".ppm"])
def test_a_truncated_file_is_found_before_the_run_starts(tmp_path: Path, suffix: str, share: float):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    file = io.BytesIO()
    PIL.Image.fromarray(noise).save(file, PIL.Image.registered_extensions()[suffix])
    data = file.getvalue()
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data)
    assert read_header(path) == (64, 64, 1)
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ImageFault) as caught:
        read_header(path)
    assert caught.value.code == "IM052" and str(caught.value).startswith(f"{path}: ")


def test_damage_in_the_middle_is_found_by_check(tmp_path: Path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = bytearray(cv2.imencode(".webp", noise, (cv2.IMWRITE_WEBP_QUALITY, 101))[1].tobytes())
    data[30:-30] = bytes(len(data) - 60)
    (tmp_path / "a.webp").write_bytes(data)
    assert read_header(tmp_path / "a.webp") == (64, 64, 1)
    fault = measure_image(to_record(tmp_path / "a.webp", None, [])).fault
    assert fault is not None and fault[0] == "IM052"


@pytest.mark.parametrize("kind", [np.float32, np.int32])
@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 3)])
def test_float_pixels_are_found_before_the_run_starts(tmp_path: Path, kind: type, shape: tuple[int, ...]):
    path = tmp_path / "a.tif"
    path.write_bytes(cv2.imencode(".tif", np.ones(shape, kind))[1].tobytes())
    with pytest.raises(ImageFault, match=f"pixels are {kind.__name__}") as caught:
        read_header(path)
    assert caught.value.code == "IM060"


def test_a_decompression_bomb_is_found_in_the_header(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 89_500_000)
    pieces = [(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(99)))]
    packed = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in [*pieces, (b"IEND", b"")]
    ]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))
    with pytest.raises(ImageFault, match=r"30000 high, 900 megapixels; at most 179 \(max_megapixels\)$") as caught:
        read_header(tmp_path / "a.png")
    assert caught.value.code == "IM064"


def test_a_read_error_is_reported_once(tmp_path: Path, monkeypatch):
    asked = []

    def fails(path: Path) -> None:
        asked.append(path)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(image_io, "open_regular", fails)
    with pytest.raises(UserError, match=r"a\.png: cannot be read: Input/output error"):
        read_image(tmp_path / "a.png")
    assert len(asked) == 1


def test_no_pixel_becomes_nan():
    every = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16).expand(1, 3, 16, 16)
    assert torch.isfinite(Normalize()(every)).all()


ODD = {"one": (1, 1), "flat": (5, 2000), "receipt": (20_000, 100)}  # height, width


@pytest.fixture
def odd_images(tmp_path: Path) -> Path:
    """Images of extreme shapes, one black and one white; only the last has labels."""
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    pixels = {name: np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8) for name, size in ODD.items()}
    pixels |= {"black": np.zeros((64, 64, 3), np.uint8), "white": np.full((64, 64, 3), 255, np.uint8)}
    pixels["word"] = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    for name, image in pixels.items():
        (tmp_path / "images" / f"{name}.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())
        label = "5,20,60,20,60,45,5,45,word" if name == "word" else ""
        (tmp_path / "labels" / f"{name}.txt").write_text(label)
    return tmp_path


@pytest.mark.slow
def test_extreme_shapes_work_in_training_and_detection(odd_images: Path, tiny_run: Path, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [*(word for word in TINY if not word.startswith("data.")), "train.epochs=1", "run_dir=run"]
    names = tmp_path / "names.txt"
    names.write_text("word\n")
    data = ["data=custom", f"data.root={odd_images}", f"data.val={names}", f"data.train={tmp_path}/all.txt"]
    (tmp_path / "all.txt").write_text("\n".join([*ODD, "black", "white", "word"]))
    assert run_command("train", _train, [*words, *data]) == 0
    (entry,) = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert np.isfinite([*entry["train_loss"].values(), *entry["val_loss"].values()]).all()
    checkpoint = f"checkpoint={tiny_run}/checkpoints/last.pt"
    found = ["input=images", checkpoint, "output=out", "decode.box_thresh=0", "vis=false"]
    assert run_command("detect", _detect, found) == 0
    assert json.loads((tmp_path / "out/errors.json").read_text()) == []
    images = {image["image"]: image for image in json.loads((tmp_path / "out/detections.json").read_text())["images"]}
    for name, (height, width) in ODD.items():
        image = images[f"{name}.png"]
        assert (image["height"], image["width"]) == (height, width)
        points = np.array(image["polygons"], float).reshape(-1, 2)
        assert ((points >= 0) & (points <= (width - 1, height - 1))).all()
