"""The kinds of pages made by the browser: ten of each in both parts, from different seeds, texts and fonts."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from . import camera, lettering, paper, screen
from .html_pages import Sheet
from .page import Page
from .part import Part

PAGES = 10  # of a kind in a part


class Kind(NamedTuple):
    """How the pages of a kind are made."""

    layout: Callable[[Random, Part], Sheet]
    finish: Callable[[Page, Random, int], Page] = lambda page, rng, number: page  # after the browser


KINDS = {
    "page_tilted": Kind(paper.page, camera.tilted),
    "chat": Kind(screen.chat),
    "receipt": Kind(paper.receipt),
    "receipt_photo": Kind(paper.large_receipt, camera.photographed),
    "table": Kind(paper.table),
    "newspaper": Kind(paper.newspaper),
    "small_text": Kind(screen.small_text),
    "screenshot": Kind(screen.screenshot),
    "chinese": Kind(paper.chinese),
    "chinese_vertical": Kind(paper.chinese_vertical),
    "curved": Kind(lettering.curved),
    "large_word": Kind(lettering.large_word),
    "slide": Kind(paper.slide),
    "form": Kind(paper.form),
    "sign": Kind(lettering.sign),
}
