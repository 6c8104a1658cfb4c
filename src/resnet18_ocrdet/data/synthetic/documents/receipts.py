"""Receipts: a narrow strip with a shop's name, items with prices on the right, totals, codes and thanks."""

from __future__ import annotations

from dataclasses import dataclass

from ..strings import draw_code, draw_date, draw_phone, draw_time
from . import labels, marks
from .draft import Draft
from .lettering import Font, metrics
from .sheet import Box, fitting, length

STRIP_EM = (16.0, 28.0)  # width of a receipt


@dataclass(slots=True)
class Printer:
    """Sets one line after the other."""

    draft: Draft
    left: int
    right: int
    y: int
    font: Font
    step: int  # px from line to line

    def height(self, font: Font) -> int:
        """Of a line, px."""
        return max(self.step, metrics(font).height + 2)

    def baseline(self, font: Font) -> int:
        """Move down by one line; returns its baseline."""
        baseline = self.y + metrics(font).ascent
        self.y += self.height(font)
        return baseline

    def centred(self, words: list[str], font: Font | None = None) -> None:
        """Words in the middle, as many as fit."""
        font = font or self.font
        words = fitting(words, self.right - self.left, font)
        self.draft.sheet.write_centred(words, (self.left + self.right) // 2, self.baseline(font), font, self.draft.ink)

    def ends(self, words: list[str], amount: list[str], font: Font | None = None, indent: int = 0) -> None:
        """Words on the left, an amount on the right."""
        font = font or self.font
        baseline = self.baseline(font)
        start = self.draft.sheet.write_right(amount, self.right, baseline, font, self.draft.ink)
        words = fitting(words, start - self.left - indent - font.size, font)
        self.draft.sheet.write(words, self.left + indent, baseline, font, self.draft.ink)

    def reversed(self, words: list[str], amount: list[str], font: Font) -> None:
        """Words and an amount in the paper's colour on a dark band."""
        draft, inner = self.draft, font.size // 3
        draft.sheet.fill(Box(self.left, self.y - 1, self.right, self.y + self.height(font) - 1), draft.ink)
        baseline = self.baseline(font)
        start = draft.sheet.write_right(amount, self.right - inner, baseline, font, draft.paper)
        draft.sheet.write(
            fitting(words, start - self.left - 2 * inner, font), self.left + inner, baseline, font, draft.paper
        )

    def rule(self, style: int) -> None:
        """A rule between two parts. style: 0 a line, 1 dashes, 2 a double line."""
        y = self.y + self.step // 3
        if style == 0:
            marks.rule(self.draft, self.left, self.right, y)
        elif style == 1:
            marks.dashes(self.draft, self.left, self.right, y, max(3, self.font.size // 3))
        else:
            marks.rule(self.draft, self.left, self.right, y - 1)
            marks.rule(self.draft, self.left, self.right, y + 1)
        self.y += round(0.7 * self.step)


def draw_receipt(draft: Draft) -> None:
    """A receipt; its top or its end may lie outside."""
    sheet = draft.sheet
    margin = draft.em(draft.real(0.5, 2.0))
    face = draft.faces.mono if draft.chance(0.6) else draft.faces.body
    font = draft.font(1.0, face)
    step = max(metrics(font).height + 1, round(draft.real(1.15, 1.7) * font.size))
    left, right = margin, sheet.width - margin
    if draft.cuts and draft.chance(0.6):  # a strip on the glass of a scanner
        room = right - left
        wide = min(room, draft.em(draft.real(*STRIP_EM)))
        left += draft.whole(0, room - wide)
        right = left + wide
    printer = Printer(draft, left, right, draft.em(draft.real(0.5, 3)), font, step)
    style = draft.whole(0, 2)
    part = draft.rng.random()  # where the visible part starts
    if part < 0.6:
        _head(
            printer, draft.font(draft.real(1.1, 1.9), draft.faces.mono_bold if draft.chance(0.5) else draft.faces.bold)
        )
        printer.rule(style)
        _facts(printer)
        printer.rule(style)
    end = sheet.height - (draft.em(draft.real(6, 22)) if draft.chance(0.7) else 0)
    _items(printer, end)
    printer.rule(style)
    _totals(printer)
    printer.rule(style)
    _foot(printer)
    if draft.chance(0.2):
        x, y = draft.whole(printer.left, printer.right), draft.whole(sheet.height // 2, sheet.height)
        marks.stamp(draft, x, y, draft.em(draft.real(1.5, 4)))


def _head(printer: Printer, large: Font) -> None:
    """Logo, name of the shop and its address; on some copies a note above them."""
    draft = printer.draft
    if draft.chance(0.1):
        note = draft.font(draft.real(1.0, 1.8), draft.faces.display if draft.chance(0.5) else draft.faces.bold)
        printer.centred(draft.label(1, 3), note)
    if draft.chance(0.15):
        logo = draft.font(draft.real(1.8, 3.0), draft.faces.display if draft.chance(0.5) else draft.faces.bold)
        _logo(printer, draft.label(1, 2), logo)
    elif draft.chance(0.25):
        side = draft.em(draft.real(2.5, 5))
        middle = (printer.left + printer.right) // 2
        marks.icon(draft, Box(middle - side, printer.y, middle + side, printer.y + side), draft.ink)
        printer.y += side + draft.em(0.7)
    name = draft.label(1, 3)
    printer.centred([word.upper() for word in name] if draft.chance(0.7) else name, large)
    for _ in range(draft.whole(1, 4)):
        words = draft.label(1, 3)
        if draft.chance(0.6):
            words = [f"{draft.whole(1, 300)},", *words] if draft.script == "latin" else words
        printer.centred([word.upper() for word in words] if draft.chance(0.5) else words)
    if draft.chance(0.6):
        printer.centred([draft.pick(("TEL:", "Tel", "T:")), draw_phone(draft.rng)])


def _logo(printer: Printer, words: list[str], font: Font) -> None:
    """A name in the colour of the paper on a dark box."""
    draft, pad = printer.draft, font.size // 2
    words = fitting(words, printer.right - printer.left - 2 * pad, font)
    if not words:
        return
    middle, half = (printer.left + printer.right) // 2, length(words, font) // 2 + pad
    box = Box(middle - half, printer.y, middle + half, printer.y + metrics(font).height + pad)
    draft.sheet.fill(box, draft.ink)
    draft.sheet.write_centred(words, middle, printer.y + pad // 2 + metrics(font).ascent, font, draft.paper)
    printer.y = box.bottom + draft.em(0.6)


def _facts(printer: Printer) -> None:
    """Date, number, cashier: a label and a value, in one or two columns."""
    draft = printer.draft
    for _ in range(draft.whole(1, 4)):
        words = draft.pick(labels.RECEIPT_FIELDS).split()
        value = draft.pick((draw_date, draw_time, draw_code))(draft.rng)
        if draft.chance(0.4):
            printer.ends(words, [value])
        else:
            printer.ends([*words, value], [draw_time(draft.rng)] if draft.chance(0.4) else [])


def _items(printer: Printer, end: int) -> None:
    """Items: name and price in one line, or name first and quantity, unit price and amount below it."""
    draft = printer.draft
    two_lines = draft.chance(0.5)
    upper = draft.chance(0.6)
    if draft.chance(0.5):
        printer.ends(["ITEM", "QTY"] if upper else ["Item", "Qty"], [draft.pick(("RM", "AMOUNT", "Price", "$", "EUR"))])
    while printer.y < end:
        words = draft.label(1, 4)
        words = [word.upper() for word in words] if upper else words
        amount = [labels.amount(draft), *([draft.pick("ABSZT")] if draft.chance(0.2) else [])]
        if two_lines:
            printer.ends(words, [])
            count = labels.number(draft, 1)
            times = (
                [f"{count}x", labels.amount(draft, 50)] if draft.chance(0.5) else [count, "x", labels.amount(draft, 50)]
            )
            printer.ends(
                [labels.number(draft, 8), *times] if draft.chance(0.3) else times, amount, indent=draft.em(1.2)
            )
        else:
            printer.ends([labels.number(draft, 1), *words] if draft.chance(0.5) else words, amount)


def _totals(printer: Printer) -> None:
    draft = printer.draft
    for index in range(draft.whole(2, 5)):
        words = draft.pick(labels.RECEIPT_TOTALS).split() if draft.script == "latin" else draft.label(1, 2)
        large = index == 1 and draft.chance(0.5)
        font = draft.font(draft.real(1.2, 1.6), draft.faces.mono_bold) if large else None
        indent = draft.em(draft.pick((0, 0, 6)))
        if large and draft.chance(0.3):
            printer.reversed(words, [labels.amount(draft)], font or printer.font)
            continue
        printer.ends(words, [labels.amount(draft)], font, indent)


def _foot(printer: Printer) -> None:
    """Thanks, a barcode or a square code."""
    draft = printer.draft
    for _ in range(draft.whole(1, 3)):
        printer.centred(draft.pick(labels.THANKS).split() if draft.script == "latin" else draft.label(2, 5))
    middle = (printer.left + printer.right) // 2
    top = printer.y + draft.em(0.8)
    if draft.chance(0.5):
        half = min(draft.em(8), (printer.right - printer.left) // 2)
        marks.barcode(draft, Box(middle - half, top, middle + half, top + draft.em(3)), draft.ink)
        printer.y = top + draft.em(3.4)
        printer.centred([labels.number(draft, 12)])
    elif draft.chance(0.4):
        half = draft.em(3)
        marks.code_square(draft, Box(middle - half, top, middle + half, top + 2 * half), draft.ink)
