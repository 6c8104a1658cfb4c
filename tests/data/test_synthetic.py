"""Synthetic scenes: reproducible, with exact labels."""

from __future__ import annotations

import pickle
import re
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import pairwise
from multiprocessing import get_context

import cv2
import numpy as np
import pytest
import shapely

from conftest import opencv5
from resnet18_ocrdet.data.synthetic.background import Background
from resnet18_ocrdet.data.synthetic.compose import Scene
from resnet18_ocrdet.data.synthetic.effects import cast_shadow
from resnet18_ocrdet.data.synthetic.render import label_scene, render_scene
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.geometry.polygon import area
from resnet18_ocrdet.structures import Sample

SIDE = 256
PLAIN_WALL = Background(seed=0, luminance=128.0, spread=0.0, texture=0.0, clutter=())


def same(a: Sample, b: Sample) -> bool:
    return (
        a.name == b.name
        and np.array_equal(a.image, b.image)
        and np.array_equal(a.ignore, b.ignore)
        and len(a.polygons) == len(b.polygons)
        and all(np.array_equal(p, q) for p, q in zip(a.polygons, b.polygons, strict=True))
    )


def without_text(scene: Scene) -> Scene:
    return replace(scene, blocks=tuple(replace(block, lines=()) for block in scene.blocks))


def grey(scene: Scene) -> np.ndarray:
    return cv2.cvtColor(render_scene(scene), cv2.COLOR_RGB2GRAY)


def filled(polygon: np.ndarray) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    return cv2.fillPoly(mask, [np.rint(polygon * 16).astype(np.int32)], 1, cv2.LINE_8, 4)


def test_a_scene_is_reproducible(source):
    assert same(source.load(3), SyntheticScenes(10, SIDE, SIDE, seed=0).load(3))


def test_order_does_not_matter(source):
    forwards = [source.load(index) for index in range(5)]
    backwards = [SyntheticScenes(400, SIDE, SIDE, seed=0).load(index) for index in reversed(range(5))]
    assert all(same(a, b) for a, b in zip(forwards, reversed(backwards), strict=True))


def test_first_shifts_the_numbers(source):
    shifted = SyntheticScenes(1, SIDE, SIDE, seed=0, first=5).load(0)
    assert shifted.name == "synthetic_0000005"
    assert same(shifted, source.load(5))


def test_number_seed_and_size_change_the_scene(source):
    one = source.load(0)
    assert not np.array_equal(one.image, source.load(1).image)
    assert not np.array_equal(one.image, SyntheticScenes(1, SIDE, SIDE, seed=1).load(0).image)
    assert not np.array_equal(one.image, SyntheticScenes(1, SIDE, SIDE + 32, seed=0).load(0).image[:, :SIDE])


def test_another_process_renders_the_same_pixels(source):
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert same(pool.submit(source.load, 7).result(), source.load(7))


def test_the_global_random_generator_is_not_used(source):
    before = pickle.dumps(np.random.get_state())
    source.load(0)
    assert pickle.dumps(np.random.get_state()) == before


@pytest.mark.parametrize(("height", "width"), [(256, 256), (192, 320), (640, 640)])
def test_samples_are_well_formed(height, width):
    source = SyntheticScenes(12, height, width, seed=3)
    assert len(source) == 12
    for index in range(len(source)):
        sample = source.load(index)
        assert sample.image.shape == (height, width, 3)
        assert sample.image.dtype == np.uint8
        assert sample.ignore.shape == (len(sample.polygons),)
        assert sample.ignore.dtype == np.bool_
        for polygon in sample.polygons:
            assert polygon.dtype == np.float32
            assert polygon.ndim == 2
            assert polygon.shape[1] == 2
            assert len(polygon) >= 3
            assert (polygon >= 0).all()
            assert (polygon <= (width - 1, height - 1)).all()
            assert area(polygon) > 0


def test_index_out_of_range(source):
    with pytest.raises(IndexError, match="scene 400 of 400"):
        source.load(400)


def test_words_do_not_overlap(labels):
    for regions in filter(None, labels):
        shapes = [shapely.make_valid(shapely.Polygon(region.polygon)) for region in regions]
        tree = shapely.STRtree(shapes)
        for a, b in tree.query(shapes, predicate="intersects").T:
            if a < b:
                shared = shapes[a].intersection(shapes[b]).area
                assert shared < 0.05 * min(shapes[a].area, shapes[b].area)


def test_curved_words_follow_the_arc(labels):
    whole = [r for regions in labels for r in regions if r.block.bend is not None and (r.polygon % 255 > 0).all()]
    assert {len(region.polygon) for region in whole} == {10}
    # A quad around the same ink would be larger: bent outlines are not convex.
    assert np.mean([cv2.isContourConvex(region.polygon) for region in whole]) < 0.1


@opencv5
def test_both_scripts_occur(labels):
    assert {region.word.text.isascii() for regions in labels for region in regions} == {True, False}


