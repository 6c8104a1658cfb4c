"""Counts of usable regions, and the errors and notes about them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from resnet18_ocrdet.data import region_counts
from resnet18_ocrdet.data.labels import LabelledImages
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.data.region_counts import (
    RegionCounts,
    count_regions_at,
    low_usability_note,
    no_usable_region_error,
    training_scale,
)
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.data.targets import TargetMaker
from resnet18_ocrdet.structures import LazyPicture, Polygon

MAKE = TargetMaker(0.4, 0.3, 0.7, 8.0)  # shrink ratio, thresholds, least height in px


def box(x: float, y: float, width: float, height: float) -> Polygon:
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float32)


class Labels(LabelledImages):
    """Labels of images of 100x200 px, which are not read. regions: (polygon, don't-care) of each image."""

    def __init__(self, *regions: list[tuple[Polygon, bool]]) -> None:
        self.asked: list[int] = []
        super().__init__([self.record_of(tuple(image)) for image in regions])

    @staticmethod
    def record_of(regions: tuple[tuple[Polygon, bool], ...]) -> LabelRecord:
        polygons, ignore = tuple(polygon for polygon, _ in regions), np.array([flag for _, flag in regions], bool)
        return LabelRecord(Path("none.jpg"), None, polygons, ignore, ("",) * len(regions), size=(100, 200))

    def open(self, index: int) -> LazyPicture:
        self.asked.append(index)
        return super().open(index)


def count_regions(source: Labels, make: TargetMaker, down: float = 1.0, across: float = 1.0) -> RegionCounts:
    """Count with the images stretched by two factors."""
    found = count_regions_at(source, make, round(100 * down), round(200 * across), "stretch")
    assert found is not None
    return found


WORD = (box(10, 10, 60, 20), False)
DONT_CARE = (box(10, 10, 60, 20), True)
OUTSIDE = (box(300, 10, 60, 20), False)
SMALL = (box(10, 10, 60, 7.9), False)


def test_each_kind_is_counted():
    found = count_regions(Labels([WORD, DONT_CARE], [], [OUTSIDE, SMALL, WORD]), MAKE)
    # heights of the words and the small one: 7.9, 20, 20
    assert found == RegionCounts(regions=5, dont_care=1, outside=1, too_small=1, usable=2, height=20.0)
    assert found.shares("640x640") == "20% don't-care (###), 20% too small at 640x640, 20% outside their image"


def test_a_dont_care_region_is_counted_once():
    found = count_regions(Labels([(OUTSIDE[0], True), (SMALL[0], True)]), MAKE)
    assert found == RegionCounts(2, 2, 0, 0, 0, 0.0)


def test_a_region_is_measured_after_the_resize():
    found = count_regions(Labels([(box(10, 10, 60, 16), False), (box(10, 10, 60, 15), False)]), MAKE, 0.5, 0.5)
    assert (found.usable, found.too_small, found.height) == (1, 1, pytest.approx(7.75))  # of 8 and 7.5 px
    found = count_regions(Labels([(box(10, 10, 60, 15), False)]), MAKE, 0.5, 2.0)
    assert (found.too_small, found.height) == (1, pytest.approx(7.5))


def test_a_region_without_area_is_too_small():
    line = (np.array([[10, 10], [60, 10], [60, 10], [10, 10]], np.float32), False)
    assert count_regions(Labels([line]), TargetMaker(0.4, 0.3, 0.7, 0.0)).too_small == 1


def test_a_region_partly_inside_is_inside():
    assert count_regions(Labels([(box(190, 10, 60, 20), False)]), MAKE).usable == 1


def test_a_large_data_set_is_sampled_and_read_completely_before_a_refusal(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(region_counts, "MAX_SAMPLED", 3)
    good = Labels(*[[WORD]] * 9)
    assert count_regions(good, MAKE).usable == 3
    assert good.asked == [0, 4, 8]
    hidden = Labels([DONT_CARE], [WORD], [DONT_CARE], [DONT_CARE], [DONT_CARE])  # not among 0, 2, 4
    found = count_regions(hidden, MAKE)
    assert (found.regions, found.usable) == (5, 1)
    assert hidden.asked == [0, 2, 4, 0, 1, 2, 3, 4]


def test_one_usable_region_is_enough_to_start():
    assert no_usable_region_error(RegionCounts(1000, 999, 0, 0, 1, 20.0), "640x640", 8) is None


@pytest.mark.parametrize(
    ("found", "parts"),
    [
        (RegionCounts(0, 0, 0, 0, 0, 0.0), ["no labelled regions"]),
        (
            RegionCounts(8, 8, 0, 0, 0, 0.0),
            ["none of the 8 training regions is usable: 100% don't-care (###), 0% too", "use another text"],
        ),
        (
            RegionCounts(8, 2, 0, 6, 0, 3.0),
            ["25% don't-care (###), 75% too small at 640x640, zoomed 3 times", "train.min_text_size smaller than 8."],
        ),
        (RegionCounts(8, 4, 0, 4, 0, 3.0), ["use another text, or none"]),
        (
            RegionCounts(8, 0, 5, 3, 0, 3.0),
            ["38% too small", "62% outside their image; are the coordinates in pixels of these images, x before y?"],
        ),
    ],
    ids=["no labels", "don't-care", "small", "half and half", "outside"],
)
def test_the_error_names_the_shares_and_the_remedy_for_the_largest(found: RegionCounts, parts: list[str]):
    line = no_usable_region_error(found, "640x640, zoomed 3 times", 8)
    assert line is not None and line.startswith("data: ")
    for part in parts:
        assert part in line, line


def test_no_note_if_half_of_the_care_regions_are_usable():
    assert low_usability_note(RegionCounts(10, 0, 5, 0, 5, 20.0), "training", "640x640", 8) is None
    assert low_usability_note(RegionCounts(10, 6, 0, 2, 2, 20.0), "training", "640x640", 8) is None  # 2 of 4
    assert (
        low_usability_note(RegionCounts(10, 9, 0, 0, 1, 20.0), "training", "640x640", 8) is None
    )  # exactly 90% don't-care


def test_a_note_if_almost_all_regions_are_dont_care():
    line = low_usability_note(RegionCounts(20, 19, 0, 0, 1, 20.0), "validation", "640x640", 8, True)
    assert line == "validation: 95% of the regions are don't-care (###)"
    assert low_usability_note(RegionCounts(9, 9, 0, 0, 0, 0.0), "training", "640x640", 8) == (
        "training: all 9 regions are don't-care (###)"
    )
    assert low_usability_note(RegionCounts(1, 1, 0, 0, 0, 0.0), "validation", "640x640", 8, True) == (
        "validation: the only region is don't-care (###); hmean is undefined"
    )


def test_a_note_gives_the_factor_for_the_input_size():
    # ICDAR2015-like, at 256 px: 2510 of 3543 are 71%
    line = low_usability_note(RegionCounts(9589, 6046, 0, 2510, 1033, 5.0), "training", "256x256", 8)
    assert line is not None and line.startswith("training: 1033 of 3543 care regions usable: 71% too small")
    assert "6046 don't-care" in line and "5.0 px" in line and "1.6 times" in line
    line = low_usability_note(RegionCounts(1, 0, 0, 1, 0, 5.0), "validation", "640x640", 8, True)
    assert line is not None and line.startswith(
        "validation: 0 of 1 care region large enough: 100% too small at 640x640"
    )


@pytest.mark.parametrize(
    "found",
    [
        RegionCounts(10, 0, 5, 5, 0, 5.0),  # exactly half are too small: the size is not the reason
        RegionCounts(10, 2, 1, 5, 2, 8.0),  # the median is large enough
        RegionCounts(10, 0, 10, 0, 0, 0.0),
    ],
)
def test_no_factor_if_the_size_is_not_the_reason(found: RegionCounts):
    line = low_usability_note(found, "training", "640x640", 8)
    assert line is not None and "input_size" not in line


def test_a_split_without_labels():
    nothing = RegionCounts(0, 0, 0, 0, 0, 0.0)
    assert low_usability_note(nothing, "training", "640x640", 8) == "the training images have no labelled regions"
    assert low_usability_note(nothing, "mix1", "640x640", 8) == "the mix1 images have no labelled regions"
    assert low_usability_note(nothing, "validation", "640x640", 8, True) == (
        "the validation images have no labelled regions; hmean is undefined"
    )


def test_the_factor_is_rounded_to_one_that_suffices():
    line = low_usability_note(
        RegionCounts(regions=10, dont_care=0, outside=0, too_small=9, usable=1, height=7.7), "test", "320x320", 8, True
    )
    assert line is not None and "1.1 times" in line  # not 1.0


def images_of(*sizes: tuple[int, int]) -> LabelledImages:
    nothing = ((), np.zeros(0, bool), ())
    return LabelledImages([LabelRecord(Path("none.jpg"), None, *nothing, size=size) for size in sizes])


def test_the_scale_of_training_is_the_95th_percentile():
    # 100 x 200 on 200 x 400: 2; 400 x 800: 0.5; 50 x 50: sqrt(80000 / 2500) = 5.66
    assert training_scale(images_of((100, 200)), 200, 400, "keep") == 2.0
    assert training_scale(images_of((400, 800), (400, 800)), 200, 400, "keep") == 1.0  # never a reduction
    # the 21 values are 0, 5, ..., 100 percent: the twentieth is the 95th
    assert training_scale(images_of(*19 * [(400, 800)], (100, 200), (50, 50)), 200, 400, "keep") == 2.0
    assert training_scale(images_of((50, 50)), 200, 400, "short_side") == 4.0  # 200 / 50
    assert training_scale(images_of((50, 50)), 200, 400, "fit") == 4.0
    assert training_scale(images_of((50, 50)), 200, 400, "stretch") == 8.0  # the larger of 4 and 8
    assert training_scale(images_of((1, 1)), 200, 400, "keep") == 100.0  # what a contract may have at most


def test_rendered_scenes_are_enlarged_as_their_size_says():
    assert training_scale(SyntheticScenes(1000, 64, 128, seed=0), 128, 256, "keep") == 2.0
