"""Results of the jobs of a learning-rate sweep as rows, a Markdown table and a plot. Used by lr_table.py.

hmean and AP are fractions 0..1, steps and epochs are counted from 1, rates are those of `optimizer.lr`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

FINISHED, STOPPED, UNFINISHED, NOT_STARTED = "finished", "stopped by the guard", "not finished", "not run"

ARTICLE_RATE = 0.007  # best in the community article
NOISE = 0.03  # of hmean: 2 standard deviations of a share of 0.8 over 700 words; more words: less, as 1 / sqrt(words)

HEADER = (
    "| rate | best hmean | AP | stability | first non-finite step |",
    "|---|---|---|---|---|",
)
LEGEND = (
    "*Best hmean* is the highest of all validations, *AP* is from the same epoch; – is undefined.",
    "*Stability*: a **steady** run has no bad step, and its hmean never fell by more than "
    f"{NOISE:g} from one validation to the next; the largest fall is given. *Skipped* steps are bad: their loss or "
    "gradient was not finite, or their loss was far above the usual. *Roll-backs* to the last good weights halve the "
    "rate; a run with too many was **stopped by the guard** (exit code 3).",
)


class Row(NamedTuple):
    """One rate."""

    rate: float
    state: str
    epochs: int  # finished
    hmean: float | None
    ap: float | None
    fall: float | None  # largest fall of hmean between two validations, 0 if it only rose; None: fewer than two
    skipped: int  # bad steps
    rollbacks: int  # to the last good weights
    first_bad: int | None  # step
    last_bad: int | None  # step
    first_not_finite: int | None  # step


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The records of a .jsonl file, empty if there is none. A line cut off by a kill is ignored."""
    if not path.is_file():
        return []
    records = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return records


def read_row(rate: float, state: str, folder: Path | None) -> Row:
    """The row of a job from its metrics.jsonl and guard.jsonl. folder: None if the job has not started."""
    epochs = read_lines(folder / "metrics.jsonl") if folder else []
    faults = read_lines(folder / "guard.jsonl") if folder else []
    bad = {fault["step"]: fault for fault in faults}  # a resumed run may repeat a step: its last record counts
    bad = {step: fault for step, fault in bad.items() if fault["verdict"] != "overflow"}  # normal in fp16
    scored = [epoch for epoch in epochs if epoch["hmean"] is not None]
    best = max(scored, key=lambda epoch: float(epoch["hmean"]), default=None)  # the earliest of equals, like best.pt
    hmeans = [float(epoch["hmean"]) for epoch in scored]
    falls = [max(before - after, 0.0) for before, after in pairwise(hmeans)]
    return Row(
        rate=rate,
        state=state,
        epochs=int(epochs[-1]["epoch"]) if epochs else 0,
        hmean=best["hmean"] if best else None,
        ap=best["ap"] if best else None,
        fall=max(falls, default=None),
        skipped=len(bad),
        rollbacks=sum(fault["verdict"] == "roll back" for fault in bad.values()),
        first_bad=min(bad, default=None),
        last_bad=max(bad, default=None),
        first_not_finite=min((step for step, fault in bad.items() if not fault["finite"]), default=None),
    )


def stability(row: Row) -> str:
    """The cell "stability"; LEGEND explains it."""
    if row.state == NOT_STARTED:
        return NOT_STARTED
    parts = []
    if row.state == FINISHED:
        quiet = "no bad step" if row.fall is None else "steady"
        parts.append(quiet if row.skipped == 0 and (row.fall or 0.0) <= NOISE else "unsteady")
    elif row.state == STOPPED:
        where = f"in epoch {row.epochs + 1}" if row.last_bad is None else f"at step {row.last_bad}"
        parts.append(f"**{STOPPED}** {where} (exit code 3)")
    else:
        parts.append(f"{UNFINISHED}, {row.epochs} epochs done")
    if row.skipped:
        parts.append(f"{row.skipped} skipped")
    if row.rollbacks:
        parts.append(f"{row.rollbacks} roll-backs")
    if row.state == FINISHED or row.fall is not None:
        parts.append("fewer than two validations" if row.fall is None else f"largest fall {row.fall:.3f}")
    return ", ".join(parts)


