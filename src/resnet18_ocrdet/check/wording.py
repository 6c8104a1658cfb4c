"""Numbers as the doctor writes them."""

from __future__ import annotations

from resnet18_ocrdet.runtime.messages import count


def share(some: int, whole: int, noun: str) -> str:
    """`3 of 12 regions (25%)`; a share that is not 0 or 1 is never rounded to them."""
    percent = 100 * some / whole if whole else 0.0
    if 0 < percent < 1:
        shown = f"{percent:.1g}%" if percent >= 0.1 else "less than 0.1%"
    else:
        shown = f"{min(percent, 99.0) if some < whole else percent:.0f}%"
    return f"{some} of {count(whole, noun)} ({shown})"
