"""Pages with known words, drawn by Pillow, for several test files."""

from __future__ import annotations

import cv2
import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from resnet18_ocrdet.structures import Polygon

TEXT = """
Invoice Total Payment received Thank you Street Station Platform Exit Welcome Garden Library Museum Hotel
Coffee Bakery Market River Bridge Monday Friday January October quality service customer number address
delivery order account balance discount subtotal receipt return policy within thirty days original packaging
required please contact support between hours 08:30 17:45 2024 1,299.00 $12.90 45% No.7 A-113 fragile handle
with care
"""


def draw_word(page: PIL.Image.Image, text: str, x: float, y: float, size: int, color: str = "black") -> Polygon:
    """Write a word with its top-left at (x, y), px; size: px per em. Returns its quad, with a margin."""
    pen, font = PIL.ImageDraw.Draw(page), PIL.ImageFont.load_default(size)
    pen.text((x, y), text, fill=color, font=font)
    left, top, right, bottom = pen.textbbox((x, y), text, font=font)
    edge = size / 6
    corners = [[left, top], [right, top], [right, bottom], [left, bottom]]
    return np.array(corners, np.float32) + np.array([[-edge, -edge], [edge, -edge], [edge, edge], [-edge, edge]])


def written_page(seed: int) -> tuple[np.ndarray, list[Polygon], list[str]]:
    """A page with lines of 18 to 40 px per em, slanted by up to 5° if the seed is odd: the image, (1000, 1200, 3), and
    the quads and texts of its words."""
    rng = np.random.default_rng(seed)
    ground, ink = (("white", "black"), ("#f4ecd8", "#402010"), ("#203050", "white"))[seed % 3]
    page = PIL.Image.new("RGB", (1200, 1000), ground)
    quads, texts, y = list[Polygon](), list[str](), 100.0
    while y < 880:
        size, x = int(rng.integers(18, 41)), 120.0
        while x < 900:
            text = str(rng.choice(TEXT.split()))
            quads.append(draw_word(page, text, x, y, size, ink))
            texts.append(text)
            x = float(quads[-1][1, 0]) + size / 2
        y += 2.2 * size
    turn = cv2.getRotationMatrix2D((600, 500), float(rng.uniform(-5, 5)) if seed % 2 else 0.0, 1.0)
    border = PIL.ImageColor.getrgb(ground)[:3]
    image = cv2.warpAffine(np.asarray(page), turn, page.size, flags=cv2.INTER_CUBIC, borderValue=border)
    return image, [np.float32(quad @ turn[:, :2].T + turn[:, 2]) for quad in quads], texts
