"""scripts/training_fonts.py: what it takes from packages; nothing is downloaded."""

from __future__ import annotations

import gzip
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))  # scripts are not a package

import training_fonts
from resnet18_ocrdet.errors import UserError
from script_cli import run_script
from training_fonts import keep_fonts, keep_lines, keep_words, packages, reserved, take_all, write_lines


def test_no_reserved_package_is_taken_or_listed_twice():
    names = [name for _, name, _ in packages()]
    assert len(names) == len(set(names)) and len([kind for kind, *_ in packages() if kind == "fonts"]) > 100
    assert not reserved()[0] & set(names)
    assert "fonts-cabin" in reserved()[0]


def test_fonts_that_cannot_be_used_and_reserved_families_are_left_out(tmp_path, monkeypatch):
    ttf = Path(pytest.importorskip("matplotlib").get_data_path()) / "fonts/ttf"
    content = tmp_path / "usr/share/fonts"
    content.mkdir(parents=True)
    for path in (ttf / name for name in ("DejaVuSans.ttf", "DejaVuSerif.ttf", "cmr10.ttf", "LastResortHE-Regular.ttf")):
        if path.exists():  # old releases lack the last one
            shutil.copy(path, content)
    shutil.copy(ttf / "cmr10.ttf", content / "Dingbats.ttf")
    (content / "junk.ttf").write_bytes(b"no font")
    monkeypatch.setattr("training_fonts.reserved", lambda: (set(), {"DejaVu Serif"}))
    assert keep_fonts(tmp_path, tmp_path / "out", 100) == 2
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"DejaVuSans.ttf", "cmr10.ttf"}


def test_fonts_that_nobody_can_read_are_left_out_by_their_family(tmp_path, monkeypatch):
    ttf = Path(pytest.importorskip("matplotlib").get_data_path()) / "fonts/ttf"
    (tmp_path / "in").mkdir()
    for name in ("DejaVuSans.ttf", "DejaVuSerif.ttf"):
        shutil.copy(ttf / name, tmp_path / "in")
    monkeypatch.setattr("training_fonts.UNREADABLE", (*training_fonts.UNREADABLE, "DejaVu Se"))
    assert keep_fonts(tmp_path / "in", tmp_path / "out", 100) == 1
    assert {"DB Layer", "Mishmash", "Linux Biolinum Keyboard"} <= set(training_fonts.UNREADABLE)


def test_packages_that_are_not_available_are_tried_again(tmp_path, monkeypatch, capsys):
    available = {"one"}

    def run(program, *words, cwd):
        if program == "apt-get" and words[-1] not in available:
            raise UserError("apt-get failed with code 100: no such package")
        (cwd / "one.deb").touch()
        (cwd / "content/usr/share/dict").mkdir(parents=True, exist_ok=True)
        (cwd / "content/usr/share/dict/words").write_text("word\n", "utf-8")
        return ""

    monkeypatch.setattr(training_fonts, "run", run)
    monkeypatch.setattr(training_fonts, "packages", lambda: [("words", "two", 1), ("words", "one", 1)])
    assert take_all(tmp_path) == ["two"]
    assert "code 100" in capsys.readouterr().out and (tmp_path / "packages.txt").read_text("utf-8") == "one\n"
    available.add("two")
    assert take_all(tmp_path) == [] and (tmp_path / "packages.txt").read_text("utf-8").split() == ["one", "two"]
    assert (tmp_path / "texts/two.txt").read_text("utf-8") == "word\n"


def test_a_machine_without_debian_packages_is_told_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "argv", ["training_fonts.py", "--output", str(tmp_path / "out")])
    assert run_script("training_fonts", training_fonts.main) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "apt-get" in error and not (tmp_path / "out").exists()


def test_documents_become_lines_without_markup(tmp_path):
    (tmp_path / "man1").mkdir()
    (tmp_path / "a.html").write_text("<p>One <b>word</b> &amp; more</p><script>x = 1</script>", "utf-8")
    page = '.TH LS 1\n.\\" comment\nList \\fBfiles\\fP of a folder\\-like thing.\n'
    (tmp_path / "man1/ls.1.gz").write_bytes(gzip.compress(page.encode()))
    assert list(keep_lines(tmp_path)) == ["One", "word", "& more", "List files of a folder-like thing."]


def test_dictionaries_are_thinned_evenly_and_lines_are_kept_once(tmp_path):
    words = tmp_path / "usr/share/dict/english"
    words.parent.mkdir(parents=True)
    words.write_text("\n".join(f"w{number}" for number in range(60_000)) + "\nit's\n", "utf-8")
    assert list(keep_words(tmp_path))[:3] == ["w0", "w2", "w4"]
    assert write_lines(tmp_path / "out/a.txt", ["one", "two", "one", "three"], limit=7) == 3
    assert (tmp_path / "out/a.txt").read_text("utf-8").split() == ["one", "two", "three"]
