"""Varied scenes: reproducible, with labels that fit, without fonts and texts of their own too."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import shapely

from resnet18_ocrdet.data.splits import synthetic
from resnet18_ocrdet.data.synthetic.varied.source import VariedScenes
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.geometry.polygon import area
from resnet18_ocrdet.structures import Sample

SIDE = 256


@pytest.fixture(scope="module")
def varied() -> VariedScenes:
    return VariedScenes(200, SIDE, SIDE, seed=0)


@pytest.fixture(scope="module")
def samples(varied) -> list[Sample]:
    return [varied.load(index) for index in range(25)]


def same(a: Sample, b: Sample) -> bool:
    return (
        a.name == b.name
        and np.array_equal(a.image, b.image)
        and np.array_equal(a.ignore, b.ignore)
        and all(np.array_equal(p, q) for p, q in zip(a.polygons, b.polygons, strict=True))
    )


def test_a_scene_depends_on_seed_number_and_size_only(samples):
    again = VariedScenes(10, SIDE, SIDE, seed=0, first=3)
    assert same(again.load(4), samples[7]) and same(again.load(0), samples[3])
    assert not np.array_equal(VariedScenes(4, SIDE, SIDE, seed=1).load(3).image, samples[3].image)
    assert not np.array_equal(VariedScenes(4, SIDE, SIDE + 32, seed=0).load(3).image[:, :SIDE], samples[3].image)


def test_another_process_renders_the_same_pixels(varied, samples):
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert same(pool.submit(varied.load, 7).result(), samples[7])


def test_samples_are_well_formed(samples):
    for sample in samples:
        assert sample.image.shape == (SIDE, SIDE, 3) and sample.image.dtype == np.uint8
        assert sample.ignore.shape == (len(sample.polygons),) and sample.ignore.dtype == np.bool_
        for polygon in sample.polygons:
            assert polygon.dtype == np.float32 and len(polygon) >= 3
            assert (polygon >= 0).all() and (polygon <= SIDE - 1).all() and area(polygon) > 0


def test_labels_do_not_overlap(samples):
    """IoU of two regions of a scene: at most 0.05."""
    for sample in samples:
        shapes = [shapely.make_valid(shapely.Polygon(polygon)) for polygon in sample.polygons]
        for a, b in shapely.STRtree(shapes).query(shapes, predicate="intersects").T if shapes else ():
            if a < b:
                assert shapes[a].intersection(shapes[b]).area <= 0.05 * shapes[a].union(shapes[b]).area


def test_the_style_and_its_folders_come_from_the_config(tmp_path):
    (tmp_path / "a.txt").write_text("Two words,\n", encoding="utf-8")
    splits = synthetic(2, 1, 1, SIDE, SIDE, 0, style="varied", texts=tmp_path)
    texts = {region.text.casefold().strip(",") for index in range(2) for region in splits.train.draw(index)[1]}
    assert "two" in texts or "words" in texts
    assert not np.array_equal(splits.train.load(0).image, splits.val.load(0).image)


def test_what_the_folders_hold_is_checked(tmp_path):
    with pytest.raises(UserError, match=r"texts: no \*\.txt file"):
        VariedScenes(1, SIDE, SIDE, seed=0, texts=tmp_path)
    (tmp_path / "words.txt").write_text("one\ntwo\n", encoding="utf-8")
    with pytest.raises(UserError, match="no line of two or more Latin words"):
        VariedScenes(1, SIDE, SIDE, seed=0, texts=tmp_path)
    (tmp_path / "junk.ttf").write_bytes(b"no font")
    with pytest.raises(UserError, match=r"junk\.ttf is not a TrueType or OpenType font that Pillow can read"):
        VariedScenes(1, SIDE, SIDE, seed=0, fonts=tmp_path)