def test_cut_words_are_dont_care(scenes):
    regions = [region for scene in scenes for region in label_scene(scene)]
    assert any(region.ignore and region.block.legibility == "clear" for region in regions)
    assert all(region.ignore for region in regions if region.block.legibility != "clear")


def ink_only(scene: Scene) -> Scene:
    """The same scene with only its clear words on a plain wall."""
    blocks = tuple(
        replace(block, panel=None, lines=tuple(replace(line, outline=False) for line in block.lines))
        for block in scene.blocks
        if block.legibility == "clear"
    )
    return Scene(scene.height, scene.width, PLAIN_WALL, blocks, (), ())


def test_labels_fit_the_ink_tightly(scenes):
    inside_share, fill = [], []
    for scene in map(ink_only, scenes[:80]):
        step = cv2.absdiff(grey(scene), grey(without_text(scene)))
        regions = label_scene(scene)
        covered = np.zeros((SIDE, SIDE), np.uint8)
        for region in regions:
            inside = filled(region.polygon)
            covered |= inside
            if region.block.bend is None and not region.ignore and (region.polygon % 255 > 0).all():
                own = np.where(inside, step, 0)
                points = cv2.findNonZero((own > 0.3 * own.max()).astype(np.uint8))
                width, height = np.add(cv2.minAreaRect(points)[1], 1.0)  # from pixel centres to pixel edges
                fill.append(width * height / area(region.polygon))
        if regions:
            ink = step > 0.3 * step.max()
            inside_share.append((ink & (covered > 0)).sum() / ink.sum())
    assert min(inside_share) >= 0.97
    assert np.mean(inside_share) >= 0.99
    assert len(fill) > 100
    assert min(fill) >= 0.7


def test_care_words_stand_out(scenes, labels):
    """Every care word differs from its background by 30 grey levels or more, before camera effects."""
    for scene, regions in zip(scenes[:80], labels[:80], strict=True):
        calm = replace(scene, effects=())
        step = cv2.absdiff(grey(calm), grey(without_text(calm)))
        for region in regions:
            if not region.ignore:
                assert np.percentile(step[filled(region.polygon) > 0], 98) >= 30


def test_gaps_between_words_and_lines_are_visible(scenes):
    """Gaps on the flat canvas, in heights of the taller ink: 0.45 between words, 0.25 between lines."""
    blocks = [block for scene in scenes for block in scene.blocks if block.legibility == "clear"]
    for line in (line for block in blocks for line in block.lines):
        for left, right in pairwise(line.words):
            gap = right.x - left.x - left.mask.shape[1]
            assert gap >= 0.45 * max(len(left.mask), len(right.mask))
    for upper, lower in (pair for block in blocks for pair in pairwise(block.lines)):
        gap = min(word.y for word in lower.words) - max(word.y + len(word.mask) for word in upper.words)
        assert gap >= 0.25 * max(len(word.mask) for word in upper.words + lower.words)


def test_custom_backgrounds_are_used(tmp_path):
    cv2.imwrite(str(tmp_path / "photo.png"), np.full((100, 150, 3), (200, 40, 10), np.uint8))  # blue, as BGR
    source = SyntheticScenes(100, SIDE, SIDE, seed=0, backgrounds=tmp_path)
    scenes = map(source.scene, range(100))
    empty = next(i for i, scene in enumerate(scenes) if not scene.blocks and scene.effects[0].func is not cast_shadow)
    red, _, blue = np.median(source.load(empty).image.reshape(-1, 3), axis=0)
    assert blue > 100 > red


def test_an_unreadable_background_is_reported(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"photo\.jpg: not an image"):
        SyntheticScenes(1, SIDE, SIDE, seed=0, backgrounds=tmp_path).load(0)


@pytest.mark.parametrize("kind", ["fonts", "backgrounds"])
def test_an_empty_or_missing_folder_is_reported(tmp_path, kind):
    with pytest.raises(UserError, match=rf"{kind}: no \*\..* below {re.escape(str(tmp_path))}"):
        SyntheticScenes(1, SIDE, SIDE, seed=0, **{kind: tmp_path})
    with pytest.raises(UserError, match=f"{kind}: .*nowhere is not a folder"):
        SyntheticScenes(1, SIDE, SIDE, seed=0, **{kind: tmp_path / "nowhere"})


def test_a_file_that_is_not_a_font_is_reported(tmp_path):
    (tmp_path / "junk.ttf").write_bytes(b"this is no font, and OpenCV 5.0.0 would crash on it")
    with pytest.raises(UserError, match=r"junk\.ttf is not a TrueType or OpenType font"):
        SyntheticScenes(1, SIDE, SIDE, seed=0, fonts=tmp_path)


def test_a_scene_that_is_too_small_is_refused():
    with pytest.raises(UserError, match=r"at least 64 .*data\.height=32"):
        SyntheticScenes(1, 32, 256, seed=0)
