"""Regions of varied scenes hug their ink, and are words or runs without a gap."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resnet18_ocrdet.data.synthetic import warp
from resnet18_ocrdet.data.synthetic.corpus import read_corpus
from resnet18_ocrdet.data.synthetic.fonts import INK_LEVEL, find_fonts
from resnet18_ocrdet.data.synthetic.layout import Layout
from resnet18_ocrdet.data.synthetic.render import word_outline
from resnet18_ocrdet.data.synthetic.varied import compose
from resnet18_ocrdet.data.synthetic.varied.kinds import KINDS, draw_texts
from resnet18_ocrdet.data.synthetic.varied.setting import LEAST_GAP_PX, Canvas, Style, canvas_of, set_texts

REACH = (600.0, 400.0)  # image px
CORPUS = read_corpus(None)

sheets_of = st.builds(
    lambda kind, script, seed, **style: (kind, script, seed, style),
    kind=st.sampled_from(KINDS),
    script=st.sampled_from(find_fonts(None).scripts[:2]),
    seed=st.integers(0, 2**32),
    cap_height=st.floats(5, 60),
    tracking=st.sampled_from([0.0, 0.3]),
    word_gap=st.floats(0.16, 1.2),
    line_gap=st.floats(0.15, 0.9),
    padding=st.floats(0.2, 0.8),
    align=st.sampled_from([0.0, 0.5, 1.0]),
)


def set_drawn(drawn) -> tuple[Canvas | None, Style, list[list[str]]]:
    kind, script, seed, style = drawn
    rng = np.random.default_rng(seed)
    face = find_fonts(None).draw(rng, script)
    texts = draw_texts(rng, kind, script, face, CORPUS)
    made = Style(face, script, **style)
    return set_texts(texts, kind.setting, made, REACH), made, texts


@given(sheets_of)
@settings(max_examples=40, deadline=None)
def test_a_region_on_the_canvas_is_the_box_of_its_ink(drawn):
    sheet, _, texts = set_drawn(drawn)
    if sheet is None:
        return
    assert sheet.size[0] * sheet.scale <= REACH[0] + 2 and sheet.size[1] * sheet.scale <= REACH[1] + 2
    words = [word for line in sheet.lines for word in line]
    assert {word.text for word in words} <= {text for line in texts for text in line}
    for word in words:
        assert word.text and not any(character.isspace() for character in word.text)
        edges = (word.mask[0], word.mask[-1], word.mask[:, 0], word.mask[:, -1])
        assert all(edge.max() > INK_LEVEL for edge in edges)
    boxes = np.zeros(sheet.size[::-1], np.int32)
    for word in words:  # no two boxes share a pixel, and all of them are on the canvas
        boxes[word.y : word.y + len(word.mask), word.x : word.x + word.mask.shape[1]] += 1
    assert boxes.max() == 1 and boxes.sum() == sum(word.mask.size for word in words)


@given(sheets_of)
@settings(max_examples=25, deadline=None)
def test_gaps_between_words_of_a_line_are_as_wide_as_stated(drawn):
    """At least the gap of the style, and two pixels of the image."""
    sheet, style, _ = set_drawn(drawn)
    if sheet is None or drawn[0].setting != "lines":
        return
    for left, right in (pair for line in sheet.lines for pair in pairwise(line)):
        gap = (right.x - left.x - left.mask.shape[1]) * sheet.scale
        assert gap >= max(style.word_gap * style.cap_height, LEAST_GAP_PX) - 0.01


def test_a_region_in_the_image_hugs_the_ink_within_two_pixels():
    """Turned, sheared and in perspective: the outline, grown by 2 px, holds all ink and has ink at every side."""
    fonts, rng = find_fonts(None), np.random.default_rng(0)
    palette = compose.draw_palette(rng, fonts, CORPUS)
    checked = 0
    for _ in range(60):
        layout = Layout(480, 480)
        block = compose.draw_block(rng, compose.draw_kind(rng, palette.scripts), palette, layout)
        if block is None or block.bend is not None:
            continue
        for word in (word for line in block.lines for word in line.words):
            mask = cv2.warpPerspective(canvas_of([word], block.flat_size), block.to_image, (480, 480))
            outline = word_outline(word, block)
            whole = (outline > 3).all() and (outline < 476).all()
            points = np.argwhere(mask > INK_LEVEL)[:, ::-1].astype(np.float32)
            if not whole or min(word.mask.shape) * block.scale < 6:
                continue
            signed = [cv2.pointPolygonTest(outline, point.tolist(), True) for point in points]
            assert min(signed) > -2.0
            for corner, following in zip(outline, np.roll(outline, -1, axis=0), strict=True):
                across = (following - corner)[::-1] * (-1, 1) / np.linalg.norm(following - corner)
                assert np.abs((points - corner) @ across).min() < 2.0
            checked += 1
    assert checked > 60


def test_curved_outlines_follow_the_ink():
    fonts, rng = find_fonts(None), np.random.default_rng(1)
    palette = compose.draw_palette(rng, fonts, CORPUS)
    kind = next(kind for kind in KINDS if kind.name == "line")._replace(bend=1.0, words=(2, 4))
    blocks = [compose.draw_block(rng, kind, palette, Layout(640, 640)) for _ in range(12)]
    bent = [block for block in blocks if block is not None and block.bend is not None]
    assert len(bent) > 3
    for block in bent:
        for word in block.lines[0].words:
            flat = canvas_of([word], block.flat_size)
            mask = cv2.warpPerspective(warp.bend_mask(flat, block.bend), block.to_image, (640, 640))
            outline = np.rint(word_outline(word, block, compose.CURVE_STEPS)).astype(np.int32)
            inside = cv2.fillPoly(np.zeros((640, 640), np.uint8), [outline], 1)
            ink = mask > INK_LEVEL
            assert (ink & (inside > 0)).sum() >= 0.96 * ink.sum()


@pytest.mark.parametrize("script", find_fonts(None).scripts[:2])
def test_columns_are_one_region_each_from_right_to_left(script):
    kind = next(kind for kind in KINDS if kind.setting == "columns")
    face = find_fonts(None).draw(np.random.default_rng(0), script)
    style = Style(face, script, 30.0, 0.0, 0.5, 0.3, 0.3, 0.0)
    sheet = set_texts([["ABC"], ["DE"]], kind.setting, style, REACH)
    (first,), (second,) = sheet.lines
    assert (first.text, second.text) == ("ABC", "DE")
    assert first.x > second.x and first.y == second.y
    assert len(first.mask) > 1.3 * len(second.mask)
