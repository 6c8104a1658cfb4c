"""What the layouts of one part draw from, and the frame of every page."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from random import Random

from .corpus import Corpus
from .html_pages import Sheet
from .packages import Font

CHINESE = "chinese"
_BREAKABLE = re.compile(r"[^\s<]*[-/–][^\s<]*")


class Part:
    """Texts and fonts of one part of the set."""

    def __init__(self, fonts: Sequence[Font], corpus: Corpus) -> None:
        """fonts: those of the part."""
        self.corpus = corpus
        self._families: dict[str, list[str]] = {}
        for font in fonts:
            self._families.setdefault(font.role, []).append(font.family)

    def font(self, rng: Random, *roles: str) -> str:
        """A font-family of CSS, drawn from these roles; Chinese characters and missing signs have fonts too."""
        family = rng.choice([family for role in roles for family in self._families[role]])
        others = [self._families[role][0] for role in ("sans", CHINESE)]
        return ", ".join(f"'{name}'" for name in dict.fromkeys([family, *others]))


def escape(text: str) -> str:
    """Text as HTML in which no line ends inside a word."""
    return _BREAKABLE.sub(r"<span style='white-space: nowrap'>\g<0></span>", html.escape(text))


def sheet(body: str, css: str, width: int, height: int, scale: float = 1.0) -> Sheet:
    """A page without margins of its own."""
    style = (
        f"* {{ box-sizing: border-box; }} body {{ margin: 0; width: {width}px; height: {height}px; overflow: hidden; "
    )
    style += f"position: relative; line-height: 1.3; }} {css}"
    head = f"<meta charset=utf-8><style>{style}</style>"
    return Sheet(f"<!DOCTYPE html><html lang=en><head>{head}</head><body>{body}</body></html>", width, height, scale)
