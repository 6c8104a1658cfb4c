"""The hash of a data set: what changes it and what does not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from resnet18_ocrdet.data.labels import LabelledImages
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.data.splits import custom
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.runtime.provenance import data_hash

PIXELS = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
BOX = np.array([[1, 1], [9, 1], [9, 5], [1, 5]], np.float32)


def labelled(root, count=2):
    """`count` records below a folder, each with two regions, and image files of different sizes."""
    root.mkdir(parents=True, exist_ok=True)
    records = []
    for number in range(count):
        image = root / f"img_{number}.jpg"
        image.write_bytes(bytes(10 + number))
        ignore = np.array([False, True])
        records.append(LabelRecord(image, root / f"gt_{number}.txt", (BOX, BOX + number), ignore, ("ab", "###")))
    return records


def hash_of(records):
    return data_hash(LabelledImages(records))


def test_hash_is_hexadecimal_and_independent_of_the_folder(tmp_path):
    first, second = labelled(tmp_path / "here"), labelled(tmp_path / "far" / "away")
    assert hash_of(first) == hash_of(first) == hash_of(second)
    assert len(hash_of(first)) == 64 and int(hash_of(first), 16) > 0


def test_hash_of_a_moved_folder(tmp_path):
    for root in (tmp_path / "a", tmp_path / "b" / "c"):
        for folder in ("images", "labels"):
            (root / folder / "sub").mkdir(parents=True)
        for number in range(4):
            (root / "images" / "sub" / f"{number}.jpg").write_bytes(PIXELS + bytes(number))
            (root / "labels" / "sub" / f"{number}.txt").write_text(f"1,1,9,1,9,5,1,{5 + number},word\n")
    one, other = custom(tmp_path / "a", val=0.25), custom(tmp_path / "b" / "c", val=0.25)
    assert data_hash(one.train) == data_hash(other.train) != data_hash(one.val) == data_hash(other.val)


CHANGES = {
    "a vertex": lambda r: [replace(r[0], polygons=(BOX, BOX + np.float32(0.5))), r[1]],
    "a don't-care flag": lambda r: [replace(r[0], ignore=np.array([True, True])), r[1]],
    "a text": lambda r: [replace(r[0], texts=("aB", "###")), r[1]],
    "where one text ends": lambda r: [replace(r[0], texts=("a", "b###")), r[1]],
    "a region less": lambda r: [replace(r[0], polygons=(BOX,), ignore=r[0].ignore[:1], texts=("ab",)), r[1]],
    "an image less": lambda r: r[:1],
    "the order": lambda r: r[::-1],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_changed_label_changes_the_hash(tmp_path, change):
    records = labelled(tmp_path)
    assert hash_of(change(records)) != hash_of(records)


def test_a_region_that_moves_to_the_next_image_changes_the_hash(tmp_path):
    a, b = labelled(tmp_path)
    flags = np.zeros(3, bool)
    three_one = [
        replace(a, polygons=(BOX,) * 3, ignore=flags, texts=("",) * 3),
        replace(b, polygons=(BOX,), ignore=flags[:1], texts=("",)),
    ]
    two_two = [replace(r, polygons=(BOX,) * 2, ignore=flags[:2], texts=("",) * 2) for r in (a, b)]
    assert hash_of(three_one) != hash_of(two_two)


def test_name_and_size_of_an_image_change_the_hash(tmp_path):
    records = labelled(tmp_path)
    before = hash_of(records)
    renamed = records[0].image_path.rename(tmp_path / "other.jpg")
    assert hash_of([replace(records[0], image_path=renamed), records[1]]) != before
    renamed.rename(records[0].image_path)
    assert hash_of(records) == before
    records[0].image_path.write_bytes(bytes(11))
    assert hash_of(records) != before


def test_what_does_not_change_the_hash(tmp_path):
    records = labelled(tmp_path)
    before = hash_of(records)
    records[0].image_path.write_bytes(b"\xff" * 10)  # other pixels in the same number of bytes: a documented limit
    os.utime(records[1].image_path, (0, 0))
    assert hash_of([replace(record, label_path=None) for record in records]) == before


def test_a_deleted_image_changes_the_hash(tmp_path):
    records = labelled(tmp_path)
    before = hash_of(records)
    records[0].image_path.unlink()
    assert hash_of(records) != before


def test_names_and_texts_that_are_not_utf_8(tmp_path):
    records = labelled(tmp_path)
    odd = replace(records[0], image_path=tmp_path / "caf\udce9.jpg", texts=("\udce9", "照片"))
    assert hash_of([odd]) != hash_of(records[:1])


PRINT_CHUNKS = """
import sys
from pathlib import Path
from resnet18_ocrdet.data.load_annotations import read_data
from resnet18_ocrdet.data.labels import LabelledImages
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
for source in (LabelledImages(read_data(Path(sys.argv[1])).splits["train"]), SyntheticScenes(4, 64, 96, seed=1)):
    print(list(source.fingerprint()))
"""  # the chunks rather than their hash, because `provenance` takes seconds to load torch


def test_pythons_hash_seed_does_not_matter(tmp_path):
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for number in range(5):
        (tmp_path / "images" / f"{number}.jpg").write_bytes(PIXELS + bytes(number))
        (tmp_path / "labels" / f"{number}.txt").write_text(f"1,1,9,1,9,5,1,{5 + number},word\n")
    printed = [
        subprocess.run(
            [sys.executable, "-c", PRINT_CHUNKS, tmp_path],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert printed[0] == printed[1]
    assert "4.jpg" in printed[0] and "seed 1" in printed[0]


def test_hashing_a_thousand_images_takes_less_than_a_tenth_of_a_second(tmp_path):
    source = LabelledImages(labelled(tmp_path, 1000))

    def seconds():
        began = time.process_time()
        data_hash(source)
        return time.process_time() - began

    assert min(seconds() for _ in range(3)) < 0.1


def test_everything_that_scenes_depend_on_changes_the_hash():
    given = {"count": 4, "height": 64, "width": 96, "seed": 1, "first": 0}
    others = [given, *({**given, name: value + 1} for name, value in given.items())]
    assert len({data_hash(SyntheticScenes(**arguments)) for arguments in others}) == 6
    turned = given | {"height": given["width"], "width": given["height"]}
    assert data_hash(SyntheticScenes(**turned)) != data_hash(SyntheticScenes(**given))


def test_names_and_sizes_of_fonts_and_backgrounds_change_the_hash(tmp_path):
    matplotlib = pytest.importorskip("matplotlib", reason="a font file is needed")
    font = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    for root in ("a", "b"):
        (tmp_path / root).mkdir()
        shutil.copy(font, tmp_path / root / "face.ttf")
        (tmp_path / root / "wall.jpg").write_bytes(bytes(10))

    def scenes(fonts, backgrounds):
        return data_hash(SyntheticScenes(4, 64, 96, seed=1, fonts=fonts, backgrounds=backgrounds))

    a, b = tmp_path / "a", tmp_path / "b"
    hashes = [scenes(None, None), scenes(a, None), scenes(None, a), scenes(a, a)]
    assert len(set(hashes)) == 4
    assert scenes(b, b) == hashes[3]  # their folder does not matter
    (b / "wall.jpg").rename(b / "floor.jpg")
    assert scenes(b, b) != hashes[3]
    (a / "wall.jpg").write_bytes(bytes(11))
    assert scenes(a, a) != hashes[3]


def test_no_images():
    empty = hash_of([])
    assert len(empty) == 64
    assert empty != data_hash(SyntheticScenes(0, 64, 64, seed=0))
