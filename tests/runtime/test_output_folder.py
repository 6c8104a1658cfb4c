"""Results are replaced only by the command that wrote them with the same settings, all or none."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest

from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.runtime.output_folder import OutputFolder, differences

PATTERNS = ("report.html", "metrics.json", "boxes/res_*.txt")
SETTINGS = {"checkpoint": "a.pt", "decode": {"box_thresh": 0.6}, "workers": 2}


def write(root, files, settings=SETTINGS, overwrite=False, command="eval"):
    folder = OutputFolder(root, command, settings, overwrite)
    with folder.claimed(PATTERNS), folder.writing() as staged:
        for name, text in files.items():
            (staged / name).parent.mkdir(exist_ok=True)
            (staged / name).write_text(text)


def content(root):
    return {
        path.relative_to(root).as_posix(): path.read_text()
        for path in root.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def test_the_same_call_replaces_its_files_and_removes_stale_ones(tmp_path):
    write(tmp_path / "out", {"report.html": "1", "boxes/res_a.txt": "1", "boxes/res_b.txt": "1"})
    write(tmp_path / "out", {"report.html": "2", "boxes/res_a.txt": "2"}, {**SETTINGS, "workers": 0})
    assert content(tmp_path / "out") == {"report.html": "2", "boxes/res_a.txt": "2"}
    write(tmp_path / "out", {"report.html": "2", "boxes/res_a.txt": "2"})
    hidden = {path.name for path in (tmp_path / "out").iterdir() if path.name.startswith(".")}
    assert hidden == {".ocrdet-eval.lock", ".ocrdet-eval.files.jsonl", ".ocrdet-eval.settings.json"}


@pytest.mark.parametrize(
    ("name", "why"),
    [("report.html", "was changed since"), ("metrics.json", "was not written"), ("boxes/res_z.txt", "was not written")],
)
def test_foreign_files_are_refused_and_replaced_only_with_overwrite(tmp_path, name, why):
    root = tmp_path / "out"
    write(root, {"report.html": "1", "boxes/res_a.txt": "1"})
    (root / name).write_text("by hand")
    (root / "notes.txt").write_text("mine")
    before = content(root)
    with pytest.raises(UserError, match=rf"{name} {why}.*overwrite=true"):
        write(root, {"report.html": "2"})
    assert content(root) == before
    write(root, {"report.html": "2"}, overwrite=True)
    assert content(root) == {"report.html": "2", "notes.txt": "mine"}
    write(root, {"report.html": "3"})


def test_results_of_other_settings_and_of_another_command_are_refused(tmp_path):
    write(tmp_path, {"report.html": "1"})
    write(tmp_path, {"report.html": "1"}, {**SETTINGS, "checkpoint": "./more/../a.pt"})  # the same file
    other = {"checkpoint": "b.pt", "decode": {"box_thresh": 0.5}}
    with pytest.raises(UserError, match=r"checkpoint /.*/a\.pt → /.*/b\.pt, decode\.box_thresh 0\.6 → 0\.5"):
        write(tmp_path, {"report.html": "2"}, other)
    with pytest.raises(UserError, match=r"report\.html was not written by this command"):
        write(tmp_path, {"report.html": "2"}, command="check")
    for name in (".ocrdet-eval.settings.json", ".ocrdet-eval.files.jsonl"):
        (tmp_path / name).write_text("[" * 10_000)
        with pytest.raises(UserError, match="overwrite=true"):
            write(tmp_path, {"report.html": "2"})
    assert content(tmp_path) == {"report.html": "1"}


def test_a_link_is_neither_followed_nor_taken_for_a_result(tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/report.html").symlink_to(tmp_path / "precious")
    with pytest.raises(UserError, match=r"report\.html was not written by this command"):
        write(tmp_path / "out", {"report.html": "1"})
    write(tmp_path / "out", {"report.html": "1"}, overwrite=True)
    assert (tmp_path / "precious").read_text() == "mine" and not (tmp_path / "out/report.html").is_symlink()
    (tmp_path / "out/.ocrdet-eval.lock").unlink()
    (tmp_path / "out/.ocrdet-eval.lock").symlink_to(tmp_path / "precious")
    with pytest.raises(UserError, match="cannot be written to"):
        write(tmp_path / "out", {"report.html": "1"})
    assert (tmp_path / "precious").read_text() == "mine"


def test_all_or_nothing(tmp_path):
    write(tmp_path / "out", {"report.html": "1", "metrics.json": "1"})
    folder = OutputFolder(tmp_path / "out", "eval", SETTINGS, False)
    with pytest.raises(OSError, match="No space"), folder.claimed(PATTERNS), folder.writing() as staged:
        (staged / "report.html").write_text("2")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert content(tmp_path / "out") == {"report.html": "1", "metrics.json": "1"}
    write(tmp_path / "out", {"report.html": "3"})
    assert content(tmp_path / "out") == {"report.html": "3"}


def test_folders_in_place_of_files_and_links_in_place_of_folders_are_refused(tmp_path):
    (tmp_path / "out/metrics.json").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(UserError, match=r"metrics\.json is a folder"):
        write(tmp_path / "out", {"metrics.json": "1"}, overwrite=True)
    (tmp_path / "out/metrics.json").rmdir()
    (tmp_path / "out/boxes").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="boxes is a link"):
        write(tmp_path / "out", {"boxes/res_a.txt": "1"}, overwrite=True)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_refused_call_leaves_no_new_folder(tmp_path):
    with pytest.raises(UserError, match="bad"), OutputFolder(tmp_path / "new", "eval", {}, False).claimed(PATTERNS):
        raise UserError("bad")
    assert not list(tmp_path.iterdir())


def test_one_call_at_a_time(tmp_path):
    code = (
        "import sys; from pathlib import Path; from resnet18_ocrdet.runtime.output_folder import OutputFolder\n"
        f"with OutputFolder(Path({str(tmp_path / 'new')!r}), 'eval', {{}}, True).claimed(()):\n"
        "    print(1, flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "1\n"
        for _ in range(2):  # the refused call takes nothing of the other one's away
            with pytest.raises(UserError, match="is writing to it"):
                write(tmp_path / "new", {"report.html": "2"}, overwrite=True)
            assert (tmp_path / "new/.ocrdet-eval.lock").exists()
        other.communicate("\n")
    assert not (tmp_path / "new").exists()  # it wrote nothing
    write(tmp_path / "new", {"report.html": "2"})


def test_settings_that_an_earlier_version_did_not_have_count_as_their_defaults(tmp_path):
    added = {"added": None, "fast": False}
    defaults = {"new": "auto", "decode": added}

    def claim(new="auto", **decode):
        now = {**SETTINGS, "new": new, "decode": {**SETTINGS["decode"], **added, **decode}}
        with OutputFolder(tmp_path, "eval", now, False, defaults).claimed(PATTERNS):
            pass

    write(tmp_path, {"report.html": "1"})
    claim()
    with pytest.raises(UserError, match="new auto → 3"):
        claim(new=3)
    with pytest.raises(UserError, match=r"decode\.fast false → true"):
        claim(fast=True)


def test_differences_are_named_by_their_full_key():
    assert differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": None}, "d": True}) == [
        "a.c 2 → null",
        "d null → true",
    ]
    # two values of one name, which cannot be compared
    edited = differences({"a": {"b": 1}, "a.b": "x"}, {"a": {"b": 2}})
    assert edited == ["a.b 1 → 2", "a.b x → null"]
