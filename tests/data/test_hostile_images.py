"""Image files made to exhaust memory or to hang: refused in one line before they are decoded."""

from __future__ import annotations

import io
import os
import re
import resource
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from resnet18_ocrdet.check.image_stats import measure_image
from resnet18_ocrdet.data import rgb
from resnet18_ocrdet.data.image_guard import ImageFault, parse_jpeg
from resnet18_ocrdet.data.image_header import read_header
from resnet18_ocrdet.data.image_io import IMAGE_SUFFIXES, read_image
from resnet18_ocrdet.data.record import to_record
from resnet18_ocrdet.errors import UserError

SUFFIXES = sorted(IMAGE_SUFFIXES - {".jpeg", ".jfif", ".tiff"})
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
UNIX = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")


def encoded(suffix: str) -> bytes:
    file = io.BytesIO()
    kinds = {".jpg": "JPEG", ".jp2": "JPEG2000", ".tif": "TIFF", ".ppm": "PPM"}
    PIL.Image.fromarray(PIXELS).save(file, kinds.get(suffix, suffix[1:].upper()))
    return file.getvalue()


def chunk(name: bytes, body: bytes, claims: int | None = None) -> bytes:
    length = len(body) if claims is None else claims
    return struct.pack(">I", length) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(height: int, width: int, *more: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more)


IMAGE_DATA = chunk(b"IDAT", zlib.compress(bytes(99)))
ENDLESS = {  # name -> content
    name.decode(): png(8, 8, chunk(name, b"", claims))
    for name in (b"PLTE", b"tRNS", b"IDAT", b"eXIf")
    for claims in (2**32 - 1,)
}
ENDLESS["behind the pixels"] = png(8, 8, IMAGE_DATA, chunk(b"tEXt", b"a", 2**31 - 1))


@pytest.fixture
def no_decoder(monkeypatch) -> None:
    def asked(*_: object) -> None:
        raise AssertionError("it is decoded")

    monkeypatch.setattr(cv2, "imdecode", asked)


def ways(path: Path) -> Iterator[tuple[str, str]]:
    """Codes and messages of reading, of reading the header, and of the check."""
    for read in (read_image, read_header):
        with pytest.raises(ImageFault) as caught:
            read(path)
        yield caught.value.code, str(caught.value)
    fault = measure_image(to_record(path, None, [])).fault
    assert fault is not None
    code, detail = fault
    yield code, f"{path}: {detail}"


@pytest.mark.parametrize("content", ENDLESS.values(), ids=ENDLESS)
@pytest.mark.usefixtures("no_decoder")
def test_a_png_whose_chunk_is_longer_than_the_file(content: bytes, tmp_path: Path):
    (tmp_path / "a.png").write_bytes(content)
    for code, text in ways(tmp_path / "a.png"):
        assert code == "IM052" and re.search(
            r"a\.png: a .*PNG file \(a chunk ends \d+ bytes past the end of the file\)$", text
        )


