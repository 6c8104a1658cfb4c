"""Finding and reading image files."""

from __future__ import annotations

import io
import os
import zlib

import cv2
import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest

from resnet18_ocrdet.data.image_header import read_header
from resnet18_ocrdet.data.image_io import list_images, read_image
from resnet18_ocrdet.errors import UserError

# Two halves, red and blue: channel order and orientation show.
RED_BLUE = np.zeros((16, 24, 3), np.uint8)
RED_BLUE[:, :12], RED_BLUE[:, 12:] = (200, 20, 10), (10, 20, 200)


def encode(suffix, rgb, *parameters):
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR) if rgb.ndim == 3 and rgb.shape[2] == 3 else rgb
    return cv2.imencode(suffix, bgr, parameters)[1].tobytes()


@pytest.fixture
def read(tmp_path):
    def write_and_read(content, name="image.jpg"):
        path = tmp_path / name
        path.write_bytes(content)
        return read_image(path)

    return write_and_read


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".tif", ".ppm"])
def test_rgb_by_content_not_by_suffix(read, suffix):
    parameters = (cv2.IMWRITE_WEBP_QUALITY, 101) if suffix == ".webp" else ()  # 101: lossless
    image = read(encode(suffix, RED_BLUE, *parameters), "image.jpg")
    np.testing.assert_array_equal(image, RED_BLUE)
    assert image.dtype == np.uint8 and image.flags.c_contiguous


def test_jpeg(read):
    image = read(encode(".jpg", RED_BLUE, cv2.IMWRITE_JPEG_QUALITY, 100), "image.png")
    assert np.abs(image[:, [2, 20]].astype(int) - RED_BLUE[:, [2, 20]]).max() < 8


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_grey_becomes_three_channels(read, suffix):
    image = read(encode(suffix, np.full((8, 9), 77, np.uint8)))
    assert image.shape == (8, 9, 3) and (image == 77).all()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_are_scaled_by_their_range(read, suffix):
    grey = np.array([[0, 128, 129, 32768, 65406, 65407, 65535]], np.uint16)
    # v / 257, rounded: 128 / 257 = 0.498, 129 / 257 = 0.502, 32768 / 257 = 127.502, 65406 / 257 = 254.498
    assert read(encode(suffix, grey))[0, :, 1].tolist() == [0, 0, 1, 128, 254, 255, 255]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_transparency_is_blended_with_white(read, suffix):
    bgra = np.zeros((1, 3, 4), np.uint8)
    bgra[0, :, 0], bgra[0, :, 3] = 100, (255, 0, 51)  # blue 100; opaque, clear, 20 %
    # 51 / 255 = 0.2: blue 0.2 · 100 + 0.8 · 255 = 224, red and green 0.8 · 255 = 204
    assert read(encode(suffix, bgra)).tolist() == [[[0, 0, 100], [255, 255, 255], [204, 204, 224]]]


def test_an_alpha_plane_of_zeros_is_ignored(read):
    bgra = np.full((4, 4, 4), 90, np.uint8)
    bgra[..., 3] = 0
    assert (read(encode(".bmp", bgra)) == 90).all()


EXIF_TURN_RIGHT = (  # TIFF header, one entry: tag 0x0112 (orientation), SHORT, 1 value, 6 = rotate by 90° clockwise
    b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
)


