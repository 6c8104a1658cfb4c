"""Images as programs hold them."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resnet18_ocrdet.data.any_image import as_image
from resnet18_ocrdet.data.image_io import read_image
from resnet18_ocrdet.errors import UserError

RGB = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
GREY = RGB[..., 0]


def encoded(image: PIL.Image.Image, kind: str = "PNG", **settings) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()


PNG = encoded(PIL.Image.fromarray(RGB))


def same(image: np.ndarray, wanted: np.ndarray = RGB) -> bool:
    return image.dtype == np.uint8 and image.flags.c_contiguous and np.array_equal(image, wanted)


def test_files_and_their_bytes(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(PNG)
    for source in (tmp_path / "a.png", str(tmp_path / "a.png"), PNG, bytearray(PNG), memoryview(PNG)):
        assert same(as_image(source))
    jpeg = encoded(PIL.Image.fromarray(RGB), "JPEG")
    (tmp_path / "a.jpg").write_bytes(jpeg)
    assert same(as_image(jpeg), read_image(tmp_path / "a.jpg"))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "CMYK", "HSV", "YCbCr", "P", "L", "1", "LA", "I;16"])
def test_pillow_images_are_those_of_their_files(mode: str, tmp_path: Path):
    image = PIL.Image.fromarray(GREY) if mode in ("L", "1", "LA", "I;16") else PIL.Image.fromarray(RGB)
    image = PIL.Image.fromarray(GREY.astype(np.uint16) * 257) if mode == "I;16" else image.convert(mode)
    found = as_image(image)
    if mode in ("CMYK", "HSV", "YCbCr"):  # not of PNG files
        assert same(found, np.asarray(image.convert("RGB")))
    else:
        (tmp_path / "a.png").write_bytes(encoded(image))
        assert same(found, read_image(tmp_path / "a.png"))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pillow_images_are_turned_as_their_files_are(orientation: int):
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    jpeg = encoded(PIL.Image.fromarray(RGB), "JPEG", quality=100, exif=exif)
    opened, decoded = as_image(PIL.Image.open(io.BytesIO(jpeg))), as_image(jpeg)
    assert opened.shape == decoded.shape and np.abs(opened.astype(int) - decoded).mean() < 2  # of two JPEG decoders


@pytest.mark.parametrize("text", [(0, 0, 0), (255, 255, 255)])
def test_transparency_is_laid_on_what_shows_the_text(text, tmp_path: Path):
    pixels = np.zeros((40, 60, 4), np.uint8)
    pixels[10:30, 10:50] = (*text, 255)
    (tmp_path / "a.png").write_bytes(encoded(PIL.Image.fromarray(pixels)))
    wanted = read_image(tmp_path / "a.png")
    assert wanted[0, 0].tolist() == [255 - value for value in text]
    for source in (pixels, pixels / 255, PIL.Image.fromarray(pixels)):
        assert same(as_image(source), wanted)


def test_arrays_of_other_kinds():
    grey = np.repeat(GREY[..., None], 3, axis=2)
    assert same(as_image(RGB)) and same(as_image(RGB[:, ::-1]), RGB[:, ::-1])
    for source in (RGB / 255, (RGB / 255).astype(np.float32), RGB.astype(np.uint16) * 257):
        assert same(as_image(source))
    for source in (GREY, GREY[..., None], GREY / 255, GREY.astype(np.uint16) * 257):
        assert same(as_image(source), grey)
    assert same(as_image(GREY > 127), np.where(grey > 127, 255, 0).astype(np.uint8))
    half = np.array([[0.0, 0.5, 1.0]], np.float16)
    assert as_image(half)[0, :, 0].tolist() == [0, 128, 255]  # 127.5 is rounded to even


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([(), (1,), (3,), (4,)]), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_every_array_gives_rgb_and_keeps_its_values(height, width, channels, random):
    array = np.random.default_rng(random.randrange(99)).integers(0, 256, (height, width, *channels), np.uint8)
    before = array.copy()
    image = as_image(array)
    assert image.shape == (height, width, 3) and image.dtype == np.uint8
    np.testing.assert_array_equal(array, before)
    np.testing.assert_array_equal(as_image(array / 255), image)


BASE64 = base64.b64encode(RGB.tobytes()).decode()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (None, "NoneType"),
        (5, "int"),
        ({}, "dict"),
        (io.BytesIO(PNG), "BytesIO"),
        (b"", "0 bytes"),
        (b"%PDF-1.4\n%", "read_page"),
        (np.zeros((3, 8, 8), np.uint8), "(3, 8, 8) uint8"),
        (np.zeros((1, 3, 8, 8), np.float32), "(1, 3, 8, 8) float32"),
        (np.zeros((0, 8, 3), np.uint8), "(0, 8, 3)"),
        (np.zeros((8, 8, 2), np.uint8), "RGB or RGBA"),
        (np.zeros((8, 8), np.int64), "int64"),
        (np.zeros((8, 8), complex), "complex128"),
        (np.zeros((8, 8), object), "object"),
        (np.full((8, 8), 200.0), "200 to 200; convert 0..255 to uint8"),
        (np.full((8, 8), -0.1), "-0.1"),
        (np.full((8, 8, 3), np.nan), "nan"),
        (PIL.Image.new("F", (8, 8)), "mode F"),
        (PIL.Image.new("I", (8, 8)), "mode I"),
        (PIL.Image.open(io.BytesIO(PNG[: len(PNG) // 2])), "Pillow cannot read the image: "),
        ("https://example.org/a.jpg", "https://example.org/a.jpg: a URL"),
        ("HTTPS://example.org/a.jpg", "a URL"),
        ("s3://bucket/a.jpg", "a URL"),
        ("file:///a.jpg", "a URL"),
        ("https://example.org/" + 5000 * "a", "(5020 characters): a URL"),
        ("data:image/png;base64," + BASE64, "base64.b64decode"),
        (BASE64, f"({len(BASE64)} characters)"),
        (BASE64[:300], "(300 characters)"),
        ("/9j/" + 200 * "4AAQSkZ/", "(1604 characters)"),  # parts short enough for a path
        ("a\0b", "a\\x00b: not the path"),
        (300 * "a\n", "base64"),
    ],
)
def test_what_is_refused_in_one_short_line(source, words: str):
    with pytest.raises(ValueError) as caught:
        as_image(source)
    message = str(caught.value)
    assert words in message and message.isprintable() and len(message) < 260


def test_files_and_bytes_that_are_no_images(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").write_text("no image")
    for source, words in (
        (b"no image", r"the bytes: not an image \(starts with b'no image'\)"),
        (PNG[:-20], "the bytes: a damaged or truncated PNG"),
        ("a.png", r"a\.png: not an image"),
        ("none.png", r"none\.png: cannot be read"),
        (BASE64[:40], "cannot be read"),
    ):
        with pytest.raises(UserError, match=words):
            as_image(source)


def test_a_long_path_is_read(tmp_path: Path):
    folder = tmp_path / ("a" * 200) / ("b" * 200)
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / "a.png"), RGB[..., ::-1])
    assert len(str(folder)) > 255 and same(as_image(str(folder / "a.png")))
