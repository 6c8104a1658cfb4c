"""Charts: plotted values are those of the records, odd records do not stop a run, bars count every value."""

from __future__ import annotations

import math
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest

from resnet18_ocrdet.evaluation.metrics import PrecisionRecall
from resnet18_ocrdet.viz import draw
from resnet18_ocrdet.viz.charts import (
    CURVES_PX,
    PRECISION_RECALL_PX,
    draw_curves,
    figure_of,
    histogram,
    precision_recall_curve,
    precision_recall_figure,
    precision_recall_image,
    write_png,
)
from resnet18_ocrdet.viz.html import environment

CURVE = PrecisionRecall(np.array([1.0, 0.5, 2 / 3]), np.array([0.25, 0.25, 0.5]), np.array([0.9, 0.8, 0.6]))


def record(epoch, hmean=0.5, val=True):
    losses = {"total": 4.0 / epoch, "prob": 0.4 / epoch, "thresh": 0.1 / epoch, "binary": 0.9 / epoch}
    return {
        "epoch": epoch,
        "step": 10 * epoch,
        "lr": 0.007 / epoch,
        "train_loss": losses,
        "val_loss": {name: 2 * value for name, value in losses.items()} if val else None,
        "precision": 0.6 if val else None,
        "recall": 0.4 if val else None,
        "hmean": hmean if val else None,
        "ap": 0.3 if val else None,
        "seconds": 2.0,
        "images_per_second": 20.0 + epoch,
    }


def lines_of(figure):
    """Every plotted line of a figure by its label: (x, y)."""
    return {line.get_label(): line.get_data() for axes in figure.axes for line in axes.lines}


def size_of(path):
    height, width, channels = cv2.imread(str(path)).shape
    assert channels == 3
    return width, height


def test_the_plotted_values_are_those_of_the_records():
    pytest.importorskip("matplotlib")
    records = [record(1, val=False), record(2, hmean=0.7), record(3, val=False), record(4, hmean=0.6)]
    lines = lines_of(figure_of(records))
    for term in ("total", "prob", "thresh", "binary"):
        epochs, values = lines[f"train {term}"]
        assert list(epochs) == [1, 2, 3, 4] and list(values) == [line["train_loss"][term] for line in records]
        epochs, values = lines[f"val {term}"]
        assert list(epochs) == [2, 4] and list(values) == [records[1]["val_loss"][term], records[3]["val_loss"][term]]
    assert [list(part) for part in lines["hmean"]] == [[2, 4], [0.7, 0.6]]
    assert [list(part) for part in lines["ap"]] == [[2, 4], [0.3, 0.3]]
    assert list(lines["learning rate"][1]) == [line["lr"] for line in records]
    assert list(lines["images per second"][1]) == [21.0, 22.0, 23.0, 24.0]
    assert list(lines["best: epoch 2, hmean 0.7000"][0]) == [2, 2]


def test_best_epoch_is_the_first_of_equals():
    pytest.importorskip("matplotlib")

    def best(*records):
        return [label for label in lines_of(figure_of(records)) if label.startswith("best")]

    equals = best(record(1, hmean=0.2), record(2, hmean=0.5), record(3, hmean=0.5))
    assert equals == ["best: epoch 2, hmean 0.5000"]
    assert best(record(1, hmean=0.0)) == ["best: epoch 1, hmean 0.0000"]
    assert best(record(1, val=False)) == []


ODD = {
    "one epoch": [record(1)],
    "no validation": [record(1, val=False), record(2, val=False)],
    "hmean undefined": [record(1, hmean=None), record(2, hmean=None)],
    "not finite": [record(1, hmean=math.nan), {**record(2), "lr": math.inf}],
    "missing keys": [{}, {"epoch": 2, "train_loss": {"total": 1.0}}, {"epoch": 3, "val_loss": {}}],
    "zero losses": [{"epoch": 1, "lr": 0.0, "train_loss": {"total": 0.0}}],
    "no record": [],
    "many": [record(epoch) for epoch in range(1, 301)],
}


@pytest.mark.parametrize("records", ODD.values(), ids=ODD.keys())
def test_any_records_give_a_picture_of_fixed_size(tmp_path, records):
    pytest.importorskip("matplotlib")
    assert draw_curves(records, tmp_path / "照片.png") is True
    assert [path.name for path in tmp_path.iterdir()] == ["照片.png"]  # no other file
    pixels = cv2.imdecode(np.fromfile(tmp_path / "照片.png", np.uint8), cv2.IMREAD_COLOR)
    assert pixels.shape == (*CURVES_PX[::-1], 3)


