"""Pages of Chinese or Japanese set in columns, from right to left."""

from __future__ import annotations

from .draft import Draft
from .lettering import Font
from .sheet import Box


def draw_columns(draft: Draft) -> None:
    """Columns of text, each cut at the blanks between its parts; some pages have rules and a title."""
    frame = draft.frame(draft.em(2))
    font = draft.font()
    pitch = draft.em(draft.real(1.35, 2.4))
    ruled, framed = draft.chance(0.3), draft.chance(0.2)
    right = frame.right
    if framed:
        draft.sheet.outline(frame.inset(-draft.em(0.6)), draft.ink, 2)
    if draft.chance(0.5):
        title = Font(draft.faces.bold, round(draft.real(1.4, 2.4) * font.size))
        text = draft.run(draft.whole(2, 8))
        top = frame.top + draft.whole(0, draft.em(4))
        draft.sheet.write_down(text, right - title.size, top, title, draft.ink, frame.bottom)
        right -= round(1.8 * title.size)
    indent = draft.whole(0, 2)
    fresh = True
    spacing = draft.em(draft.real(1.0, 1.25))
    for left in range(right - font.size, frame.left, -pitch):
        y = frame.top + (indent * font.size if fresh else 0)
        fresh = draft.chance(0.2)
        stop = frame.top + round(draft.real(0.2, 0.95) * frame.height) if fresh else frame.bottom
        while y + font.size <= stop:
            count = max(1, (stop - y) // spacing)
            if draft.chance(0.25):
                count = min(count, draft.whole(2, 9))
            text = draft.run(count)
            y = draft.sheet.write_down(text, left, y, font, draft.ink, stop, spacing) + draft.em(1)
        if ruled:
            x = left - (pitch - font.size) // 2
            draft.sheet.fill(Box(x, frame.top, x + 1, frame.bottom), draft.ink)
