"""The curve of a learning-rate range test: rates, smoothing, end of the test, suggestion. Used by lr_find.py.

Rates are those of `optimizer.lr`, losses the weighted total of a batch.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

SMOOTHING = 0.9  # of the exponential mean: it covers about 1 / (1 - 0.9) = 10 steps
DIVERGED = 4.0  # times the best smoothed loss; fastai's limit
SAFE_SHARE = 0.1  # of the rate at which the loss broke, or was lowest; fastai takes a tenth of the latter
SKIPPED_SHARE = 0.1  # of the steps, at the start
WINDOW_SHARE = 0.05  # of the steps, on each side, for the slope at a step


class Point(NamedTuple):
    """One optimizer step."""

    step: int  # from 1
    lr: float
    loss: float | None  # total of the batch; None if not finite
    smoothed: float | None
    finite: bool  # loss and gradient


class Suggestion(NamedTuple):
    """Rates; None if the rule finds none."""

    steepest: float | None
    lowest: float | None  # where the smoothed loss was lowest
    diverged: float | None  # where the test ended early
    safe: float | None
    lr: float | None  # the suggestion


def rate_at(index: int, low: float, high: float, steps: int) -> float:
    """The rate of step `index`, 0 … steps - 1, growing by equal factors from low to high."""
    return float(low * (high / low) ** (index / (steps - 1)))


def smooth(losses: Sequence[float]) -> float:
    """Exponential mean of the losses so far, with bias correction (Adam, arXiv:1412.6980, section 3)."""
    mean = 0.0
    for loss in losses:
        mean = SMOOTHING * mean + (1.0 - SMOOTHING) * loss
    return mean / (1.0 - SMOOTHING ** len(losses))


def diverged(points: Sequence[Point]) -> bool:
    """Whether the last step ends the test early."""
    if not points:
        return False
    last, before = points[-1], [point.smoothed for point in points if point.smoothed is not None]
    return not last.finite or last.smoothed is None or last.smoothed > DIVERGED * min(before)


def suggest(points: Sequence[Point], steps: int) -> Suggestion:
    """The rule at the top of lr_find.py. steps: of the whole test."""
    end = points[-1].lr if diverged(points) else None
    curve = [(point.lr, point.smoothed) for point in points if point.smoothed is not None]
    if not curve:
        return Suggestion(None, None, end, None, None)
    lowest = min(range(len(curve)), key=lambda index: curve[index][1])
    safe = SAFE_SHARE * (curve[lowest][0] if end is None else end)
    slopes = _slopes(curve, steps, lowest)
    middle = min(slopes, key=lambda index: slopes[index], default=None)
    steepest = None if middle is None or slopes[middle] >= 0 else curve[middle][0]
    return Suggestion(steepest, curve[lowest][0], end, safe, None if steepest is None else min(steepest, safe))


def _slopes(curve: Sequence[tuple[float, float]], steps: int, last: int) -> dict[int, float]:
    """Loss per decade of the rate at each allowed index up to `last`. curve: (rate, smoothed loss)."""
    half = max(1, round(WINDOW_SHARE * steps))
    first = max(half, round(SKIPPED_SHARE * steps))
    slopes = {}
    for middle in range(first, min(last, len(curve) - 1 - half) + 1):
        rates, losses = zip(*curve[middle - half : middle + half + 1], strict=True)
        slope = float(np.polyfit(np.log10(rates), losses, 1)[0])
        slopes[middle] = round(slope, 9)  # so that the smallest rate wins among equal slopes
    return slopes


def read_points(path: Path) -> list[Point]:
    """The steps written so far, up to a line cut off by a kill; empty if there is no file."""
    points: list[Point] = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            points.append(Point(**json.loads(line)))
        except (json.JSONDecodeError, TypeError):
            break
    return points


def write_points(path: Path, points: Sequence[Point]) -> None:
    """Replace the file."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text("".join(json.dumps(point._asdict()) + "\n" for point in points), encoding="utf-8")
    temporary.replace(path)


def append_point(path: Path, point: Point) -> None:
    """Append one line."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(point._asdict()) + "\n")


def report(overrides: Sequence[str], points: Sequence[Point], found: Suggestion) -> list[str]:
    """The lines printed at the end. overrides: of the test, repeated in the suggested command."""
    if found.diverged is None:
        end = f"the loss did not diverge up to {points[-1].lr:.2g}"
    else:
        end = f"the loss diverged at {found.diverged:.2g}"
    if found.steepest is None or found.lowest is None:
        return [f"{end} and did not fall before: no suggestion (try more --steps or a lower --low)"]
    others = [word for word in overrides if not word.lstrip("+").startswith("optimizer.lr=")]
    return [
        f"the smoothed loss fell most steeply at {found.steepest:.2g} and was lowest at {found.lowest:.2g}; {end}; "
        f"largest safe rate {found.safe:.2g}",
        f"suggested: {shlex.join(['ocrdet-train', f'optimizer.lr={found.lr:.2g}', *others])}",
    ]


def draw(path: Path, points: Sequence[Point], found: Suggestion) -> None:
    """Plot the loss over the rate and mark the suggestion."""
    from matplotlib.figure import Figure  # an optional dependency, and slow to import

    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    axes = figure.subplots()
    shown = [point for point in points if point.smoothed is not None]
    rates = [point.lr for point in shown]
    losses = [math.nan if point.loss is None else point.loss for point in shown]
    axes.plot(rates, losses, color="0.75", label="loss of the batch")
    axes.plot(rates, [point.smoothed or 0.0 for point in shown], color="C0", label="smoothed")
    for rate, name, style in (
        (found.steepest, "steepest", ":"),
        (found.diverged, "diverged", "--"),
        (found.lr, "suggested", "-"),
    ):
        if rate is not None:
            axes.axvline(rate, color="C1", linestyle=style, label=f"{name}: {rate:.2g}")
    axes.set_xlim(points[0].lr / 1.3, points[-1].lr * 1.3)  # also right for a single point
    axes.set(xscale="log", xlabel="optimizer.lr", ylabel="training loss", title="learning-rate range test")
    lowest = min((point.smoothed or 0.0 for point in shown), default=1.0)
    axes.set_ylim(0.0, 1.1 * min(DIVERGED * lowest, max(losses, default=1.0)))  # the last losses may be huge
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110)
