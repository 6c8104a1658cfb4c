"""Formatting that several messages need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

STEERING = (
    *range(0x20),  # C0 controls
    *range(0x7F, 0xA0),  # DEL, and C1 controls
    *(0x2028, 0x2029),  # line and paragraph separator
    *(0x200E, 0x200F, 0x061C, *range(0x202A, 0x202F), *range(0x2066, 0x206A)),  # text direction
)
ESCAPED = {sign: ascii(chr(sign))[1:-1] for sign in STEERING}


def count(number: int, noun: str) -> str:
    """`1 image`, `2 images`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def share(some: int, whole: int, noun: str) -> str:
    """`3 of 12 regions (25%)`; only 0 and `whole` are shown as 0% and 100%."""
    percent = 100 * some / whole if whole else 0.0
    if 0 < percent < 1:
        shown = f"{percent:.1g}%" if percent >= 0.1 else "less than 0.1%"
    else:
        shown = f"{min(percent, 99.0) if some < whole else percent:.0f}%"
    return f"{some} of {count(whole, noun)} ({shown})"


def sides(height: int, width: int) -> str:
    """`1280 px wide, 720 high`."""
    return f"{width} px wide, {height} high"


def looked_in(path: Path) -> str:
    """` (looked in /home/me)` after a relative path that does not exist: it may be right from another folder."""
    return "" if path.is_absolute() else f" (looked in {Path.cwd()})"


def as_typed(value: Any) -> str:
    """A value as it would be typed."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{','.join(map(as_typed, value))}]"
    return str(value)


def one_line(text: str, longest: int = 300) -> str:
    """A text from a file as part of a message: made `printable` and cut off if it is long."""
    shown = printable(text[:longest])
    return shown if len(text) <= longest else shown + "…"


def printable(text: str) -> str:
    """Text for a terminal: characters that control it, break the line or change the text direction are escaped.

    A file name may contain any of them. Bytes that are not UTF-8 are escaped too."""
    return text.translate(ESCAPED).encode("utf-8", "backslashreplace").decode("utf-8")
