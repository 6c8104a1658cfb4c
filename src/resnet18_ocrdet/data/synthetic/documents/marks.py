"""What documents show beside text: icons, pictures, codes, stamps. No part of it is labelled."""

from __future__ import annotations

import cv2
import numpy as np

from ..background import draw_background, paint_background
from ..colour import Colour, draw_tint, tinted
from ..props import DRAWERS, SUBPIXEL_BITS
from .draft import Draft
from .sheet import Box, Sheet


def dot(sheet: Sheet, x: int, y: int, radius: int, colour: Colour) -> None:
    """A disc."""
    cv2.circle(sheet.image, (x, y), radius, colour, cv2.FILLED, cv2.LINE_AA)


def rule(draft: Draft, left: int, right: int, y: int, colour: Colour | None = None, thickness: int = 1) -> None:
    """A horizontal line."""
    draft.sheet.fill(Box(left, y, right, y + thickness), colour or draft.ink)


def dashes(draft: Draft, left: int, right: int, y: int, step: int, share: float = 0.6) -> None:
    """A dashed or dotted line."""
    for x in range(left, right - 1, step):
        draft.sheet.fill(Box(x, y, x + max(1, round(share * step)), y + 1), draft.ink)


def barcode(draft: Draft, box: Box, ink: Colour) -> None:
    """Bars of one to four modules."""
    module = max(1, round(box.width / 95))  # EAN-13 has 95 modules
    x = box.left
    for bar, gap in draft.rng.integers(1, 5, (box.width, 2)).tolist():
        if x + bar * module > box.right:
            break
        draft.sheet.fill(Box(x, box.top, x + bar * module, box.bottom), ink)
        x += (bar + gap) * module


def code_square(draft: Draft, box: Box, ink: Colour) -> None:
    """Random modules with three finder patterns, like a QR code."""
    side = min(box.width, box.height)
    modules = draft.pick((21, 25, 29))  # ISO/IEC 18004, versions 1 to 3
    module = max(1, side // modules)
    grid = np.where(draft.rng.random((modules, modules)) < 0.5, 1, 0).astype(np.uint8)
    for row, column in ((0, 0), (0, modules - 7), (modules - 7, 0)):
        grid[row : row + 7, column : column + 7] = 1
        grid[row + 1 : row + 6, column + 1 : column + 6] = 0
        grid[row + 2 : row + 5, column + 2 : column + 5] = 1
    large = cv2.resize(grid, (modules * module, modules * module), interpolation=cv2.INTER_NEAREST)
    top, left = max(box.top, 0), max(box.left, 0)
    part = draft.sheet.image[top : box.top + len(large), left : box.left + len(large)]
    part[large[top - box.top :, left - box.left :][: part.shape[0], : part.shape[1]] == 1] = ink


def picture(draft: Draft, box: Box) -> None:
    """A picture."""
    left, top = max(box.left, 0), max(box.top, 0)
    part = draft.sheet.image[top : max(box.bottom, 0), left : max(box.right, 0)]
    if part.shape[0] < 4 or part.shape[1] < 4:
        return
    part[:] = paint_background(draw_background(draft.rng), part.shape[0], part.shape[1])


def icon(draft: Draft, box: Box, colour: Colour) -> None:
    """A small pictogram without text."""
    quad = [
        [float(box.left), float(box.top)],
        [float(box.right), float(box.top)],
        [float(box.right), float(box.bottom)],
        [float(box.left), float(box.bottom)],
    ]
    style = draft.whole(0, 5)
    x, y, half = (box.left + box.right) // 2, (box.top + box.bottom) // 2, max(2, box.height // 2)
    if style == 0:  # magnifying glass
        cv2.circle(draft.sheet.image, (x - half // 4, y - half // 4), half * 2 // 3, colour, 1 + half // 8, cv2.LINE_AA)
        cv2.line(draft.sheet.image, (x + half // 4, y + half // 4), (x + half, y + half), colour, 1 + half // 5)
    elif style == 1:  # three bars
        for row in (-half * 2 // 3, 0, half * 2 // 3):
            draft.sheet.fill(Box(box.left, y + row, box.right, y + row + 1 + half // 6), colour)
    elif style == 2:  # cross or plus
        turn = draft.chance(0.5)
        for dx, dy in ((half, 0), (0, half)) if turn else ((half, half), (half, -half)):
            cv2.line(draft.sheet.image, (x - dx, y - dy), (x + dx, y + dy), colour, 1 + half // 6, cv2.LINE_AA)
    else:
        DRAWERS[draft.whole(1, len(DRAWERS) - 1)](draft.rng, draft.sheet.image, quad, colour)


def avatar(draft: Draft, box: Box) -> None:
    """A round portrait."""
    colour = tinted(draft.real(60, 200), draw_tint(draft.rng))
    x, y, radius = (box.left + box.right) // 2, (box.top + box.bottom) // 2, box.height // 2
    dot(draft.sheet, x, y, radius, colour)
    lighter = tinted(draft.real(180, 250), draw_tint(draft.rng))
    dot(draft.sheet, x, y - radius // 4, max(1, radius // 3), lighter)
    cv2.ellipse(
        draft.sheet.image, (x, y + radius), (radius * 2 // 3, radius * 3 // 4), 0, 200, 340, lighter, cv2.FILLED
    )


def pattern(draft: Draft) -> None:
    """Pale lines or squares all over the sheet, as in notebooks and on cheques."""
    sheet, step = draft.sheet, draft.em(draft.real(0.5, 2.0))
    colour = tinted(draft.real(0.8, 0.94) * draft.paper[1], draw_tint(draft.rng, 0.5))
    for y in range(draft.whole(0, step), sheet.height, max(step, 4)):
        sheet.fill(Box(0, y, sheet.width, y + 1), colour)
    if draft.chance(0.4):
        for x in range(draft.whole(0, step), sheet.width, max(step, 4)):
            sheet.fill(Box(x, 0, x + 1, sheet.height), colour)


def stamp(draft: Draft, x: int, y: int, radius: int) -> None:
    """The rings of a rubber stamp, or a stroke of a pen, blue or red; paler than the text, which stays readable."""
    left, top = max(x - 2 * radius, 0), max(y - 2 * radius, 0)
    part = draft.sheet.image[top : max(y + 2 * radius, 0), left : max(x + 2 * radius, 0)]
    if not part.size:
        return
    paper, text = (sum(colour) / 3 for colour in (draft.paper, draft.ink))
    level = paper + draft.real(0.25, 0.5) * (text - paper)
    colour = tinted(level, draft.pick(((-0.5, -0.3, 1.0), (1.0, -0.4, -0.3))))
    ink = Sheet.blank(part.shape[0], part.shape[1], (255, 255, 255)).image
    thickness, middle = 1 + radius // 20, (x - left, y - top)
    if draft.chance(0.5):
        for share in (1.0, 0.72):
            axes = (round(share * radius), round(share * radius * draft.real(0.6, 1.0)))
            cv2.ellipse(ink, middle, axes, draft.real(0, 180), 0, 360, colour, thickness, cv2.LINE_AA)
    else:
        turns = np.linspace(0, draft.real(6, 20), 40)
        wave = np.stack([radius * (turns / 8 - 1), radius * 0.4 * np.sin(turns * 1.7) * np.cos(turns)], 1) + middle
        points = np.rint(wave * (1 << SUBPIXEL_BITS)).astype(np.int32)
        cv2.polylines(ink, [points], False, colour, thickness, cv2.LINE_AA, SUBPIXEL_BITS)
    cv2.min(part, ink, part)
