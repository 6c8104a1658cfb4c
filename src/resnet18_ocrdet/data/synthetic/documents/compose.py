"""Draw a document: its kind, its script and colours, its layout, and how it is photographed."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from ....structures import Image
from ..colour import Colour, draw_tint, tinted
from ..corpus import Corpus
from ..fonts import Script
from ..region import Region
from . import marks
from .camera import View, draw_pose, locate, take
from .chats import draw_chat
from .columns import draw_columns
from .draft import Draft
from .editors import draw_editor
from .forms import draw_form
from .lettering import Font
from .pages import draw_newspaper, draw_page
from .receipts import draw_receipt
from .screens import draw_screenshot
from .sheet import Sheet, legibility
from .slides import draw_slide
from .tables import draw_tables
from .typefaces import Typefaces, choose_faces
from .wear import wear_thermal

CHINESE_SHARE = 0.2  # of documents that may be Chinese or Japanese
DENSE_SCALE = 1.25  # Chinese and Japanese are set larger: their characters have more strokes
SIZE_SPREAD = 0.35  # standard deviation of the logarithm of the text's size
PATTERN_SHARE = 0.08  # of sheets of paper are ruled or tinted
LEAST_LINES = 6  # of text in a small image
DARK_SCREEN_SHARE = 0.35
PHOTO_SIZE = (0.9, 1.3)  # of the sheet's sides, in sides of the image
RECEIPT_EM = (17.0, 30.0)  # width of a receipt


class Kind(NamedTuple):
    """A kind of document."""

    name: str
    share: float  # of documents
    draw: Callable[[Draft], None]
    size: tuple[float, float, float]  # of the text, px per em: smallest, median, largest
    photo: float  # share that is photographed
    scan: float  # share that is scanned; the rest is clean
    ground: Literal["paper", "news", "thermal", "screen", "slide"]


KINDS = (
    Kind("page", 0.19, draw_page, (8, 17.0, 40), 0.4, 0.25, "paper"),
    Kind("newspaper", 0.10, draw_newspaper, (8, 12.5, 20), 0.4, 0.35, "news"),
    Kind("table", 0.14, draw_tables, (8, 16.0, 34), 0.3, 0.25, "paper"),
    Kind("form", 0.12, draw_form, (9, 16.0, 30), 0.4, 0.35, "paper"),
    Kind("receipt", 0.15, draw_receipt, (9, 18.0, 40), 0.55, 0.45, "thermal"),
    Kind("screenshot", 0.11, draw_screenshot, (9, 15.0, 30), 0.05, 0.0, "screen"),
    Kind("editor", 0.03, draw_editor, (9, 16.0, 30), 0.05, 0.0, "screen"),
    Kind("chat", 0.06, draw_chat, (10, 18.0, 36), 0.05, 0.0, "screen"),
    Kind("slide", 0.06, draw_slide, (12, 28.0, 64), 0.2, 0.0, "slide"),
    Kind("vertical", 0.04, draw_columns, (10, 20.0, 44), 0.4, 0.3, "paper"),
)


def draw_document(
    rng: np.random.Generator,
    height: int,
    width: int,
    typefaces: Typefaces,
    corpus: Corpus,
    photos: tuple[Path, ...] = (),
) -> tuple[Image, list[Region]]:
    """A document of height × width px: (height, width, 3) RGB, and its regions.

    It is Latin, or in a script of `typefaces.other` for which the corpus has text. photos: to lie behind it."""
    kind = KINDS[int(rng.choice(len(KINDS), p=[kind.share for kind in KINDS]))]
    scripts = [script for script in typefaces.other if script in corpus.lines]
    if kind.name == "vertical" and not scripts:
        kind = KINDS[0]
    script: Script = "latin"
    if scripts and (kind.name == "vertical" or (kind.name != "editor" and rng.random() < CHINESE_SHARE)):
        script = scripts[int(rng.integers(len(scripts)))]
    low, median, high = (size * (1.0 if script == "latin" else DENSE_SCALE) for size in kind.size)
    unit = round(min(max(median * math.exp(SIZE_SPREAD * float(rng.standard_normal())), low), high))
    unit = min(unit, min(height, width) // LEAST_LINES)
    faces = choose_faces(rng, typefaces, script)
    while legibility(Font(faces.body, unit), "国" if script != "latin" else "x") < 1:
        unit += 1  # only text smaller than the running text is too small to read
    view: View = (
        "photo" if (draw := rng.random()) < kind.photo else "scan" if draw < kind.photo + kind.scan else "clean"
    )
    size = _draw_sheet_size(rng, kind, view, unit, height, width)
    paper, ink = _draw_colours(rng, kind)
    sheet = Sheet.blank(*size, paper)
    draft = Draft(rng, sheet, faces, corpus, script, unit, paper, ink, cuts=view != "photo")
    if kind.ground == "paper" and rng.random() < PATTERN_SHARE:
        marks.pattern(draft)
    kind.draw(draft)
    if kind.ground == "thermal":
        sheet.image = wear_thermal(rng, sheet.image)
    pose = draw_pose(rng, view, size, (height, width))
    regions = locate(sheet.words, pose, (height, width), kind.name)
    return take(rng, sheet, pose, (height, width), unit, photos), regions


def _draw_sheet_size(
    rng: np.random.Generator, kind: Kind, view: View, unit: int, height: int, width: int
) -> tuple[int, int]:
    """Height and width of the sheet, px."""
    if view == "photo":
        factor = float(rng.uniform(*PHOTO_SIZE))
        height, width = round(factor * height), round(factor * width)
    if kind.name == "receipt":
        wide = round(unit * float(rng.uniform(*RECEIPT_EM)))
        width = wide if view == "photo" else max(wide, width)
    return height, width


def _draw_colours(rng: np.random.Generator, kind: Kind) -> tuple[Colour, Colour]:
    """Paper and ink."""
    tint = draw_tint(rng, 0.12)
    if kind.ground == "paper":
        return tinted(float(rng.uniform(225, 255)), tint), tinted(float(rng.uniform(0, 70)), draw_tint(rng, 0.3))
    if kind.ground == "news":
        return tinted(float(rng.uniform(190, 245)), tint), tinted(float(rng.uniform(10, 70)), tint)
    if kind.ground == "thermal":
        level = float(rng.uniform(215, 255))
        return tinted(level, tint), tinted(float(rng.uniform(10, level - 80)), draw_tint(rng, 0.25))
    if kind.ground == "screen":
        if rng.random() < DARK_SCREEN_SHARE:
            return tinted(float(rng.uniform(10, 50)), tint), tinted(float(rng.uniform(170, 245)), tint)
        return tinted(float(rng.uniform(238, 255)), tint), tinted(float(rng.uniform(0, 90)), tint)
    level = float(rng.uniform(15, 250))
    ink = float(rng.uniform(0, 60)) if level > 130 else float(rng.uniform(190, 255))
    return tinted(level, draw_tint(rng, 0.8)), tinted(ink, draw_tint(rng, 0.2))