def conclusion(rows: Sequence[Row]) -> str:
    """The best rate, its margin, the place of ARTICLE_RATE, and the rates within the noise. Finished rates only."""
    ran = sorted((row for row in rows if row.state == FINISHED and row.hmean), key=lambda row: -(row.hmean or 0.0))
    if not ran:
        return "No finished rate has a hmean above 0: there is nothing to compare."
    top = ran[0].hmean or 0.0
    first = [row.rate for row in ran if row.hmean == top]
    others = [row for row in ran if row.hmean != top]
    result = f"{_listed(first)} {'is best' if len(first) == 1 else 'are best'} with hmean {top:.3f}"
    if others:
        result += f", {top - (others[0].hmean or 0.0):.3f} above {others[0].rate:g}, the next"
    near = [row.rate for row in others if top - (row.hmean or 0.0) < NOISE]
    apart = (
        f"{_listed(near)} {'is' if len(near) == 1 else 'are'} within the noise"
        if near
        else "no other finished rate is within the noise"
    )
    return (
        f"{result}; {_about_the_article(rows, top)}. Differences below the noise of the validation set, about "
        f"±{NOISE:g} of hmean at 700 words, mean nothing, and each rate ran with one seed: {apart}."
    )


def _about_the_article(rows: Sequence[Row], top: float) -> str:
    row = next((row for row in rows if row.rate == ARTICLE_RATE), None)
    if row is None:
        return f"{ARTICLE_RATE:g} is not among the rates"
    if row.state != FINISHED or row.hmean is None:
        return f"{ARTICLE_RATE:g} has no result"
    if row.hmean < top:
        return f"{ARTICLE_RATE:g} is {top - row.hmean:.3f} below"
    alone = sum(other.hmean == top and other.state == FINISHED for other in rows) == 1
    return f"so {ARTICLE_RATE:g} is {'best' if alone else 'among the best'}"


def _listed(rates: Sequence[float]) -> str:
    """[0.003] -> '0.003', [0.003, 0.005] -> '0.003 and 0.005'."""
    words = [f"{rate:g}" for rate in rates]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def table(rows: Sequence[Row], commands: Sequence[str]) -> str:
    """The whole page. commands: the one that makes it again, and what that ran."""
    cells = [
        (f"{row.rate:g}", _fraction(row.hmean), _fraction(row.ap), stability(row), _not_finite(row)) for row in rows
    ]
    lines = [*HEADER, *(f"| {' | '.join(row)} |" for row in cells), "", conclusion(rows), ""]
    for paragraph in LEGEND:
        lines += [paragraph, ""]
    return "\n".join([*lines, "Made by:", "", "```", *commands, "```", ""])


def _fraction(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _not_finite(row: Row) -> str:
    """The step, and the first bad step if that is another: its loss was finite but far too high."""
    if row.state == NOT_STARTED:
        return "–"
    step = "none" if row.first_not_finite is None else str(row.first_not_finite)
    return step if row.first_bad == row.first_not_finite else f"{step} (first bad step: {row.first_bad})"


def draw(path: Path, jobs: Sequence[tuple[float, Path | None]]) -> None:
    """Plot validation hmean and training loss by epoch for each rate. jobs: rates with their folders."""
    from matplotlib.figure import Figure  # an optional dependency, and slow to import

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for rate, folder in jobs:
        epochs = read_lines(folder / "metrics.jsonl") if folder else []
        scored = [epoch for epoch in epochs if epoch["hmean"] is not None]
        left.plot([e["epoch"] for e in scored], [e["hmean"] for e in scored], marker="o", label=f"{rate:g}")
        right.plot([e["epoch"] for e in epochs], [e["train_loss"]["total"] for e in epochs], marker="o")
    left.set(title="hmean on the validation set", xlabel="epoch", ylim=(0.0, 1.0))
    right.set(title="training loss (lower while mining grows)", xlabel="epoch")
    for axes in (left, right):
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    left.legend(title="optimizer.lr")
    figure.savefig(path, dpi=110)
