"""Pages for people: one HTML file that needs no other, no script and no network."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from html import escape
from pathlib import Path

STYLE = """
:root { color-scheme: light dark; --line: #8886; --soft: #8882; --error: #c62828; --warning: #b26a00;
  --repair: #1565c0; --info: #607d8b; }
@media (prefers-color-scheme: dark) { :root {
  --error: #ff7b72; --warning: #f0b341; --repair: #79b8ff; --info: #a8b8c0; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; border-top: 1px solid var(--line);
  padding-top: 1rem; }
table { border-collapse: collapse; margin: 1rem 0; } th, td { padding: .25rem .75rem; text-align: left;
  border-bottom: 1px solid var(--line); vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
code { background: var(--soft); padding: .1rem .3rem; border-radius: .2rem; overflow-wrap: anywhere; }
.error { color: var(--error); } .warning { color: var(--warning); } .repair { color: var(--repair); }
.info { color: var(--info); }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; } figure { margin: 0; max-width: calc(50% - .5rem); }
figure img { max-width: 100%; display: block; } figcaption { font-size: .85rem; overflow-wrap: anywhere; }
ul { padding-left: 1.2rem; } li { overflow-wrap: anywhere; }
svg text { fill: currentColor; font: 11px system-ui, sans-serif; } svg rect { fill: #4a90d9; }
svg line { stroke: currentColor; } svg path { stroke: #4a90d9; fill: none; stroke-width: 2; }
svg .axis { stroke: currentColor; stroke-width: 1; }
svg .limit { stroke: #e53935; stroke-dasharray: 4 3; }
""".strip()


def write_page(path: Path, title: str, parts: Iterable[str]) -> None:
    """Write a page of these parts, in HTML, below its title, plain text. Raises OSError."""
    head = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>",
        f"<h1>{escape(title)}</h1>",
    ]
    path.write_text(_clean("\n".join([*head, *parts, "</body>\n</html>"])) + "\n", encoding="utf-8")


def figure(jpeg: bytes, caption: str, more: str = "") -> str:
    """A picture within the page. caption: plain text, which stands for the picture too; more: plain text beside it."""
    data, told = base64.b64encode(jpeg).decode("ascii"), escape(caption)
    return (
        f'<figure><img alt="{told}" src="data:image/jpeg;base64,{data}">'
        f"<figcaption>{told}{escape(more)}</figcaption></figure>"
    )


def anchor(name: str) -> str:
    """The name of a place on the page, for links to it."""
    return name.replace(" ", "-")


def table(heads: Iterable[str], rows: Iterable[Iterable[object]], numbers: Iterable[int] = ()) -> str:
    """Cells are HTML. numbers: the columns, from 0, that are set to the right."""
    right = set(numbers)

    def line(tag: str, cells: Iterable[object]) -> str:
        openings = ((f'{tag} class="number"' if column in right else tag, cell) for column, cell in enumerate(cells))
        return "".join(f"<{opening}>{cell}</{tag}>" for opening, cell in openings)

    body = "\n".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    return f"<table>\n<tr>{line('th', heads)}</tr>\n{body}\n</table>"


def _clean(text: str) -> str:
    """Text of which every sign can be written: bytes of file names that are no UTF-8 become replacement signs."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
