"""Documents: every kind is drawn, and the boxes of its words fit."""

from __future__ import annotations

import pickle
import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from conftest import opencv5
from resnet18_ocrdet.data.geometric import shift
from resnet18_ocrdet.data.synthetic.corpus import Corpus, read_corpus
from resnet18_ocrdet.data.synthetic.documents import camera, compose, marks, sheet, tables
from resnet18_ocrdet.data.synthetic.documents import draft as draft_module
from resnet18_ocrdet.data.synthetic.documents import typefaces as typefaces_module
from resnet18_ocrdet.data.synthetic.documents.blocks import paragraph, wrap
from resnet18_ocrdet.data.synthetic.documents.draft import Draft
from resnet18_ocrdet.data.synthetic.documents.lettering import Font, advance, metrics
from resnet18_ocrdet.data.synthetic.documents.sheet import Box, Sheet
from resnet18_ocrdet.data.synthetic.documents.typefaces import choose_faces, drawable, find_typefaces
from resnet18_ocrdet.data.synthetic.fonts import Fonts, find_fonts
from resnet18_ocrdet.data.synthetic.varied.source import VariedScenes

SIDE = 256
STATED = (Path(__file__).parents[2] / "docs" / "synthetic.md").read_text(encoding="utf-8").split("\n## Documents\n")[1]
HORIZONTAL = [kind for kind in compose.KINDS if kind.name != "vertical"]
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


@pytest.fixture(scope="module")
def typefaces():
    return find_typefaces(None)


@pytest.fixture(scope="module")
def font_files():
    return find_typefaces(Path(pytest.importorskip("matplotlib").get_data_path()) / "fonts/ttf")


@pytest.fixture(scope="module")
def documents() -> VariedScenes:
    return VariedScenes(1000, SIDE, SIDE, seed=0, documents=1.0)


def new_draft(typefaces, script="latin", number=0, unit=14, side=SIDE) -> Draft:
    rng = np.random.default_rng([7, number])
    faces = choose_faces(rng, typefaces, script)
    return Draft(rng, Sheet.blank(side, side, WHITE), faces, read_corpus(None), script, unit, WHITE, BLACK, cuts=True)


def draw(typefaces, kind, number, script="latin") -> Sheet:
    draft = new_draft(typefaces, "chinese" if kind.name == "vertical" else script, number)
    kind.draw(draft)
    return draft.sheet


def overlaps(boxes: list[Box]) -> int:
    """Pairs of boxes with a common pixel."""
    left, top, right, bottom = np.array(boxes, int).reshape(-1, 4).T
    across = np.minimum.outer(right, right) > np.maximum.outer(left, left)
    down = np.minimum.outer(bottom, bottom) > np.maximum.outer(top, top)
    return int((across & down).sum() - len(boxes)) // 2


@opencv5
@pytest.mark.parametrize("kind", compose.KINDS, ids=lambda kind: kind.name)
def test_boxes_hug_the_ink_and_do_not_overlap(typefaces, kind, monkeypatch):
    check_boxes(typefaces, kind, range(8), monkeypatch)


@pytest.mark.parametrize(
    "kind", [kind for kind in compose.KINDS if kind.name != "vertical"], ids=lambda kind: kind.name
)
def test_boxes_hug_the_ink_of_font_files(font_files, kind, monkeypatch):
    check_boxes(font_files, kind, range(4), monkeypatch)


def check_boxes(typefaces, kind, numbers, monkeypatch):
    """The same document is drawn with and without ink: the difference touches each side of a box, within 2 px."""
    monkeypatch.setattr(marks, "stamp", lambda *_: None)  # its ink lies on the words
    for number in numbers:
        drawn = draw(typefaces, kind, number)
        with monkeypatch.context() as patch:
            patch.setattr(sheet, "blend", lambda *_: None)
            bare = draw(typefaces, kind, number)
        change = np.abs(drawn.image.astype(int) - bare.image).max(axis=2)
        words = [word for word in drawn.words if word.legible]
        assert overlaps([word.box for word in words]) == 0
        for word in words:
            left, top, right, bottom = word.box
            assert 0 <= left < right <= SIDE and 0 <= top < bottom <= SIDE
            part = change[top:bottom, left:right] > min(40, change[top:bottom, left:right].max() / 3)
            assert all(side.any() for side in (part[:2], part[-2:], part[:, :2], part[:, -2:])), word
            if len(word.text) > 1 and word.text.isascii():  # the ink goes through the box
                assert part.any(axis=0).mean() > 0.5, word


