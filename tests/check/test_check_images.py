"""Findings about images: each measure on a drawn example and on a similar one without the problem."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from resnet18_ocrdet.check import images
from resnet18_ocrdet.check.curvature import InkCurve, is_curved, is_line_curved
from resnet18_ocrdet.check.image_stats import ImageStats, measure_image, measure_images, pages_of
from resnet18_ocrdet.check.images import check_images
from resnet18_ocrdet.check.sharpness import GreyLevels, edge_sharpness, scaled_down, text_quality
from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats import icdar2015 as dialect
from resnet18_ocrdet.data.image_io import read_image
from resnet18_ocrdet.data.record import LabelRecord, Region, to_record

Grey = NDArray[np.uint8]
WORD = np.array([[40, 40], [300, 40], [300, 90], [40, 90]], np.float32)


def scene(paper: int = 220, ink: int = 30, seed: int = 0, height: int = 240, width: int = 400) -> Grey:
    """A word on paper, and a few patches that no other seed has; noise as a sensor makes it."""
    rng = np.random.default_rng(seed)
    grey = np.full((height, width), paper, np.float32)
    for _ in range(6):
        x, y = int(rng.integers(0, width - 60)), int(rng.integers(110, height - 40))
        grey[y : y + 30, x : x + 50] += float(rng.integers(-20, 20)) * (paper - ink) / 190
    word = np.zeros(grey.shape, np.uint8)
    cv2.putText(word, "WELCOME", (50, 80), cv2.FONT_HERSHEY_SIMPLEX, 1.6, 255, 4, cv2.LINE_AA)
    grey += (ink - grey) * (word / np.float32(255))
    return np.clip(np.rint(grey + rng.normal(0, 1, grey.shape)), 0, 255).astype(np.uint8)


def save(path: Path, grey: Grey) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, grey)[1].tobytes())
    return path


def record(path: Path, *regions: Region) -> LabelRecord:
    return to_record(path, None, regions)


def found(**parts: list[LabelRecord]) -> list[tuple[str, str]]:
    report = Report()
    check_images(parts, measure_images(parts, threads=2), report)
    return [(finding.code, finding.path.name) for finding in report]


def test_sharpness_of_a_step_and_of_a_blurred_step():
    step = np.full((64, 64), 50, np.uint8)
    step[:, 32:] = 150
    assert edge_sharpness(step) == 1.0
    for sigma in (1.5, 2.5):  # slope of a Gaussian edge: 1 / (sigma sqrt(2 pi)); the window misses its tails
        assert edge_sharpness(cv2.GaussianBlur(step, (0, 0), sigma)) == pytest.approx(0.4 / sigma, rel=0.25)
    assert edge_sharpness(np.zeros((8, 8), np.uint8)) == 0.0
    assert edge_sharpness(np.zeros((1, 8), np.uint8)) == 0.0


def test_a_smooth_but_sharp_subject_is_not_blurred(tmp_path: Path):
    """A single dark disc on a soft gradient: hardly any detail, but its edge is sharp."""
    grey = np.tile(np.linspace(120, 200, 400), (300, 1)).astype(np.uint8)
    cv2.circle(grey, (200, 150), 50, 40, -1)
    soft = cv2.GaussianBlur(grey, (0, 0), 5)
    assert found(train=[record(save(tmp_path / "a.png", grey)), record(save(tmp_path / "b.png", soft))]) == [
        ("QA102", "b.png")
    ]


def test_blurred_text_in_a_sharp_image(tmp_path: Path):
    grey = scene()
    grey[:100] = cv2.GaussianBlur(grey, (0, 0), 7)[:100]
    cv2.rectangle(grey, (300, 150), (380, 220), 0, -1)
    sharp, blurred = save(tmp_path / "a.png", scene()), save(tmp_path / "b.png", grey)
    assert found(train=[record(sharp, Region(WORD))]) == []
    assert found(train=[record(blurred, Region(WORD))]) == [("QA102", "b.png")]
    assert found(train=[record(blurred, Region(WORD, ignore=True))]) == []


def test_low_contrast_of_the_whole_and_of_the_text(tmp_path: Path):
    dull = save(tmp_path / "dull.png", scene(paper=120, ink=95))
    page = np.full((800, 600), 255, np.uint8)
    cv2.putText(page, "a few words", (50, 80), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 0, 2)
    faint = scene(paper=120, ink=108, seed=1)
    faint[150:] = 250
    assert found(train=[record(dull), record(save(tmp_path / "page.png", page))]) == [("QA101", "dull.png")]
    assert found(train=[record(save(tmp_path / "faint.png", faint), Region(WORD))]) == [("QA101", "faint.png")]


def test_one_color(tmp_path: Path):
    for name, level in (("black.png", 0), ("white.jpg", 255)):
        blank = save(tmp_path / name, np.full((100, 100), level, np.uint8))
        assert found(train=[record(blank)]) == [("IM067", name)]
        assert found(train=[record(blank, Region(WORD))]) == [("QA104", name)]
        assert found(train=[record(blank, Region(WORD, ignore=True))]) == [("IM067", name)]
    red = np.zeros((64, 64, 3), np.uint8)
    red[:32], red[32:] = (0, 0, 100), (0, 51, 0)  # both look alike in grey
    assert ("IM067", "two.png") not in found(train=[record(save(tmp_path / "two.png", red))])


def test_shapes(tmp_path: Path):
    wide, tiny = scene()[50:70, :], scene()[45:76, 60:124]
    paths = [save(tmp_path / "long.png", wide), save(tmp_path / "tiny.png", tiny)]
    codes = found(train=[record(path) for path in paths])
    assert [code for code in codes if code[0].startswith("IM")] == [("IM066", "long.png"), ("IM065", "tiny.png")]
    exact = save(tmp_path / "exact.png", scene(width=512)[50:82, :])
    assert not [code for code, _ in found(train=[record(exact)]) if code.startswith("IM")]


def test_broken_files_have_different_codes(tmp_path: Path):
    whole = cv2.imencode(".jpg", scene())[1].tobytes()
    contents = {
        "empty.jpg": (b"", "IM051"),
        "cut.jpg": (whole[: len(whole) // 2], "IM052"),
        "page.jpg": (b"<html>not found</html>", "IM053"),
        "float.tif": (cv2.imencode(".tif", np.ones((8, 8), np.float32))[1].tobytes(), "IM060"),
    }
    for name, (data, _) in contents.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    wanted = [*((code, name) for name, (_, code) in contents.items()), ("IM055", "folder.jpg"), ("FS077", "gone.jpg")]
    assert found(train=[record(tmp_path / name) for _, name in wanted]) == wanted


def png_head(width: int, height: int) -> bytes:
    """A PNG of that size with hardly any pixels in it."""
    pieces = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(99)))]
    packed = [
        struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in [*pieces, (b"IEND", b"")]
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def test_too_many_pixels_have_their_own_code(tmp_path: Path):
    sizes = {"many.png": (40_000, 40_000), "long.png": (2**20 + 1, 2), "cut.png": (500, 500)}
    for name, size in sizes.items():
        (tmp_path / name).write_bytes(png_head(*size))
    codes = found(train=[record(tmp_path / name) for name in sizes])
    assert codes == [("IM064", "many.png"), ("IM064", "long.png"), ("IM052", "cut.png")]


def test_known_findings_are_not_added_again(tmp_path: Path):
    (tmp_path / "a.jpg").write_bytes(b"")
    blank = save(tmp_path / "b.png", np.zeros((64, 64), np.uint8))
    parts = {"train": [record(tmp_path / "a.jpg"), record(blank)]}
    report = Report()
    report.add("IM052", tmp_path / "a.jpg", image=tmp_path / "a.jpg")
    report.add("IM067", blank, image=blank)
    check_images(parts, measure_images(parts), report)
    assert len(report) == 2


def test_a_file_with_several_images(tmp_path: Path):
    import PIL.Image

    frames = [PIL.Image.fromarray(scene(seed=seed)) for seed in range(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "b.gif")
    assert found(train=[record(tmp_path / "a.gif"), record(tmp_path / "b.gif")])[0] == ("IM062", "a.gif")
    assert measure_image(record(tmp_path / "b.gif")).pages == 1


def test_equal_pixels_are_found_in_any_format(tmp_path: Path):
    a, b = save(tmp_path / "a.png", scene()), save(tmp_path / "b.bmp", scene())
    c = save(tmp_path / "val" / "c.png", scene())
    other = save(tmp_path / "d.png", scene(seed=1))
    assert a.read_bytes() != b.read_bytes()
    assert found(train=[record(a), record(b), record(other)]) == [("FS072", "b.bmp")]
    assert found(train=[record(a), record(other)], val=[record(c)]) == [("IM072", "a.png")]
    assert found(train=[record(a)], val=[record(a)]) == [("IM072", "a.png")]
    assert found(train=[record(a), record(a)]) == []  # one file listed twice is another finding


def test_a_scaled_or_resaved_copy_is_found_across_splits_only(tmp_path: Path):
    grey = scene()
    first = save(tmp_path / "a.png", grey)
    small = cv2.resize(grey, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    again = save(tmp_path / "b.jpg", np.asarray(small, np.uint8))
    assert found(train=[record(first)], val=[record(again)]) == [("IM072", "a.png")]
    assert found(train=[record(first), record(again)]) == []
    moved = save(tmp_path / "c.png", np.roll(grey, 12, axis=1))  # the next photo of a burst
    assert found(train=[record(first)], val=[record(moved)]) == []
    form = grey.copy()
    cv2.putText(form, "Smith", (200, 200), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 30, 2)  # the same form, filled in
    assert found(train=[record(first)], val=[record(save(tmp_path / "d.png", form))]) == []
    large = cv2.resize(grey, None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR)  # a point is 50x30 px
    ticked = large.copy()
    cv2.putText(ticked, "7", (800, 800), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 30, 2)
    page, other = (
        save(tmp_path / "e.png", np.asarray(large, np.uint8)),
        save(tmp_path / "f.png", np.asarray(ticked, np.uint8)),
    )
    assert found(train=[record(page)], val=[record(other)]) == [], "one digit more"


def test_results_are_in_order_and_each_image_counts_once(tmp_path: Path):
    parts = {
        name: [record(save(tmp_path / name / f"{i}.png", scene(height=200 + 10 * i))) for i in range(20)]
        for name in ("train", "val")
    }
    calls: list[int] = []
    found = measure_images(parts, lambda: calls.append(1), threads=3)
    assert len(calls) == 40
    assert [image.height for image in found["val"]] == [200 + 10 * i for i in range(20)]


def test_invalid_regions_do_no_harm(tmp_path: Path):
    odd = [
        np.array([[np.nan, 0], [1, 1], [2, 2], [0, 3]], np.float32),
        np.array([[5, 5], [5, 5]], np.float32),
        np.zeros((0, 2), np.float32),
        np.array([[900, 900], [990, 900], [990, 950], [900, 950]], np.float32),
        np.array([[-90, -50], [-10, -50], [-10, -20], [-90, -20]], np.float32),
        np.array([[10, 10], [90, 10], [90, 10], [10, 10]], np.float32),
    ]
    stats = measure_image(record(save(tmp_path / "a.png", scene()), *map(Region, odd)))
    assert stats.fault is None and stats.curved == ()


def test_text_is_measured_relative_to_its_height():
    big = cv2.resize(scene(), None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    one, four = text_quality(scene(), WORD), text_quality(np.asarray(big, np.uint8), WORD * 4)
    assert one is not None and four is not None
    assert four.contrast == pytest.approx(one.contrast, rel=0.1)
    assert four.sharpness == pytest.approx(one.sharpness, rel=0.5)
    assert text_quality(scene(), np.array([[0, 0], [90, 0], [90, 9], [0, 9]], np.float32)) is None


def test_scaling_down_keeps_the_aspect_ratio_and_small_images():
    assert scaled_down(np.zeros((720, 1280), np.uint8)).shape == (360, 640)
    assert scaled_down(np.zeros((3, 6400), np.uint8)).shape == (1, 640)
    assert scaled_down(np.zeros((640, 20), np.uint8)).shape == (640, 20)


def arc(text: str, rise: float) -> tuple[Grey, NDArray[np.float32]]:
    """A word whose middle stands `rise` heights of a letter above its ends, in a box of four corners round it."""
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1.4, 4)
    flat = np.full((220, width + 60), 210, np.uint8)
    cv2.putText(flat, text, (30, 140), cv2.FONT_HERSHEY_SIMPLEX, 1.4, 40, 4, cv2.LINE_AA)
    across = (np.arange(width + 60) - 30 - width / 2) / (width / 2)
    shift = rise * height * (1 - np.minimum(across**2, 1.5))
    rows, columns = np.mgrid[0:220, 0 : width + 60].astype(np.float32)
    bent = cv2.remap(flat, columns, (rows + shift).astype(np.float32), cv2.INTER_LINEAR, borderValue=210)
    top, low = 137 - height - max(rise, 0) * height, 143 - min(rise, 0) * height
    return np.asarray(bent, np.uint8), np.array(
        [[28, top], [width + 32, top], [width + 32, low], [28, low]], np.float32
    )


@pytest.mark.parametrize("text", ["WELCOME HOME", "Restaurant", "coffee shop bar"])
def test_curved_text_in_a_box(text: str):
    for rise in (1.0, -1.0, 1.5):
        assert is_curved(*arc(text, rise)), rise
        grey, quad = arc(text, rise)
        assert is_curved(np.ascontiguousarray(255 - grey), quad), "bright on dark"
        assert is_curved(np.ascontiguousarray(np.rot90(grey, -1)), turned(quad, grey.shape[0])), "upright box"
    for rise in (0.0, 0.1, -0.1):
        assert not is_curved(*arc(text, rise)), rise


def turned(quad: NDArray[np.float32], height: int) -> NDArray[np.float32]:
    return np.stack([height - 1 - quad[:, 1], quad[:, 0]], axis=1)


def test_a_curve_counts_if_all_its_values_fit():
    bent = InkCurve(top=0.3, bottom=0.2, fit=0.9, letters=0.5)
    assert is_line_curved(bent) and is_line_curved(bent._replace(top=-0.3, bottom=-0.2))
    for other in (
        {"top": -0.3},  # a lens: high in the middle
        {"bottom": 0.14},  # one straight edge: a long letter in the middle
        {"top": 0.41},  # more than twice the other one
        {"fit": 0.59},
        {"letters": 0.67},  # they fill the box
    ):
        assert not is_line_curved(bent._replace(**other)), other
    assert is_line_curved(bent._replace(bottom=0.15, fit=0.6, letters=0.66))


def test_slanted_text_is_not_curved():
    grey, quad = arc("WELCOME HOME", 0.0)
    tilt = np.array([[1, 0, 0], [0.3, 1, 0]], np.float64)
    slanted = cv2.warpAffine(grey, tilt, (grey.shape[1], 400), borderValue=210)
    across = np.stack([quad[:, 0], 0.3 * quad[:, 0] + quad[:, 1]], axis=1).astype(np.float32)
    assert not is_curved(np.asarray(slanted, np.uint8), across)


def test_blanks_and_short_words_are_not_curved():
    box = np.array([[10, 10], [200, 10], [200, 50], [10, 50]], np.float32)
    assert not is_curved(np.full((100, 300), 128, np.uint8), box)
    assert not is_curved(scene(), box * np.float32(0.1))
    assert not is_curved(*arc("STA", 1.0))


def test_near_pairs_need_content():
    plain = ImageStats(None, 100, 100, GreyLevels(9, 50, 90, 1), constant=True, thumb=bytes(1024))
    assert list(images.near_pairs([plain], [plain])) == []


@pytest.mark.slow
def test_real_photos_have_no_quality_findings(icdar2015: Path):
    records = dialect.read(icdar2015, Report())["train"]
    assert records is not None
    chosen = [item for item in records if int(item.image_path.stem.split("_")[1]) <= 900][::6]
    assert found(train=chosen[::2], val=chosen[1::2]) == []


def test_a_damaged_second_page_does_no_harm(tmp_path):
    path = tmp_path / "two.tif"
    page = PIL.Image.fromarray(np.zeros((20, 30, 3), np.uint8))
    page.save(path, save_all=True, append_images=[page])
    assert pages_of(path) == 2
    data = bytearray(path.read_bytes())
    (first,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, first)
    (second,) = struct.unpack_from("<I", data, first + 2 + 12 * entries)
    struct.pack_into("<H", data, second + 2, 999)  # the tag of its width becomes an unknown one
    path.write_bytes(data)
    assert pages_of(path) == 2 and read_image(path).shape == (20, 30, 3)
