"""Charts: bars and a curve as values for the templates of a page, and the PNG files of a training run.

The PNG files need matplotlib, the extra `plots`. It is imported when a chart is drawn; where it is missing, the result
is False or None, not an error. Figures are drawn without pyplot: no window, no global state.

Legend: H W pixels. Records are the lines of metrics.jsonl, see docs/train.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..evaluation.metrics import PrecisionRecall, harmonic_mean
from ..runtime.atomic_write import atomic_write
from ..structures import Image
from . import draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INSTALL = "pip install 'resnet18-ocrdet[plots]'"
DPI = 100  # sets the size of letters relative to the picture
CURVES_PX = (1200, 800)  # width, height
PRECISION_RECALL_PX = (600, 600)
SCORES = ("hmean", "precision", "recall", "ap")
WIDE_RANGE = 10.0  # largest / smallest value from which an axis is logarithmic
MOST_POINTS = 400  # of a curve on a page

Record = Mapping[str, Any]  # one line of metrics.jsonl; any key may be absent or None


class Bar(NamedTuple):
    """One bar of a chart on a page."""

    height: float  # 0..1 of the chart
    tooltip: str
    tick: str = ""  # below the bar
    value: str = ""  # above it
    note: str = ""  # below the tick
    link: str = ""  # id of a section of the page


class BarChart(NamedTuple):
    """Bars of equal width, from left to right."""

    title: str
    bars: Sequence[Bar]
    limit: float | None = None  # a dashed line here, in bars from the left


class UnitCurve(NamedTuple):
    """A curve whose coordinates are 0..1."""

    title: str
    points: Sequence[tuple[float, float]]  # (x, y); the last one is marked
    tooltip: str = ""  # of the last point


def histogram(
    values: NDArray[np.floating], step: float, last: float, title: str, limit: float | None = None
) -> BarChart:
    """Count `values` in bins of width `step` from 0; the final bin holds all values from `last` on.

    limit: value at which a line is drawn."""
    bins = int(last / step) + 1
    counts = np.bincount(np.minimum(values / step, bins - 1).astype(int), minlength=bins)
    bars = []
    for place, number in enumerate(counts.tolist()):
        span = range_text(place * step, None if place == bins - 1 else (place + 1) * step)
        tick = f"{place * step:g}" if place % 5 == 0 else ""
        bars.append(Bar(number / (counts.max() or 1), f"{span}: {number}", tick))
    return BarChart(title, bars, None if limit is None else limit / step)


def precision_recall_curve(curve: PrecisionRecall) -> UnitCurve:
    """Precision against recall, best score first, reduced to `MOST_POINTS`."""
    precision, recall, _ = curve
    title = "precision (up) against recall (right), 0 to 1"
    if not len(recall):
        return UnitCurve(title, [])
    chosen = np.unique(np.linspace(0, len(recall) - 1, MOST_POINTS).astype(int))
    end = f"all detections: precision {precision[-1]:.3f}, recall {recall[-1]:.3f}"
    return UnitCurve(title, list(zip(recall[chosen].tolist(), precision[chosen].tolist(), strict=True)), end)


def range_text(low: float, high: float | None) -> str:
    """`8 to 12`; `48 and more` without an upper end."""
    return f"{low:g} and more" if high is None else f"{low:g} to {high:g}"


def draw_curves(records: Sequence[Record], path: Path) -> bool:
    """Write a run's curves as one PNG of `CURVES_PX`, replacing an older one; the file is never half written.

    False, and nothing is written, without matplotlib. Raises OSError."""
    try:
        image = _render(figure_of(records))
    except ImportError:
        return False
    write_png(path, image)
    return True


def precision_recall_image(curve: PrecisionRecall, ap: float | None) -> Image | None:
    """Draw a set's curve, its last point marked; (H, W, 3) of `PRECISION_RECALL_PX`, None without matplotlib.

    ap: 0..1, None if undefined."""
    try:
        return _render(precision_recall_figure(curve, ap))
    except ImportError:
        return None


def write_png(path: Path, image: Image) -> None:
    """Write a picture, replacing an older one; the file is never half written. Raises OSError."""
    with atomic_write(path) as written:
        draw.write(written, image)


def figure_of(records: Sequence[Record]) -> Figure:
    """Plot a run by epoch: loss, scores with the best epoch, learning rate, speed. Raises ImportError."""
    figure = _figure(CURVES_PX)
    losses, scores, rate, speed = figure.subplots(2, 2).ravel()
    _plot_losses(losses, records)
    _plot_scores(scores, records)
    for axes, key, label, title in (
        (rate, "lr", "learning rate", "learning rate of the epoch's last step"),
        (speed, "images_per_second", "images per second", "training images per second"),
    ):
        _plot(axes, _series(records, key), label)
        _scale_axis(axes)
        axes.set_title(title)
    for axes in (losses, scores, rate, speed):
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.grid(alpha=0.3)
    return figure


def precision_recall_figure(curve: PrecisionRecall, ap: float | None) -> Figure:
    """Plot precision against recall, best score first. Raises ImportError.

    The end of the curve is marked: the score of all detections above the box threshold."""
    precision, recall, score = curve
    figure = _figure(PRECISION_RECALL_PX)
    axes = figure.subplots()
    axes.plot(recall, precision, label="by decreasing score")
    if len(score):
        p, r = float(precision[-1]), float(recall[-1])
        label = f"all detections: hmean {harmonic_mean(p, r):.3f}\nP {p:.3f}, R {r:.3f}, score ≥ {score[-1]:.2f}"
        axes.plot([r], [p], "o", color="C3", label=label)
        axes.legend(loc="lower left")
    axes.set_title("nothing detected" if not len(score) else "AP undefined" if ap is None else f"AP {ap:.4f}")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0.0, 1.02), ylim=(0.0, 1.02))
    axes.grid(alpha=0.3)
    return figure


def _plot_losses(axes: Axes, records: Sequence[Record]) -> None:
    terms = list(dict.fromkeys(term for record in records for term in record.get("train_loss") or {}))
    for part, style in (("train", "-"), ("val", "--")):
        for number, term in enumerate(terms):
            points = _series(records, f"{part}_loss", term)
            _plot(axes, points, f"{part} {term}", color=f"C{number}", linestyle=style)
    _scale_axis(axes)
    axes.set_title("loss: the weighted total, and its terms without weights")
    if axes.lines:
        axes.legend(ncols=2, fontsize="small")


def _plot_scores(axes: Axes, records: Sequence[Record]) -> None:
    for name in SCORES:
        _plot(axes, _series(records, name), name)
    if points := _series(records, "hmean"):
        epoch, hmean = max(points, key=lambda point: point[1])  # the first of equals, as for best.pt
        axes.axvline(epoch, color="black", linestyle=":", label=f"best: epoch {epoch}, hmean {hmean:.4f}")
    axes.set_ylim(0.0, 1.02)
    axes.set_title("on the validation images")
    if axes.lines:
        axes.legend(fontsize="small")


def _series(records: Sequence[Record], *keys: str) -> list[tuple[int, float]]:
    """Epoch and value of each record with a finite value of a key, or of nested keys.

    A record without "epoch" counts by its position."""
    found = []
    for place, record in enumerate(records, start=1):
        value: Any = record
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        if isinstance(value, int | float) and math.isfinite(value):
            found.append((record.get("epoch") or place, float(value)))
    return found


def _plot(axes: Axes, points: Sequence[tuple[int, float]], label: str, **style: Any) -> None:
    """A line with markers, so that a single point is visible; nothing without points."""
    if points:
        epochs, values = zip(*points, strict=True)
        axes.plot(epochs, values, marker=".", label=label, **style)


def _scale_axis(axes: Axes) -> None:
    """A logarithmic axis if all values are positive and their range is wide; else it starts at 0."""
    values = [float(value) for line in axes.lines for value in np.asarray(line.get_ydata())]
    if values and min(values) > 0 and max(values) / min(values) >= WIDE_RANGE:
        axes.set_yscale("log")
    elif values and min(values) >= 0:
        axes.set_ylim(0.0, 1.1 * max(values) or 1.0)


def _figure(size: tuple[int, int]) -> Figure:
    """An empty figure of (width, height) px."""
    from matplotlib.figure import Figure

    return Figure((size[0] / DPI, size[1] / DPI), dpi=DPI, facecolor="white", layout="constrained")


def _render(figure: Figure) -> Image:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.array(canvas.buffer_rgba(), np.uint8)[:, :, :3].copy()  # type: ignore[no-untyped-call]
