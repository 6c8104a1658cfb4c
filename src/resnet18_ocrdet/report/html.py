"""report.html of an evaluation: each number leads to its cases, drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import NamedTuple

from ..errors import UserError
from ..evaluation.bootstrap import LEVEL, NAMES, Interval
from ..runtime.messages import count
from ..structures import Image
from ..viz.html import anchor, figure, table, write_page
from .cases import Case, gained, lost, not_found, of_kind, spread, worst
from .charts import precision_recall_chart, recall_bars, span
from .compare import Change, verdict
from .evidence import Evidence
from .mistakes import KINDS, MEANING, count_mistakes
from .pictures import draw_case

WORST = 12  # images that are drawn whole
EXAMPLES = 6  # pictures of each number
PLACES = 30  # cases that are named of each number; mistakes.csv has all
COLOURS = (
    "Red and orange: the regions and detections that a picture is about; here those not found, and those that found "
    "nothing. Green: found. Blue: other regions not found. Grey: don't-care."
)

Read = Callable[[int], Image]


class Baseline(NamedTuple):
    """What the score is compared with."""

    name: str
    evidence: Evidence  # of the same images
    change: Change  # from it to the score


def write_report(
    path: Path, title: str, lines: Sequence[str], evidence: Evidence, read: Read, old: Baseline | None = None
) -> None:
    """Write the page. lines: what was scored; read: gives the pixels of image n of the set. Raises OSError."""
    write_page(path, title, _parts(lines, evidence, lru_cache(maxsize=8)(read), old))


def _parts(lines: Sequence[str], evidence: Evidence, read: Read, old: Baseline | None) -> Iterator[str]:
    for line in lines:
        yield f"<p>{escape(line)}</p>"
    yield from _score(evidence)
    if old is not None:
        yield from _compared(evidence, old)
    yield from _mistakes(evidence)
    yield "<h2>By size of the text</h2>"
    yield recall_bars(evidence.heights, "recall by height of the text in the image, px", "height")
    yield recall_bars(evidence.aspects, "recall by length over height", "aspect")
    if evidence.curve is not None:
        yield "<h2>By score</h2>"
        yield precision_recall_chart(evidence.curve)
    drawn = [_drawn(evidence, read, case, whole=True) for case in worst(evidence, WORST)]
    if drawn:
        yield f"<h2>Where most was lost</h2>\n<p>{escape(COLOURS)}</p>"
        yield "\n".join(['<div class="pictures">', *drawn, "</div>"])
    for link, title, cases in _sections(evidence, old):
        yield from _section(evidence, read, link, title, cases)


def _score(evidence: Evidence) -> Iterator[str]:
    values = evidence.score._asdict()
    rows = [[name, _number(values[name]), _ends(evidence.interval_95.get(name))] for name in (*NAMES, "ap")]
    yield table(("", "score", f"{LEVEL:.0%} interval"), rows, [1, 2])
    regions, detections = count(evidence.score.care_regions, "region"), evidence.score.care_detections
    found = f"{evidence.score.matched} of {regions} found by {count(detections, 'detection')} that count"
    fit = evidence.fit
    fits = "" if fit is None else f"; boxes that found a region: IoU {fit.iou:.3f}, area {fit.area_ratio:.2f} of it"
    yield f"<p>{found}{fits}.</p>"


def _compared(evidence: Evidence, old: Baseline) -> Iterator[str]:
    yield f"<h2>Compared with {escape(old.name)}</h2>"
    before, now, change = old.evidence.score._asdict(), evidence.score._asdict(), old.change
    rows = [
        [name, _number(before[name]), _number(now[name]), _number(change.by[name], "+"), _ends(ends, "+")]
        for name, ends in change.interval_95.items()
    ]
    yield table(("", "before", "now", "change", f"{LEVEL:.0%} interval"), rows, range(1, 5))
    yield f"<p>{escape(verdict(change))}</p>"
    yield f'<p>Regions: <a href="#gained">{change.gained} gained</a>, <a href="#lost">{change.lost} lost</a>.</p>'


def _mistakes(evidence: Evidence) -> Iterator[str]:
    counts = count_mistakes(evidence.mistakes)
    rows = [[f'<a href="#{anchor(kind)}">{kind}</a>', counts[kind], escape(MEANING[kind])] for kind in KINDS]
    yield "<h2>What went wrong</h2>"
    yield table(("", "count", "what it is"), rows, [1])


def _sections(evidence: Evidence, old: Baseline | None) -> Iterator[tuple[str, str, list[Case]]]:
    """Link, title and cases behind each number."""
    if old is not None:
        yield "gained", "Regions gained", gained(old.evidence, evidence)
        yield "lost", "Regions lost", lost(old.evidence, evidence)
    for kind in KINDS:
        yield anchor(kind), f"{kind.capitalize()}: {MEANING[kind]}", of_kind(evidence, kind)
    for number, share in enumerate(evidence.heights):
        yield f"height-{number}", f"Not found: {span(share)} px high", not_found(evidence, share, by_height=True)
    for number, share in enumerate(evidence.aspects):
        yield f"aspect-{number}", f"Not found: {span(share)} heights long", not_found(evidence, share, by_height=False)


def _section(evidence: Evidence, read: Read, link: str, title: str, cases: Sequence[Case]) -> Iterator[str]:
    yield f'<h2 id="{link}">{escape(title)}</h2>\n<p>{count(len(cases), "case")}.</p>'
    shown = spread(cases, EXAMPLES)
    if shown:
        drawn = (_drawn(evidence, read, case) for case in shown)
        yield "\n".join(['<div class="pictures">', *drawn, "</div>"])
    if len(cases) > len(shown):
        names = list(dict.fromkeys(evidence.rows[case.image].name for case in cases))
        more = f" and {count(len(names) - PLACES, 'more image')}" if len(names) > PLACES else ""
        yield f"<p>In {', '.join(f'<code>{escape(name)}</code>' for name in names[:PLACES])}{more}.</p>"


def _drawn(evidence: Evidence, read: Read, case: Case, whole: bool = False) -> str:
    """A figure; empty where the image cannot be read: result files are scored without opening any."""
    answer, row = evidence.answers[case.image], evidence.rows[case.image]
    try:
        image = read(case.image)
    except UserError:
        return ""
    return figure(draw_case(image, answer, row, case.regions, case.detections, whole), f"{answer.name}: {case.told}")


def _number(value: float | None, sign: str = "") -> str:
    return "–" if value is None else format(value, f"{sign}.4f")


def _ends(ends: Interval | None, sign: str = "") -> str:
    return "–" if ends is None else " to ".join(format(end, f"{sign}.3f") for end in ends)
