"""The pages of TIFF, PDF and animations: counted, and read one by one."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from paged_files import pdf, pictures, words, write_pages, write_tagged
from resnet18_ocrdet.data import pages as pages_module
from resnet18_ocrdet.data.image_guard import ImageFault, still_png
from resnet18_ocrdet.data.image_io import read_image
from resnet18_ocrdet.data.pages import PageReader, page_count, read_page


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".tif", {}),
        (".tif", {"big_tiff": True}),
        (".tif", {"compression": "tiff_lzw"}),
        (".tif", {"compression": "group4", "mode": "1"}),
        (".gif", {}),
        (".webp", {"lossless": True}),
        (".png", {}),
    ],
)
def test_every_page_is_read(tmp_path: Path, suffix: str, options: dict):
    mode = options.get("mode", "L" if suffix == ".gif" else "RGB")
    made, path = pictures(12), tmp_path / f"a{suffix}"
    write_pages(path, made, **{"mode": mode} | options)
    expected = [np.asarray(PIL.Image.fromarray(page).convert(mode).convert("RGB")) for page in made]
    assert page_count(path) == 12
    reader = PageReader()
    for page in (1, 2, 3, 12, 4, 1):  # also backwards
        image, dpi = reader.read(path, page)
        assert dpi is None
        np.testing.assert_array_equal(image, expected[page - 1])
    reader.close()
    np.testing.assert_array_equal(read_image(path), expected[0])
    np.testing.assert_array_equal(read_page(path, 10), expected[9])
    np.testing.assert_array_equal(read_page(str(path), 10), expected[9])
    assert page_count(str(path)) == 12
    with pytest.raises(ImageFault, match="has no page 0"):
        read_page(path, 0)
    with pytest.raises(ImageFault, match=r"13"):
        read_page(path, 13)


def test_the_name_of_a_file_does_not_matter(tmp_path: Path):
    write_pages(tmp_path / "a.tif", pictures(2))
    (tmp_path / "a.tif").rename(tmp_path / "a.jpg")
    assert page_count(tmp_path / "a.jpg") == 2 and read_page(tmp_path / "a.jpg", 2).shape == (40, 60, 3)
    PIL.Image.fromarray(pictures(1)[0]).save(tmp_path / "b.png")
    (tmp_path / "b.png").rename(tmp_path / "b.pdf")
    assert page_count(tmp_path / "b.pdf") == 1 and read_page(tmp_path / "b.pdf").shape == (40, 60, 3)
    (tmp_path / "c.jpg").write_bytes(pdf([words("a"), words("b")]))
    assert page_count(tmp_path / "c.jpg") == 2


@pytest.mark.parametrize("bits", [8, 16])
def test_sixteen_bits_and_orientation_of_later_pages(tmp_path: Path, bits: int):
    kind = np.uint16 if bits == 16 else np.uint8
    levels = [np.full((20, 30), level, kind) for level in (10, 200 * (257 if bits == 16 else 1))]
    levels[1][:5] = 0
    write_tagged(tmp_path / "a.tif", [(levels[0], {}), (levels[1], {274: 6})])
    image = read_page(tmp_path / "a.tif", 2)  # turned clockwise by a quarter: the upper rows are on the right
    assert image.shape == (30, 20, 3) and (image[:, :15] == 200).all() and (image[:, 15:] == 0).all()


def test_thumbnails_and_masks_are_not_pages(tmp_path: Path):
    kinds = (1, 0, 4, 2)  # reduced, plain, mask, a page of several
    write_tagged(tmp_path / "a.tif", [(page, {254: kind}) for page, kind in zip(pictures(4), kinds, strict=True)])
    assert page_count(tmp_path / "a.tif") == 2
    np.testing.assert_array_equal(read_page(tmp_path / "a.tif", 1), pictures(4)[1])
    np.testing.assert_array_equal(read_page(tmp_path / "a.tif", 2), pictures(4)[3])
    write_tagged(tmp_path / "b.tif", [(pictures(4)[0], {254: 1})])
    assert page_count(tmp_path / "b.tif") == 1
    np.testing.assert_array_equal(read_page(tmp_path / "b.tif"), pictures(4)[0])


def test_a_cut_tiff_names_the_page_that_is_missing(tmp_path: Path):
    path = tmp_path / "a.tif"
    write_pages(path, pictures(3))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 5 // 6])  # Pillow writes the directory of a page before its pixels
    assert page_count(path) == 3
    assert read_page(path, 2).shape == (40, 60, 3)
    with pytest.raises(ImageFault, match=r"a\.tif: a damaged or truncated TIFF"):
        read_page(path, 3)
    (offset,) = struct.unpack("<I", data[4:8])  # of the first directory
    (entries,) = struct.unpack("<H", data[offset : offset + 2])
    place = offset + 2 + 12 * entries
    path.write_bytes(data[:place] + struct.pack("<I", 2**31) + data[place + 4 :])
    assert page_count(path) == 2 and read_page(path, 1).shape == (40, 60, 3)
    with pytest.raises(ImageFault, match="outside the file"):
        read_page(path, 2)
    path.write_bytes(data[:place] + struct.pack("<I", offset) + data[place + 4 :])  # a loop
    assert page_count(path) == 1


def test_directories_that_overlap_take_no_time(tmp_path: Path):
    entry = struct.pack("<HHII", 65000, 4, 1, 0)
    data = b"II*\0" + struct.pack("<I", 8) + (struct.pack("<H", 5000) + entry * 5000) * 20
    (tmp_path / "a.tif").write_bytes(data)
    assert page_count(tmp_path / "a.tif") <= 2
    with pytest.raises(ImageFault):
        read_page(tmp_path / "a.tif")


def test_more_pages_than_the_limit_are_refused(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(pages_module, "MAX_PAGES", 2)
    for suffix in (".tif", ".gif"):
        write_pages(tmp_path / f"a{suffix}", pictures(3))
        with pytest.raises(ImageFault, match=r"at most 2"):
            page_count(tmp_path / f"a{suffix}")


def test_frames_have_a_limit_of_their_own(tmp_path: Path, monkeypatch):
    write_pages(tmp_path / "a.gif", pictures(2))  # 2,400 pixels; the limit is a quarter of twice this
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 4000)
    assert read_page(tmp_path / "a.gif", 1).shape == (40, 60, 3)
    with pytest.raises(ImageFault, match="max_megapixels") as caught:
        read_page(tmp_path / "a.gif", 2)
    assert caught.value.code == "IM064"


def test_an_animation_is_not_left_to_opencv(tmp_path: Path):
    """OpenCV 5 crashes on some damaged animations, so it gets the first frame only."""
    write_pages(tmp_path / "a.png", pictures(3))
    PIL.Image.fromarray(pictures(3)[0]).save(tmp_path / "b.png")
    raw, plain = (tmp_path / "a.png").read_bytes(), (tmp_path / "b.png").read_bytes()
    assert still_png(plain) == plain and len(still_png(raw)) < len(raw) / 2
    (tmp_path / "c.png").write_bytes(still_png(raw))
    assert page_count(tmp_path / "c.png") == 1
    np.testing.assert_array_equal(read_image(tmp_path / "c.png"), pictures(3)[0])


def test_a_frame_that_is_cut_off_fails(tmp_path: Path):
    write_pages(tmp_path / "a.png", pictures(3))
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[: data.rindex(b"fdAT") + 30])
    with pytest.raises(ImageFault):
        read_page(tmp_path / "a.png", 3)


@pytest.mark.parametrize(
    ("content", "rotate", "shape"),
    [
        # 40 px for 12 pt: 72 · 40 / 12 = 240 dpi; 842 pt = 842 · 240 / 72 = 2806.7, 595 pt = 1983.3
        (words("Hello", 12), 0, (2807, 1984)),
        (words("Hello", 12), 90, (1984, 2807)),
        ("BT /F1 1 Tf 12 0 0 12 50 700 Tm (Hello) Tj ET", 0, (2807, 1984)),  # the size is in the matrix of the text
        ("q 2 0 0 2 0 0 cm BT /F1 6 Tf 25 300 Td (Hello) Tj ET Q", 0, (2807, 1984)),  # … and of the page
        ("BT /F1 1 Tf 0 12 -12 0 50 300 Tm (Hello) Tj ET", 0, (2807, 1984)),  # text that runs upwards
        (words("Hello", 4), 0, (4678, 3306)),  # 720 dpi, at most 400: 842 · 400 / 72 = 4677.8, 595 · 400 / 72 = 3305.6
        (words("Hello", 72), 0, (1123, 794)),  # 40 dpi, at least 96: 842 · 96 / 72 = 1122.7, 595 · 96 / 72 = 793.3
        ("", 0, (3509, 2480)),  # no text: 300 dpi, 842 · 300 / 72 = 3508.3, 595 · 300 / 72 = 2479.2
    ],
)
def test_the_height_of_text_decides_the_resolution_of_a_pdf(tmp_path: Path, content: str, rotate: int, shape):
    (tmp_path / "a.pdf").write_bytes(pdf([content], rotate=rotate))
    image, dpi = PageReader().read(tmp_path / "a.pdf")
    assert image.shape[:2] == shape and image.dtype == np.uint8
    assert dpi == pytest.approx(72 * max(shape) / 842, abs=0.1)
    assert (image.min() < 50) == bool(content) and image.max() == 255


def test_small_text_decides_only_if_it_is_a_quarter(tmp_path: Path):
    for small, dpi in ((20, 120), (40, 288)):  # of 100 characters: headings of 24 pt, or text of 10 pt
        content = words("o" * small, 10) + words("o" * (100 - small), 24, y=300)
        (tmp_path / f"{small}.pdf").write_bytes(pdf([content]))
        assert PageReader().read(tmp_path / f"{small}.pdf").dpi == pytest.approx(dpi)


def test_a_chosen_resolution_and_its_limit(tmp_path: Path, monkeypatch):
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf([words("Hello")], size=(720, 360)))
    assert read_page(path, dpi=100).shape == (500, 1000, 3)
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 100_000)  # 0.2 megapixels
    height, width, _ = read_page(path).shape
    assert 0.19e6 < height * width <= 0.2e6
    with pytest.raises(ImageFault, match=r"a\.pdf: .*max_megapixels") as caught:
        read_page(path, dpi=100)
    assert caught.value.code == "IM064"


def test_form_fields_are_drawn(tmp_path: Path):
    field = "/Type /Annot /Subtype /Widget /FT /Tx /T (name) /V (Hello) /Rect [50 650 300 700] /DA (/F1 30 Tf 0 g) /F 4"
    data = pdf([""]).replace(b"/Type /Catalog", f"/Type /Catalog /AcroForm << /Fields [<< {field} >>] >>".encode())
    data = data.replace(b"/Type /Page /Parent", b"/Type /Page /Annots [<< " + field.encode() + b" >>] /Parent")
    (tmp_path / "a.pdf").write_bytes(data)
    assert read_page(tmp_path / "a.pdf", dpi=72)[142:192, 50:300].min() < 100


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (pdf([words("Hello")], password="secret"), "password"),
        (pdf([]), "without pages"),
        (pdf([words("Hello")])[:200], "damaged"),
        (b"%PDF-1.7 rubbish", "damaged"),
        (pdf([""]).replace(b"/Kids [4 0 R]", b"/Kids [9 0 R]"), "page 1"),
        (pdf([""], size=(0, 0)).replace(b"/MediaBox [0 0 0 0]", b"/MediaBox [0 0 1 -1]"), ""),
    ],
)
def test_a_pdf_that_cannot_be_read_is_one_line(tmp_path: Path, data: bytes, key: str):
    (tmp_path / "a.pdf").write_bytes(data)
    if not key:
        assert min(read_page(tmp_path / "a.pdf", dpi=36).shape) >= 1
        return
    with pytest.raises(ImageFault) as caught:
        page_count(tmp_path / "a.pdf")
        read_page(tmp_path / "a.pdf")
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}/a.pdf: ") and key in message and "\n" not in message
    assert caught.value.code == "IM052"


def test_ten_thousand_pages(tmp_path: Path):
    (tmp_path / "a.pdf").write_bytes(pdf([words(str(page), 72) for page in range(1, 10_001)]))
    assert page_count(tmp_path / "a.pdf") == 10_000
    assert read_page(tmp_path / "a.pdf", 10_000, dpi=36).min() < 200


def test_without_the_extra_the_message_says_what_to_type(tmp_path: Path, monkeypatch):
    (tmp_path / "a.pdf").write_bytes(pdf([words("Hello")]))
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    for read in (page_count, read_page):
        with pytest.raises(ImageFault, match=r"pip install 'resnet18-ocrdet\[pdf\]'"):
            read(tmp_path / "a.pdf")
