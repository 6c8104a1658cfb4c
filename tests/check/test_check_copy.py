"""The cleaned copy: it can be read back unchanged, the source is not written to, and a failure leaves nothing."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resnet18_ocrdet.check.fixed_copy import copy_names, write_fixed_copy
from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats import folders
from resnet18_ocrdet.data.formats.icdar_text import looks_like_quads, parse_lines
from resnet18_ocrdet.data.formats.location import Location
from resnet18_ocrdet.data.formats.write_icdar import densified, line_of, regions_to_densify, write_icdar_text
from resnet18_ocrdet.data.record import LabelRecord, Region, to_record
from resnet18_ocrdet.data.text_file import decode_text, label_lines, lines_of, read_lines
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.geometry.polygon import area, is_polygon
from resnet18_ocrdet.structures import Polygon

SIDE = 60  # px, of the images
QUAD = np.array([[1, 2], [30, 2.5], [30, 20.1], [1, 20]], np.float32)
TEXTS = [
    "",
    "word",
    "12",
    "1,000",
    "12,34,56,78",
    "1,2,3,4,5,6",
    ",5",
    "5,",
    "two words",
    "12 34",
    "3.5,x",
    '"a"',
    "-1",
]


def read_back(root: Path) -> dict[str, list[LabelRecord]]:
    return folders.read(root, Report())


def ring(corners: int) -> Polygon:
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False) + 0.1
    return np.stack([30 + 20 * np.cos(turn), 30 + 20 * np.sin(turn)], axis=1).astype(np.float32)


def image(path: Path, level: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", np.full((SIDE, SIDE, 3), level, np.uint8))[1].tobytes())
    return path


def regions_of(records: list[LabelRecord]) -> list[list[tuple[str, bool, list[list[float]]]]]:
    """Texts, don't-care flags and corners; the text of don't-care regions is ignored."""
    return [
        [
            ("" if ignore else text, bool(ignore), polygon.tolist())
            for polygon, ignore, text in zip(record.polygons, record.ignore, record.texts, strict=True)
        ]
        for record in records
    ]


def test_quads_with_texts_like_numbers_can_be_read_back(tmp_path: Path):
    regions = [Region(QUAD, text) for text in TEXTS] + [Region(QUAD + 1, "*", ignore=True)]
    records = [to_record(image(tmp_path / "in" / f"{i}.png"), None, regions) for i in range(3)]
    parts = {"train": records[:2], "val": records[2:]}
    assert write_fixed_copy(parts, tmp_path / "out") == 3
    back = read_back(tmp_path / "out")
    assert {part: regions_of(found) for part, found in back.items()} == {
        part: regions_of(found) for part, found in parts.items()
    }
    assert (tmp_path / "out/train_gts/0.txt").read_text().splitlines()[1] == "1,2,30,2.5,30,20.1,1,20,word"


@pytest.mark.parametrize("corners", [3, 5, 6, 14])
@pytest.mark.parametrize("quads", [0, 300])
def test_any_number_of_polygons_can_be_read_back(tmp_path: Path, corners: int, quads: int):
    polygons = [Region(ring(corners), text) for text in TEXTS[: 13 if quads == 0 else 1]]
    regions = [*polygons, *(Region(QUAD, TEXTS[i % 13]) for i in range(quads))]
    records = [to_record(image(tmp_path / "in" / "1.png"), None, regions)]
    write_fixed_copy({"train": records}, tmp_path / "out")
    (back,) = read_back(tmp_path / "out")["train"]
    (wanted,) = records
    assert back.texts == wanted.texts and not back.ignore.any()
    changed = [not np.array_equal(a, b) for a, b in zip(back.polygons, wanted.polygons, strict=True)]
    assert sum(changed) <= 1 + len(regions) // 100  # written with points on their sides
    for one, other in zip(back.polygons, wanted.polygons, strict=True):
        assert area(one) == pytest.approx(area(other), rel=1e-5)


def test_only_polygon_labels_get_more_points():
    quads = to_record(Path("a"), None, [Region(QUAD)] * 500)
    assert regions_to_densify([quads]) == [set()]
    mixed = to_record(Path("b"), None, [Region(QUAD)] * 150 + [Region(ring(5))] + [Region(ring(8))])
    assert regions_to_densify([mixed, mixed]) == [{150}, {150}], "5 corners before quads; 4 of 304 lines are enough"
    assert regions_to_densify([to_record(Path("c"), None, [Region(ring(8))] * 3)]) == [set()]
    assert regions_to_densify([to_record(Path("d"), None, [])]) == [set()]


def test_a_polygon_with_more_points_is_the_same_region():
    more = densified(QUAD)
    assert len(more) == 6 and area(more) == pytest.approx(area(QUAD))
    assert [15.5, 2.25] in more.tolist(), "the middle of the upper side"
    assert densified(ring(7)).tolist() == ring(7).tolist()


@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=8, max_size=8),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=12),
)
def test_any_quad_and_any_text_can_be_read_back(numbers: list[float], text: str):
    quad = np.array(numbers, np.float32).reshape(4, 2)
    (line,) = lines_of(decode_text(line_of(quad, text).encode(), "memory"))
    for quads in (True, False):
        back = parse_lines(Location(Report(), Path("memory"), image=Path("memory.png")), [line], (), quads)
        assert back.polygons[0].tolist() == quad.tolist()
        assert (
            back.texts[0]
            == " ".join(text.replace("\0", "\n").replace("\t", "\n").replace("\r", "\n").split("\n")).strip()
        )
    assert looks_like_quads([line])


def test_labels_that_icdar_text_cannot_represent(tmp_path: Path):
    broken = [np.full((4, 2), np.nan, np.float32), np.zeros((2, 2), np.float32)]
    assert not any(map(is_polygon, broken))
    texts = ["two\r\nlines", "a\tb", "nul\0", "###", "  padded ", "\ud800"]
    record = to_record(Path("1.png"), None, [*map(Region, broken), *(Region(QUAD, text) for text in texts)])
    write_icdar_text(tmp_path / "1.txt", record)
    label = Location(Report(), tmp_path / "1.txt", image=Path("1.png"))
    back = parse_lines(label, label_lines(label.path, label.report, None))
    assert back.texts == ("two  lines", "a b", "nul", "", "padded", "?")
    assert not back.ignore.any(), "a text that was ### must not become don't-care"
    assert len(read_lines(tmp_path / "1.txt")) == 6


def test_the_source_is_only_read(tmp_path: Path):
    paths = [image(tmp_path / "in" / name, level) for level, name in enumerate(("a.png", "b.png"))]
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino) for path in paths}
    for path in paths:
        path.chmod(0o444)
    calls: list[int] = []
    records = [to_record(path, None, [Region(QUAD)]) for path in paths]
    (tmp_path / "out").mkdir()  # an empty folder may be there
    write_fixed_copy({"train": records}, tmp_path / "out", lambda: calls.append(1))
    assert len(calls) == 2
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino) for path in paths} == before
    copies = sorted((tmp_path / "out/train_images").iterdir())
    assert [copy.read_bytes() for copy in copies] == [path.read_bytes() for path in paths]
    assert not any(copy.is_symlink() or copy.stat().st_nlink > 1 for copy in copies)


def test_a_link_is_copied_as_its_target(tmp_path: Path):
    target = image(tmp_path / "store" / "x.bin.png", 7)
    link = tmp_path / "in" / "1.png"
    link.parent.mkdir()
    link.symlink_to(target)
    write_fixed_copy({"train": [to_record(link, None, [])]}, tmp_path / "out")
    copy = tmp_path / "out/train_images/1.png"
    assert copy.read_bytes() == target.read_bytes() and not copy.is_symlink()
    assert (tmp_path / "out/train_gts/1.txt").read_bytes() == b""


def test_names_that_would_share_a_label_file_are_changed():
    paths = [
        Path(name)
        for name in ("a/1.jpg", "b/1.jpg", "a/1.png", "a/gt_1.jpg", "a/1.jpg.png", "c/1.JPG", "c/x", ".y.png")
    ]
    names = copy_names(paths)
    assert names[:2] == ["1.jpg", "b_1.jpg"]
    assert names[-2:] == ["x.jpg", "y.png"]
    labels = [
        {f"{n.rpartition('.')[0]}.txt", f"gt_{n.rpartition('.')[0]}.txt", f"{n}.txt"} for n in map(str.lower, names)
    ]
    assert sum(map(len, labels)) == len(set().union(*labels)), "no label file fits two images"


def test_unusual_file_names_can_be_read_back(tmp_path: Path):
    names = [
        "照片 (1), #50%.png",
        "a.b.png",
        "gt_1.png",
        "1.png",
        "sub/1.png",
        "new\nline.png",
        os.fsdecode(b"\xff.png"),
    ]
    records = [
        to_record(image(tmp_path / "in" / name, level), None, [Region(QUAD + level)])
        for level, name in enumerate(names)
    ]
    write_fixed_copy({"test": records}, tmp_path / "out")
    back = {record.image_path.read_bytes(): record for record in read_back(tmp_path / "out")["test"]}
    assert len(back) == len(names)
    for record in records:
        assert back[record.image_path.read_bytes()].polygons[0].tolist() == record.polygons[0].tolist()


def test_an_image_with_lost_regions_becomes_dont_care(tmp_path: Path):
    record = to_record(image(tmp_path / "in" / "1.png"), None, [Region(QUAD, "word")], lost=2)
    write_fixed_copy({"train": [record]}, tmp_path / "out")
    (back,) = read_back(tmp_path / "out")["train"]
    assert back.ignore.tolist() == [False, True]
    assert back.polygons[1].tolist() == [[0, 0], [SIDE - 1, 0], [SIDE - 1, SIDE - 1], [0, SIDE - 1]]


def test_refused_folders(tmp_path: Path):
    source = image(tmp_path / "in" / "images" / "1.png")
    parts = {"train": [to_record(source, None, [])]}
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("")
    (tmp_path / "alias").symlink_to(tmp_path / "in" / "images", target_is_directory=True)
    for folder, why in (
        ("full", "not empty"),
        ("file", "not a folder"),
        ("in/images", "not empty"),
        ("in/images/fixed", "holds images of the data set"),
        ("alias/fixed", "holds images of the data set"),
    ):
        with pytest.raises(UserError, match=why):
            write_fixed_copy(parts, tmp_path / folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alias", "file", "full", "in"]
    assert [path.name for path in source.parent.iterdir()] == ["1.png"]
    write_fixed_copy(parts, tmp_path / "in" / "fixed")  # beside the images
    assert (tmp_path / "in/fixed/train_images/1.png").is_file()


def test_a_failed_copy_leaves_nothing(tmp_path: Path):
    records = [to_record(path, None, []) for path in (image(tmp_path / "in" / "1.png"), tmp_path / "in" / "gone.png")]
    with pytest.raises(UserError, match=r"gone\.png: No such file"):
        write_fixed_copy({"train": records}, tmp_path / "new" / "out")
    assert not list((tmp_path / "new").iterdir())

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_fixed_copy({"train": records[:1]}, tmp_path / "new" / "out", interrupt)
    assert not list((tmp_path / "new").iterdir())