def test_a_record_without_an_epoch_counts_by_its_position():
    pytest.importorskip("matplotlib")
    lines = lines_of(figure_of([{"lr": 0.2}, {"lr": None}, {"lr": 0.1}]))
    assert [list(part) for part in lines["learning rate"]] == [[1, 3], [0.2, 0.1]]


def test_precision_recall_marks_the_end_of_the_curve():
    pytest.importorskip("matplotlib")
    figure = precision_recall_figure(CURVE, 0.4167)
    lines = lines_of(figure)
    np.testing.assert_array_equal(lines["by decreasing score"], (CURVE.recall, CURVE.precision))
    # hmean 2 · (2/3 · 1/2) / (2/3 + 1/2) = 4/7
    working_point = lines["all detections: hmean 0.571\nP 0.667, R 0.500, score ≥ 0.60"]
    assert [list(part) for part in working_point] == [[0.5], [2 / 3]]
    assert figure.axes[0].get_title() == "AP 0.4167"


@pytest.mark.parametrize("count", [0, 1, 3])
def test_precision_recall_picture(tmp_path, count):
    pytest.importorskip("matplotlib")
    curve = PrecisionRecall(*(values[:count] for values in CURVE))
    image = precision_recall_image(curve, None if count == 1 else 0.4)
    write_png(tmp_path / "curve.png", image)
    assert size_of(tmp_path / "curve.png") == PRECISION_RECALL_PX
    assert image.shape == (*PRECISION_RECALL_PX[::-1], 3) and image.dtype == np.uint8
    assert (image[0, 0] == 255).all()  # white background
    assert (image < 128).any()  # with lines


def test_the_end_is_marked_in_red():
    pytest.importorskip("matplotlib")
    image = precision_recall_image(CURVE, None).astype(int)
    assert (image[:, :, 0] - image[:, :, 2] > 100).any()  # red in its place: the channels are RGB


def test_without_matplotlib_nothing_is_written(tmp_path, monkeypatch):
    for name in ("matplotlib", "matplotlib.figure", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, name, None)
    assert draw_curves([record(1)], tmp_path / "curves.png") is False
    assert precision_recall_image(CURVE, 0.4) is None
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_the_previous_picture(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    path = tmp_path / "curves.png"
    path.write_bytes(b"before")

    def half(beside, image):
        beside.write_bytes(b"ha")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(draw, "write", half)
    with pytest.raises(OSError, match="No space left"):
        draw_curves([record(1)], path)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("curves.png", b"before")]


def test_matplotlib_is_loaded_only_to_draw_and_pyplot_is_not_loaded(tmp_path):
    pytest.importorskip("matplotlib")
    code = (
        "import sys, pathlib, warnings\n"
        "warnings.filterwarnings('ignore', module='matplotlib')  # an older one with a newer pyparsing\n"
        "from resnet18_ocrdet.viz import charts\nprint('matplotlib' in sys.modules)\n"
        "charts.draw_curves([{'epoch': 1, 'lr': 0.1}], pathlib.Path(sys.argv[1]))\n"
        "print('matplotlib' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )
    words = [sys.executable, "-W", "error", "-c", code, tmp_path / "curves.png"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["False", "True", "False"]
    assert done.stderr == ""


def rendered(macro, chart):
    source = f'{{% from "macros.html" import {macro} %}}{{{{ {macro}(chart) }}}}'
    return environment().from_string(source).render(chart=chart)


def test_a_histogram_counts_every_value():
    chart = histogram(np.array([0.5, 1.5, 1.6, 99.0]), 1.0, 3.0, "<height>", limit=2.0)
    assert [bar.height for bar in chart.bars] == [0.5, 1.0, 0.0, 0.5] and chart.limit == 2.0
    text = rendered("bar_chart", chart)
    assert re.findall(r"<title>([^<]*)</title></rect>", text) == [
        "0 to 1: 1",
        "1 to 2: 2",
        "2 to 3: 0",
        "3 and more: 1",
    ]
    assert "&lt;height&gt;" in text and 'class="limit"' in text


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_curve_of_a_page_has_every_point(count):
    curve = precision_recall_curve(PrecisionRecall(*(values[:count] for values in CURVE)))
    assert curve.points == list(zip(CURVE.recall.tolist(), CURVE.precision.tolist(), strict=True))[:count]
    text = rendered("unit_curve", curve)
    assert len(re.findall(r"<circle ", text)) == min(count, 1)
    if count:  # (0.25, 1) of a square of 320 px from 20 to 340
        assert 'd="M80.0 20.0' in text


def test_a_long_curve_is_reduced_and_keeps_its_ends():
    recall = np.linspace(0, 1, 10_000)
    curve = precision_recall_curve(PrecisionRecall(1 - recall, recall, 1 - recall))
    assert len(curve.points) <= 400 and (curve.points[0], curve.points[-1]) == ((0, 1), (1, 0))
