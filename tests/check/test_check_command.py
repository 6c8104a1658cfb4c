"""ocrdet-check on a set with defects, its cleaned copy, and a training on that."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from config_runner import configs
from defective_set import WORD, build, encoded, picture
from resnet18_ocrdet.check.fixed_copy import clip_regions
from resnet18_ocrdet.cli import _check, _train
from resnet18_ocrdet.commands.check_messages import DEFAULT_POLICY, label_overrides
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.data.findings import CODES
from resnet18_ocrdet.data.label_options import DEFAULTS, LabelOptions, changed_options, options_of
from resnet18_ocrdet.data.record import Region, to_record
from resnet18_ocrdet.geometry.polygon import area


def check(*words):
    return run_command("check", _check, list(words))


def contents(root: Path) -> dict[str, tuple[str, int]]:
    """Content and time of every file and link below a folder."""
    found = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        data = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        found[path.relative_to(root).as_posix()] = (hashlib.sha256(data).hexdigest(), status.st_mtime_ns)
    return found


@pytest.fixture(scope="module")
def defective(tmp_path_factory):
    """The set, the expected findings, the exit code, the report, and the folder of the copy."""
    folder = tmp_path_factory.mktemp("defective")
    root = folder / "set"
    wanted = build(root)
    before = contents(root)
    code = check(f"data.root={root}", f"output={folder}/out", "fix=true", "input_size=96x128")
    assert contents(root) == before  # byte for byte
    return root, wanted, code, json.loads((folder / "out" / "report.json").read_text("utf-8")), folder / "out" / "fixed"


def found_in(report, root):
    """Code, file below the set's root and line of every finding."""
    places = []
    for finding in report["findings"]:
        path = Path(finding["file"])
        places.append((finding["code"], path.relative_to(root).as_posix(), finding["line"] or 0))
    return places


def test_forty_defects_are_reported_with_file_and_line(defective):
    root, wanted, code, report, _ = defective
    assert code == 1 and len(wanted) >= 40
    found = set(found_in(report, root))
    missing = {name: place for place, name in wanted.items() if place not in found}
    assert missing == {}, sorted(found)


def test_nothing_else_is_reported(defective):
    root, wanted, _, report, _ = defective
    whole_set = {".": {"PG036", "GT010", "GT002"}}  # totals of the set
    more = [
        place for place in found_in(report, root) if place not in wanted and place[0] not in whole_set.get(place[1], ())
    ]
    consequences = {
        "GT002": 1,
        "GT010": 1,
        "FS076": 1,
    }  # a blank page, a triangle, the other of a pair
    assert not Counter(place[0] for place in more) - Counter(consequences), more


@pytest.mark.slow
def test_the_copy_is_clean_and_a_training_on_it_runs(defective, tmp_path):
    _, _, _, _, fixed = defective
    check(f"data.root={fixed}", f"output={tmp_path}/out", "input_size=96x128")
    report = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert not report["levels"]["error"] and not report["levels"]["repair"], report["kinds"]
    questions = {"IM066", "IM067", "PG042", "PG043"}  # a long image, a blank one, odd regions: only a person can decide
    assert {kind["code"] for kind in report["kinds"] if kind["level"] == "warning"} == questions
    words = ["data=custom", f"data.root={fixed}", f"run_dir={tmp_path}/run", "input_size=64x64", "train.epochs=1"]
    assert run_command("train", _train, [*words, "train.workers=0", "data.on_error=fail"]) == 0


def test_the_page_lists_every_code():
    page = (Path(__file__).parents[2] / "docs" / "check.md").read_text("utf-8")
    for code, kind in CODES.items():
        assert f"| {code} | {kind.level} | {kind.title} | {kind.remedy} |".replace("|  |", "| |") in page