def test_words_are_one_box_with_their_punctuation(typefaces):
    draft = new_draft(typefaces)
    words = ["39,50", "No.", "15/01/2018", "(a)", "—"]
    draft.sheet.write(words, 10, 40, Font(draft.faces.body, 16), BLACK)
    assert [word.text for word in draft.sheet.words] == words
    assert [word.legible for word in draft.sheet.words] == [True, True, True, True, False]  # a dash is no word
    for one, other in pairwise(word.box for word in draft.sheet.words):
        assert one.right < other.left
    dark = np.flatnonzero((draft.sheet.image[..., 0] < 128).any(axis=0))
    assert abs(dark[0] - draft.sheet.words[0].box.left) <= 1
    assert abs(dark[-1] + 1 - draft.sheet.words[-1].box.right) <= 1


def test_small_print_is_dont_care(typefaces):
    draft = new_draft(typefaces)
    face = draft.faces.body
    for baseline, size in ((40, 20), (80, 6)):
        draft.sheet.write(["word"], 10, baseline, Font(face, size), BLACK)
    assert metrics(Font(face, 6)).x_height < sheet.LEGIBLE_X_PX <= metrics(Font(face, 20)).x_height
    assert [word.legible for word in draft.sheet.words] == [True, False]


def test_single_digits_of_a_table_are_words(typefaces, monkeypatch):
    monkeypatch.setattr(tables, "KINDS", ("digit",))
    draft = new_draft(typefaces)
    below = tables.draw_table(draft, Box(0, 0, SIDE, SIDE), 4)
    digits = [word for word in draft.sheet.words if re.fullmatch(r"\d", word.text)]
    assert len(digits) >= 12 and below <= SIDE  # 4 rows of 5 or more columns, some cells are empty
    assert all(0 < word.box.width <= 14 for word in digits)


@opencv5
def test_a_chinese_line_is_one_box(typefaces):
    draft = new_draft(typefaces, "chinese")
    font = Font(draft.faces.body, 20)
    wide = advance("国", font)
    paragraph(draft, ["停车场" * 10], 20, 20 + 10 * wide, 10, font)  # 30 characters, 10 a line
    texts = [word.text for word in draft.sheet.words]
    assert texts == ["停车场停车场停车场停", "车场停车场停车场停车", "场停车场停车场停车场"]
    assert all(9.5 * wide <= word.box.width <= 10 * wide for word in draft.sheet.words)
    draft.sheet.words.clear()
    draft.sheet.write_down("东南西北", 100, 100, font, BLACK, bottom=300)
    [column] = draft.sheet.words
    assert column.text == "东南西北" and 70 <= column.box.height <= 82 and column.box.width == column.height <= 22


@opencv5
def test_lines_break_at_words_and_hyphens(typefaces):
    font = Font(choose_faces(np.random.default_rng(0), typefaces, "latin").body, 16)
    words = ["a", "photograph", "of", "the", "international", "exhibition"]
    for width in range(120, 300, 20):
        for hyphens in (False, True):
            lines = list(wrap(words, width, font, hyphens))
            joined = "".join(" ".join(line) + ("" if line[-1].endswith("-") else " ") for line in lines)
            assert joined.replace("-", "").split() == words
            assert all(sheet.length(line, font) <= width for line in lines)
    assert list(wrap(["international", "a"], 30, font)) == [["a"]]
    five = 5 * advance("国", font)
    assert list(wrap(["甲" * 7, "乙"], five, font)) == [["甲" * 5], ["甲" * 2, "乙"]]
    assert list(wrap(["甲" * 5 + "，甲"], five, font)) == [["甲" * 5 + "，"], ["甲"]]