def test_exif_orientation_of_a_jpeg_is_applied(read):
    data = encode(".jpg", RED_BLUE)
    segment = b"Exif\0\0" + EXIF_TURN_RIGHT
    data = data[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + data[2:]
    image = read(data)
    assert image.shape == (24, 16, 3)
    assert image[2, 8, 0] > 150 and image[20, 8, 2] > 150  # the left half, red, is now the upper one


def test_exif_orientation_of_a_png_is_applied(read):
    data = encode(".png", RED_BLUE)
    chunk = b"eXIf" + EXIF_TURN_RIGHT
    chunk = len(EXIF_TURN_RIGHT).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    image = read(data[:33] + chunk + data[33:])  # behind the signature and IHDR
    np.testing.assert_array_equal(image, np.rot90(RED_BLUE, -1))


@pytest.mark.parametrize("name", ["图片 (1).jpg", "a b#50%.JPG", "a.b.jpg", "emoji😀.jpg", "new\nline.jpg"])
def test_any_name(read, name):
    assert read(encode(".png", RED_BLUE), name).shape == (16, 24, 3)


def noise(height=64, width=64):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".bmp"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_truncated_files(read, suffix, share):
    data = encode(suffix, noise())
    with pytest.raises(UserError, match=r"image\.jpg: a .*truncated (JPEG|PNG|WebP|TIFF|BMP) file"):
        read(data[: int(len(data) * share)])


def test_the_end_marker_of_a_thumbnail_is_ignored(read):
    data = encode(".jpg", noise())
    segment = b"Exif\0\0" + encode(".jpg", RED_BLUE)
    data = data[:2] + b"\xff\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + data[2:]
    assert read(data).shape == (64, 64, 3)
    with pytest.raises(UserError, match="truncated"):
        read(data[:-2] + bytes(1000))


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("tail", [b"", bytes(1000)])
def test_a_jpeg_without_an_end_marker_is_refused(read, progressive, tail):
    data = encode(".jpg", noise(), cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    assert read(data + b"what cameras append").shape == (64, 64, 3)
    for cut in (data[:-2], data[: len(data) // 2]):
        with pytest.raises(UserError, match="truncated JPEG file"):
            read(cut + tail)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"image\.jpg: the file is empty \(0 bytes\)"),
        (b"<html><body>404 Not Found", r"image\.jpg: not an image \(starts with b'<html><body>404 '\)"),
        (b"%PDF-1.7", r"image\.jpg: not an image \(starts with b'%PDF-1\.7'\)"),
        (b"\xff\xd8\xff", r"image\.jpg: a damaged .*JPEG file"),
    ],
)
def test_files_that_are_not_images(read, content, message):
    with pytest.raises(UserError, match=message):
        read(content)


def test_a_decompression_bomb_is_refused_by_its_header(read):
    header = b"IHDR" + (10**5).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"
    data = b"\x89PNG\r\n\x1a\n\0\0\0\r" + header + zlib.crc32(header).to_bytes(4, "big")
    with pytest.raises(UserError, match=r"image\.jpg: ") as caught:
        read(data)
    assert "\n" not in str(caught.value)


def test_float_pixels_are_refused(read):
    with pytest.raises(UserError, match=r"image\.jpg: pixels are float32"):
        read(encode(".tif", np.ones((4, 4), np.float32)))


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(UserError, match=r"none\.jpg: cannot be read: No such file"):
        read_image(tmp_path / "none.jpg")
    (tmp_path / "folder.jpg").mkdir()
    with pytest.raises(UserError, match=r"folder\.jpg: cannot be read: Is a directory"):
        read_image(tmp_path / "folder.jpg")
    (tmp_path / "link.jpg").symlink_to("gone.jpg")
    with pytest.raises(UserError, match=r"link\.jpg: a link to gone\.jpg, which does not exist"):
        read_image(tmp_path / "link.jpg")


@pytest.mark.skipif(os.name == "nt" or os.getuid() == 0, reason="root may read everything")
def test_permission(tmp_path):
    (tmp_path / "secret.jpg").write_bytes(b"x")
    (tmp_path / "secret.jpg").chmod(0)
    with pytest.raises(UserError, match=r"secret\.jpg: cannot be read: Permission denied"):
        read_image(tmp_path / "secret.jpg")


def listed(folder):
    return [path.relative_to(folder).as_posix() for path in list_images(folder)]


def test_natural_order_and_suffixes(tmp_path):
    for name in ("img_10.jpg", "img_9.JPG", "IMG_2.png", "a.b.webp", "notes.txt", "1.jpg.txt", "Thumbs.db"):
        (tmp_path / name).touch()
    assert listed(tmp_path) == ["a.b.webp", "IMG_2.png", "img_9.JPG", "img_10.jpg"]


def test_hidden_files_and_folders_are_skipped(tmp_path):
    (tmp_path / ".cache").mkdir()
    for name in (".hidden.jpg", "._1.jpg", ".cache/2.jpg", "3.jpg"):
        (tmp_path / name).touch()
    assert listed(tmp_path) == ["3.jpg"]


def test_folders_named_like_images_are_searched_not_listed(tmp_path):
    (tmp_path / "x.jpg").mkdir()
    (tmp_path / "x.jpg" / "1.jpg").touch()
    assert listed(tmp_path) == ["x.jpg/1.jpg"]


def test_links_and_loops(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "1.jpg").touch()
    (tmp_path / "sub" / "loop").symlink_to(tmp_path)
    (tmp_path / "sub" / "self").symlink_to("self")
    (tmp_path / "2.jpg").symlink_to("sub/1.jpg")
    (tmp_path / "3.jpg").symlink_to("gone.jpg")  # listed, so that reading it reports it
    assert listed(tmp_path) == ["2.jpg", "3.jpg", "sub/1.jpg"]


def test_a_linked_folder_is_listed_once_under_its_real_path(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "1.jpg").touch()
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "c").symlink_to("b")
    assert listed(tmp_path) == ["b/1.jpg"]


