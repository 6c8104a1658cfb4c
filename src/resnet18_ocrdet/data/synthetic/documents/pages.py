"""Printed pages: of a book or report, and of a newspaper."""

from __future__ import annotations

from ..strings import draw_date
from . import labels, marks
from .blocks import Align, bullets, figure, paragraph
from .draft import Draft
from .editors import draw_listing
from .lettering import metrics
from .sheet import Box, fitting
from .tables import draw_table

COLUMN_EM, NARROW_EM = 14, 9  # smallest width of a column, in books and in newspapers
CONTENTS_SHARE = 0.08  # of pages
SHORT_EM = 24  # a page that is less high shows no foot


def draw_page(draft: Draft) -> None:
    """One to three columns with headings, lists, pictures, tables and footnotes; or a table of contents."""
    frame = draft.frame(draft.em(4))
    top = _running_head(draft, frame)
    bottom = _foot(draft, frame)
    if draft.chance(CONTENTS_SHARE):
        return _contents(draft, frame._replace(top=top, bottom=bottom))
    columns = _columns(frame, draft.whole(1, 3), draft.em(2), draft.em(COLUMN_EM))
    align: Align = "justify" if draft.chance(0.6) else "left"
    leading, indent = draft.real(1.15, 1.75), draft.em(1.5) if draft.chance(0.4) else 0
    if len(columns) > 1 and 0 < frame.top < bottom - draft.em(SHORT_EM) and draft.chance(0.4):
        top = _title(draft, frame, top)
    for column in columns:
        _fill_column(draft, column._replace(top=top, bottom=bottom), align, leading, indent)


def draw_newspaper(draft: Draft) -> None:
    """Narrow justified columns of small print below headlines, with rules and pictures."""
    frame = draft.frame(draft.em(2))
    gap = draft.em(draft.real(0.9, 1.6))
    width = max(draft.em(draft.real(10, 17)), 40)
    count = max(1, round(frame.width / (width + gap)))
    columns = _columns(frame, count, gap, draft.em(NARROW_EM))
    y = frame.top - draft.whole(0, draft.em(6)) * (frame.top < 0)
    if frame.top > 0 and draft.chance(0.5):
        y = _masthead(draft, frame, y)
    ruled, leading = draft.chance(0.5), draft.real(1.08, 1.3)
    while y < frame.bottom:
        start = 0
        height = draft.em(draft.real(14, 40))
        stop = min(y + height, frame.bottom)
        while start < len(columns):
            span = columns[start : start + draft.whole(1, min(3, len(columns)))]
            _article(draft, span, y, stop, leading)
            start += len(span)
            if ruled and start < len(columns):
                x = (span[-1].right + columns[start].left) // 2
                draft.sheet.fill(Box(x, y, x + 1, stop), draft.ink)
        y = stop + draft.em(0.8)
        if draft.chance(0.7):
            marks.rule(draft, frame.left, frame.right, y - draft.em(0.4))


