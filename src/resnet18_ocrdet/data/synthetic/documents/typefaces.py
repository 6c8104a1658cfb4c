"""The faces of a document: a family for its text, and faces for monospaced and for decorative text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..fonts import BUILT_IN, Face, Script, can_draw, find_fonts
from .lettering import Font, advance, put
from .resemblance import resemblance, usual_shapes

Family = tuple[Face, ...]

TEXT_STYLES = 3  # a family with so many styles is made for running text; handwriting and display faces have one or two
REGULAR, BOLD = 400, 700
STYLE_WEIGHTS = {"thin": 100, "light": 300, "medium": 500, "semi": 600, "demi": 600, "bold": BOLD, "black": 900}
SLANTED = ("italic", "oblique")
LEAST_USUAL = 0.5  # resemblance of a face for running text: Fraktur has 0.4, small capitals 0.5, Garamond 0.7
LEAST_READABLE = 0.4  # of a face for a few words: handwriting has 0.4 and more, outlines and pictures less
TEST_SIZE = 40  # px per em, to compare advances
SMALL_SIZE, FAINTEST = 14, 150  # a face whose strokes are fainter at this size, px per em and 0..255, is too thin


class Typefaces(NamedTuple):
    """The families that documents use."""

    text: tuple[Family, ...]
    mono: tuple[Family, ...]  # letters of one width
    display: tuple[Family, ...]  # all others: handwriting, condensed, decorative
    other: Mapping[Script, tuple[Family, ...]]  # of scripts without spaces, with Latin letters


class Faces(NamedTuple):
    """The faces of one document."""

    body: Face
    bold: Face
    italic: Face
    mono: Face
    mono_bold: Face
    display: Face


@lru_cache(maxsize=4)
def find_typefaces(folder: Path | None) -> Typefaces:
    """The families of a folder of fonts, or the built-in ones, by use; a use without a family gets those of the text.

    UserError: as `find_fonts`."""
    fonts = find_fonts(folder)
    latin = _usable(fonts.families["latin"])
    other: dict[Script, tuple[Family, ...]] = {}
    for script in fonts.scripts:
        if script != "latin":
            both = (tuple(face for face in family if "latin" in face.scripts) for family in fonts.families[script])
            families = tuple(family for family in both if family)
            if families:
                other[script] = _usable(families)
    mono = [family for family in latin if _is_mono(family[0])]
    rest = [family for family in latin if family not in mono]
    text = [family for family in rest if len(family) >= TEXT_STYLES] or rest or list(latin)
    usual = usual_shapes([regular(family) for family in text])
    likeness = {family: resemblance(regular(family), usual) for family in latin}
    text = [family for family in text if likeness[family] >= LEAST_USUAL] or text
    mono = [family for family in mono if likeness[family] >= LEAST_USUAL and family[0].scripts == ("latin",)]
    display = [family for family in rest if likeness[family] >= LEAST_READABLE and family not in text]
    return Typefaces(tuple(text), tuple(mono or text), tuple(display or text), other)


class Drawable(dict[str, bool]):
    """Whether all faces of a document have a character, by character."""

    def __init__(self, faces: Faces) -> None:
        """Look up each character when it is needed."""
        super().__init__()
        self._faces = tuple(set(faces))

    def __missing__(self, character: str) -> bool:
        """Look up a character."""
        self[character] = all(can_draw(face, character) for face in self._faces)
        return self[character]


drawable = lru_cache(maxsize=64)(Drawable)


def choose_faces(rng: np.random.Generator, typefaces: Typefaces, script: Script) -> Faces:
    """Draw the faces of a document in a script."""
    mono = _draw_family(rng, typefaces.mono)
    display = _draw_family(rng, typefaces.display)
    family = _draw_family(rng, typefaces.text if script == "latin" else typefaces.other[script])
    if script != "latin":
        mono = display = family
    italic = next((face for face in family if _is_slanted(face)), regular(family))
    return Faces(regular(family), regular(family, BOLD), italic, regular(mono), regular(mono, BOLD), regular(display))


def regular(family: Family, weight: int = REGULAR) -> Face:
    """The upright face of a family whose weight is nearest to one of 100..900."""
    upright = [face for face in family if not _is_slanted(face)]
    return min(upright or family, key=lambda face: abs(_weight(face) - weight))


def _usable(families: Sequence[Family]) -> tuple[Family, ...]:
    """Families without faces that are too thin for text."""
    dark = (tuple(face for face in family if _darkness(face) >= FAINTEST) for family in families)
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


def _weight(face: Face) -> int:
    """The weight of a face, 100..900; of a file, from the name of its style."""
    if face.number == BUILT_IN:
        return face.weight
    style = face.style.lower()
    return next((weight for name, weight in STYLE_WEIGHTS.items() if name in style), REGULAR)
