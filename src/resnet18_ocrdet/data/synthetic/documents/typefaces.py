"""The faces of a document: a family for its text, and faces for what is typed, written by hand or displayed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from ..fonts import BUILT_IN, Face, Fonts, Script
from .lettering import Font, advance, put

Family = tuple[Face, ...]

TEXT_STYLES = 3  # a family with so many styles is made for running text; handwriting and display faces have one or two
REGULAR, BOLD = 400, 700
STYLE_WEIGHTS = {"thin": 100, "light": 300, "medium": 500, "semi": 600, "demi": 600, "bold": BOLD, "black": 900}
SLANTED = ("italic", "oblique")
UNUSABLE = ("keyboard", "initials")  # families whose letters are pictures
TEST_SIZE = 40  # px per em, to compare advances
SMALL_SIZE, FAINTEST = 14, 150  # a face whose strokes are fainter at this size, px per em and 0..255, is too thin


class Typefaces(NamedTuple):
    """The families that documents use."""

    text: tuple[Family, ...]
    mono: tuple[Family, ...]  # letters of one width
    display: tuple[Family, ...]  # all others: handwriting, condensed, decorative
    other: dict[Script, tuple[Family, ...]]  # of scripts without spaces


class Faces(NamedTuple):
    """The faces of one document."""

    body: Face
    bold: Face
    italic: Face
    mono: Face
    mono_bold: Face
    display: Face


def sort_typefaces(fonts: Fonts) -> Typefaces:
    """Sort the families of a catalogue by use; a use without a family gets those of the text."""
    latin = list(_usable(fonts.families["latin"]))
    mono = [family for family in latin if _is_mono(family[0])]
    rest = [family for family in latin if family not in mono]
    text = [family for family in rest if len(family) >= TEXT_STYLES]
    display = [family for family in rest if family not in text]
    text = text or rest or latin
    other = {script: _usable(families) for script, families in fonts.families.items()}
    del other["latin"]
    return Typefaces(tuple(text), tuple(mono or text), tuple(display or text), other)


def choose_faces(rng: np.random.Generator, typefaces: Typefaces, script: Script) -> Faces:
    """Draw the faces of a document in a script."""
    mono = _draw_family(rng, typefaces.mono)
    display = _draw_family(rng, typefaces.display)
    family = _draw_family(rng, typefaces.text if script == "latin" else typefaces.other[script])
    upright = [face for face in family if not _is_slanted(face)] or list(family)
    body, bold = _nearest(upright, REGULAR), _nearest(upright, BOLD)
    italic = next((face for face in family if _is_slanted(face)), body)
    if script != "latin":
        mono = display = family
    mono_upright = [face for face in mono if not _is_slanted(face)] or list(mono)
    return Faces(
        body, bold, italic, _nearest(mono_upright, REGULAR), _nearest(mono_upright, BOLD), _nearest(display, REGULAR)
    )


def _usable(families: Sequence[Family]) -> tuple[Family, ...]:
    """Families without faces that are too thin for text."""
    named = [family for family in families if not any(word in family[0].family.lower() for word in UNUSABLE)]
    dark = (tuple(face for face in family if _darkness(face) >= FAINTEST) for family in named)
    return tuple(family for family in dark if family) or tuple(families)


def _darkness(face: Face) -> int:
    """Coverage of the darkest pixel of a small letter, 0..255."""
    canvas = np.zeros((2 * SMALL_SIZE, 2 * SMALL_SIZE), np.uint8)
    put(canvas, "n", SMALL_SIZE // 2, 3 * SMALL_SIZE // 2, Font(face, SMALL_SIZE))
    return int(canvas.max())


def _draw_family(rng: np.random.Generator, families: tuple[Family, ...]) -> Family:
    return families[int(rng.integers(len(families)))]


def _is_mono(face: Face) -> bool:
    font = Font(face, TEST_SIZE)
    return advance("i", font) == advance("W", font)


def _is_slanted(face: Face) -> bool:
    name = f"{face.family} {face.style}".lower()
    return any(word in name for word in SLANTED)


def _nearest(faces: Iterable[Face], weight: int) -> Face:
    """The face whose weight is nearest to a weight, 100..900."""
    return min(faces, key=lambda face: abs(_weight(face) - weight))


def _weight(face: Face) -> int:
    """The weight of a face, 100..900; of a file, from the name of its style."""
    if face.number == BUILT_IN:
        return face.weight
    style = face.style.lower()
    return next((weight for name, weight in STYLE_WEIGHTS.items() if name in style), REGULAR)
