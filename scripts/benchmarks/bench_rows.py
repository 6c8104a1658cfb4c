"""The rows of a benchmark: ours beside a reference, the goal, and whether it is reached."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

SLOWER_THAN_THE_ORIGINAL = 1.2  # times: a reference that is slower still is a straw man


@dataclass(frozen=True)
class Row:
    """One comparison of one run. Smaller figures are better."""

    name: str
    unit: str  # of both figures, "ms an image"
    ours: float | None = None
    reference: float | None = None
    against: str = ""  # what the reference is
    least: float | None = None  # goal: the reference takes so many times as long
    most: float | None = None  # goal: ours takes so much
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times as long the reference takes."""
        return self.reference / self.ours if self.ours and self.reference else None

    @property
    def missed(self) -> str | None:
        """What is wrong, as one line."""
        if self.most is not None and (self.ours is None or self.ours > self.most):
            return f"{self.name}: {_figure(self.ours)} {self.unit}, the goal is {self.most:g}"
        if self.least is not None and (self.ratio is None or self.ratio < self.least):
            return f"{self.name}: {_figure(self.ratio)} times as fast as {self.against}, the goal is {self.least:g}"
        return None


def straw_man(
    name: str, reference: float, original: float, original_gflops: float, gflops: float, slower: float | None = None
) -> str | None:
    """A line when `reference` is slower than what was measured of the original program, scaled to this machine.

    original: its figure on a machine whose matrix product ran at original_gflops; gflops: the same product here, in
    this run. slower: how many times slower this machine is by another measure; the stricter of the two counts."""
    scaled = original * min(original_gflops / gflops, slower or math.inf)
    if reference <= SLOWER_THAN_THE_ORIGINAL * scaled:
        return None
    return f"{name}: the reference takes {reference:.4g}, a straw man beside {scaled:.4g} of the original program"


def print_rows(rows: Sequence[Row]) -> None:
    """A table, a line each."""
    width = max([len(row.name) for row in rows] + [10])
    print(f"{'':{width}s} {'ours':>9s} {'reference':>9s} {'times':>6s} {'goal':>7s}")
    for row in rows:
        goal = f"{row.least:g}x" if row.least is not None else f"<={row.most:g}" if row.most is not None else ""
        mark = "  MISSED" if row.missed else ""
        tail = ", ".join(part for part in (row.unit, row.against and f"against {row.against}", row.note) if part)
        cells = f"{_figure(row.ours):>9s} {_figure(row.reference):>9s} {_figure(row.ratio):>6s} {goal:>7s}"
        print(f"{row.name:{width}s} {cells}{mark}  {tail}")


def conclude(rows: Sequence[Row], limits: dict[str, Any], faults: Sequence[str], path: Path | None, **more: Any) -> int:
    """Print what is missed, write the JSON file if one is wanted, and give the exit status: 1 below a goal.

    faults: other things that are wrong, such as a straw man."""
    missed = [row.missed for row in rows if row.missed] + list(faults)
    for line in missed:
        print(f"MISSED: {line}")
    if path is not None:
        found = {"rows": [asdict(row) | {"ratio": row.ratio} for row in rows], "limits": limits, "missed": missed}
        path.write_text(json.dumps(found | more, indent=1) + "\n", encoding="utf-8")
    return 1 if missed else 0


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}" if value >= 100 else f"{value:.2f}"
