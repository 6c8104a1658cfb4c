"""Screenshots: windows with menus, lists, settings, messages, cards and dialogs."""

from __future__ import annotations

from ..colour import tinted
from ..strings import draw_time
from . import labels, marks
from .blocks import paragraph
from .draft import Draft
from .lettering import metrics
from .sheet import Box, fitting, length
from .tables import draw_table
from .widgets import button, button_words, menu_bar, middle, shade, tabs, title_bar, tool_bar


def draw_screenshot(draft: Draft) -> None:
    """A window: bars above, a list of entries beside, and content."""
    sheet, font = draft.sheet, draft.font()
    y = 0
    if draft.chance(0.6):
        y = title_bar(draft, y)
    for bar in (menu_bar, tool_bar, tabs):
        if draft.chance(0.6):
            y = bar(draft, y)
    left = 0
    if draft.chance(0.5):
        left = min(draft.em(draft.real(9, 16)), sheet.width // 2)
        _side_list(draft, Box(0, y, left, sheet.height))
    bottom = sheet.height
    if draft.chance(0.4):
        bottom -= round(1.8 * font.size)
    area = Box(left, y, sheet.width, bottom).inset(draft.em(1))
    contents = (_settings, _settings, _table, _cards, _article, _messages)
    draft.pick(contents)(draft, area)
    if bottom < sheet.height:
        _status_bar(draft, Box(0, bottom, sheet.width, sheet.height))
    if draft.chance(0.25):
        _dialog(draft)


def _side_list(draft: Draft, box: Box) -> None:
    """Entries below each other, with icons and levels; one is selected."""
    font = draft.font()
    draft.sheet.fill(box, shade(draft, draft.real(0.0, 0.08)))
    step = max(metrics(font).height + 2, round(draft.real(1.3, 2.2) * font.size))
    icons, chosen, level = draft.chance(0.6), draft.whole(0, 12), 0
    for index, y in enumerate(range(box.top + draft.em(0.4), box.bottom, step)):
        level = draft.pick((0, 0, level, level + 1)) if level < 3 else 0
        x = box.left + draft.em(0.6 + level)
        ink = draft.ink
        if index == chosen:
            draft.sheet.fill(Box(box.left, y, box.right, y + step), tinted(draft.real(70, 130), (-0.6, 0.0, 1.0)))
            ink = (255, 255, 255)
        if icons:
            side = draft.em(0.9)
            marks.icon(draft, Box(x, y + (step - side) // 2, x + side, y + (step + side) // 2), ink)
            x += draft.em(1.3)
        words = fitting(draft.label(1, 3), box.right - draft.em(0.3) - x, font)
        draft.sheet.write(words, x, middle(y, step, font), font, ink)
    draft.sheet.fill(Box(box.right - 1, box.top, box.right, box.bottom), shade(draft, 0.25))


def _status_bar(draft: Draft, box: Box) -> None:
    font = draft.font(0.9)
    draft.sheet.panel(box, shade(draft, 0.12))
    baseline = middle(box.top, box.height, font)
    end = draft.sheet.write(draft.label(1, 3), draft.em(0.5), baseline, font, draft.ink)
    right = [draw_time(draft.rng), f"{draft.whole(1, 100)}%"]
    if end + length(right, font) + draft.em(3) < box.right:
        draft.sheet.write_right(right, box.right - draft.em(0.5), baseline, font, draft.ink)


def _settings(draft: Draft, area: Box) -> None:
    """Headings, and rows of a label with a field, a switch or a button."""
    font, y = draft.font(), area.top
    if draft.chance(0.7):
        y = paragraph(draft, draft.label(1, 4), area.left, area.right, y, draft.font(1.5, draft.faces.bold)) + draft.em(
            0.6
        )
    step = max(draft.em(2.1), metrics(font).height + 4)
    while y + step < area.bottom:
        words = draft.label(1, 4)
        baseline = middle(y, step, font)
        end = draft.sheet.write(words, area.left, baseline, font, draft.ink)
        left = max(end + draft.em(1), area.left + round(0.45 * area.width))
        control = draft.whole(0, 3)
        if left + draft.em(7) < area.right:
            if control == 0:
                box = Box(left, y + 2, min(area.right, left + draft.em(14)), y + step - 2)
                draft.sheet.outline(box, shade(draft, 0.4))
                value = labels.cell(draft, draft.pick(("words", "integer", "date", "digit")))[:1]
                if length(value, font) < box.width - draft.em(1):
                    draft.sheet.write(value, left + draft.em(0.5), baseline, font, draft.ink)
            elif control == 1:
                side = draft.em(1)
                draft.sheet.rounded(
                    Box(left, y + side // 2, left + 2 * side, y + 3 * side // 2), side, shade(draft, 0.3)
                )
                marks.dot(
                    draft.sheet,
                    left + (side // 2 if draft.chance(0.5) else 3 * side // 2),
                    y + side,
                    side // 2,
                    draft.ink,
                )
            elif control == 2:
                button(draft, left, y + (step - draft.em(1.9)) // 2, button_words(draft))
        y += step + draft.em(draft.real(0.1, 0.6))
        if draft.chance(0.15):
            small = draft.font(0.85)
            y = paragraph(
                draft,
                draft.words(draft.whole(5, 22)),
                area.left,
                area.right,
                y,
                small,
                1.3,
                ink=shade(draft, 0.65),
                bottom=area.bottom,
            )


def _table(draft: Draft, area: Box) -> None:
    """A list of files or records."""
    draw_table(draft, area, 60)


def _messages(draft: Draft, area: Box) -> None:
    """A list of messages: sender and time, then a line of the text."""
    bold, font, small = draft.font(1.0, draft.faces.bold), draft.font(), draft.font(0.85)
    step = metrics(bold).height + metrics(font).height + draft.em(draft.real(0.7, 1.6))
    portraits = draft.chance(0.5)
    for y in range(area.top, area.bottom - step, step):
        left = area.left
        if portraits:
            side = min(draft.em(2), step - 4)
            marks.avatar(draft, Box(left, y, left + side, y + side))
            left += side + draft.em(0.7)
        baseline = y + metrics(bold).ascent
        time = fitting([draw_time(draft.rng)], area.width // 2, small)
        start = draft.sheet.write_right(time, area.right, baseline, small, shade(draft, 0.6))
        draft.sheet.write(fitting(draft.label(1, 3), start - left - draft.em(1), bold), left, baseline, bold, draft.ink)
        words = fitting(draft.words(draft.whole(3, 14)), area.right - left, font)
        baseline += metrics(bold).descent + draft.em(0.2) + metrics(font).ascent
        draft.sheet.write(words, left, baseline, font, shade(draft, 0.7))
        marks.rule(draft, area.left, area.right, y + step - draft.em(0.3), shade(draft, 0.15))


def _cards(draft: Draft, area: Box) -> None:
    """Cards of a web page: a picture, a title, some text, a button."""
    count = max(1, area.width // draft.em(14))
    gap = draft.em(1)
    width = (area.width - (count - 1) * gap) // count
    height = draft.em(draft.real(12, 17))
    font = draft.font()
    for top in range(area.top, area.bottom - height // 3, height + gap):
        for index in range(count):
            box = Box(area.left + index * (width + gap), top, area.left + index * (width + gap) + width, top + height)
            draft.sheet.outline(box, shade(draft, 0.2))
            inner = box.inset(draft.em(0.6))
            marks.picture(draft, inner._replace(bottom=inner.top + height // 3))
            y = inner.top + height // 3 + draft.em(0.5)
            y = paragraph(
                draft,
                draft.label(1, 4),
                inner.left,
                inner.right,
                y,
                draft.font(1.15, draft.faces.bold),
                bottom=inner.bottom,
            )
            low = inner.bottom - draft.em(2.2)
            paragraph(
                draft,
                draft.words(draft.whole(4, 20)),
                inner.left,
                inner.right,
                y,
                font,
                ink=shade(draft, 0.7),
                bottom=low,
            )
            words = button_words(draft)
            if length(words, font) + draft.em(2.4) < inner.width:
                button(draft, inner.left, inner.bottom - draft.em(1.9), words)


def _article(draft: Draft, area: Box) -> None:
    """Text of a web page or a document, with links."""
    y = area.top
    link = tinted(draft.real(60, 120), (-0.6, -0.1, 1.0)) if draft.paper[0] > 128 else (120, 170, 255)
    while y < area.bottom - draft.em(2):
        if draft.chance(0.4):
            heading = draft.font(draft.real(1.2, 2.0), draft.faces.bold)
            y = paragraph(
                draft, draft.label(2, 7), area.left, area.right, y, heading, 1.2, bottom=area.bottom
            ) + draft.em(0.3)
        is_link = draft.chance(0.2)
        ink = link if is_link else draft.ink
        y = paragraph(
            draft,
            draft.words(draft.whole(3, 50)),
            area.left,
            area.right,
            y,
            draft.font(),
            1.4,
            ink=ink,
            bottom=area.bottom,
        )
        y += draft.em(0.8)


def _dialog(draft: Draft) -> None:
    """A window on top, which hides what is below it."""
    sheet = draft.sheet
    width, height = min(draft.em(20), sheet.width * 4 // 5), min(draft.em(10), sheet.height // 2)
    left, top = draft.whole(0, sheet.width - width), draft.whole(0, sheet.height - height)
    box = Box(left, top, left + width, top + height)
    sheet.panel(box, draft.paper)
    sheet.outline(box, shade(draft, 0.5))
    inner = box.inset(draft.em(0.9))
    bottom = inner.bottom - draft.em(2.4)
    y = paragraph(
        draft, draft.label(1, 4), inner.left, inner.right, inner.top, draft.font(1.1, draft.faces.bold), bottom=bottom
    )
    paragraph(
        draft, draft.words(draft.whole(5, 20)), inner.left, inner.right, y + draft.em(0.5), draft.font(), bottom=bottom
    )
    x = inner.right
    for _ in range(draft.whole(1, 2)):
        words = button_words(draft)
        if x - length(words, draft.font()) - draft.em(2.4) > inner.left:
            x = button(draft, x, inner.bottom - draft.em(1.9), words, right=True) - draft.em(0.7)