@opencv5
def test_a_run_of_mixed_scripts_is_broken(typefaces):
    font = Font(typefaces.other["chinese"][0][0], 16)
    text = "(甲" + "乙" * 6 + "International" + "丙" * 4 + "39.50，" + "丁" * 20
    five = 5 * advance("国", font)
    for width in (five, 2 * five):
        lines = [line for [line] in wrap([text], width, font)]
        assert "".join(lines) == text
        assert all(advance(line.rstrip("，"), font) <= width + 2 for line in lines)
        assert any("39.50" in line for line in lines) and lines[0].startswith("(甲乙")
    assert any("International" in line for line in lines)  # it fits into ten characters, not into five
    lines = list(wrap(["甲乙", "International丙"], 2 * five, font))
    assert [word for line in lines for word in line] == ["甲乙", "International丙"]


def test_small_words_do_not_touch(typefaces):
    """Also where italic letters hang over their advance, scored words are apart."""
    for family in typefaces.text:
        for size in range(6, 14):
            page = Sheet.blank(40, 400, WHITE)
            page.write(["off", "jaw", "Wolf", "(f)", "Ty", "off"], 10, 30, Font(family[0], size), BLACK)
            boxes = [word.box for word in page.words if word.legible]
            assert all(other.left - one.right >= 1 for one, other in pairwise(boxes))


def test_what_the_faces_cannot_draw_is_replaced(typefaces, monkeypatch):
    has = {letter: letter not in "éq人，" for letter in map(chr, range(0x10000))}
    monkeypatch.setattr(draft_module, "drawable", lambda _: has)
    corpus = Corpus({"latin": ("Café square one.",), "chinese": ("人人",)}, ("été", "ok"), ())
    draft = replace(new_draft(typefaces), corpus=corpus)
    for word in (*draft.words(200), *draft.label(9, 9)):
        assert all(has[letter] for letter in word)
    if "chinese" in typefaces.other:
        chinese = replace(draft, script="chinese")
        assert all(has[letter] for letter in chinese.run(30)) and len(chinese.run(30)) == 30


@opencv5
def test_a_word_that_its_face_cannot_draw_is_dont_care(typefaces):
    draft = new_draft(typefaces)
    draft.sheet.write(["A\u0378B", "AB", "é"], 10, 40, Font(draft.faces.body, 16), BLACK)
    assert [word.legible for word in draft.sheet.words] == [False, True, True]
    has = drawable(draft.faces)
    assert has["国"] and not has["\u0378"]


def test_fonts_of_chinese_without_latin_letters_set_no_document(monkeypatch):
    [face, *_] = find_fonts(None).families["latin"][0]
    both, alone = face._replace(scripts=("latin", "chinese")), face._replace(scripts=("chinese",))
    for faces, kept in (((both, alone), {"chinese": ((both,),)}), ((alone,), {})):
        fonts = Fonts({"latin": ((face,),), "chinese": (faces,)}, ())
        monkeypatch.setattr(typefaces_module, "find_fonts", lambda _, fonts=fonts: fonts)
        assert find_typefaces.__wrapped__(None).other == kept


