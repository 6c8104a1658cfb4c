"""Files that exist completely or not at all."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from resnet18_ocrdet.runtime.atomic_write import HIDDEN, atomic_write, remove_leftovers, replace_pair, staging_folder


def hidden_in(folder):
    return [path for path in folder.iterdir() if HIDDEN.fullmatch(path.name)]


def test_it_replaces_the_target_and_leaves_nothing(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_text("old")
    with atomic_write(path) as hidden:
        assert hidden.suffix == ".onnx" and hidden.read_bytes() == b""
        hidden.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_a_failure_does_not_change_the_target(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ValueError, match="no"), atomic_write(path) as hidden:
        hidden.write_text("new")
        raise ValueError("no")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_link_is_replaced_not_followed(tmp_path):
    (tmp_path / "elsewhere").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with atomic_write(tmp_path / "link") as hidden:
        hidden.write_text("new")
    assert (tmp_path / "elsewhere").read_text() == "mine"
    assert not (tmp_path / "link").is_symlink() and (tmp_path / "link").read_text() == "new"


@pytest.mark.parametrize("name", ["x" * 255, "a." + "s" * 253, "语" * 85])
def test_a_name_of_any_length_is_written(tmp_path, name):
    with atomic_write(tmp_path / name) as hidden:
        hidden.write_text("new")
    assert (tmp_path / name).read_text() == "new"


def test_several_writers_never_show_a_broken_file(tmp_path):
    path, wrong = tmp_path / "a", []
    path.write_text("0" * 100_000)

    def write(sign):
        for _ in range(50):
            with atomic_write(path) as hidden:
                hidden.write_text(sign * 100_000)

    writers = [threading.Thread(target=write, args=(sign,)) for sign in "12"]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        text = path.read_text()
        if len(text) != 100_000 or len(set(text)) != 1:
            wrong.append(text[:10])
        remove_leftovers([tmp_path])
    assert not wrong and list(tmp_path.iterdir()) == [path]


KILLED = """
import os, signal, sys
from pathlib import Path
from resnet18_ocrdet.runtime.atomic_write import atomic_write, staging_folder
with atomic_write(Path(sys.argv[1], "a.txt")) as hidden, staging_folder(Path(sys.argv[1])) as folder:
    hidden.write_text("half"); (folder / "b").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_leftovers_are_removed_and_files_being_written_stay(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert len(hidden_in(tmp_path)) == 2
    foreign = tmp_path / ".ocrdet-tmp-notes"
    foreign.write_text("mine")
    with atomic_write(tmp_path / "b.txt") as living, staging_folder(tmp_path) as folder:
        remove_leftovers([tmp_path, tmp_path / "not there"])
        assert sorted(hidden_in(tmp_path)) == sorted([living, folder])
    assert set(tmp_path.iterdir()) == {tmp_path / "b.txt", foreign}
    assert foreign.read_text() == "mine"


def pair(tmp_path, text):
    with staging_folder(tmp_path) as staged:
        (staged / "m").write_text(text)
        (staged / "m.json").write_text(text)
        replace_pair((staged / "m", tmp_path / "m"), (staged / "m.json", tmp_path / "m.json"))


def test_a_pair_is_replaced_together_or_not_at_all(tmp_path, monkeypatch):
    for text in ("old", "new"):
        pair(tmp_path, text)
        assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"m": text, "m.json": text}
    replace, failing = Path.replace, ["m.json"]

    def fail_once(path, target):
        if path.parent.name.startswith(".ocrdet-tmp-") and failing and Path(target).name == failing[0]:
            failing.clear()
            raise OSError("full")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", fail_once)
    with pytest.raises(OSError, match="full"):
        pair(tmp_path, "newer")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"m": "new", "m.json": "new"}
