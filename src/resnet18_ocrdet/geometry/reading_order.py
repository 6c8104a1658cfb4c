"""The order in which the regions of an image are read, and which of them form a line.

Words are chained to lines, and lines are ordered by cutting the page, again and again, at gaps that go across it or
down it (XY cuts). Whether parts beside each other are columns of text or cells of a table is told by the length of
their lines.

Legend: M regions, L lines; x and y in the frame (`text_frame`). Lengths are in px.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray

from .polygon import Quads, min_area_quad
from .text_frame import Boxes, Numbers, straightened, words_in_frame

WORD_GAP = 1.0  # text heights between two words of a line, at most
SAME_HEIGHT = 0.5  # of the higher word: a lower one is not on its line
OFF_LINE = 0.5  # of the lower word's height: how far its neighbour may be above or below it
CORE = 0.25  # text heights above and below the middle of a line: lines on one row overlap there
BLOCK_GAP = 1.0  # text heights above and below the middle of a line: lines that do not overlap there are apart
MARGIN = 0.5  # of a part's height: text across the lines that is as long stands beside all of it
SECTION_GAP = 4.0  # text heights from one row to the next: below a wider gap columns begin again
GUTTER = 0.5  # text heights between two columns, at least
COLUMN_LINES = 3  # a column of text has as many lines
COLUMN_WIDTH = 8.0  # text heights: half of the lines of a column are as long; cells of a table are shorter
COLUMN_SHARE = 0.8  # of the lines are in such columns
ALIGNED = 0.5  # of the lines beside the largest column stand on a row with others: a table

Indices = NDArray[np.intp]


def reading_lines(quads: Quads, right_to_left: bool = False) -> list[Indices]:
    """Group M regions into L lines of neighbouring words, in the order of reading.

    quads: (M, 4, 2), finite, corners clockwise from the top-left of the text (`polygon.order_quads`); the text may be
    upside down. right_to_left: for scripts like Arabic, which the shape does not tell. Returns the indices of each
    line's regions in their order. Columns of text are read one after the other, tables and receipts row by row, each
    cell a line."""
    if not len(quads):
        return []
    words, ends = words_in_frame(np.asarray(quads, np.float64), right_to_left)
    chains = _chains(_following(words, ends))
    members, starts = np.concatenate(chains), np.cumsum([0, *map(len, chains[:-1])])
    lines = Boxes(
        np.minimum.reduceat(words.left[members], starts),
        np.maximum.reduceat(words.right[members], starts),
        np.add.reduceat(words.y[members], starts) / [len(chain) for chain in chains],
        np.maximum.reduceat(words.height[members], starts),
        np.maximum.reduceat(words.reach[members], starts),
    )
    return [chains[line] for line in _ordered(straightened(lines))]


def line_quad(quads: Quads) -> NDArray[np.float32]:
    """(4, 2): the smallest rectangle round the regions (K, 4, 2) of a line, its first corner as theirs; K >= 1."""
    if len(quads) == 1:
        return np.asarray(quads[0], np.float32)
    corners, _ = min_area_quad(quads)
    sides = np.roll(corners, -1, axis=0) - corners
    top = (quads[:, 1] - quads[:, 0] + quads[:, 2] - quads[:, 3]).sum(axis=0)
    first = np.argmax(sides @ top / np.maximum(np.hypot(*sides.T), 1e-6))
    return np.asarray(np.roll(corners, -int(first), axis=0))


def _following(words: Boxes, ends: Numbers) -> list[int]:
    """The next word of each on its line, or -1: nearest pairs first, each word once."""
    left, right, _, height, _ = words
    first, last = ends.T
    reach = shapely.box(right - height, last - OFF_LINE * height, right + WORD_GAP * height, last + OFF_LINE * height)
    one, other = shapely.STRtree(shapely.points(left, first)).query(reach)
    lower, higher = np.minimum(height[one], height[other]), np.maximum(height[one], height[other])
    fits = (left + right)[one] < (left + right)[other]
    fits &= (lower >= SAME_HEIGHT * higher) & (np.abs(last[one] - first[other]) <= OFF_LINE * lower)
    one, other = one[fits], other[fits]
    nearest = np.lexsort((other, one, left[other] - right[one]))
    following, taken = [-1] * len(left), set[int]()
    for word, after in zip(one[nearest].tolist(), other[nearest].tolist(), strict=True):
        if following[word] < 0 and after not in taken:
            following[word] = after
            taken.add(after)
    return following


def _chains(following: list[int]) -> list[Indices]:
    """Each first word with all that follow it."""
    chains = []
    for word in sorted(set(range(len(following))) - set(following)):
        chain = [word]
        while (word := following[word]) >= 0:
            chain.append(word)
        chains.append(np.array(chain, np.intp))
    return chains


def _ordered(lines: Boxes) -> list[int]:
    """The lines in the order of reading."""
    order: list[int] = []
    waiting = [np.arange(len(lines.y))]
    while waiting:
        some = waiting.pop()
        parts = _parts(lines, some)
        if len(parts) == 1:  # one line, or a tangle
            core = CORE * lines.height[some]
            one_row = (lines.y[some] - core).max() <= (lines.y[some] + core).min()
            order += some[(lines.left if one_row else lines.y)[some].argsort(kind="stable")].tolist()
        else:
            waiting += parts[::-1]
    return order


def _parts(lines: Boxes, some: Indices) -> list[Indices]:
    """Lines that are read before others, first ones first; one part if they cannot be separated."""
    if margins := _margins(lines, some):
        return margins
    rows = _stacked(lines, some, CORE)
    if len(rows) == 1:
        return _beside(lines, some)
    sections = _sections(lines, rows)
    if len(sections) > 1:
        return sections
    sides = _beside(lines, some)
    if len(sides) == 1:
        return rows
    if _are_columns(lines, sides):
        return sides
    blocks = _stacked(lines, some, BLOCK_GAP)
    if len(blocks) > 1:
        return blocks
    return rows if _are_aligned(rows, sides, len(lines.y)) else sides


def _margins(lines: Boxes, some: Indices) -> list[Indices]:
    """Parts from left to right if one of them is text across the lines that runs along half of them; else none."""
    y, reach = lines.y[some], lines.reach[some]
    whole = (y + reach).max() - (y - reach).min()
    is_margin = (reach > lines.height[some]) & (reach >= MARGIN / 2 * whole)
    if not is_margin.any():
        return []
    parts = _beside(lines, some)
    margins = set(some[is_margin].tolist())
    return parts if len(parts) > 1 and any(margins.issuperset(part.tolist()) for part in parts) else []


def _sections(lines: Boxes, rows: list[Indices]) -> list[Indices]:
    """Rows that follow each other closely, together as long as they have a common gutter, or none of them has one."""
    spans = [_joined(_spans(lines, row)) for row in rows]
    starts, filled = [0], spans[0]  # of the last section
    for number in range(1, len(rows)):
        first, own = number, spans[number]
        both = _joined(np.concatenate([filled, own]))
        gap = lines.y[rows[number]].min() - lines.y[rows[number - 1]].max()
        is_far = gap > SECTION_GAP * np.median(lines.height[rows[number]])
        if len(both) > 1 and not is_far:
            filled = both
            continue
        if len(filled) == 1 and not is_far:  # if columns begin here, rows above may be lines of one of them
            while first > starts[-1] and len(more := _joined(np.concatenate([spans[first - 1], own]))) > 1:
                first, own = first - 1, more
        if is_far or len(filled) > 1 or len(own) > 1:
            starts.append(first)
            filled = own
        else:
            filled = both
    return [np.concatenate(rows[start:end]) for start, end in pairwise([*starts, len(rows)])]


def _are_columns(lines: Boxes, sides: list[Indices]) -> bool:
    """Whether parts beside each other are columns of text, apart from a few lines."""
    lengths = (lines.right - lines.left) / lines.height
    texts = [side for side in sides if len(side) >= COLUMN_LINES and np.median(lengths[side]) >= COLUMN_WIDTH]
    if len(texts) < 2 or sum(map(len, texts)) < COLUMN_SHARE * sum(map(len, sides)):
        return False
    return bool(max(lines.y[text].min() for text in texts) < min(lines.y[text].max() for text in texts))


def _are_aligned(rows: list[Indices], sides: list[Indices], count: int) -> bool:
    """Whether the lines of the smaller sides stand on rows with lines of other sides, as in a table."""
    side_of, shared = np.zeros(count, np.intp), np.zeros(count, bool)
    for number, side in enumerate(sides):
        side_of[side] = number
    for row in rows:
        shared[row] = len(set(side_of[row].tolist())) > 1
    largest = max(sides, key=len)
    others = np.concatenate([side for side in sides if side is not largest])
    return bool(shared[others].mean() >= ALIGNED)


def _stacked(lines: Boxes, some: Indices, reach: float) -> list[Indices]:
    """Lines from above to below, those together that overlap. reach: text heights above and below their middle."""
    middle, reaches = lines.y[some], reach * lines.height[some]
    return _split(some, np.stack([middle - reaches, middle + reaches], axis=1))


def _beside(lines: Boxes, some: Indices) -> list[Indices]:
    """Lines split at gutters, from left to right."""
    return _split(some, _spans(lines, some))


def _spans(lines: Boxes, some: Indices) -> Numbers:
    """From where to where each line keeps others of its column away, (L, 2)."""
    half = GUTTER / 2 * np.median(lines.height[some])
    return np.stack([lines.left[some] - half, lines.right[some] + half], axis=1)


def _split(some: Indices, spans: Numbers) -> list[Indices]:
    """Indices in the order of their spans (L, 2), those together that overlap."""
    order = spans[:, 0].argsort(kind="stable")
    return np.split(some[order], _gaps(spans[order]))


def _joined(spans: Numbers) -> Numbers:
    """Spans (L, 2) from low to high, those that overlap joined."""
    spans = spans[spans[:, 0].argsort()]
    gaps = _gaps(spans)
    ends = np.maximum.accumulate(spans[:, 1])
    return np.stack([spans[[0, *gaps], 0], ends[[*(gaps - 1), -1]]], axis=1)


def _gaps(spans: Numbers) -> Indices:
    """Indices of the spans (L, 2), in their order, that begin after the end of all before."""
    return np.flatnonzero(spans[1:, 0] > np.maximum.accumulate(spans[:-1, 1])) + 1
