"""Render a scene. Only painters with a seed in the scene draw random numbers here."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from ...geometry.polygon import clip_to_image, transform
from ...structures import Image, Polygon
from ..geometric import shift
from . import warp
from .background import crop_photo, paint_background
from .colour import GREY, Colour, tinted
from .compose import Scene
from .props import SUBPIXEL_BITS
from .scene import Block, Line, Panel, Word

CURVE_STEPS = 5  # vertices along the top and the bottom of a bent word, 10 in total
CLUTTER_MARGIN = 1.0  # standard deviations of the background that are added to MIN_CONTRAST
MIN_CONTRAST = 30.0
BUSY_DEVIATION = 36.0  # grey levels; that of two halves which differ by 72
RIM_PX = 2  # margin for the outline of a line, image px
SMEAR_PER_HEIGHT = 0.22  # standard deviation of the blur on "smeared" text: strokes run together
MIN_VISIBLE = 0.5  # share of a region in the image; below it the region is don't-care
MIN_PIECE_PX2 = 4.0  # a smaller piece at the border is not labelled


class SceneRegion(NamedTuple):
    """A labelled region and the parts of the scene it shows."""

    polygon: Polygon  # image px, clipped to the image
    ignore: bool
    word: Word
    line: Line
    block: Block


def label_scene(scene: Scene) -> list[SceneRegion]:
    """The labelled regions of a scene, without rendering it."""
    regions = []
    for block in scene.blocks:
        for line in block.lines:
            for word in line.words:
                outline = word_outline(word, block)
                pieces = clip_to_image(outline, scene.height, scene.width)
                visible = cv2.contourArea(pieces[0]) if pieces else 0.0
                if visible >= MIN_PIECE_PX2:
                    cut = visible < MIN_VISIBLE * cv2.contourArea(outline)
                    regions.append(SceneRegion(pieces[0], cut or block.legibility != "clear", word, line, block))
    return regions


def render_scene(scene: Scene, photo: Path | None = None) -> Image:
    """Render the scene, on a photo if one is given; (height, width, 3) RGB."""
    if photo is None:
        image = paint_background(scene.background, scene.height, scene.width)
    else:
        image = crop_photo(scene.background, photo, scene.height, scene.width)
    for prop in scene.props:
        prop.paint(image)
    for block in scene.blocks:
        if block.panel is not None:
            draw_panel(image, block, block.panel)
    bare = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    for block in scene.blocks:
        for line in block.lines:
            _draw_line(image, bare, block, line)
    for change in scene.effects:
        image = change(image)
    return image


def word_outline(word: Word, block: Block, curve_steps: int = CURVE_STEPS) -> Polygon:
    """The (V, 2) polygon around a word's ink in image px: 4 corners, or twice `curve_steps` points along an arc."""
    height, width = word.mask.shape
    steps = 2 if block.bend is None else curve_steps
    x = np.linspace(word.x - 0.5, word.x + width - 0.5, steps)
    upper, lower = (np.stack([x, np.full(steps, y)], 1) for y in (word.y - 0.5, word.y + height - 0.5))
    flat = np.concatenate([upper, lower[::-1]])
    if block.bend is not None:
        flat = warp.bend_points(flat, block.flat_size, block.bend)
    return transform(flat.astype(np.float32), block.to_image)


def draw_panel(image: Image, block: Block, panel: Panel) -> None:
    """Draw the board behind a block."""
    quad = warp.canvas_quad(block.size, block.to_image)
    corners = np.rint(quad * (1 << SUBPIXEL_BITS)).astype(np.int32)
    board = image.copy() if panel.opacity < 1 else image
    cv2.fillConvexPoly(board, corners, panel.colour, cv2.LINE_AA, SUBPIXEL_BITS)
    if panel.border:
        cv2.polylines(board, [corners], True, panel.rim, panel.border, cv2.LINE_AA, SUBPIXEL_BITS)
    if panel.opacity < 1:
        cv2.addWeighted(board, panel.opacity, image, 1 - panel.opacity, 0, image)