def test_a_missing_folder(tmp_path):
    assert list_images(tmp_path) == []
    with pytest.raises(UserError, match="nowhere: cannot be listed as a folder: No such file"):
        list_images(tmp_path / "nowhere")
    (tmp_path / "1.jpg").touch()
    with pytest.raises(UserError, match=r"1\.jpg: cannot be listed as a folder: Not a directory"):
        list_images(tmp_path / "1.jpg")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA"])
def test_every_orientation_of_every_format_is_applied(tmp_path, mode, orientation):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (5, 7, {"RGB": 3, "RGBA": 4, "L": 1, "LA": 2}[mode]), dtype=np.uint8)
    stored = PIL.Image.fromarray(pixels[..., 0] if mode == "L" else pixels)
    assert stored.mode == mode
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.png", exif=exif)
    upright = PIL.ImageOps.exif_transpose(PIL.Image.open(tmp_path / "a.png")).convert("RGBA")
    expected = PIL.Image.alpha_composite(PIL.Image.new("RGBA", upright.size, "white"), upright).convert("RGB")
    image = read_image(tmp_path / "a.png")
    assert read_header(tmp_path / "a.png")[:2] == image.shape[:2] == (expected.height, expected.width)
    np.testing.assert_allclose(image.astype(int), np.asarray(expected).astype(int), atol=1)


def test_without_the_decoders_of_newer_opencv_versions_the_pixels_are_the_same(read, monkeypatch):
    """OpenCV 4.9 has no JPEG in RGB order, no GIF and no WebP with several frames."""
    jpeg = encode(".jpg", RED_BLUE)
    frames = io.BytesIO()
    first = PIL.Image.fromarray(np.full((20, 30, 3), (200, 10, 60), np.uint8))
    first.save(frames, "GIF", save_all=True, append_images=[PIL.Image.new("RGB", (30, 20))])
    wanted = read(jpeg)
    monkeypatch.delattr(cv2, "IMREAD_COLOR_RGB", raising=False)
    assert np.array_equal(read(jpeg), wanted)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: None)
    monkeypatch.setattr(cv2, "haveImageWriter", lambda _: False)
    image = read(frames.getvalue(), "image.gif")
    assert image.shape == (20, 30, 3) and np.ptp(image, axis=(0, 1)).max() == 0
    assert image[0, 0] == pytest.approx([200, 10, 60], abs=4)
    with pytest.raises(UserError, match="truncated GIF"):
        read(frames.getvalue()[:60], "image.gif")
