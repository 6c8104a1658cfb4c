"""Layouts of screens: chats, programs, small text."""

from __future__ import annotations

from random import Random

from .corpus import date, time
from .html_pages import Sheet
from .part import Part, escape, sheet


def chat(rng: Random, part: Part) -> Sheet:
    """Messages in 16 px and low contrast."""
    text, bubbles = part.corpus, []
    for _ in range(24):
        side, words = rng.choice(("left", "right")), rng.randint(3, 22)
        said = escape(" ".join(text.paragraph(rng, words).split()[:words]))
        bubbles.append(f"<div class='bubble {side}'>{said} <small>{time(rng)}</small></div>")
    hue, light = rng.randint(0, 359), rng.randint(78, 93)
    grey = light - rng.randint(28, 38)  # low contrast
    css = (
        f"body {{ font: 16px {part.font(rng, 'sans')}; background: hsl({hue},18%,{light - 3}%); color: "
        f"hsl({hue},12%,{grey}%); }} header {{ padding: 14px; background: hsl({hue},25%,{light - 8}%); }} "
        f".bubble {{ max-width: 76%; margin: 8px 12px; padding: 8px 12px; border-radius: 14px; width: fit-content; }} "
        f".left {{ background: hsl({hue},14%,{light}%); }} .right {{ margin-left: auto; "
        f"background: hsl({(hue + 80) % 360},24%,{light - 2}%); }} small {{ font-size: 12px; }}"
    )
    head = f"<header>{escape(text.title(rng, 1, 2))}</header>"
    return sheet(head + "".join(bubbles), css, rng.choice((414, 480, 640)), 860)


def screenshot(rng: Random, part: Part) -> Sheet:
    """A program: menus, buttons and tabs close to each other, a list, an open menu over it."""
    text, size, dark = part.corpus, rng.randint(12, 15), rng.random() < 0.4
    menu = "".join(f"<span>{escape(text.title(rng, 1, 1))}</span>" for _ in range(9))
    buttons = "".join(f"<button>{escape(text.title(rng, 1, 2))}</button>" for _ in range(8))
    tabs = "".join(f"<span>{escape(text.word(rng, 3, 9))}.{rng.choice(('txt', 'py', 'md'))}</span>" for _ in range(5))
    tree = "".join(f"<div>{escape(text.title(rng, 1, 2))}</div>" for _ in range(22))
    rows = "".join(
        f"<tr><td>{escape(text.word(rng, 4, 12))}_{rng.randint(1, 99)}</td><td>{date(rng)}</td>"
        f"<td>{rng.randint(1, 900)} kB</td><td>{escape(text.title(rng, 2, 4))}</td></tr>"
        for _ in range(18)
    )
    popup = "".join(
        f"<div><span>{escape(text.title(rng, 1, 2))}</span><i>Ctrl+{chr(65 + rng.randint(0, 25))}</i></div>"
        for _ in "1234567"
    )
    body = (
        f"<nav>{menu}</nav><div class=bar>{buttons}</div><div class=main><aside>{tree}</aside><section><div class=tabs>"
        f"{tabs}</div><table>{rows}</table></section></div><div class=popup>{popup}</div>"
        f"<footer>{rng.randint(1, 99)} files, {rng.randint(1, 9)} selected</footer>"
    )
    ink, ground, panel = ("#ddd", "#1f2227", "#2b2f36") if dark else ("#222", "#fff", "#eceef1")
    css = (
        f"body {{ font: {size}px {part.font(rng, 'sans')}; color: {ink}; background: {ground}; }} nav, "
        ".bar, .tabs, footer "
        f"{{ background: {panel}; padding: 4px; white-space: nowrap; }} nav span {{ padding: 2px 5px; }} "
        f"button {{ font: "
        f"inherit; color: {ink}; background: {ground}; border: 1px solid #888; padding: 2px 6px; margin: "
        f"0 2px; }} .main "
        f"{{ display: flex; }} aside {{ width: 190px; background: {panel}; padding: 6px; height: 640px; }} section {{ "
        f"flex: 1; }} .tabs span {{ border-right: 1px solid #888; padding: 2px 6px; }} td {{ padding: 3px 8px; "
        f"white-space: nowrap; }} .popup {{ position: absolute; left: {rng.randint(20, 300)}px; top: "
        "28px; width: 260px; "
        f"background: {panel}; border: 1px solid #777; padding: 5px; }} .popup div {{ display: flex; justify-content: "
        "space-between; padding: 2px 8px; } i { font-style: normal; } footer { position: absolute; "
        "bottom: 0; width: 100%; }"
    )
    return sheet(body, css, 1280, 760)


def small_text(rng: Random, part: Part) -> Sheet:
    """Paragraphs in 8, 9, 10 and 12 px."""
    parts = "".join(
        f"<p style='font-size: {size}px'>{escape(part.corpus.paragraph(rng, 45))}</p>" for size in (8, 9, 10, 12)
    )
    css = (
        f"body {{ padding: 20px; font-family: {part.font(rng, 'sans', 'serif')}; color: #222; background: "
        f"{rng.choice(('#fff', '#f5f5f5', '#eef'))}; }}"
    )
    return sheet(parts, css, rng.choice((480, 640)), 280)
