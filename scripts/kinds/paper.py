"""Layouts of printed paper: pages, newspapers, tables, forms, receipts, slides, Chinese."""

from __future__ import annotations

from random import Random

from .corpus import date, phone, price, time
from .html_pages import Sheet
from .part import CHINESE, Part, escape, sheet

INKS = ("#000", "#111", "#222", "#1a1a2e", "#333")
PAPERS = ("#fff", "#fff", "#fdfdf8", "#f6f4ec", "#f4f4f4")


def page(rng: Random, part: Part) -> Sheet:
    """A page of a book or a report: headings, paragraphs, a list, a page number."""
    text, size = part.corpus, rng.randint(19, 25)
    items = "".join(f"<li>{escape(text.sentence(rng))}</li>" for _ in range(rng.randint(3, 5)))
    parts = [f"<h1>{escape(text.title(rng, 2, 5))}</h1>"]
    for number in range(3):
        parts.append(f"<h2>{number + 1}.{rng.randint(1, 9)} {escape(text.title(rng))}</h2>")
        parts.append(f"<p>{escape(text.paragraph(rng, 60))}</p>")
    body = "".join(parts) + f"<ul>{items}</ul><footer>{rng.randint(1, 400)}</footer>"
    css = (
        f"body {{ padding: 110px 120px; font: {size}px {part.font(rng, 'serif', 'sans')}; color: {rng.choice(INKS)}; "
        f"background: {rng.choice(PAPERS)}; text-align: {rng.choice(('left', 'justify'))}; }} "
        "footer { position: absolute; bottom: 50px; left: 0; right: 0; text-align: center; } ul { list-style: none; }"
    )
    return sheet(body, css, 1240, 1754)


def newspaper(rng: Random, part: Part) -> Sheet:
    """A page of more than 1,500 words in narrow columns."""
    text, columns = part.corpus, rng.randint(4, 6)
    head = f"<h1>{escape(text.title(rng, 2, 3))}</h1><div class=line>{date(rng)} &nbsp; No. {rng.randint(1, 900)}</div>"
    body = "".join(f"<section>{_column(rng, part, 1650 // columns)}</section>" for _ in range(columns))
    css = (
        f"body {{ padding: 40px; font: {rng.randint(15, 17)}px/1.2 {part.font(rng, 'serif')}; background: #f1eee6; "
        "color: #1c1c1c; } h1 { font-size: 80px; margin: 0; text-align: center; } p { margin: 4px 0 12px; } "
        ".line { border: solid #444; border-width: 2px 0; padding: 4px; margin: 10px 0; text-align: center; } "
        "main { display: flex; text-align: justify; } h3 { font-size: 24px; line-height: 1; margin: 6px 0; } "
        "section { flex: 1 1 0; min-width: 0; padding: 0 10px; border-left: 1px solid #999; } h3 { text-align: left; }"
    )
    return sheet(f"{head}<main>{body}</main>", css, 1400, 1900)


def _column(rng: Random, part: Part, words: int) -> str:
    """Articles of at least so many words."""
    articles: list[str] = []
    count = 0
    while count < words:
        story = part.corpus.paragraph(rng, rng.randint(30, 60))
        count += len(story.split())
        heading = f"<h3>{escape(part.corpus.title(rng, 2, 4))}</h3>" if rng.random() < 0.4 or not articles else ""
        articles.append(f"{heading}<p>{escape(story)}</p>")
    return "".join(articles)


def table(rng: Random, part: Part) -> Sheet:
    """A table of single digits, with a line of headings and a column of names."""
    rows, columns, text = rng.randint(10, 18), rng.randint(7, 13), part.corpus
    head = "".join(f"<th>{chr(65 + column)}</th>" for column in range(columns))
    lines = "".join(
        f"<tr><td>{escape(text.word(rng, 3, 9))}</td>"
        + "".join(f"<td>{rng.randint(0, 9)}</td>" for _ in range(columns))
        + "</tr>"
        for _ in range(rows)
    )
    border = rng.choice(("1px solid #888", "1px solid #ccc", "0"))
    css = (
        f"body {{ padding: 30px; font: {rng.randint(16, 24)}px {part.font(rng, 'sans', 'serif', 'mono')}; "
        f"background: #fff; color: {rng.choice(INKS)}; }} table {{ border-collapse: collapse; }} "
        f"td, th {{ border: {border}; padding: 5px 20px; text-align: center; }} "
        f"tr:nth-child(even) {{ background: {rng.choice(('#fff', '#f2f2f2', '#e8eef8'))}; }}"
    )
    return sheet(f"<table><tr><th></th>{head}</tr>{lines}</table>", css, 1100, 800)


def form(rng: Random, part: Part) -> Sheet:
    """Labels, fields with values, boxes to tick, a field of single characters."""
    text, values = part.corpus, (date, phone, price, lambda rng: part.corpus.title(rng, 1, 2))
    fields = "".join(
        f"<div class=row><label>{escape(text.title(rng, 1, 2))}{rng.choice((':', '', '*'))}</label>"
        f"<div class=field>{escape(rng.choice(values)(rng)) if rng.random() < 0.8 else ''}</div></div>"
        for _ in range(rng.randint(10, 14))
    )
    ticks = "".join(f"<span class=tick></span>{escape(text.word(rng, 3, 10))} &nbsp; " for _ in range(4))
    cells = "".join(f"<span class=cell>{rng.randint(0, 9)}</span>" for _ in range(rng.randint(6, 10)))
    body = f"<h2>{escape(text.title(rng, 2, 4))}</h2>{fields}<p>{ticks}</p><p>{cells}</p>"
    css = (
        f"body {{ padding: 40px 60px; font: {rng.randint(16, 21)}px {part.font(rng, 'sans')}; background: "
        f"{rng.choice(PAPERS)}; color: #111; }} .row {{ display: flex; margin: 9px 0; }} label {{ width: 300px; }} "
        f".field {{ flex: 1; border: 1px solid #777; min-height: 1.9em; padding: 4px 8px; font-family: "
        f"{part.font(rng, 'mono', 'sans')}; color: #1c2f6b; }} .tick {{ display: inline-block; width: "
        "16px; height: 16px; "
        "border: 1px solid #333; margin-right: 8px; } .cell { display: inline-block; width: 36px; height: 40px; "
        "line-height: 38px; border: 1px solid #777; text-align: center; }"
    )
    return sheet(body, css, 1000, 1100)


