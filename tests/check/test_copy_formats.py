"""Labels of any kind are copied as ICDAR text, COCO or LabelMe, and read again as they were."""

from __future__ import annotations

import json
import shlex
import tempfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from defective_set import WORD, encoded, picture
from dialect_writers import WAYS
from resnet18_ocrdet.check.copy_formats import COPY_FORMATS, losses
from resnet18_ocrdet.check.fixed_copy import clean_records, write_fixed_copy
from resnet18_ocrdet.cli import _check
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.data.error_policy import mask_lost
from resnet18_ocrdet.data.formats.label_classes import TEXT_CLASS
from resnet18_ocrdet.data.load_annotations import detect_format, read_data
from resnet18_ocrdet.data.record import LabelRecord, Region, to_record
from resnet18_ocrdet.data.region_selection import select_regions

READ_AS = {"icdar": "folders", "coco": "coco", "labelme": "labelme"}
HEIGHT, WIDTH = 40, 120  # px
FLAGS = ("difficult", "iscrowd")
TEXTS = [
    *("", "EXIT", "a,b", ",5", "1", "0", "1,000", "12,34,56,78", "0,word", "Latin,x", '"q"', 'say "hi"', '"', '\\"\\'),
    *("a\tb", "two\nlines", " padded ", "###", "####x", "*", "#", "北京，东路", "#5", "x: [[1]]", "nul\0"),
]
QUAD = np.array([[1, 2], [30, 2.5], [30, 20.1], [1, 20]], np.float32)


def fingerprint(record: LabelRecord, form, is_back: bool) -> list[tuple]:
    """Text, flag and class of each region: as the format holds them, or as they were read."""
    named = record.categories or ("",) * len(record.texts)
    classes = [(name or TEXT_CLASS) if form.has_classes else "" for name in named]
    held = [
        text if is_back else form.held(text, ignore)
        for text, ignore in zip(record.texts, record.ignore.tolist(), strict=True)
    ]
    return list(zip(held, record.ignore.tolist(), classes, strict=True))


def check_copy(parts: dict[str, list[LabelRecord]], folder: Path, key: str) -> None:
    """Write a copy, read it without settings, and compare."""
    form = COPY_FORMATS[key]
    write_fixed_copy(parts, folder, form=form)
    assert READ_AS[key] == detect_format(folder)[0].KEY
    back = read_data(folder)
    assert [found.text for level in ("error", "repair") for found in back.report.at(level)] == []
    assert {split: len(found) for split, found in back.splits.items()} == {
        split: len(found) for split, found in parts.items() if found
    }
    for split, found in back.splits.items():
        read = {record.image_path.name: record for record in found}
        for record in map(mask_lost, parts[split]):
            again = read[record.image_path.name]
            assert fingerprint(again, form, True) == fingerprint(record, form, False)
            for one, other in zip(again.polygons, record.polygons, strict=True):
                assert shapely.hausdorff_distance(shapely.LinearRing(one), shapely.LinearRing(other)) < 0.01
            assert again.stated in (None, record.size) and again.lost == 0


@pytest.mark.parametrize("name", WAYS)
def test_each_kind_of_labels_is_read_again_from_each_copy(tmp_path: Path, name: str):
    way = WAYS[name]
    (tmp_path / "set").mkdir()
    way.write(tmp_path / "set", way.expressible())
    reading = read_data(tmp_path / "set")
    parts, _ = clean_records(reading.splits, reading.report)
    for key in COPY_FORMATS:
        check_copy(parts, tmp_path / key, key)


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    for level in range(4):
        pixels = cv2.imencode(".png", np.full((HEIGHT, WIDTH, 3), level, np.uint8))[1].tobytes()
        (folder / f"{level}.png").write_bytes(pixels)
    return sorted(folder.iterdir())


@st.composite
def regions(draw) -> list[Region]:
    """Star-shaped outlines beside each other."""
    found = []
    for place in range(draw(st.integers(0, 4))):
        radii = np.array(draw(st.lists(st.floats(3, 11, width=32), min_size=4, max_size=12)))
        turns = np.linspace(0, 2 * np.pi, len(radii), endpoint=False) + draw(st.floats(0, 1))
        center = np.array([12.5 + 24 * place, draw(st.floats(12, HEIGHT - 13))])
        outline = center + radii[:, None] * np.stack([np.cos(turns), np.sin(turns)], axis=1)
        text = draw(st.sampled_from(TEXTS) | st.text(st.characters(exclude_categories=("Cs",)), max_size=5))
        flag, category = draw(st.sampled_from(("", "", *FLAGS))), draw(st.sampled_from(("", "", "word", "bill")))
        is_mark = text == "###" and draw(st.booleans())
        found.append(Region(outline.astype(np.float32), text, is_mark, place + 1, flag, category))
    return found


