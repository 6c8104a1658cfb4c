"""Parses a page; fails on unbalanced tags."""

from __future__ import annotations

import re
from html.parser import HTMLParser

EMPTY_TAGS = {"meta", "img"}


class Page(HTMLParser):
    """All tags with their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in EMPTY_TAGS:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def tags(self) -> set[str]:
        return {tag for tag, _ in self.seen}

    @property
    def addresses(self) -> list[str]:
        return [str(attrs[name]) for _, attrs in self.seen for name in ("src", "href") if name in attrs]

    def is_self_contained(self) -> bool:
        """No script, no external resource, and every link leads to an element of the page."""
        targets = {attrs.get("id") for _, attrs in self.seen}
        inside = [re.match(r"data:image/jpeg;base64,", place) or place[1:] in targets for place in self.addresses]
        return all(inside) and not self.tags & {"script", "link", "iframe", "object", "embed", "base", "form"}