def test_a_stamp_leaves_the_text_readable(typefaces):
    for number in range(8):
        draft = new_draft(typefaces, number=number)
        marks.stamp(draft, SIDE // 2, SIDE // 2, 40)
        assert 100 < draft.sheet.image.mean(axis=2).min() < 250  # black text on it has a contrast of 100


def test_what_is_covered_is_no_longer_labelled():
    words = [
        sheet.Written("under", Box(10, 10, 30, 20), 1.0, 10),
        sheet.Written("half", Box(0, 10, 20, 20), 1.0, 10),
        sheet.Written("rest", Box(16, 10, 66, 20), 1.0, 10),
        sheet.Written("beside", Box(50, 40, 90, 50), 1.0, 10),
    ]
    page = Sheet(np.zeros((100, 100, 3), np.uint8), words)
    page.cover(Box(8, 0, 40, 30))
    assert [(word.text, tuple(word.box), word.legible) for word in page.words] == [
        ("half", (0, 10, 8, 20), False),  # 8 of 20 px are left
        ("rest", (40, 10, 66, 20), True),  # 26 of 50
        ("beside", (50, 40, 90, 50), True),
    ]


@pytest.mark.parametrize("text", ["HEH", "HEHEHEHEHEHE"])
def test_a_warp_moves_words_and_pixels_alike(typefaces, text):
    """A word on a tilted, wavy sheet: all along it, its ink fills its outline."""
    upright = next(face for family in typefaces.text for face in family if face.path != "italic")
    for number in range(6):
        page = Sheet.blank(SIDE, SIDE, WHITE)
        page.write_centred([text], SIDE // 2, 130, Font(upright, 20), BLACK)
        pose = camera.draw_pose(np.random.default_rng(number), "photo", (SIDE, SIDE), (SIDE, SIDE))
        pose = pose._replace(wave=camera.Wave(6.0, 200.0, number))
        desk = np.full((SIDE, SIDE, 3), 255, np.uint8)
        camera.lay(page.image, pose, desk)
        [region] = camera.locate(page.words, pose, (SIDE, SIDE), "page")
        outline = cv2.fillPoly(np.zeros((SIDE, SIDE), np.uint8), [np.rint(region.polygon).astype(np.int32)], 1) > 0
        ink = desk[..., 0] < 128
        columns = np.flatnonzero(outline.any(axis=0))
        assert abs(np.flatnonzero(ink.any(axis=0))[[0, -1]] - columns[[0, -1]]).max() <= 3
        for start in range(columns[0], columns[-1] - 14, 14):  # about a letter
            rows = [np.flatnonzero(part[:, start : start + 14].any(axis=1))[[0, -1]] for part in (ink, outline)]
            assert abs(rows[0] - rows[1]).max() <= 4


def test_a_word_that_runs_off_a_photographed_sheet_ends_at_its_edge(typefaces):
    page = Sheet.blank(80, 100, WHITE)
    font = Font(typefaces.text[0][0], 20)
    wide = advance("HEHEHEHE", font)
    for baseline, shown in ((25, 0.7), (50, 0.3), (75, -0.5)):
        page.write(["HEHEHEHE"], 100 - round(shown * wide), baseline, font, BLACK)
    pose = camera.Pose("photo", shift(30.0, 40.0), True)
    [most, least] = camera.locate(page.words, pose, (200, 200), "page")
    assert not most.ignore and least.ignore
    assert most.polygon[:, 0].max() == least.polygon[:, 0].max() == 129.5  # the sheet covers 30..129


def test_a_word_that_is_too_small_in_the_photograph_is_dont_care():
    words = [
        sheet.Written("word", Box(10, 10, 50, 20), 1.5, 10),
        sheet.Written("甲乙", Box(60, 10, 70, 50), 1.5, 10, True),
    ]
    for across, down, ignored in ((1.0, 1.0, [False, False]), (1.0, 0.6, [True, False]), (0.6, 1.0, [False, True])):
        matrix = np.diag([across, down, 1.0])
        regions = camera.locate(words, camera.Pose("photo", matrix, True), (100, 100), "page")
        assert [region.ignore for region in regions] == ignored
        assert [region.height for region in regions] == [10.0, 10.0]  # across the reading direction


def test_words_at_the_border_are_cut_or_dont_care():
    def located(box: Box) -> list:
        pose = camera.Pose("clean", np.eye(3), False)
        return camera.locate([sheet.Written("word", box, 1.0, 10)], pose, (100, 100), "page")

    assert located(Box(-60, 10, -20, 20)) == [] == located(Box(10, 100, 40, 120))
    [most], [least] = located(Box(-10, 10, 30, 20)), located(Box(-30, 10, 10, 20))
    assert not most.ignore and least.ignore
    assert most.polygon[:, 0].min() == 0 and abs(most.polygon[:, 0].max() - 29.5) < 1e-5


@opencv5
@pytest.mark.parametrize("kind", compose.KINDS, ids=lambda kind: kind.name)
def test_words_wider_than_the_sheet_are_left_out(typefaces, kind):
    corpus = Corpus({"latin": ("incomprehensibilities counterrevolutionaries",), "chinese": ("字" * 40,)}, (), ())
    for number in range(3):
        script = "chinese" if kind.name == "vertical" else "latin"
        rng = np.random.default_rng(number)
        page = Sheet.blank(96, 64, WHITE)
        kind.draw(Draft(rng, page, choose_faces(rng, typefaces, script), corpus, script, 12, WHITE, BLACK, cuts=False))
        assert overlaps([word.box for word in page.words if word.legible and word.box.left < 64]) == 0


@pytest.fixture(scope="module")
def drawn():
    """The regions of 150 documents of docs/synthetic.md; nothing that costs time is done to their pixels."""
    source = VariedScenes(150, 320, 320, seed=0, documents=1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compose, "take", lambda rng, sheet, *_: sheet.image)
        return [source.draw(index)[1] for index in range(150)]


@opencv5
def test_the_statistics_are_those_of_the_page(drawn):
    regions = [region for in_scene in drawn for region in in_scene]
    care = [region for region in regions if not region.ignore]
    found = {f"text height, {p} %": np.percentile([r.height for r in care], p) for p in (5, 25, 50, 75, 95)}
    found |= {
        "angle below 5°": np.mean([abs(region.angle) < 5 for region in care]),
        "Chinese or Japanese": np.mean([max(region.text) > sheet.FIRST_CJK for region in regions]),
        "with a digit": np.mean([any(map(str.isdigit, region.text)) for region in regions]),
        "one character": np.mean([len(region.text) == 1 for region in regions]),
        "don't-care": np.mean([region.ignore for region in regions]),
        "regions per image, mean": np.mean([len(in_scene) for in_scene in drawn]),
        "regions per image, 95 %": np.percentile([len(in_scene) for in_scene in drawn], 95),
    }
    rows = re.findall(r"^\| ([^|]+) \| [\d.]+ \| ([\d.]+) \| ([\d.]+) \|$", STATED, re.MULTILINE)
    assert {name for name, *_ in rows} == set(found)
    assert [name for name, low, high in rows if not float(low) <= found[name] <= float(high)] == []


@opencv5
def test_every_kind_is_drawn_as_often_as_the_page_says(drawn):
    rows = re.findall(r"^\| (\w+) \| ([\d.]+) \| ([\d.]+) / ([\d.]+) / ([\d.]+) \|", STATED, re.MULTILINE)
    assert [row[0] for row in rows] == [kind.name for kind in compose.KINDS]
    for kind, (_, *shares) in zip(compose.KINDS, rows, strict=True):
        clean = 1 - kind.scan - kind.photo
        assert list(map(float, shares)) == pytest.approx([kind.share, clean, kind.scan, kind.photo])
    assert sum(kind.share for kind in compose.KINDS) == pytest.approx(1)
    counts = Counter(in_scene[0].kind for in_scene in drawn if in_scene)
    assert all(abs(counts[kind.name] / 150 - kind.share) < 0.08 and counts[kind.name] for kind in compose.KINDS)


def test_the_share_of_documents_is_kept():
    names = {kind.name for kind in compose.KINDS}
    counts = []
    for share in (0.0, 0.5, 1.0):
        source = VariedScenes(16, 128, 128, seed=0, documents=share)
        kinds = [{region.kind for region in source.draw(index)[1]} for index in range(16)]
        assert share == 0.5 or all(found <= names if share else found.isdisjoint(names) for found in kinds)
        counts.append(sum(bool(found & names) for found in kinds))
    assert counts[0] == 0 and 3 <= counts[1] <= 13


def test_documents_are_reproducible(documents):
    again = VariedScenes(5, SIDE, SIDE, seed=0, first=2, documents=1.0)
    for index in range(3):
        one, other = documents.load(index + 2), again.load(index)
        assert np.array_equal(one.image, other.image) and one.image.shape == (SIDE, SIDE, 3)
        assert len(one.polygons) == len(other.polygons)
        assert all(np.array_equal(p, q) for p, q in zip(one.polygons, other.polygons, strict=True))
        assert all(((p >= 0) & (p <= SIDE - 1)).all() for p in one.polygons)


def test_a_pickled_source_draws_the_same_document(documents):
    again = pickle.loads(pickle.dumps(documents))
    assert np.array_equal(again.load(9).image, documents.load(9).image)


def test_photographed_documents_lie_on_a_photo(tmp_path):
    cv2.imwrite(str(tmp_path / "red.png"), np.full((64, 64, 3), (0, 0, 255), np.uint8))
    source = VariedScenes(40, 96, 96, seed=0, backgrounds=tmp_path, documents=1.0)
    images = [source.load(index).image.astype(int) for index in range(40)]
    assert any(((image[..., 0] - image[..., 1]) > 60).mean() > 0.1 for image in images)