def _columns(frame: Box, wanted: int, gap: int, least: int) -> list[Box]:
    """Columns of equal width, as many as wanted and not narrower than `least` px."""
    most = max(1, (frame.width + gap) // (least + gap))
    count = min(wanted, most)
    width = (frame.width - (count - 1) * gap) // count
    lefts = [frame.left + index * (width + gap) for index in range(count)]
    return [frame._replace(left=left, right=left + width) for left in lefts]


def _running_head(draft: Draft, frame: Box) -> int:
    """A running title and a page number above the text, if the top of the page is visible."""
    font = draft.font(0.85, draft.faces.italic if draft.chance(0.5) else None)
    if frame.top < 0:
        return frame.top - draft.whole(0, draft.em(1.3))  # a line is cut by the edge of the image
    if draft.chance(0.5):
        return frame.top
    baseline = frame.top + metrics(font).ascent
    end = draft.sheet.write(draft.label(2, 5), frame.left, baseline, font, draft.ink)
    if end < frame.right - 4 * font.size:
        draft.sheet.write_right([labels.number(draft, draft.whole(1, 3))], frame.right, baseline, font, draft.ink)
    y = frame.top + round(1.5 * font.size)
    if draft.chance(0.5):
        marks.rule(draft, frame.left, frame.right, y)
    return y + draft.em(1)


def _foot(draft: Draft, frame: Box) -> int:
    """Footnotes and a page number below the text. Returns the bottom of the text."""
    bottom = frame.bottom
    if bottom > draft.sheet.height or frame.height < draft.em(SHORT_EM):
        return bottom
    if draft.chance(0.6):
        font = draft.font(0.9)
        page = [labels.number(draft, draft.whole(1, 3))]
        draft.sheet.write_centred(page, (frame.left + frame.right) // 2, bottom, font, draft.ink)
        bottom -= round(2.2 * font.size)
    if draft.chance(0.25):
        font = draft.font(0.75)
        height = draft.whole(1, 3) * round(1.5 * font.size)
        y = bottom - height
        marks.rule(draft, frame.left, frame.left + frame.width // 3, y - font.size // 2)
        words = [labels.number(draft, 1), *draft.words(draft.whole(6, 30))]
        paragraph(draft, words, frame.left, frame.right, y, font, 1.25, bottom=bottom)
        bottom = y - font.size
    return bottom


def _title(draft: Draft, frame: Box, y: int) -> int:
    """A title over all columns, with authors."""
    title = draft.font(draft.real(1.6, 2.6), draft.faces.bold)
    y = paragraph(draft, draft.label(2, 8), frame.left, frame.right, y, title, 1.2, "centre")
    byline = draft.font(1.0, draft.faces.italic)
    return paragraph(
        draft, draft.label(2, 6), frame.left, frame.right, y + draft.em(0.5), byline, 1.3, "centre"
    ) + draft.em(1.5)


def _fill_column(draft: Draft, column: Box, align: Align, leading: float, indent: int) -> None:
    body, y, colour = draft.font(), column.top, draft.accent()
    apart = 0 if indent else draft.em(draft.real(0.4, 1.0))
    while y + metrics(body).height <= column.bottom:
        part = draft.rng.random()
        if part < 0.12:
            scale = draft.real(1.1, 1.8)
            heading = draft.font(scale, draft.faces.bold if draft.chance(0.8) else draft.faces.italic)
            words = [f"{draft.whole(1, 9)}.{draft.whole(1, 9)}"] * draft.chance(0.3) + draft.label(1, 5)
            y = paragraph(
                draft,
                words,
                column.left,
                column.right,
                y + draft.em(0.6),
                heading,
                1.2,
                ink=colour,
                bottom=column.bottom,
            )
            y += draft.em(0.4)
        elif part < 0.22:
            left = column.left + draft.em(draft.real(0, 2))
            y = bullets(draft, left, column.right, y + draft.em(0.3), body, draft.whole(2, 6), column.bottom, leading)
            y += apart
        elif part < 0.27:
            height = min(draft.em(draft.real(4, 12)), column.bottom - y)
            caption = draft.font(0.85) if draft.chance(0.7) else None
            if height > draft.em(4):
                box = column._replace(top=y, bottom=y + height - draft.em(2))
                y = figure(draft, box, column.bottom, caption) + draft.em(1)
        elif part < 0.34 and column.bottom - y > draft.em(5):
            y = draw_listing(draft, column._replace(top=y)) + draft.em(1)
        elif part < 0.38 and column.bottom - y > draft.em(8):
            bottom = min(column.bottom, y + draft.em(draft.real(8, 16)))
            y = draw_table(draft, column._replace(top=y, bottom=bottom), draft.whole(2, 9)) + draft.em(1)
        else:
            words = draft.words(draft.whole(15, 110))
            y = paragraph(
                draft, words, column.left, column.right, y, body, leading, align, indent=indent, bottom=column.bottom
            )
            y += apart


def _contents(draft: Draft, frame: Box) -> None:
    """Titles of chapters, dots, and page numbers."""
    y, page, chapter, part = frame.top, draft.whole(1, 40), draft.whole(1, 9), 0
    step = max(round(draft.real(1.3, 1.8) * draft.unit), metrics(draft.font()).height + 2)
    dotted = draft.chance(0.7)
    while y + step <= frame.bottom:
        is_chapter = draft.chance(0.25)
        chapter, part = (chapter + 1, 0) if is_chapter else (chapter, part + 1)
        font = draft.font(1.0, draft.faces.bold if is_chapter else None)
        left = frame.left + (0 if is_chapter else draft.em(1.5))
        baseline = y + metrics(font).ascent
        right = draft.sheet.write_right([str(page)], frame.right, baseline, font, draft.ink)
        words = [f"{chapter}" if is_chapter else f"{chapter}.{part}", *draft.label(1, 6)]
        words = fitting(words, right - left - draft.em(2), font)
        end = draft.sheet.write(words, left, baseline, font, draft.ink)
        if dotted and not is_chapter:
            marks.dashes(draft, end + draft.em(0.5), right - draft.em(0.5), baseline - 1, draft.em(0.5), 0.2)
        page += draft.whole(0, 7)
        y += step + (draft.em(0.4) if is_chapter else 0)


def _masthead(draft: Draft, frame: Box, y: int) -> int:
    """The name of a newspaper and the line of its date."""
    name = draft.font(draft.real(3.0, 5.0), draft.faces.bold)
    y = paragraph(draft, draft.label(1, 3), frame.left, frame.right, y, name, 1.1, "centre")
    marks.rule(draft, frame.left, frame.right, y + 2)
    small = draft.font(0.95)
    baseline = y + draft.em(0.6) + metrics(small).ascent
    draft.sheet.write([draw_date(draft.rng)], frame.left, baseline, small, draft.ink)
    if frame.width > 20 * small.size:
        draft.sheet.write_right(["No.", labels.number(draft, 4)], frame.right, baseline, small, draft.ink)
    marks.rule(draft, frame.left, frame.right, baseline + draft.em(0.6))
    return baseline + draft.em(1.4)


def _article(draft: Draft, columns: list[Box], top: int, bottom: int, leading: float) -> None:
    """A headline over some columns, then their text."""
    left, right = columns[0].left, columns[-1].right
    headline = draft.font(draft.real(1.3, 1.5 + 0.8 * len(columns)), draft.faces.bold)
    y = paragraph(draft, draft.label(3, 3 + 3 * len(columns)), left, right, top, headline, 1.12, bottom=bottom)
    if draft.chance(0.3):
        byline = draft.font(1.0, draft.faces.italic)
        y = paragraph(
            draft, [draft.pick(("By", "From", "Von")), *draft.label(2, 3)], left, right, y, byline, bottom=bottom
        )
    y += draft.em(0.5)
    shown = draft.whole(0, len(columns) - 1) if draft.chance(0.35) else None
    for index, column in enumerate(columns):
        start = y
        if index == shown and bottom - y > draft.em(12):
            box = Box(column.left, y, column.right, y + draft.em(draft.real(5, 9)))
            start = figure(draft, box, bottom, draft.font(0.9, draft.faces.italic)) + draft.em(0.5)
        words = draft.words(round((bottom - start) / max(1, draft.unit) * column.width / draft.em(2.6)))
        paragraph(
            draft,
            words,
            column.left,
            column.right,
            start,
            draft.font(),
            leading,
            "justify",
            indent=draft.em(1),
            bottom=bottom,
        )