images = st.lists(
    st.tuples(st.sampled_from(("train", "val", "test")), regions(), st.sampled_from((0, 0, 0, 1))),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("key", COPY_FORMATS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(labels=images)
def test_any_labels_are_read_again(photos: list[Path], key: str, labels):
    splits: dict[str, list[LabelRecord]] = {}
    for photo, (split, own, lost) in zip(photos, labels, strict=False):
        record = replace(to_record(photo, None, own, lost), size=(HEIGHT, WIDTH))
        splits.setdefault(split, []).append(record)
    parts = select_regions(splits, FLAGS).splits
    with tempfile.TemporaryDirectory() as folder:
        check_copy(parts, Path(folder) / "copy", key)


def test_texts_are_quoted_where_a_reader_would_find_other_columns(photos: list[Path], tmp_path: Path):
    def lines(*texts: str) -> list[str]:
        number = len(list(tmp_path.iterdir()))
        record = to_record(photos[0], None, [Region(QUAD + place, text) for place, text in enumerate(texts)])
        write_fixed_copy({"train": [record]}, tmp_path / str(number))
        written = (tmp_path / str(number) / "train_gts/0.txt").read_text().splitlines()
        return [line.split(",", 8)[8] if line.count(",") > 7 else "" for line in written]

    assert lines("EXIT", "0", "") == ["EXIT", "0", ""]
    assert lines("0,a", "1,b") == ['"0,a"', '"1,b"'], "else a difficulty and a text"
    assert lines("Latin,a", "Arabic,") == ['"Latin,a"', '"Arabic,"'], "else a script and a text"
    assert lines('"a"', '"\\"') == ['"""a"""', '"""\\\\"""'], "else the quotes would be left out"


def test_what_each_file_holds(photos: list[Path], tmp_path: Path):
    own = [Region(QUAD, "EXIT", category="sign"), Region(QUAD + 5, "worn", True), Region(QUAD[:3], "###", True)]
    parts = {"val": [replace(to_record(photos[1], None, own), size=(HEIGHT, WIDTH))]}
    points = [[1, 2], [30, 2.5], [30, 20.1], [1, 20]]
    write_fixed_copy(parts, tmp_path / "coco", form=COPY_FORMATS["coco"])
    content = json.loads((tmp_path / "coco/annotations/instances_val.json").read_text())
    assert content["images"] == [{"id": 1, "file_name": "1.png", "height": HEIGHT, "width": WIDTH}]
    assert (tmp_path / "coco/val/1.png").read_bytes() == photos[1].read_bytes()
    assert content["categories"] == [{"id": 1, "name": "sign"}, {"id": 2, "name": "text"}]
    first, second, third = content["annotations"]
    assert first.pop("area") == pytest.approx(29 * (18 + 17.6) / 2, abs=0.01), "29 px wide; the left and the right side"
    assert first == {
        **{"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "utf8_string": "EXIT"},
        "segmentation": [[number for point in points for number in point]],
        "bbox": [1, 2, 29, 18.1],
    }
    assert (second["iscrowd"], second["category_id"], second["utf8_string"]) == (1, 2, "worn")
    assert (third["iscrowd"], third["utf8_string"]) == (1, "###")
    write_fixed_copy(parts, tmp_path / "labelme", form=COPY_FORMATS["labelme"])
    content = json.loads((tmp_path / "labelme/val/1.json").read_text())
    assert (content["imagePath"], content["imageHeight"], content["imageWidth"]) == ("1.png", HEIGHT, WIDTH)
    first, second, third = content["shapes"]
    assert (first["label"], first["description"], first["points"], first["flags"]) == ("sign", "EXIT", points, {})
    assert (second["label"], second["description"], second["flags"]) == ("text", "worn", {"ignore": True})
    assert third["shape_type"] == "polygon" and len(third["points"]) == 3


def test_what_a_format_cannot_hold_is_counted():
    own = [
        Region(QUAD, "two\nlines", category="line"),
        Region(QUAD, "a\tb", category="line"),
        Region(QUAD, "worn", True, category="bill"),
        Region(QUAD, "###", True),
        Region(QUAD, "", True),
        Region(QUAD, "###"),
        Region(np.concatenate([QUAD, QUAD + 3]), "EXIT"),
    ]
    records = [to_record(Path("1.png"), None, own)]
    text = losses(records, COPY_FORMATS["icdar"])
    assert "text of 1 don't-care region, the class of 3 regions" in text and "in 3 texts" in text
    assert "1 region without four corners" in text and "\n" not in text
    assert "don't-care" not in losses(records, COPY_FORMATS["icdar"], marks=("worn",)), "a mark of another format"
    for key in ("coco", "labelme"):
        assert losses(records, COPY_FORMATS[key]).endswith("does not hold ### in 1 text")
    assert losses([to_record(Path("1.png"), None, own[3:5])], COPY_FORMATS["icdar"]) == ""
    single = to_record(Path("1.png"), None, [Region(QUAD, "a", category="word"), Region(QUAD, "b")])
    assert losses([single], COPY_FORMATS["icdar"]) == "", "one class tells nothing"


def write_set(root: Path, **splits: int) -> None:
    """Images with a word each; numbers differ between splits."""
    first = 0
    for split, number in splits.items():
        for place in range(first, first + number):
            for folder, name, content in (
                ("images", f"{place}.png", encoded(".png", picture(place))),
                ("gts", f"{place}.txt", WORD.encode()),
            ):
                path = root / f"{split}_{folder}" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        first += number


def told(capsys, *words: str) -> list[str]:
    assert run_command("check", _check, list(words)) in (0, 1)
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("key", COPY_FORMATS)
def test_the_command_that_is_named_reads_the_copy(tmp_path: Path, capsys, key: str):
    write_set(tmp_path / "set", train=4, val=2, test=1)
    words = [
        f"data.root={tmp_path}/set",
        f"output={tmp_path}/$(out) 1",
        "fix=true",
        f"fix_format={key}",
        "data.val=1-1",
    ]
    *_, line = told(capsys, *words)
    command = shlex.split(line.removeprefix("to train on them: ").partition(", with the advice")[0])
    assert command == ["ocrdet-train", "data=custom", f"data.root={tmp_path}/$(out) 1/fixed", "data.val=1-1"]
    _, parts, *rest = told(capsys, *command[1:], f"output={tmp_path}/again")
    assert "train 4 images with 4 regions" in parts and "val 2 images" in parts and "test 1 image" in parts
    assert any("would use 5 of 7 images" in line for line in rest), "the range replaces the two of val"


def test_a_copy_that_cannot_be_trained_on_is_told_as_such(tmp_path: Path, capsys):
    write_set(tmp_path / "set", test=2)
    *_, line = told(capsys, f"data.root={tmp_path}/set", f"output={tmp_path}/out", "fix=true", "fix_format=coco")
    assert (
        line.startswith("ocrdet-train would refuse the copy") and f"no training images in {tmp_path}/out/fixed" in line
    )


@pytest.mark.parametrize("key", COPY_FORMATS)
def test_a_split_whose_images_are_all_left_out_is_no_folder(tmp_path: Path, capsys, key: str):
    write_set(tmp_path / "set", train=3, val=1)
    (tmp_path / "set/val_images/3.png").write_bytes(b"")
    words = ("fix=true", f"fix_format={key}")
    *_, line = told(capsys, f"data.root={tmp_path}/set", f"output={tmp_path}/out", *words)
    assert line.startswith("to train on them")
    assert {path.name for path in (tmp_path / "out/fixed").iterdir()} & {"val", "val_images", "val_gts"} == set()
    assert {split: len(found) for split, found in read_data(tmp_path / "out/fixed").splits.items()} == {"train": 3}


@pytest.mark.parametrize(
    ("words", "why"), [(["fix_format=coco"], "fix=true"), (["fix=true", "fix_format=voc"], "icdar")]
)
def test_a_format_without_a_copy_and_an_unknown_one_are_refused(tmp_path: Path, capsys, words, why):
    write_set(tmp_path / "set", train=2)
    assert run_command("check", _check, [f"data.root={tmp_path}/set", f"output={tmp_path}/out", *words]) == 2
    assert why in (error := capsys.readouterr().err) and len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()
