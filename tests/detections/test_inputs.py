"""Which files of a folder are images, and the names of their results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paged_files import pdf, pictures, write_pages
from resnet18_ocrdet.detections.inputs import find_items, name_results
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.viz.draw import write


def test_images_with_the_same_stem_keep_their_extension():
    images = {Path("a.jpg"): 1, Path("a.png"): 1, Path("b.jpg"): 1, Path("sub/a.jpg"): 1}
    assert list(name_results(images).values()) == [Path("a.jpg"), Path("a.png"), Path("b"), Path("sub/a")]
    images = {Path("a.jpg"): 1, Path("a.png"): 1, Path("a.jpg.png"): 1}
    assert list(name_results(images).values()) == list(images)


@pytest.mark.parametrize(
    ("pages", "names"),
    [
        ({"scan.tif": 3}, {"scan.tif": "scan"}),
        ({"scan.tif": 3, "scan#2.png": 1}, {"scan.tif": "scan.tif", "scan#2.png": "scan#2"}),
        ({"scan.tif": 3, "scan#4.png": 1}, {"scan.tif": "scan", "scan#4.png": "scan#4"}),
        ({"scan.tif": 3, "scan.png": 1}, {"scan.tif": "scan", "scan.png": "scan"}),  # scan#1 … and scan
        ({"scan.tif": 3, "scan.pdf": 2}, {"scan.tif": "scan.tif", "scan.pdf": "scan.pdf"}),
        ({"scan.tif": 3, "sub/scan.pdf": 2}, {"scan.tif": "scan", "sub/scan.pdf": "sub/scan"}),
        (  # the picture of a page in labelme/ is scan.tif#2.png
            {"scan.tif": 2, "scan#2.png": 1, "scan.tif#2.png": 1},
            {"scan.tif": "scan.tif#", "scan#2.png": "scan#2", "scan.tif#2.png": "scan.tif#2"},
        ),
    ],
)
def test_names_of_pages(pages: dict[str, int], names: dict[str, str]):
    found = name_results({Path(path): number for path, number in pages.items()})
    assert {path.as_posix(): name.as_posix() for path, name in found.items()} == names


STEMS = st.lists(st.sampled_from(["a", "#", "1", "2", ".tif", ".png"]), min_size=1, max_size=5).map("".join)
FILES = st.tuples(STEMS.map(lambda stem: "x" + stem), st.sampled_from([".tif", ".png", ".pdf"])).map("".join)


@given(st.dictionaries(FILES, st.integers(1, 3), max_size=8))
def test_no_two_results_have_the_same_name(files: dict[str, int]):
    pages = {Path(path): number for path, number in files.items()}
    names = name_results(pages)
    results = [
        (f"{names[path]}#{page}" if number > 1 else str(names[path]))
        for path, number in pages.items()
        for page in range(1, number + 1)
    ]
    assert len(set(results)) == len(results)
    # in labelme/ a page has a picture beside its label file, another image a link of its own name
    pictures = [
        (f"{names[path]}#{page}.png" if number > 1 else str(path))
        for path, number in pages.items()
        for page in range(1, number + 1)
    ]
    assert len(set(pictures)) == len(pictures)
    alone = {path: number for path, number in pages.items() if number == 1}
    assert {path: names[path] for path in alone} == name_results(alone)  # pages do not change the names of images


def test_pages_are_items_in_natural_order(tmp_path: Path):
    write_pages(tmp_path / "scan.tif", pictures(11))
    write_pages(tmp_path / "2.gif", pictures(1))
    (tmp_path / "10.pdf").write_bytes(pdf(["", ""]))
    (tmp_path / "locked.pdf").write_bytes(pdf([""], password="secret"))
    items = find_items(tmp_path, tmp_path / "out", crops=False).items
    numbers = [f"scan.tif#{page}" for page in range(1, 12)]
    assert [item.relative for item in items] == ["2.gif", "10.pdf#1", "10.pdf#2", "locked.pdf", *numbers]
    assert [item.result for item in items][:5] == list(map(Path, ["2", "10#1", "10#2", "locked", "scan#1"]))
    assert [item.page for item in items] == [None, 1, 2, None, *range(1, 12)]
    assert [bool(item.fault) for item in items] == [False] * 3 + [True] + [False] * 11
    (only,) = find_items(tmp_path / "2.gif", tmp_path / "out", crops=False).items
    assert only.page is None
    assert len(find_items(tmp_path / "10.pdf", tmp_path / "out", crops=False).items) == 2


def test_pictures_of_earlier_calls_are_skipped(tmp_path: Path):
    for folder in ("in", "in/found/vis", "in/mine/vis", "elsewhere/vis", "elsewhere/labelme"):
        (tmp_path / folder).mkdir(parents=True)
        write(tmp_path / folder / "a.jpg", np.zeros((8, 8, 3), np.uint8))
    for folder in ("in/found", "elsewhere"):
        (tmp_path / folder / "detections.settings.json").write_text("{}")
    (tmp_path / "in/mine/detections.json").write_text("{}")  # of another program
    (tmp_path / "in/linked").symlink_to(tmp_path / "elsewhere")
    found, left_out, _ = find_items(tmp_path / "in", tmp_path / "out", crops=True)
    assert [item.relative for item in found] == ["a.jpg", "mine/vis/a.jpg"] and left_out == 3
    with pytest.raises(UserError, match=r"elsewhere/vis: contains only pictures that a detection wrote"):
        find_items(tmp_path / "elsewhere/vis", tmp_path / "out", crops=True)


def test_formats_that_are_not_read_are_counted(tmp_path: Path):
    for name in ("a.heic", "more/b.HEIC", "c.svg", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "._a.heic").touch()  # written by macOS
    with pytest.raises(UserError, match=r"0 images found .*; 2 \.heic, 1 \.svg: not read"):
        find_items(tmp_path, tmp_path / "out", crops=False)
    write(tmp_path / "d.jpg", np.zeros((8, 8, 3), np.uint8))
    line = "2 .heic, 1 .svg: not read, convert to JPEG or PNG"
    assert find_items(tmp_path, tmp_path / "out", crops=False).unread == line
    assert find_items(tmp_path / "d.jpg", tmp_path / "out", crops=False).unread == ""


def test_photos_in_a_folder_called_crops_are_images_unless_regions_are_written_there(tmp_path: Path):
    (tmp_path / "crops").mkdir()
    for name in ("a.jpg", "crops/b.jpg"):
        write(tmp_path / name, np.zeros((8, 8, 3), np.uint8))
    assert len(find_items(tmp_path, tmp_path, crops=False)[0]) == 2
    items, left_out, _ = find_items(tmp_path, tmp_path, crops=True)
    assert [item.relative for item in items] == ["a.jpg"] and left_out == 1