def receipt(rng: Random, part: Part) -> Sheet:
    """A receipt of a shop, in the ink of a thermal printer."""
    return _receipt(rng, part, 1.0)


def large_receipt(rng: Random, part: Part) -> Sheet:
    """The same at twice the size, to be photographed."""
    return _receipt(rng, part, 2.0)


def _receipt(rng: Random, part: Part, scale: float) -> Sheet:
    text, grey = part.corpus, rng.randint(20, 120)
    items = "".join(
        f"<tr><td>{rng.randint(1, 4)}{rng.choice((' x', 'x', ''))}</td><td>{escape(text.title(rng, 1, 2)).upper()}</td>"
        f"<td class=right>{price(rng, 60)}</td></tr>"
        for _ in range(rng.randint(6, 14))
    )
    total = f"<table><tr><th>TOTAL</th><th class=right>{price(rng)}</th></tr><tr><td>VAT {rng.randint(5, 25)}%</td>"
    total += f"<td class=right>{price(rng, 20)}</td></tr></table>"
    body = (
        f"<h2>{escape(text.title(rng, 1, 2)).upper()}</h2><center>{rng.randint(1, 99)} {escape(text.title(rng, 1, 2))}"
        f"<br>TEL {phone(rng)}<br>{date(rng)} {time(rng)}</center><hr><table>{items}</table><hr>{total}<hr>"
        f"<center>{escape(text.title(rng, 2, 4))}<br>No. {rng.randint(10**5, 10**8)}</center>"
    )
    css = (
        f"body {{ padding: 24px 20px; font: {rng.randint(15, 19)}px {part.font(rng, 'mono')}; background: "
        f"{rng.choice(('#fff', '#fafafa', '#f4f3ee'))}; color: rgb({grey},{grey},{grey + 10}); }} "
        "h2 { text-align: center; margin: 4px; } table { width: 100%; border-collapse: collapse; } "
        "hr { border: 0; border-top: 2px dashed; } td { vertical-align: top; padding: 2px 3px; } "
        ".right { text-align: right; } th { font-size: 1.3em; text-align: left; }"
    )
    return sheet(body, css, 420, 800, scale)


def slide(rng: Random, part: Part) -> Sheet:
    """A title and points in large letters."""
    text, dark = part.corpus, rng.random() < 0.5
    points = "".join(f"<li>{escape(text.title(rng, 3, 7))}</li>" for _ in range(rng.randint(4, 6)))
    foot = f"<footer><span>{escape(text.title(rng, 2, 3))}</span><span>{rng.randint(1, 60)} / 60</span></footer>"
    colours = ("#f3f3f3", f"hsl({rng.randint(0, 359)},45%,20%)") if dark else ("#222", "#fff")
    css = (
        f"body {{ padding: 60px 80px; font: {rng.randint(30, 40)}px {part.font(rng, 'sans', 'display')}; color: "
        f"{colours[0]}; background: {colours[1]}; }} h1 {{ font-size: 1.7em; color: hsl({rng.randint(0, 359)},60%,"
        f"{65 if dark else 35}%); }} li {{ margin: 14px 0; }} footer {{ position: absolute; left: 80px; right: 80px; "
        "bottom: 24px; font-size: 16px; display: flex; justify-content: space-between; }"
    )
    return sheet(f"<h1>{escape(text.title(rng, 2, 5))}</h1><ul>{points}</ul>{foot}", css, 1280, 720)


def chinese(rng: Random, part: Part) -> Sheet:
    """27 lines of Chinese, which have no spaces."""
    lines = "".join(f"<div>{escape(part.corpus.chinese(rng, rng.randint(8, 24)))}</div>" for _ in range(27))
    css = (
        f"body {{ padding: 40px; font: {rng.randint(20, 32)}px/1.6 {part.font(rng, CHINESE)}; color: "
        f"{rng.choice(INKS)}; "
        f"background: {rng.choice(PAPERS)}; white-space: nowrap; }}"
    )
    return sheet(lines, css, 900, 1480)


def chinese_vertical(rng: Random, part: Part) -> Sheet:
    """Columns of Chinese, read from right to left, without punctuation."""
    size, columns = rng.randint(24, 34), rng.randint(6, 12)
    signs = str.maketrans("", "", "，、；：。！？")
    lines = "".join(
        f"<div data-word>{escape(part.corpus.chinese(rng, rng.randint(6, 15)).translate(signs))}</div>"
        for _ in range(columns)
    )
    css = (
        f"body {{ padding: 40px; font: {size}px/{rng.choice((1.05, 1.2))} {part.font(rng, CHINESE)}; color: "
        f"{rng.choice((*INKS, '#7a1111'))}; background: {rng.choice(PAPERS)}; display: flex; "
        "flex-direction: row-reverse; "
        f"gap: {rng.randint(14, 30)}px; align-items: start; }} div {{ width: 1em; word-break: break-all; }}"
    )
    return sheet(lines, css, 860, 700)
