"""Training targets: cases computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from db_reference import make_targets
from resnet18_ocrdet.data.targets import TargetMaker, simplified

MAKE = TargetMaker()
SQUARE = np.array([[20, 20], [60, 20], [60, 60], [20, 60]], np.float32)
FAR_LEVEL = (76, 77)  # 0.3 · 255 = 76.5
BORDER_LEVEL = (178, 179)  # 0.7 · 255 = 178.5


def targets(*polygons, ignore=None, size=(80, 100), make=MAKE):
    flags = np.zeros(len(polygons), bool) if ignore is None else np.array(ignore, bool)
    return make(polygons, flags, *size)


def turned(width, height, degrees, centre=(50, 40)):
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corners = np.array([[-width, -height], [width, -height], [width, height], [-width, height]]) / 2
    return (corners @ turn + centre).astype(np.float32)


def test_square_of_side_40():
    planes = targets(SQUARE)
    # A = 1600, L = 160, D = 1600 · (1 - 0.16) / 160 = 8.4: the text is 28.4 .. 51.6, in whole pixels 28 .. 52
    assert planes.prob_map.sum() == 25 * 25
    assert planes.prob_map[28:53, 28:53].all()
    assert planes.prob_mask.all()
    # grown: 11.6 .. 68.4, in whole pixels 12 .. 68, with round corners
    row = planes.thresh_mask[40]
    assert row[12:69].all() and not row[:12].any() and not row[69:].any()
    column = planes.thresh_mask[:, 40]
    assert column[12:69].all() and not column[:12].any() and not column[69:].any()
    assert planes.thresh_mask[12, 12] == 0
    # square, four strips 40 · 8.4 and a circle of radius 8.4, with its outline's pixels: 3166 + about 208 / 2
    assert planes.thresh_mask.sum() == pytest.approx(3166 + 104, rel=0.03)


@pytest.mark.parametrize(
    ("x", "y", "level"),
    [
        # level = 255 · (0.3 + 0.4 · (1 - d / 8.4)), D = 8.4
        (22, 40, 154),  # d = 2: 0.3 + 0.4 · 0.7619 = 0.6048 -> 154.2
        (18, 40, 154),  # the same outside
        (24, 40, 130),  # d = 4: 0.5095 -> 129.9
        (58, 40, 154),  # from the right edge
        (40, 24, 130),  # from the upper edge
        (17, 16, 118),  # 3 left of and 4 above the corner: d = 5: 0.4619 -> 117.8
        (23, 24, 142),  # inside, 3 from one edge and 4 from the other: d = 3: 0.5571 -> 142.1
    ],
)
def test_threshold_decreases_linearly_from_the_outline(x, y, level):
    assert targets(SQUARE).thresh_map[y, x] == level


def test_threshold_is_high_on_the_outline_and_low_far_away():
    plane = targets(SQUARE).thresh_map
    for x, y in [(20, 20), (20, 41), (60, 33), (37, 60), (60, 60)]:
        assert plane[y, x] in BORDER_LEVEL
    for x, y in [(40, 40), (5, 5), (99, 79), (70, 40)]:
        assert plane[y, x] in FAR_LEVEL
    assert plane.min() in FAR_LEVEL and plane.max() in BORDER_LEVEL


def test_options_change_the_targets():
    # r = 0.6: D = 1600 · 0.64 / 160 = 6.4: the text is 26.4 .. 53.6, 26 .. 54
    planes = targets(SQUARE, make=TargetMaker(shrink_ratio=0.6, thresh_min=0.2, thresh_max=0.8))
    assert planes.prob_map.sum() == 29 * 29
    assert planes.thresh_map[40, 40] == 51  # 0.2 · 255
    assert planes.thresh_map[40, 20] == 204  # 0.8 · 255
    # d = 3: 0.2 + 0.6 · (1 - 3 / 6.4) = 0.51875 -> 132.3
    assert planes.thresh_map[40, 23] == 132


@pytest.mark.parametrize("count", [0, 1, 3])
def test_size_dtype_and_range_of_the_maps(count):
    planes = targets(*[SQUARE + np.float32(5 * i) for i in range(count)], size=(64, 96))
    for plane in planes:
        assert plane.shape == (64, 96) and plane.dtype == np.uint8
    for plane in (planes.prob_map, planes.prob_mask, planes.thresh_mask):
        assert set(np.unique(plane)) <= {0, 1}


def test_an_image_without_text_is_all_background():
    planes = targets()
    assert not planes.prob_map.any() and planes.prob_mask.all() and not planes.thresh_mask.any()
    assert set(np.unique(planes.thresh_map)) <= set(FAR_LEVEL)


def test_dont_care_regions_are_masked_and_nothing_else():
    planes = targets(SQUARE, ignore=[True])
    assert not planes.prob_map.any() and not planes.thresh_mask.any()
    # 20 .. 60 with its outline
    expected = np.ones((80, 100), np.uint8)
    expected[20:61, 20:61] = 0
    np.testing.assert_array_equal(planes.prob_mask, expected)
    assert set(np.unique(planes.thresh_map)) <= set(FAR_LEVEL)


def test_all_ignored():
    planes = targets(SQUARE, turned(30, 20, 30), ignore=[True, True])
    assert not planes.prob_map.any() and not planes.thresh_mask.any()
    assert 0 < planes.prob_mask.sum() < planes.prob_mask.size


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_text_inside_a_dont_care_region_stays_text(order):
    region = np.array([[5, 5], [95, 5], [95, 75], [5, 75]], np.float32)
    polygons, ignore = [SQUARE, region], [False, True]
    planes = targets(*[polygons[i] for i in order], ignore=[ignore[i] for i in order])
    alone = targets(SQUARE)
    np.testing.assert_array_equal(planes.prob_map, alone.prob_map)
    np.testing.assert_array_equal(planes.thresh_map, alone.thresh_map)
    assert planes.prob_mask[alone.prob_map == 1].all()
    # between the text and the region's outline nothing is trained on
    assert planes.prob_mask[40, 22] == 0 and planes.prob_mask[2, 2] == 1


@pytest.mark.parametrize("degrees", [0, 45, 90, 137])
def test_size_is_measured_across_the_text_for_any_rotation(degrees):
    # at 45 degrees both of these are more than 40 px wide and high
    low, high = targets(turned(50, 7.8, degrees)), targets(turned(50, 8.2, degrees))
    assert not low.prob_map.any() and not low.thresh_mask.any()
    assert (low.prob_mask == 0).sum() == pytest.approx(50 * 7.8, rel=0.25)
    assert high.prob_map.any() and high.prob_mask.all() and high.thresh_mask.any()


def test_a_region_that_vanishes_when_shrunk_is_masked():
    # in whole pixels (40.1 and 40.8 both begin with 40) the strip has no height left to shrink
    strip = np.array([[20, 40.1], [80, 40.1], [80, 40.8], [20, 40.8]], np.float32)
    planes = targets(strip, make=TargetMaker(min_text_size=0.0))
    assert not planes.prob_map.any() and not planes.thresh_mask.any()
    # rows 40 and 41, x from 20 to 80
    assert (planes.prob_mask == 0).sum() == 61 * 2


def test_a_thin_region_that_vanishes_in_whole_pixels_keeps_a_target():
    # 400 x 2, 1:200: D = 800 · 0.84 / 804 = 0.84, so 0.33 px are left; in whole pixels 40.6 .. 42.6 shrinks to nothing
    ribbon = np.array([[20, 40.6], [420, 40.6], [420, 42.6], [20, 42.6]], np.float32)
    for polygon, size in ((ribbon, (80, 440)), (ribbon[:, ::-1].copy(), (440, 80))):
        planes = targets(polygon, size=size, make=TargetMaker(min_text_size=2.0))
        across = planes.prob_map.max(axis=int(size[0] < size[1]))
        along = planes.prob_map.max(axis=int(size[0] > size[1]))
        # text on one or two rows, about 41.44 .. 41.77, over all of its length but D at either end
        assert 1 <= across.sum() <= 2 and across[41:43].any()
        assert 397 <= along.sum() <= 400
        assert planes.prob_mask.all() and planes.thresh_mask[planes.prob_map == 1].all()
    # 0.4 and 0.6 from an edge: 255 (0.3 + 0.4 (1 - 0.4 / 0.8358)) = 129.7, and 105.3
    np.testing.assert_array_equal(planes.thresh_map[30, 41:43], [130, 105])


def test_simplifying_many_vertices_changes_little():
    # a traced ring of 900 points, 0.2 px apart at most; its 64 and more vertices are cut to what half a pixel needs
    angles = np.arange(900) * 2 * np.pi / 900
    circle = np.array([50, 40]) + 28 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    circle = circle.astype(np.float32)
    assert 8 <= len(simplified(circle)) < 64
    np.testing.assert_array_equal(simplified(circle[::20]), circle[::20])  # 45 vertices are kept
    planes, fine = targets(circle), make_targets([circle], np.array([False]), 80, 100)
    # A = 2463, L = 176: D = 11.76, radius 16.2 left: 102 px of outline, of which the half-pixel moves few
    assert (planes.prob_map != fine.prob_map).sum() < 60 and planes.prob_map.sum() > 700
    assert (planes.thresh_mask != fine.thresh_mask).sum() < 250  # grown: 250 px of outline, less than one step each
    # edges of 5.5 px: from 2.75 px on the nearer end counts, √(2.75² + 2.75²) - 2.75 = 1.14 px of 11.76: 9.9 levels
    inside = (planes.thresh_mask == 1) & (fine.thresh_mask == 1)
    assert np.abs(planes.thresh_map - fine.thresh_low * 255.0)[inside].max() < 10.5


@pytest.mark.parametrize(
    "polygon",
    [
        np.full((4, 2), 30, np.float32),
        np.array([[20, 40], [50, 40], [80, 40], [50, 40]], np.float32),
        np.array([[10, 10], [50, 50], [50, 10], [10, 50]], np.float32),
    ],
    ids=["point", "line", "bow tie"],
)
def test_an_outline_without_area_is_masked(polygon):
    # no area, so no distance to shrink by: neither text nor background
    planes = targets(polygon)
    assert not planes.prob_map.any() and not planes.thresh_mask.any()
    assert (planes.prob_mask == 0).any()


def test_all_pieces_of_a_shrunk_region_are_text():
    dumbbell = np.array(
        [
            [0, 0],
            [30, 0],
            [30, 13],
            [50, 13],
            [50, 0],
            [80, 0],
            [80, 30],
            [50, 30],
            [50, 17],
            [30, 17],
            [30, 30],
            [0, 30],
        ],
        np.float32,
    ) + np.float32(8)
    planes = targets(dumbbell)
    # D = (2 · 900 + 80) · 0.84 / (2 · 30 · 3 + 2 · 26 + 2 · 20) = 1579.2 / 272 = 5.8, more than half the waist
    assert planes.prob_map[23, 23] and planes.prob_map[23, 73] and not planes.prob_map[23, 48]


def test_overlapping_regions_keep_the_higher_threshold():
    other = SQUARE + np.float32([10, 0])
    planes, first, second = targets(SQUARE, other), targets(SQUARE), targets(other)
    np.testing.assert_array_equal(planes.thresh_map, np.maximum(first.thresh_map, second.thresh_map))
    np.testing.assert_array_equal(planes.prob_map, first.prob_map | second.prob_map)
    np.testing.assert_array_equal(planes.thresh_mask, first.thresh_mask | second.thresh_mask)


@pytest.mark.parametrize("shift", [(300, 0), (-300, 0), (0, 300), (0, -300), (300, 300)])
def test_a_region_outside_the_image_changes_nothing(shift):
    for ignore in (False, True):
        planes = targets(SQUARE + np.float32(shift), ignore=[ignore])
        for plane, empty in zip(planes, targets(), strict=True):
            np.testing.assert_array_equal(plane, empty)


def test_repeated_vertices_and_direction_do_not_matter():
    plain = targets(SQUARE)
    for same in (SQUARE[::-1], SQUARE[[0, 0, 1, 2, 2, 3]], np.roll(SQUARE, 2, axis=0)):
        for plane, expected in zip(targets(same), plain, strict=True):
            np.testing.assert_array_equal(plane, expected)


def test_input_is_not_changed():
    polygons = [SQUARE.copy(), turned(40, 5, 20), turned(50, 30, 10) - np.float32(30)]
    before = [polygon.copy() for polygon in polygons]
    flags = np.array([False, False, True])
    MAKE(polygons, flags, 80, 100)
    assert len(polygons) == 3 and flags.tolist() == [False, False, True]
    for polygon, old in zip(polygons, before, strict=True):
        np.testing.assert_array_equal(polygon, old)


def test_as_many_flags_as_polygons():
    with pytest.raises(ValueError, match="shorter"):
        MAKE([SQUARE, SQUARE], np.array([False]), 80, 100)


def test_pieces_counts_the_trained_pieces():
    make = TargetMaker()
    word = np.array([[10, 10], [90, 10], [90, 30], [10, 30]], np.float32)
    assert make.pieces(word) == 1
    assert make.pieces(word * 0.1) == 0  # 2 px high
    dumb_bell = [
        [0, 0],
        [30, 0],
        [30, 14],
        [90, 14],
        [90, 0],
        [120, 0],
        [120, 30],
        [90, 30],
        [90, 16],
        [30, 16],
        [30, 30],
        [0, 30],
    ]
    assert make.pieces(np.array(dumb_bell, np.float32)) == 2
