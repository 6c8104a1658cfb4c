"""Files, folders and lists of docs/bad-input.md that no other test covers."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from defective_set import OTHER, WORD, encoded, picture
from resnet18_ocrdet.cli import _check, _train
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.data import text_file
from resnet18_ocrdet.data.load_annotations import Reading, read_data
from resnet18_ocrdet.data.splits import custom
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.runtime.run_folder import make_folder


def write(root: Path, *pictures: str, **labels: str) -> Path:
    """Write images and label files by their paths below the root."""
    for number, name in enumerate(pictures):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(".png", picture(number)))
    for name, label in labels.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(label)
    return root


def texts(reading: Reading) -> dict[str, tuple[str, ...]]:
    return {record.image_path.name: record.texts for record in reading.splits["train"]}


def told(reading: Reading) -> list[tuple[str, str, int]]:
    return [(finding.code, finding.path.name, finding.line) for finding in reading.report]


@pytest.mark.parametrize(
    "name",
    ["照片 1", "emoji😀", "#50% (1)", "a=b,c", "q\"u'o;te", "two\nlines", "a.b.c", "-x", " .lead", "caf\udce9"],
)
def test_any_file_name(tmp_path: Path, name: str):
    reading = read_data(write(tmp_path, f"images/{name}.png", **{f"labels/{name}.txt": WORD}))
    assert texts(reading) == {f"{name}.png": ("word",)} and told(reading) == []


def test_a_finding_is_one_line_for_any_file_name(tmp_path: Path):
    reading = read_data(write(tmp_path, "images/a.png", "images/two\nlines.png", **{"labels/a.txt": WORD}))
    (finding,) = reading.report
    assert finding.code == "GT001" and "two\\nlines.png" in finding.text and "\n" not in finding.text


@pytest.mark.parametrize("listed", [False, True])
def test_upper_case_suffixes(tmp_path: Path, listed: bool):
    root = write(
        tmp_path,
        "train_images/a.PNG",
        "train_images/b.Png",
        **{"train_gts/a.TXT": WORD, "train_gts/gt_b.TXT": OTHER},
    )
    if listed:
        (root / "train_list.txt").write_text("a.PNG\nb.Png\n")
    reading = read_data(root)
    assert texts(reading) == {"a.PNG": ("word",), "b.Png": ("other",)} and told(reading) == []


def test_two_label_files_that_differ_in_case(tmp_path: Path):
    root = write(tmp_path, "images/a.png", **{"labels/a.txt": WORD, "labels/a.TXT": OTHER})
    if len(list((root / "labels").iterdir())) == 1:
        pytest.skip("this disk takes both names for one")
    assert told(read_data(root)) == [("GT026", "a.TXT", 0)]


def test_dots_in_file_names(tmp_path: Path):
    root = write(tmp_path, "images/a.b.png", "images/a.png", **{"labels/a.b.txt": WORD, "labels/a.txt": OTHER})
    assert texts(read_data(root)) == {"a.b.png": ("word",), "a.png": ("other",)}


def test_one_stem_with_two_suffixes(tmp_path: Path):
    root = write(tmp_path, "images/1.png", "images/1.jpg", **{"labels/1.png.txt": WORD, "labels/1.jpg.txt": OTHER})
    assert texts(read_data(root)) == {"1.jpg": ("other",), "1.png": ("word",)}
    (root / "labels/1.png.txt").rename(root / "labels/1.txt")
    (root / "labels/1.jpg.txt").unlink()
    reading = read_data(root)
    assert told(reading) == [("FS076", "1.txt", 0)] * 2 and not reading.splits["train"]  # unknown owner


def test_cyclic_links_and_desktop_files(tmp_path: Path):
    root = write(tmp_path, "images/1.png", **{"labels/1.txt": WORD})
    (root / "images/circle").symlink_to(root)
    for name in ("._1.png", ".DS_Store", "Thumbs.db", "desktop.ini"):
        (root / "images" / name).write_text("x")
    (root / "labels/._1.txt").write_text("x")
    reading = read_data(root)
    assert texts(reading) == {"1.png": ("word",)} and told(reading) == []
    (root / "images/self.png").symlink_to("self.png")
    assert told(read_data(root)) == [("FS077", "self.png", 0)]


def test_any_content_of_a_list(tmp_path: Path):
    root = write(
        tmp_path,
        *(f"train_images/{name}.png" for name in ("1", "2", "3", "a b")),
        **{f"train_gts/{name}.txt": WORD for name in ("1", "2", "3", "a b")},
    )
    lines = [
        "\ufeff# from the camera",
        "1.png  ",
        "",
        "  train_images\\2.png\ttrain_gts\\2.txt",
        f"{root}/train_images/3.png {root}/train_gts/3.txt",
        "./1.png",
        "a b.png",
        "C:\\photos\\9.png",
        "#2.png",
    ]
    (root / "train_list.txt").write_bytes("\r\n".join(lines).encode())
    reading = read_data(root)
    assert list(texts(reading)) == ["1.png", "2.png", "3.png", "a b.png"]
    assert told(reading) == [("FS080", "train_list.txt", 6), ("FS079", "train_list.txt", 8)]


def test_a_list_in_another_encoding(tmp_path: Path):
    root = write(tmp_path, "train_images/照.png", **{"train_gts/照.txt": WORD})
    for encoding in ("utf-16", "gb18030"):
        (root / "train_list.txt").write_bytes("照.png\r\n".encode(encoding))
        assert texts(read_data(root)) == {"照.png": ("word",)}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "the folder is empty (looked for ICDAR 2015"),
        ({"images/note.txt": "x", "labels/1.txt": WORD}, "images: 0 images found (looked for .jpg, .png"),
        ({"train_list.txt": "\n# 1.png\n"}, "train_list.txt: 0 images found (looked for lines such as 1.jpg"),
    ],
)
def test_an_empty_folder_is_reported_in_one_line(tmp_path: Path, files: dict[str, str], message: str, capsys):
    root = write(tmp_path / "set", **files)
    root.mkdir(exist_ok=True)
    assert run_command("check", _check, [f"data.root={root}", f"output={tmp_path}/out"]) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.strip().splitlines()) == 1
    words = ["data=custom", f"data.root={root}", "input_size=64x64", f"run_dir={tmp_path}/run"]
    assert run_command("train", _train, words) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_names_of_parent_folders_do_not_matter(tmp_path: Path):
    test = write(tmp_path / "train/train_images/set", "test_images/1.png", **{"test_gts/1.txt": WORD})
    splits = custom(test)
    assert len(splits.train) == 0 and splits.test is not None and len(splits.test) == 1
    train = write(tmp_path / "test/val_set", "images/1.png", "images/2.png", **{"labels/1.txt": WORD})
    (train / "labels/2.txt").write_text(OTHER)
    assert custom(train).test is None and len(custom(train).train) == 1


def test_relative_paths_start_at_the_working_directory(tmp_path: Path, monkeypatch):
    write(tmp_path / "set", "images/1.png", **{"labels/1.txt": WORD})
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert run_command("check", _check, ["data.root=../set", "output=out"]) in (0, 1)
    assert (tmp_path / "below/out/report.html").is_file()


def test_a_folder_without_write_permission(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # also when run as root
    with pytest.raises(UserError, match=r"run_dir=.*run: cannot be written to"):
        make_folder("run_dir", tmp_path / "run")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"output=.*file/out: cannot be created \(Not a directory\)"):
        make_folder("output", tmp_path / "file/out")


def test_a_read_error_in_a_label_file(tmp_path: Path, monkeypatch):
    root = write(tmp_path, "images/1.png", "images/2.png", **{"labels/1.txt": WORD, "labels/2.txt": WORD})
    read = text_file.read_regular

    def fails(path: Path, max_bytes: int) -> bytes:
        if path.name == "2.txt":
            raise OSError(errno.EIO, "Input/output error")
        return read(path, max_bytes)

    monkeypatch.setattr(text_file, "read_regular", fails)
    reading = read_data(root)
    assert told(reading) == [("GT006", "2.txt", 0)]
    assert reading.report[0].detail == "cannot be read: Input/output error"
    assert {record.image_path.name: record.lost for record in reading.splits["train"]} == {"1.png": 0, "2.png": 1}
