"""Charts as inline SVG, without a library and without a script."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from ..evaluation.metrics import PrecisionRecall
from .sizes import Share

WIDTH, HEIGHT = 460, 160  # px
CURVE_SIDE = 320  # px
MOST_POINTS = 400  # of a curve


def recall_bars(shares: Sequence[Share], title: str, link: str) -> str:
    """A bar for each size, as high as its recall; each leads to `link`-<number>, where its cases are."""
    wide = WIDTH / max(len(shares), 1)
    parts = [f'<text x="0" y="12">{escape(title)}</text>']
    for number, share in enumerate(shares):
        tall, x = HEIGHT * (share.recall or 0.0), number * wide
        told = f"{span(share)}: {share.found} of {share.regions} found"
        parts.append(
            f'<a href="#{link}-{number}"><rect x="{x:.1f}" y="{20 + HEIGHT - tall:.1f}" width="{wide - 4:.1f}" '
            f'height="{tall:.1f}"><title>{told}</title></rect></a>'
        )
        if share.recall is not None:
            parts.append(f'<text x="{x:.1f}" y="{16 + HEIGHT - tall:.1f}">{share.recall:.2f}</text>')
        parts.append(f'<text x="{x:.1f}" y="{36 + HEIGHT}">{span(share)}</text>')
        parts.append(f'<text x="{x:.1f}" y="{50 + HEIGHT}">of {share.regions}</text>')
    parts.append(f'<line x1="0" y1="{20 + HEIGHT}" x2="{WIDTH}" y2="{20 + HEIGHT}"/>')
    return _svg(WIDTH + 20, HEIGHT + 60, title, parts)


def precision_recall_chart(curve: PrecisionRecall) -> str:
    """Precision over recall, from the detection of highest score on; the end of the curve is marked."""
    title = "precision (up) over recall (right), 0 to 1"
    side = CURVE_SIDE
    frame = f"M0 20V{20 + side}H{side}"
    parts = [f'<text x="0" y="12">{title}</text>', f'<path class="axis" d="{frame}"/>']
    if len(curve.score):
        chosen = np.unique(np.linspace(0, len(curve.score) - 1, MOST_POINTS).astype(int))
        points = [
            f"{side * curve.recall[place]:.1f} {20 + side * (1 - curve.precision[place]):.1f}" for place in chosen
        ]
        parts.append(f'<path d="M{"L".join(points)}"/>')
        x, y = points[-1].split()
        told = f"all that is detected: precision {curve.precision[-1]:.3f}, recall {curve.recall[-1]:.3f}"
        parts.append(f'<circle cx="{x}" cy="{y}" r="4"><title>{told}</title></circle>')
    return _svg(side + 20, side + 40, title, parts)


def span(share: Share) -> str:
    """8 to 12."""
    return f"{share.low:g} and more" if share.high is None else f"{share.low:g} to {share.high:g}"


def _svg(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    head = f'<svg width="{width}" height="{height}" role="img"><title>{escape(title)}</title>'
    return "\n".join([head, *parts, "</svg>"])
