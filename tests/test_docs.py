"""docs/architecture.md names files and functions that exist; examples of other pages run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import resnet18_ocrdet
from paged_files import pictures, write_pages
from test_imports import WINGS

PACKAGE = Path(resnet18_ocrdet.__file__).parent
ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
STEPS = re.findall(r"^\| \d+ \| `([\w/.]+)` \| (.+?) \|", PAGE, re.MULTILINE)


def test_every_named_path_exists():
    named = set(re.findall(r"`((?:\w+/)+[\w.]*|\w+\.py)(?:::\w+)?`", PAGE))
    assert len(named) > 50  # the pattern still finds them
    assert [path for path in sorted(named) if not (PACKAGE / path).exists() and not (ROOT / path).exists()] == []


@pytest.mark.parametrize(("file", "functions"), STEPS)
def test_each_step_names_functions_of_its_file(file: str, functions: str):
    text = (PACKAGE / file).read_text(encoding="utf-8")
    for name in re.findall(r"`(\w+)`", functions):
        assert re.search(rf"^(def|class) {name}\b", text, re.MULTILINE), name


def test_both_routes_are_short():
    first = [number for number, (file, _) in enumerate(STEPS) if file == "commands/detect.py"]
    assert len(first) == 1
    assert first[0] <= 12
    assert len(STEPS) - first[0] <= 14


def test_the_drawing_shows_every_wing():
    drawing = PAGE.split("```")[1]
    assert [wing for wing in WINGS if not re.search(rf"\b{wing}(/|\.py)", drawing)] == []


def test_the_example_of_detect_reads_every_page(tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(from pathlib.*?)```", (ROOT / "docs/detect.md").read_text("utf-8"), re.DOTALL)
    write_pages(tmp_path / "scan.tif", pictures(3, 40, 60))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(resnet18_ocrdet, "Detector", lambda: list)  # the rows of the image instead of its regions
    exec(code, {})
    assert capsys.readouterr().out.splitlines() == ["1 40", "2 40", "3 40"]