def test_data_after_the_end_of_a_png_is_ignored(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(encoded(".png") + b"\xff" * 100)
    assert read_header(tmp_path / "a.png")[:2] == read_image(tmp_path / "a.png").shape[:2] == (40, 60)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the largest memory")
def test_a_large_announced_size_allocates_no_memory(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(ENDLESS["PLTE"])
    program = (
        "import sys, resource; from pathlib import Path; from resnet18_ocrdet.data.image_io import read_image\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: read_image(Path(sys.argv[1]))\n"
        "except Exception as error: print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))

    words = [sys.executable, "-c", program, str(tmp_path / "a.png")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, preexec_fn=limit)
    said, kilobytes = done.stdout.splitlines()
    assert "truncated PNG file" in said and int(kilobytes) < 50_000, done.stderr


@pytest.mark.parametrize("most", [2399, 1000])
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.usefixtures("no_decoder")
def test_the_pixel_limit_holds_for_every_format_and_command(suffix: str, most: int, tmp_path: Path, monkeypatch):
    (tmp_path / f"a{suffix}").write_bytes(encoded(suffix))
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", most and most / 2)
    for code, text in ways(tmp_path / f"a{suffix}"):
        assert code == "IM064" and text.startswith(f"{tmp_path}/a{suffix}: "), text
        assert text.endswith(f"0.0024 megapixels; at most {most / 1e6:.4g} (max_megapixels)")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("most", [2400, None])
def test_images_up_to_the_limit_are_read(suffix: str, most: int | None, tmp_path: Path, monkeypatch):
    (tmp_path / f"a{suffix}").write_bytes(encoded(suffix))
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", most and most / 2)
    assert read_image(tmp_path / f"a{suffix}").shape == (40, 60, 3)


def test_the_size_of_a_jpeg_with_unusual_markers_is_found(tmp_path: Path, monkeypatch):
    data = encoded(".jpg")
    (tmp_path / "a.jpg").write_bytes(data[:2] + b"\xff\xff" + data[2:])  # fill bytes
    assert parse_jpeg((tmp_path / "a.jpg").read_bytes()).size == (40, 60)
    frame = data.index(b"\xff\xc0")
    (tmp_path / "b.jpg").write_bytes(data[:frame] + b"rubbish" + data[frame:])
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 50)
    with pytest.raises(ImageFault, match="max_megapixels"):
        read_image(tmp_path / "a.jpg")
    with pytest.raises(UserError):
        read_image(tmp_path / "b.jpg")


@UNIX
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["pipe", "device"])
def test_pipes_and_devices_are_not_opened(make: Callable[[Path], None], tmp_path: Path):
    def late(*_: object) -> None:
        raise AssertionError("it hangs")

    make(tmp_path / "a.png")
    signal.signal(signal.SIGALRM, late)
    signal.alarm(20)
    for code, text in ways(tmp_path / "a.png"):
        assert (code, text) == ("IM055", f"{tmp_path}/a.png: cannot be read: not a regular file")
    signal.alarm(0)


def test_an_image_fault_can_be_created_from_its_message():
    fault = ImageFault("a.png: gone")  # as torch re-raises it from a loader process
    assert str(fault) == "a.png: gone" and fault.code


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("opaque", [True, False])
def test_conversion_in_strips_gives_the_same_pixels(
    kind: type, channels: int, opaque: bool, tmp_path: Path, monkeypatch
):
    pixels = np.random.default_rng(0).integers(0, np.iinfo(kind).max, (23, 17, channels), kind, endpoint=True)
    if channels == 4 and not opaque:
        pixels[:12, :, 3] = 0  # in some strips only
    (tmp_path / "a.png").write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    whole = read_image(tmp_path / "a.png")
    monkeypatch.setattr(rgb, "STRIP_PIXELS", 40)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), whole)


@pytest.mark.usefixtures("no_decoder")
@pytest.mark.parametrize("between", [b"", b"\xff\xfe\0\4\xff\xd9"], ids=["plain", "an end in a comment"])
@pytest.mark.parametrize("progressive", [True, False])
def test_a_jpeg_with_too_many_scans(progressive: bool, between: bytes, tmp_path: Path):
    file = io.BytesIO()
    PIL.Image.fromarray(PIXELS).save(file, "JPEG", progressive=progressive)
    data = file.getvalue()
    scan, end = data.rindex(b"\xff\xda"), data.rindex(b"\xff\xd9")
    (tmp_path / "a.jpg").write_bytes(data[:end] + between + data[scan:end] * 100 + data[end:])
    scans = 110 if progressive else 101
    with pytest.raises(ImageFault, match=rf"a\.jpg: a JPEG with {scans} scans; at most 100 are decoded$") as caught:
        read_image(tmp_path / "a.jpg")
    assert caught.value.code == "IM052"


@pytest.mark.parametrize("marker", [b"\xff\0", b"\xff\1", b"\xff\xd0", b"\xff\xd7"])
def test_a_frame_after_a_marker_without_a_length_is_found(marker: bytes, tmp_path: Path, monkeypatch):
    data = encoded(".jpg")
    frame = data.index(b"\xff\xc0")
    body = data[frame + 4 : frame + 4 + int.from_bytes(data[frame + 2 : frame + 4], "big") - 2]
    small = b"\xff\xc0" + (len(body) + 2).to_bytes(2, "big") + body[:1] + b"\0\10\0\10" + body[5:]
    hidden = marker + (2 + len(data[frame:])).to_bytes(2, "big")
    (tmp_path / "a.jpg").write_bytes(data[:frame] + small + hidden + data[frame:])
    assert parse_jpeg((tmp_path / "a.jpg").read_bytes()).size is None
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 500)
    with pytest.raises(ImageFault):
        read_image(tmp_path / "a.jpg")


def test_the_size_of_a_png_that_pillow_rejects_is_found(tmp_path: Path, monkeypatch):
    data = encoded(".png")
    broken = chunk(b"tEXt", b"a\0b")[:-1] + b"!"
    (tmp_path / "a.png").write_bytes(data[:33] + broken + data[33:])  # after IHDR
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 1199)
    for code, text in ways(tmp_path / "a.png"):
        assert code == "IM064" and "max_megapixels" in text


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp"])
def test_data_after_the_end_of_a_jpeg_is_not_counted_as_scans(suffix: str, tmp_path: Path):
    (tmp_path / f"a{suffix}").write_bytes(encoded(suffix) + b"\xff\xda" * 200 + b"\xff\xd9")
    assert read_image(tmp_path / f"a{suffix}").shape == (40, 60, 3)
