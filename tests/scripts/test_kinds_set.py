"""scripts/kinds_set.py: what a region is, boxes around ink, the lists of packages, a set from drawn pages; and, where
Debian's programs are installed, pages of the real sources."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random

import cv2
import numpy as np
import pytest

from resnet18_ocrdet.data import splits
from resnet18_ocrdet.errors import UserError

SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))  # scripts are not a package

from kinds import html_pages, pdf_pages  # noqa: E402
from kinds.browser import Browser  # noqa: E402
from kinds.camera import moved, photographed, tilted  # noqa: E402
from kinds.corpus import Corpus  # noqa: E402
from kinds.ink import ribbon, tighten, turned_rectangle  # noqa: E402
from kinds.kinds import KINDS  # noqa: E402
from kinds.packages import PARTS, Font, documents, fonts  # noqa: E402
from kinds.page import Page, Word  # noqa: E402
from kinds.part import Part  # noqa: E402
from kinds.words import Box, is_scored, join_pieces  # noqa: E402
from kinds_score import main as score_main  # noqa: E402
from kinds_set import build_set  # noqa: E402
from kinds_set import main as set_main  # noqa: E402

PROGRAMS = ("chromium", "pdftoppm", "apt-get")


def line(*words, height=10.0):
    """Boxes of (left, right, text) on one line."""
    return [Box(left, 0.0, right, height, text) for left, right, text in words]


@pytest.mark.parametrize(
    ("boxes", "texts"),
    [
        (line((0, 20, "foo"), (20.5, 22, ",")), ["foo,"]),  # a change of font
        (line((0, 20, "foo"), (21.9, 24, ",")), ["foo,"]),  # after slanted text
        (line((0, 20, "foo"), (21.9, 40, "bar")), ["foo", "bar"]),  # 1.9 of 10 is a space
        (line((0, 40, "中文字符"), (40, 60, "，可"), (62.5, 90, "rm")), ["中文字符，可", "rm"]),
        (line((0, 8, "L"), (2, 8, "A"), (7, 20, "TEX")), ["LATEX"]),
        (line((0, 2, "."), (9, 11, "."), (18, 20, ".")), ["..."]),  # leads to a page number
        ([Box(0, 0, 20, 10, "up"), Box(20, 8, 40, 18, "down")], ["up", "down"]),
    ],
)
def test_pieces_of_a_word_are_joined_and_words_are_not(boxes, texts):
    joined = join_pieces(boxes)
    assert [box.text for box in joined] == texts
    assert joined[-1].right == boxes[-1].right


def test_lone_signs_do_not_count():
    assert [text for text in ("•", "—", "...", "a.", "9", "中", "$5") if is_scored(text)] == ["a.", "9", "中", "$5"]


def page_with(*blocks, size=(60, 100)):
    image = np.full((*size, 3), 230, np.uint8)
    for left, top, right, bottom in blocks:
        image[top:bottom, left:right] = 40
    return image


def test_a_box_is_tightened_to_the_ink_of_its_line():
    image = page_with((20, 24, 26, 34), (30, 28, 40, 34), (20, 10, 40, 19))  # the last one reaches in from above
    tight = tighten(image, Box(15, 16, 50, 42, "a"))
    assert tight.tolist() == [[19.5, 23.5], [39.5, 23.5], [39.5, 33.5], [19.5, 33.5]]
    assert tighten(image, Box(60, 40, 90, 55, "a")) is None
    assert tighten(image, Box(200, 40, 220, 55, "a")) is None


def test_turned_and_bent_outlines():
    columns, rows = np.meshgrid(np.arange(10, 30), np.arange(5, 9))
    points = np.stack([columns.ravel(), rows.ravel()], axis=1).astype(float)
    assert turned_rectangle(points, 0).tolist() == [[9.5, 4.5], [29.5, 4.5], [29.5, 8.5], [9.5, 8.5]]
    quarter = turned_rectangle(points, 90)  # the first side runs down
    assert np.allclose(quarter, [[29.5, 4.5], [29.5, 8.5], [9.5, 8.5], [9.5, 4.5]])
    straight = ribbon(points, np.array([[9.5, 8.0], [20.0, 8.0], [29.5, 8.0]]))
    assert np.allclose(straight[:, 1], [4.5] * 3 + [8.5] * 3)
    assert np.allclose(straight[:, 0], [9.5, 20, 29.5, 29.5, 20, 9.5])


def test_words_are_read_by_their_colours():
    truth = np.zeros((40, 80, 3), np.uint8)
    truth[10:20, 10:20] = (255, 0, 0)  # the first colour; the second word touches it
    truth[10:20, 20:30] = (0, 200, 0)
    truth[10:20, 78:80] = (255, 255, 0)
    region = {"degrees": 0, "baseline": None, "seen": 1.0}
    regions = [region | {"text": text, "box": box} for text, box in
               (("ab", [9, 8, 21, 22]), ("c", [19, 8, 31, 22]), ("cut", [78, 8, 98, 22]))]  # fmt: skip
    first, second, third = html_pages.read_words(truth, regions, 1.0)
    assert first.polygon.tolist() == [[9.5, 9.5], [19.5, 9.5], [19.5, 19.5], [9.5, 19.5]]
    assert second.polygon[:, 0].tolist() == [19.5, 29.5, 29.5, 19.5]
    assert (first.ignore, third.ignore) == (False, True)  # a tenth of the third is in the picture
    with pytest.raises(UserError, match="no ink"):
        html_pages.read_words(truth, [region | {"text": "x", "box": [40, 8, 60, 22]}], 1.0)


def one_page(left=20):
    image = page_with((left, 24, left + 30, 34))
    box = Box(left, 20, left + 30, 40, "word")
    return Page(
        image, (Word(tighten(image, box), "word"), Word(np.float32([[0, 0], [3, 0], [3, 3], [0, 3]]), "•", True))
    )


def test_the_text_layer_must_fit_the_picture():
    boxes = [Box(20 + 40 * n, 24, 50 + 40 * n, 36, "word") for n in range(pdf_pages.MIN_WORDS)]
    blocks = [(int(box.left) + 1, 26, int(box.right) - 1, 34) for box in boxes]
    image = page_with(*blocks, size=(60, 1700))
    page = pdf_pages.matched_page(image, boxes)
    assert len(page.words) == pdf_pages.MIN_WORDS
    assert pdf_pages.matched_page(image, boxes[:-1]) is None  # too few words
    assert (
        pdf_pages.matched_page(image, [box._replace(left=box.left + 40, right=box.right + 40) for box in boxes]) is None
    )
    figure = page_with(*blocks, (10, 40, 60, 59), size=(60, 1700))
    assert pdf_pages.matched_page(figure, boxes) is None
    ruled = page_with(*blocks, (10, 45, 1600, 47), size=(60, 1700))
    assert pdf_pages.matched_page(ruled, boxes) is not None


def test_words_of_a_layer():
    text = '<page width="100.0" height="50.0">\n<word xMin="1.5" yMin="2" xMax="9" yMax="8">a&amp;b</word></page>'
    assert pdf_pages.read_layer(text) == (100.0, 50.0, [Box(1.5, 2.0, 9.0, 8.0, "a&b")])
    with pytest.raises(UserError, match="0 pages"):
        pdf_pages.read_layer("")


def test_picture_and_truth_move_together():
    image = page_with((40, 60, 100, 80), size=(160, 200))
    start = Page(image, (Word(tighten(image, Box(30, 45, 110, 95, "word")), "word"),))
    for number, camera in ((0, tilted), (5, tilted), (0, photographed)):
        seen = camera(start, Random(number), number)
        polygon = seen.words[0].polygon
        inside = np.zeros(seen.image.shape[:2], np.uint8)
        cv2.fillPoly(inside, [np.rint(polygon).astype(np.int32)], 1)
        dark = seen.image.max(axis=2) < 110
        centre = np.rint(polygon.mean(axis=0)).astype(int)
        assert dark[centre[1], centre[0]]
        assert (dark & (inside > 0)).sum() > 0.75 * inside.sum()
    assert moved(start, image, lambda points: points, 1).words[0].polygon.tolist() == start.words[0].polygon.tolist()


def test_no_package_serves_two_parts():
    """Nor do translations of one document: all packages of a source have the same part."""
    by_package = {}
    for row in (*documents(), *fonts()):
        assert row.part in PARTS
        source = re.sub(r"-(en|zh-cn|ja|de|fr|es|ru|zh)$", "", row.package)
        assert by_package.setdefault(source, row.part) == row.part
    pages = {part: sum(row.pages for row in documents() if row.part == part) for part in PARTS}
    assert min(pages.values()) >= 50
    assert {row.language for row in documents()} >= {"en", "zh", "ja", "de", "fr", "es", "ru"}
    roles = {part: {font.role for font in fonts() if font.part == part} for part in PARTS}
    assert roles["dev"] == roles["report"] == {"sans", "serif", "mono", "display", "chinese"}


def tiny(folder, left=20):
    sources = {part: {"drawn": lambda part=part: [one_page(left), one_page(left + 5)]} for part in PARTS}
    return build_set(folder, sources, {"tools": {}})


def test_a_set_is_read_back_by_the_package(tmp_path: Path):
    manifest = tiny(tmp_path / "set")
    assert manifest["parts"]["dev"]["drawn"]["words"] == manifest["parts"]["dev"]["drawn"]["ignored"] == 2
    source = splits.custom(tmp_path / "set/dev/drawn", "folders", with_everything=True).everything
    picture = source.open(1)
    assert (len(source), picture.name, picture.ignore.tolist()) == (2, "002.png", [False, True])
    assert picture.polygons[0].tolist() == [[24.5, 23.5], [54.5, 23.5], [54.5, 33.5], [24.5, 33.5]]
    assert (picture.pixels(1) == one_page(25).image).all()
    again, other = tiny(tmp_path / "again"), tiny(tmp_path / "other", left=21)
    assert manifest["sha256"] == again["sha256"] != other["sha256"]
    assert json.loads((tmp_path / "set/manifest.json").read_text())["sha256"] == manifest["sha256"]


def test_an_unfinished_set_does_not_appear(tmp_path: Path):
    def fails():
        yield one_page()
        raise UserError("no more")

    with pytest.raises(UserError, match="no more"):
        build_set(tmp_path / "set", {"dev": {"drawn": fails}}, {})
    assert not (tmp_path / "set").exists()


def test_arguments_are_refused_in_one_line(tmp_path: Path, monkeypatch):
    with pytest.raises(UserError, match="exists already"):
        set_main(["--output", str(tmp_path)])
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"apt-get install .*poppler-utils chromium"):
        set_main(["--output", str(tmp_path / "set")])
    with pytest.raises(UserError, match=r"manifest\.json"):
        score_main(["--set", str(tmp_path)])
    tiny(tmp_path / "set")
    with pytest.raises(UserError, match="--only other"):
        score_main(["--set", str(tmp_path / "set"), "--only", "other"])
    with pytest.raises(UserError, match="KEY=VALUE"):
        score_main(["--set", str(tmp_path / "set"), "bin_thresh"])
    with pytest.raises(UserError, match="bin_thresh"):
        score_main(["--set", str(tmp_path / "set"), "bin_thresh=2"])


@pytest.mark.slow
def test_a_score_by_kind(tmp_path: Path, capsys):
    tiny(tmp_path / "set")
    words = ["--set", tmp_path / "set", "--output", tmp_path / "score", "--receipts", tmp_path / "set/dev/drawn"]
    with pytest.raises(UserError, match="140-199"):
        score_main([str(word) for word in words])
    assert score_main([*map(str, words[:4]), "input_size=128x128", "shape=polygon"]) == 0
    assert "| drawn | 2 | 2 |" in capsys.readouterr().out
    report = json.loads((tmp_path / "score.json").read_text())
    assert report["kinds"]["drawn"]["care_regions"] == 2
    assert report["contract"]["shape"] == "polygon"
    assert "mean over kinds" in (tmp_path / "score.md").read_text()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed: apt-get install chromium")
def test_the_browser_lays_out_every_kind(tmp_path: Path):
    """Fonts of the machine stand in for those of the set: any font has ink."""
    folders = [Path(folder) for folder in ("/usr/share/fonts", "/usr/local/share/fonts")]
    words = ("plain", "lettering", "sea", "x-ray") * 40
    text = " ".join(f"Any {word} of the whole sentence {number}." for number, word in enumerate(words))
    look = Part(
        [Font("", "dev", role, "DejaVu Sans") for role in ("sans", "serif", "mono", "display", "chinese")],
        Corpus([text + " " + "中文文件移动信息。" * 3]),
    )
    latin = [kind for kind in KINDS if not kind.startswith("chinese")]
    with Browser(folders) as browser:
        for kind in latin:
            rng = Random(kind)
            page = KINDS[kind].finish(html_pages.shoot(browser, KINDS[kind].layout(rng, look)), rng, 3)
            assert page.words, kind
        html = "<body style='margin: 0; font: 40px DejaVu Sans'><p>a <b>b</b>, 39,50 c-<i>d</i> e"
        words = html_pages.shoot(browser, html_pages.Sheet(html, 600, 200)).words
        assert [word.text for word in words] == ["a", "b,", "39,50", "c-d", "e"]
        covered = "<body style='font: 40px DejaVu Sans'>seen <div style='position: absolute; left: 0; top: 0; "
        covered += "width: 60px; height: 90px; background: #888'></div>"
        assert [word.ignore for word in html_pages.shoot(browser, html_pages.Sheet(covered, 400, 90)).words] == [True]
        with pytest.raises(UserError, match="nothing"):
            browser.run("nothing")


@pytest.mark.soak
def test_the_real_builder(tmp_path: Path):
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)}: not installed")
    words = ["--output", tmp_path / "set", "--cache", tmp_path / "cache", "--pages", "1", "--only", "pdf", "curved"]
    done = subprocess.run(
        [sys.executable, SCRIPTS / "kinds_set.py", *words], env={**os.environ, "LC_ALL": "C.UTF-8"}, timeout=1800
    )
    if done.returncode == 2:
        pytest.skip("the packages cannot be fetched")
    manifest = json.loads((tmp_path / "set/manifest.json").read_text())
    assert manifest["parts"]["dev"]["pdf"]["images"] == sum(row.part == "dev" for row in documents())