def test_an_image_in_training_and_validation_stays_in_validation(tmp_path):
    for part, numbers in {"train": (1, 2, 3), "val": (3, 4)}.items():
        for number in numbers:
            image = tmp_path / "set" / f"{part}_images" / f"{part}_{number}.png"
            image.parent.mkdir(parents=True, exist_ok=True)
            image.write_bytes(encoded(".png", picture(number)))
            label = tmp_path / "set" / f"{part}_gts" / f"{part}_{number}.txt"
            label.parent.mkdir(exist_ok=True)
            label.write_text(WORD)
    assert check(f"data.root={tmp_path}/set", f"output={tmp_path}/out", "fix=true") == 1
    copied = sorted(path.name for path in (tmp_path / "out" / "fixed").rglob("*.png"))
    assert copied == ["train_1.png", "train_2.png", "val_3.png", "val_4.png"]


def test_a_file_listed_in_both_splits(tmp_path):
    root = tmp_path / "set"
    for number in (1, 2, 3):
        for folder in ("images", "gts"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / "images" / f"{number}.png").write_bytes(encoded(".png", picture(number)))
        (root / "gts" / f"{number}.txt").write_text(WORD)
    (root / "train_list.txt").write_text("1.png\n2.png\n")
    (root / "val_list.txt").write_text("2.png\n3.png\n")
    check(f"data.root={root}", f"output={tmp_path}/out", "fix=true")
    fixed = tmp_path / "out" / "fixed"
    assert sorted(path.relative_to(fixed).as_posix() for path in fixed.rglob("*.png")) == [
        "train_images/1.png",
        "val_images/2.png",
        "val_images/3.png",
    ]


@pytest.mark.parametrize("inside", ["", "reports"])
def test_a_report_inside_the_set_is_refused(tmp_path, inside, capsys, monkeypatch):
    build(tmp_path / "set")
    before = contents(tmp_path / "set")
    assert check(f"data.root={tmp_path}/set", f"output={tmp_path}/set/{inside}") == 2
    assert "which is never written to" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path / "set")
    assert check("data.root=.") == 2  # its reports would go to ./runs
    assert contents(tmp_path / "set") == before


def test_the_smaller_piece_of_a_region_cut_by_the_border_becomes_dont_care():
    bridge = np.array([[10, -20], [90, -20], [90, 40], [70, 40], [70, -10], [30, -10], [30, 60], [10, 60]], np.float32)
    regions = [Region(bridge, "arch", line=3), Region(bridge[:4] + 20, "beam", True, 4)]
    record = replace(to_record(Path("1.jpg"), Path("1.txt"), regions), size=(100, 120))
    cut = clip_regions(record)
    assert [area(polygon) for polygon in cut.polygons[:2]] == [1200, 800]
    assert cut.ignore.tolist() == [False, True, True] and cut.texts == ("arch", "arch", "beam")
    assert cut.lines.tolist() == [3, 3, 4]


def test_images_left_out_of_the_copy_are_counted(tmp_path, capsys):
    for number in (1, 2, 3):
        image = tmp_path / "set" / "images" / f"{number}.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        image.write_bytes(encoded(".png", picture(number)) if number < 3 else b"")
        (tmp_path / "set" / "labels").mkdir(exist_ok=True)
        (tmp_path / "set" / "labels" / f"{number}.txt").write_text(WORD)
    check(f"data.root={tmp_path}/set", f"output={tmp_path}/out", "fix=true")
    assert "wrote 2 images with cleaned labels" in (out := capsys.readouterr().out) and "1 image left out" in out


def test_a_training_accepts_the_suggested_commands(tmp_path, capsys):
    """Images without labels would be refused, so the suggested overrides skip them."""
    for number in range(1, 7):
        image = tmp_path / "set" / "images" / f"{number}.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        image.write_bytes(encoded(".png", picture(number)))
        (tmp_path / "set" / "labels").mkdir(exist_ok=True)
        if number > 2:
            (tmp_path / "set" / "labels" / f"{number}.txt").write_text(WORD)
    check(f"data.root={tmp_path}/set", f"output={tmp_path}/out")
    out = capsys.readouterr().out
    assert f"experiment=finetune init.weights=bundled data=custom data.root={tmp_path}/set data.missing_gt=skip" in out
    (line,) = [line for line in out.splitlines() if line.startswith("together: ")]
    words = shlex.split(line.removeprefix("together: ocrdet-train "))
    assert "data.missing_gt=skip" in words
    small = ("input_size=64x64", "train.batch_size=1", "train.workers=0", "train.preview=true")
    assert run_command("train", _train, [*words, *small, f"run_dir={tmp_path}/run"]) == 0
    capsys.readouterr()
    check(f"data.root={tmp_path}/set", f"output={tmp_path}/out2", "data.missing_gt=negative")
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("together: ")]
    assert "data.missing_gt=negative" in line  # as typed


