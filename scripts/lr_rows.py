"""What the jobs of a learning-rate sweep left behind, as rows, a Markdown table and a picture. Used by lr_table.py.

hmean and AP are fractions 0..1, steps and epochs are counted from 1, rates are those of `optimizer.lr`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

FINISHED, STOPPED, UNFINISHED, NOT_BEGUN = "finished", "stopped by the guard", "not finished", "not run"

ARTICLE_RATE = 0.007  # the rate that the community article found best
NOISE = 0.03  # of hmean: 2 standard deviations of a share of 0.8 over 700 words; more words: less, as 1 / sqrt(words)

HEADER = (
    "| rate | best hmean | AP | stability | first non-finite step |",
    "|---|---|---|---|---|",
)
LEGEND = (
    "*Best hmean* is the highest of the run's validations, *AP* that of the same epoch; – is undefined.",
    "*Stability*: **steady** is a run without a bad step whose hmean never fell by more than "
    f"{NOISE:g} from one validation to the next; the largest such fall is named. (Not the standard deviation of the "
    "last validations: a hmean that still rises has one too.) *Left out* are bad steps, whose loss or gradient was not "
    "finite or whose loss was far above the usual; *returns* count how often the last good weights came back, with "
    "half the rate; a run that did so too often was **stopped by the guard** (exit code 3).",
)


class Row(NamedTuple):
    """One rate."""

    rate: float
    state: str
    epochs: int  # finished
    hmean: float | None
    ap: float | None
    fall: (
        float | None
    )  # largest fall of hmean between neighbouring validations, 0 if it only rose; None: fewer than two
    left_out: int  # bad steps
    returns: int  # to the last good weights
    first_bad: int | None  # step
    last_bad: int | None  # step
    first_not_finite: int | None  # step


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The records of a .jsonl file; none where it is absent. A line cut off by a kill is left out."""
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
    """What a job's metrics.jsonl and guard.jsonl say. folder: of the job, None if it has not begun."""
    epochs = read_lines(folder / "metrics.jsonl") if folder else []
    faults = read_lines(folder / "guard.jsonl") if folder else []
    bad = {fault["step"]: fault for fault in faults}  # a resumed run may meet a step again: its last record counts
    bad = {step: fault for step, fault in bad.items() if fault["verdict"] != "overflow"}  # fp16: the scaler's affair
    scored = [epoch for epoch in epochs if epoch["hmean"] is not None]
    best = max(scored, key=lambda epoch: float(epoch["hmean"]), default=None)  # the earliest of equals, as best.pt is
    hmeans = [float(epoch["hmean"]) for epoch in scored]
    falls = [max(before - after, 0.0) for before, after in pairwise(hmeans)]
    return Row(
        rate=rate,
        state=state,
        epochs=int(epochs[-1]["epoch"]) if epochs else 0,
        hmean=best["hmean"] if best else None,
        ap=best["ap"] if best else None,
        fall=max(falls, default=None),
        left_out=len(bad),
        returns=sum(fault["verdict"] == "roll back" for fault in bad.values()),
        first_bad=min(bad, default=None),
        last_bad=max(bad, default=None),
        first_not_finite=min((step for step, fault in bad.items() if not fault["finite"]), default=None),
    )


def stability(row: Row) -> str:
    """The cell of that name; LEGEND says what the words mean."""
    if row.state == NOT_BEGUN:
        return NOT_BEGUN
    said = []
    if row.state == FINISHED:
        quiet = "no bad step" if row.fall is None else "steady"
        said.append(quiet if row.left_out == 0 and (row.fall or 0.0) <= NOISE else "unsteady")
    elif row.state == STOPPED:
        where = f"in epoch {row.epochs + 1}" if row.last_bad is None else f"at step {row.last_bad}"
        said.append(f"**{STOPPED}** {where} (exit code 3)")
    else:
        said.append(f"{UNFINISHED}, {row.epochs} epochs done")
    if row.left_out:
        said.append(f"{row.left_out} left out")
    if row.returns:
        said.append(f"{row.returns} returns")
    if row.state == FINISHED or row.fall is not None:
        said.append("fewer than two validations" if row.fall is None else f"largest fall {row.fall:.3f}")
    return ", ".join(said)


def conclusion(rows: Sequence[Row]) -> str:
    """Which rate won, by how much, whether ARTICLE_RATE did, and what lies within the noise. Finished rates only."""
    ran = sorted((row for row in rows if row.state == FINISHED and row.hmean), key=lambda row: -(row.hmean or 0.0))
    if not ran:
        return "No finished rate has a hmean above 0: there is nothing to compare."
    top = ran[0].hmean or 0.0
    first = [row.rate for row in ran if row.hmean == top]
    others = [row for row in ran if row.hmean != top]
    said = f"{_listed(first)} {'won' if len(first) == 1 else 'share the first place'} with hmean {top:.3f}"
    if others:
        said += f", {top - (others[0].hmean or 0.0):.3f} above {others[0].rate:g}, the next"
    near = [row.rate for row in others if top - (row.hmean or 0.0) < NOISE]
    apart = f"{_listed(near)} cannot be told from it" if near else "no other finished rate lies so near"
    return (
        f"{said}; {_about_the_article(rows, top)}. Differences smaller than the noise of the validation set, about "
        f"±{NOISE:g} of hmean at 700 words, mean nothing, and each rate ran once, with one seed: {apart}."
    )


def _about_the_article(rows: Sequence[Row], top: float) -> str:
    row = next((row for row in rows if row.rate == ARTICLE_RATE), None)
    if row is None:
        return f"{ARTICLE_RATE:g} is not among the rates"
    if row.state != FINISHED or row.hmean is None:
        return f"{ARTICLE_RATE:g} has no result"
    if row.hmean < top:
        return f"{ARTICLE_RATE:g} did not win, it is {top - row.hmean:.3f} below"
    alone = sum(other.hmean == top and other.state == FINISHED for other in rows) == 1
    return f"so {ARTICLE_RATE:g} {'won' if alone else 'is among the first'}"


def _listed(rates: Sequence[float]) -> str:
    """[0.003] -> '0.003', [0.003, 0.005] -> '0.003 and 0.005'."""
    words = [f"{rate:g}" for rate in rates]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def table(rows: Sequence[Row], commands: Sequence[str]) -> str:
    """The whole page. commands: what to type to get it again, what that ran."""
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
    """The step; where another step was bad before it, with a finite but far too high loss, that one too."""
    if row.state == NOT_BEGUN:
        return "–"
    step = "none" if row.first_not_finite is None else str(row.first_not_finite)
    return step if row.first_bad == row.first_not_finite else f"{step} (first bad step: {row.first_bad})"


def draw(path: Path, jobs: Sequence[tuple[float, Path | None]]) -> None:
    """Validation hmean and training loss by epoch, a line for each rate. jobs: rates with their folders."""
    from matplotlib.figure import Figure  # half a second, and an extra: only who draws needs it

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for rate, folder in jobs:
        epochs = read_lines(folder / "metrics.jsonl") if folder else []
        scored = [epoch for epoch in epochs if epoch["hmean"] is not None]
        left.plot([e["epoch"] for e in scored], [e["hmean"] for e in scored], marker="o", label=f"{rate:g}")
        right.plot([e["epoch"] for e in epochs], [e["train_loss"]["total"] for e in epochs], marker="o")
    left.set(title="hmean on the validation set", xlabel="epoch", ylim=(0.0, 1.0))
    right.set(title="training loss (easier while mining grows)", xlabel="epoch")
    for axes in (left, right):
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    left.legend(title="optimizer.lr")
    figure.savefig(path, dpi=110)