def _draw_line(image: Image, bare: MatLike, block: Block, line: Line) -> None:
    """Draw the words of a line. bare: the grey image without text."""
    canvas, matrix = _line_canvas(block, line)
    quad = warp.canvas_quad((canvas.shape[1], canvas.shape[0]), matrix)
    tallest = max(len(word.mask) for word in line.words) * block.scale
    smear = SMEAR_PER_HEIGHT * tallest if block.legibility == "smeared" else 0.0
    margin = RIM_PX + math.ceil(3 * smear)
    low = np.maximum(np.floor(quad.min(axis=0)).astype(int) - margin, 0)
    high = np.minimum(np.ceil(quad.max(axis=0)).astype(int) + margin + 1, (image.shape[1], image.shape[0]))
    if (high <= low).any():
        return
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    mask = warp.warp_mask(canvas, shift(-low[0], -low[1]) @ matrix, size)
    if smear:
        mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), smear), np.uint8)
    box = (slice(low[1], high[1]), slice(low[0], high[0]))
    if block.legibility == "faint":
        # the background's colour, slightly lighter or darker: another hue of that luminance would be readable
        step = line.contrast if line.lighter else -line.contrast
        red, green, blue, _ = (min(max(round(part + step), 0), 255) for part in cv2.mean(image[box], mask=mask))
        blend(image[box], mask, (red, green, blue))
        return
    ink, rim, busy = choose_levels(bare[box], mask, line, block)
    if line.outline or busy:
        wider = cv2.dilate(mask, np.ones((3, 3), np.uint8))
        blend(image[box], wider, tinted(rim, GREY))
    blend(image[box], mask, tinted(ink, line.tint))


def _line_canvas(block: Block, line: Line) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The line's mask on its strip of the canvas, bent if needed, and the (3, 3) matrix of the strip."""
    top, bottom = 0, block.flat_size[1]
    if block.bend is None:  # bending needs the whole canvas
        top = min(word.y for word in line.words)
        bottom = max(word.y + len(word.mask) for word in line.words)
    canvas = np.zeros((bottom - top, block.flat_size[0]), np.uint8)
    for word in line.words:
        tall, wide = word.mask.shape
        canvas[word.y - top : word.y - top + tall, word.x : word.x + wide] = word.mask
    if block.bend is not None:
        return warp.bend_mask(canvas, block.bend), block.to_image
    return canvas, block.to_image @ shift(0, top)


def choose_levels(bare: MatLike, mask: MatLike, line: Line, block: Block) -> tuple[float, float, bool]:
    """Luminance of the text and of its outline, on both sides of the background, so that the line stands out.

    The last value tells whether the background varies so much that the text needs the outline."""
    near = cv2.dilate(mask, np.ones((5, 5), np.uint8))
    mean_array, deviation_array = cv2.meanStdDev(bare, mask=near)
    mean, deviation = float(mean_array[0, 0]), float(deviation_array[0, 0])
    contrast = line.contrast
    if block.legibility == "clear":
        contrast = max(contrast, MIN_CONTRAST + CLUTTER_MARGIN * deviation)
    side = 1.0 if line.lighter else -1.0
    room = 255.0 - mean if line.lighter else mean
    if room < contrast and room < 127.5:
        side = -side
    ink = min(max(mean + side * contrast, 0.0), 255.0)
    rim = min(max(mean - side * contrast, 0.0), 255.0)
    return ink, rim, block.legibility == "clear" and deviation > BUSY_DEVIATION


def blend(patch: Image, mask: MatLike, colour: Colour) -> None:
    """Blend a colour into a part of the image. mask: opacity 0..255."""
    ink = cv2.merge([cv2.convertScaleAbs(mask, alpha=part / 255) for part in colour])
    rest = cv2.multiply(patch, cv2.merge([cv2.bitwise_not(mask)] * 3), scale=1 / 255)
    cv2.add(ink, rest, patch)
