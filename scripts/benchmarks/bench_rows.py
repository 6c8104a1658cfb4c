"""Rows of a benchmark: our figure, the reference's figure, the goal and whether it is reached."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

MAX_SLOWDOWN = 1.2  # a reference implementation may be this many times slower than the original program


@dataclass(frozen=True)
class Row:
    """One comparison. Smaller figures are better.

    How many times faster we are depends on the machine, because the reference is limited by other things than we are.
    So a row may also have a goal for the share of the machine's measured limit. It is missed when both goals are."""

    name: str
    unit: str  # of both figures, for example "ms per image"
    ours: float | None = None
    reference: float | None = None
    against: str = ""  # what the reference is
    min_ratio: float | None = None  # goal for reference / ours
    max_ours: float | None = None  # goal for our figure
    share: float | None = None  # of the machine's measured limit that we reach, 0..1
    min_share: float | None = None  # goal for it
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times faster we are than the reference."""
        return self.reference / self.ours if self.ours and self.reference else None

    @property
    def missed(self) -> str | None:
        """The goal that is missed, in one line."""
        if self.max_ours is not None and (self.ours is None or self.ours > self.max_ours):
            return f"{self.name}: {_figure(self.ours)} {self.unit}, the goal is {self.max_ours:g}"
        too_slow = self.min_ratio is not None and (self.ratio is None or self.ratio < self.min_ratio)
        ratio = f"{_figure(self.ratio)} times faster than {self.against}, the goal is {self.min_ratio}"
        if self.min_share is None:
            return f"{self.name}: {ratio}" if too_slow else None
        if self.share is not None and self.share >= self.min_share:
            return None
        share = f"{_percent(self.share)} of the measured limit, the goal is {self.min_share:.0%}"
        if self.min_ratio is None:
            return f"{self.name}: {share}"
        return f"{self.name}: {share}; {ratio}" if too_slow else None


def reference_too_slow(
    name: str, reference: float, original: float, original_gflops: float, gflops: float, slower: float | None = None
) -> str | None:
    """A line when `reference` is slower than the original program, scaled to this machine: then ratios mean nothing.

    original: its figure on a machine whose matrix product ran at original_gflops; gflops: the same product here, in
    this run. slower: how many times slower this machine is by another measure; the stricter of the two counts."""
    scaled = original * min(original_gflops / gflops, slower or math.inf)
    if reference <= MAX_SLOWDOWN * scaled:
        return None
    return f"{name}: the reference takes {reference:.4g}, the original program {scaled:.4g}: not a fair reference"


def print_rows(rows: Sequence[Row]) -> None:
    """A table, one line per row."""
    width = max([len(row.name) for row in rows] + [10])
    print(f"{'':{width}s} {'ours':>9s} {'reference':>9s} {'times':>6s} {'share':>6s} {'goal':>12s}")
    for row in rows:
        mark = "  MISSED" if row.missed else ""
        tail = ", ".join(part for part in (row.unit, row.against and f"against {row.against}", row.note) if part)
        cells = f"{_figure(row.ours):>9s} {_figure(row.reference):>9s} {_figure(row.ratio):>6s}"
        print(f"{row.name:{width}s} {cells} {_percent(row.share):>6s} {_goal(row):>12s}{mark}  {tail}")


def conclude(
    rows: Sequence[Row], limits: dict[str, Any], faults: Sequence[str], path: Path | None, **figures: Any
) -> int:
    """Print what is missed, write the JSON file if `path` is given, return the exit status: 1 below a goal.

    faults: other things that are wrong, such as a reference that is too slow."""
    missed = [row.missed for row in rows if row.missed] + list(faults)
    for line in missed:
        print(f"MISSED: {line}")
    if path is not None:
        result = {"rows": [asdict(row) | {"ratio": row.ratio} for row in rows], "limits": limits, "missed": missed}
        path.write_text(json.dumps(result | figures, indent=1) + "\n", encoding="utf-8")
    return 1 if missed else 0


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}" if value >= 100 else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _goal(row: Row) -> str:
    if row.max_ours is not None:
        return f"<={row.max_ours:g}"
    goals = (None if row.min_share is None else f"{row.min_share:.0%}", row.min_ratio and f"{row.min_ratio:g}x")
    return " or ".join(goal for goal in goals if goal)
