"""How much the letters of a face look like those of most faces for text: fonts of pictures and puzzles do not."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ..fonts import Face
from ..glyphs import INK_LEVEL
from .lettering import Font, put

LETTERS = "aegnosRS"
SIZE = 48  # px per em
CELLS = 24  # sides of a letter's shape
SOFTNESS = 1.5  # cells; serifs and weights then matter little

Shapes = NDArray[np.float32]
"""(letters, CELLS, CELLS), each of mean 0 and norm 1; 0 for a letter without ink."""


def usual_shapes(faces: Sequence[Face]) -> Shapes:
    """The mean shapes of the letters of some faces."""
    return _normed(np.mean([_shapes(face) for face in faces], axis=0))


def resemblance(face: Face, usual: Shapes) -> float:
    """Mean correlation of a face's letters with the usual ones, -1..1."""
    return float((_shapes(face) * usual).sum(axis=(1, 2)).mean())


def _shapes(face: Face) -> Shapes:
    """The letters of a face, stretched to the same box."""
    return _normed(np.stack([_shape(face, letter) for letter in LETTERS]))


def _shape(face: Face, letter: str) -> Shapes:
    canvas = np.zeros((4 * SIZE, 4 * SIZE), np.uint8)
    put(canvas, letter, SIZE, 5 * SIZE // 2, Font(face, SIZE))
    _, ink = cv2.threshold(canvas, INK_LEVEL, 255, cv2.THRESH_BINARY)
    left, top, width, height = cv2.boundingRect(ink)
    if not width:
        return np.zeros((CELLS, CELLS), np.float32)
    letter_box = canvas[top : top + height, left : left + width]
    small = cv2.resize(letter_box, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), SOFTNESS), np.float32)


def _normed(shapes: NDArray[np.floating]) -> Shapes:
    centred = shapes - shapes.mean(axis=(1, 2), keepdims=True)
    norms = np.linalg.norm(centred, axis=(1, 2), keepdims=True)
    return np.asarray(centred / np.maximum(norms, 1e-6), np.float32)
