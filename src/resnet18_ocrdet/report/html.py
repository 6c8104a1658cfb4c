"""report.html of an evaluation: each number links to pictures of its cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import UserError
from ..evaluation.bootstrap import LEVEL, NAMES, Interval
from ..runtime.messages import count
from ..structures import Image
from ..viz.charts import Bar, BarChart, precision_recall_curve, range_text
from ..viz.crops import BLUE, GREEN, MAX_SIDE, ORANGE, RED, Layer, draw_crop
from ..viz.draw import DONT_CARE
from ..viz.html import Figure, anchor, spread_over_images, write_page
from .analysis import ErrorAnalysis, SizeBin
from .cases import Case, gained, lost, missed_of_size, mistakes_of_kind, worst_images
from .compare import ScoreChange, describe_change
from .mistakes import KINDS, MEANING, count_mistakes

WORST = 12  # images that are drawn whole
WORST_SIDE = 900  # px, of their pictures
EXAMPLES = 6  # pictures per number

ReadImage = Callable[[int], Image]


class Baseline(NamedTuple):
    """The score to compare with."""

    name: str
    analysis: ErrorAnalysis  # of the same images
    change: ScoreChange  # from the baseline to the score


def write_report(
    path: Path,
    title: str,
    lines: Sequence[str],
    analysis: ErrorAnalysis,
    read: ReadImage,
    baseline: Baseline | None = None,
) -> None:
    """Write the page. lines: what was scored; read: returns image n of the set. Raises OSError."""
    draw = partial(_figure, analysis, lru_cache(maxsize=8)(read))
    values: dict[str, Any] = {
        "lines": lines,
        "interval": f"{LEVEL:.0%} interval",
        "scores": _scores(analysis),
        "summary": _summary(analysis),
        "mistakes": [
            {"kind": kind, "number": number, "meaning": MEANING[kind]}
            for kind, number in count_mistakes(analysis.mistakes).items()
        ],
        "heights": _recall_bars(analysis.heights, "recall by text height in the image, px", "height"),
        "aspects": _recall_bars(analysis.aspects, "recall by length / height", "aspect"),
        "curve": None if analysis.curve is None else precision_recall_curve(analysis.curve),
        "worst": [figure for case in worst_images(analysis, WORST) if (figure := draw(case, whole=True))],
        "sections": [_section(analysis, draw, *content) for content in _sections(analysis, baseline)],
        "baseline": baseline,
    }
    if baseline is not None:
        values |= {"changes": _changes(analysis, baseline), "difference": describe_change(baseline.change)}
    write_page(path, "evaluation.html", title=title, **values)


def _recall_bars(bins: Sequence[SizeBin], title: str, link: str) -> BarChart:
    """One bar per bin, as high as its recall; it links to the section `link`-<number> with its missed regions."""
    bars = []
    for number, each in enumerate(bins):
        span = range_text(each.low, each.high)
        tooltip = f"{span}: {each.found} of {each.regions} found"
        value = "" if each.recall is None else f"{each.recall:.2f}"
        bars.append(Bar(each.recall or 0.0, tooltip, span, value, f"of {each.regions}", f"{link}-{number}"))
    return BarChart(title, bars)


def _figure(analysis: ErrorAnalysis, read: ReadImage, case: Case, whole: bool = False) -> Figure | None:
    """Draw an image, or the part around the regions and detections of the case; None if it cannot be read, because
    result files are scored without opening images.

    Thin green: regions that were found, with their detections. Thin blue: other regions. Grey: don't-care. Thick red:
    these regions. Thick orange: these detections."""
    try:
        image = read(case.image)
    except UserError:
        return None
    sample, pairs = analysis.samples[case.image], dict(analysis.rows[case.image].pairs)
    labels, boxes = sample.polygons, [found.polygon for found in sample.detections]
    red, orange = [labels[k] for k in case.regions], [boxes[m] for m in case.detections]
    others = [k for k in range(len(labels)) if k not in case.regions]
    layers = [
        Layer([labels[k] for k in others if sample.ignore[k]], DONT_CARE),
        Layer([labels[k] for k in others if not sample.ignore[k] and k not in pairs], BLUE),
        Layer([labels[k] for k in others if k in pairs], GREEN),
        Layer([boxes[m] for m in pairs.values() if m not in case.detections], GREEN),
        Layer(red, RED, 2),
        Layer(orange, ORANGE, 2),
    ]
    jpeg = draw_crop(image, [] if whole else [*red, *orange], layers, WORST_SIDE if whole else MAX_SIDE)
    return Figure(jpeg, f"{sample.name}: {case.note}")


def _scores(analysis: ErrorAnalysis) -> list[list[str]]:
    values = analysis.score._asdict()
    return [[name, _number(values[name]), _ends(analysis.interval_95.get(name))] for name in (*NAMES, "ap")]


def _changes(analysis: ErrorAnalysis, baseline: Baseline) -> list[list[str]]:
    before, now, change = baseline.analysis.score._asdict(), analysis.score._asdict(), baseline.change
    return [
        [name, _number(before[name]), _number(now[name]), _number(change.by[name], "+"), _ends(ends, "+")]
        for name, ends in change.interval_95.items()
    ]


def _summary(analysis: ErrorAnalysis) -> str:
    score, fit = analysis.score, analysis.fit
    counts = (
        f"{score.matched} of {count(score.care_regions, 'region')} found, {count(score.care_detections, 'detection')}"
    )
    boxes = "" if fit is None else f". Matched boxes: mean IoU {fit.iou:.3f}, {fit.area_ratio:.2f} of the region's area"
    return f"{counts}{boxes}."


def _sections(analysis: ErrorAnalysis, baseline: Baseline | None) -> Iterator[tuple[str, str, list[Case]]]:
    """Link, title and cases of each number."""
    if baseline is not None:
        yield "gained", "Regions gained", gained(baseline.analysis, analysis)
        yield "lost", "Regions lost", lost(baseline.analysis, analysis)
    for kind in KINDS:
        yield anchor(kind), f"{kind.capitalize()}: {MEANING[kind]}", mistakes_of_kind(analysis, kind)
    for number, each in enumerate(analysis.heights):
        title = f"Not found: {range_text(each.low, each.high)} px high"
        yield f"height-{number}", title, missed_of_size(analysis, each, by_height=True)
    for number, each in enumerate(analysis.aspects):
        title = f"Not found: length / height {range_text(each.low, each.high)}"
        yield f"aspect-{number}", title, missed_of_size(analysis, each, by_height=False)


def _section(
    analysis: ErrorAnalysis, draw: Callable[[Case], Figure | None], link: str, title: str, cases: list[Case]
) -> dict[str, Any]:
    """Values for the template. images: of all cases; empty if the figures show all of them."""
    shown = list(islice(spread_over_images(cases, lambda case: case.image), EXAMPLES))
    figures = [figure for case in shown if (figure := draw(case))]
    names = list(dict.fromkeys(analysis.rows[case.image].name for case in cases)) if len(cases) > len(shown) else []
    return {"link": link, "title": title, "number": len(cases), "figures": figures, "images": names}


def _number(value: float | None, sign: str = "") -> str:
    return "–" if value is None else format(value, f"{sign}.4f")


def _ends(ends: Interval | None, sign: str = "") -> str:
    return "–" if ends is None else " to ".join(format(end, f"{sign}.3f") for end in ends)
