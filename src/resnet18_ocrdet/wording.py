"""Pieces of sentences that several messages need."""

from __future__ import annotations

from pathlib import Path


def count(number: int, noun: str) -> str:
    """`1 image`, `2 images`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def sides(height: int, width: int) -> str:
    """`1280 px wide, 720 high`: said so that nobody takes one side for the other."""
    return f"{width} px wide, {height} high"


def looked_in(path: Path) -> str:
    """` (looked in /home/me)` behind a relative path that is not there: it may be right, but from another folder."""
    return "" if path.is_absolute() else f" (looked in {Path.cwd()})"


def one_line(text: str, longest: int = 300) -> str:
    """A text from a file as part of a message: what cannot be printed is shown as in Python, the rest is cut off."""
    shown = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text[:longest])
    return shown if len(text) <= longest else shown + "…"