def test_the_suggested_commands_read_the_labels_as_the_check_did(tmp_path, capsys):
    """Every option about the labels that is typed; those at their defaults are not repeated."""
    (tmp_path / "set").mkdir()
    for number in range(6):
        (tmp_path / f"set/{number}.png").write_bytes(encoded(".png", picture(number)))
        box = {"points": [[10, 10], [60, 10], [60, 30], [10, 30]], "shape_type": "polygon", "description": "word"}
        shapes = [box | {"label": "text line"}, box | {"label": "logo", "description": "%%"}]
        sheet = {"shapes": shapes, "imagePath": f"{number}.png", "imageData": None}
        (tmp_path / f"set/{number}.json").write_text(json.dumps(sheet))
    typed = ["data.ignore_marks='%% ##'", "data.ignore_flags=none", "data.classes=text line,logo", "data.exif=raw"]
    typed += ["data.other_classes=drop", "data.coords=pixels", "data.max_label_mb=9"]
    assert check("data=labelme", f"data.root={tmp_path}/set", f"output={tmp_path}/out", *typed) < 2, (
        capsys.readouterr().err
    )
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("together: ")]
    words = shlex.split(line.removeprefix("together: ocrdet-train "))
    (cfg,) = configs("train", *words)
    read = cfg.data
    assert (read.dialect, read.ignore_marks, read.ignore_flags) == ("labelme", "%% ##", "none")
    assert (read.classes, read.other_classes, read.exif, read.max_label_mb) == ("text line,logo", "drop", "raw", 9)
    assert "data.ignore_flags=none" in words and not any(word.startswith("data.coords") for word in words)


def test_values_are_quoted_where_they_must_be():
    data = {"dialect": "voc", "classes": "word,line", "ignore_marks": "a,b", "columns": None, "level": "line"}
    said = ["data.ignore_marks='a,b'", "data.classes=word,line", "data.level=line", "data.dialect=voc"]
    assert label_overrides(data) == said
    assert label_overrides({"dialect": "auto", "coords": "normalized"}) == ["data.coords=normalized"]
    assert label_overrides({"classes": "null", "exif": "auto"}) == ["data.classes='null'"]


def test_the_defaults_of_the_label_options_are_those_of_the_config(tmp_path):
    (cfg,) = configs("train", "data=custom", f"data.root={tmp_path}")
    assert {key: cfg.data[key] for key in DEFAULTS} == DEFAULTS
    assert changed_options(cfg.data) == {} and options_of(cfg.data) == LabelOptions()


def test_the_check_reports_what_a_training_would_do(tmp_path, capsys):
    build(tmp_path / "bad")
    check(f"data.root={tmp_path}/bad", f"output={tmp_path}/out")
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("ocrdet-train would")]
    assert "refuse this data set" in line and "GT001" in line and "data.on_error=skip" in line
    check(f"data.root={tmp_path}/bad", f"output={tmp_path}/out2", "data.on_error=skip", "data.missing_gt=skip")
    assert re.search(r"ocrdet-train would use \d+ of \d+ images", capsys.readouterr().out)


def test_the_default_policy_is_that_of_the_config(tmp_path):
    (cfg,) = configs("train", "data=custom", f"data.root={tmp_path}")
    assert (cfg.data.on_error, cfg.data.missing_gt) == DEFAULT_POLICY
