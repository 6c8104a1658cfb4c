"""Pictures of a run's numbers: how it learnt, and its precision against its recall.

matplotlib is the extra `plots`. It is imported where a picture is drawn, and that it is not there is an outcome (False
or None), no error. Figures are drawn on a canvas of their own, without pyplot: no window, nothing shared.

Legend: E epochs, M detections of a set, H W pixels. Records are the lines of metrics.jsonl, see docs/train.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..evaluation.metrics import harmonic_mean
from ..runtime.atomic_write import atomic_write
from ..structures import Image
from . import draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INSTALL = "pip install 'resnet18-ocrdet[plots]'"  # what to say where nothing was drawn
DPI = 100  # only sets how large letters are beside the pictures' pixels
CURVES_PX = (1200, 800)  # width, height
PRECISION_RECALL_PX = (600, 600)
TERMS = ("total", "prob", "thresh", "binary")
SCORES = ("hmean", "precision", "recall", "ap")
WIDE_RANGE = 10.0  # largest / smallest value from which an axis is logarithmic

Record = Mapping[str, Any]  # one line of metrics.jsonl; any key may be absent or None


class Series(NamedTuple):
    """The values of one key, in the order of the records; epochs without a finite number are left out."""

    epochs: list[int]  # from 1
    values: list[float]


def draw_curves(records: Sequence[Record], path: Path) -> bool:
    """Write a run's curves as one PNG of `CURVES_PX`, whole or not at all. path: ends in .png, is replaced.

    False, and nothing is written, where matplotlib is missing. Raises OSError when the disk does not take it."""
    try:
        image = _render(figure_of(records))
    except ImportError:
        return False
    _write(path, image)
    return True


def draw_precision_recall(
    precision: NDArray[np.float64],
    recall: NDArray[np.float64],
    score: NDArray[np.float64],
    ap: float | None,
    path: Path,
) -> bool:
    """Write `precision_recall_image` as a PNG, whole or not at all. path: ends in .png, is replaced.

    False, and nothing is written, where matplotlib is missing. Raises OSError when the disk does not take it."""
    image = precision_recall_image(precision, recall, score, ap)
    if image is None:
        return False
    _write(path, image)
    return True


def precision_recall_image(
    precision: NDArray[np.float64], recall: NDArray[np.float64], score: NDArray[np.float64], ap: float | None
) -> Image | None:
    """Draw a set's curve, its last point marked; (H, W, 3) of `PRECISION_RECALL_PX`, None where matplotlib is missing.

    precision, recall, score: (M,) each, as `IcdarMetric.curve` gives them; M may be 0. ap: 0..1, None if undefined."""
    try:
        return _render(precision_recall_figure(precision, recall, score, ap))
    except ImportError:
        return None


def figure_of(records: Sequence[Record]) -> Figure:
    """Plot a run by epoch: loss, scores with the best epoch, learning rate, speed. Raises ImportError."""
    figure = _figure(CURVES_PX)
    losses, scores, rate, speed = figure.subplots(2, 2).ravel()
    _plot_losses(losses, records)
    _plot_scores(scores, records)
    _plot(rate, series(records, "lr"), "learning rate")
    _spread(rate)
    rate.set_title("learning rate of the epoch's last step")
    _plot(speed, series(records, "images_per_second"), "images per second")
    _spread(speed)
    speed.set_title("training images per second")
    for axes in (losses, scores, rate, speed):
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.grid(alpha=0.3)
    return figure


def precision_recall_figure(
    precision: NDArray[np.float64], recall: NDArray[np.float64], score: NDArray[np.float64], ap: float | None
) -> Figure:
    """Plot precision against recall, best score first; arguments as in `precision_recall_image`. Raises ImportError.

    Marked is the end of the curve, where the run works: the box threshold let nothing further through."""
    figure = _figure(PRECISION_RECALL_PX)
    axes = figure.subplots()
    axes.plot(recall, precision, label="by falling score")
    if len(score):
        p, r = float(precision[-1]), float(recall[-1])
        label = f"all that is detected: hmean {harmonic_mean(p, r):.3f}\nP {p:.3f}, R {r:.3f}, score ≥ {score[-1]:.2f}"
        axes.plot([r], [p], "o", color="C3", label=label)
        axes.legend(loc="lower left")
    axes.set_title("nothing detected" if not len(score) else "AP undefined" if ap is None else f"AP {ap:.4f}")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0.0, 1.02), ylim=(0.0, 1.02))
    axes.grid(alpha=0.3)
    return figure


def series(records: Sequence[Record], *keys: str) -> Series:
    """Collect what lies under a key, or under a key within a key; a record without "epoch" counts by its place."""
    found = Series([], [])
    for place, record in enumerate(records, start=1):
        value: Any = record
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        if isinstance(value, int | float) and math.isfinite(value):
            found.epochs.append(record.get("epoch") or place)
            found.values.append(float(value))
    return found


def best_epoch(records: Sequence[Record]) -> tuple[int, float] | None:
    """Epoch of the highest hmean, the first of equals as for best.pt, and that hmean; None without any."""
    hmean = series(records, "hmean")
    if not hmean.values:
        return None
    place = hmean.values.index(max(hmean.values))
    return hmean.epochs[place], hmean.values[place]


def _plot_losses(axes: Axes, records: Sequence[Record]) -> None:
    for number, term in enumerate(TERMS):
        _plot(axes, series(records, "train_loss", term), f"train {term}", color=f"C{number}")
    for number, term in enumerate(TERMS):
        _plot(axes, series(records, "val_loss", term), f"val {term}", color=f"C{number}", linestyle="--")
    _spread(axes)
    axes.set_title("loss: the weighted total, and its terms without weights")
    if axes.lines:
        axes.legend(ncols=2, fontsize="small")


def _plot_scores(axes: Axes, records: Sequence[Record]) -> None:
    for name in SCORES:
        _plot(axes, series(records, name), name)
    if best := best_epoch(records):
        epoch, hmean = best
        axes.axvline(epoch, color="black", linestyle=":", label=f"best: epoch {epoch}, hmean {hmean:.4f}")
    axes.set_ylim(0.0, 1.02)
    axes.set_title("on the validation images")
    if axes.lines:
        axes.legend(fontsize="small")


def _plot(axes: Axes, points: Series, label: str, **style: Any) -> None:
    """A line with its points, so that a single one shows; no line without points."""
    if points.values:
        axes.plot(points.epochs, points.values, marker=".", label=label, **style)


def _spread(axes: Axes) -> None:
    """Make the values' axis logarithmic where all are positive and differ much; else it starts at 0."""
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


def _write(path: Path, image: Image) -> None:
    """Write beside, then rename: a viewer finds the old picture or the new one."""
    with atomic_write(path) as written:
        draw.write(written, image)
