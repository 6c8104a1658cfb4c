"""How a network's images are prepared and its maps decoded, recorded in every checkpoint and exported file."""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields
from functools import cache
from typing import Any, Literal

from ..config.library import train_keys
from ..config.spec import Key, declared_key
from ..config.values import convert, describe
from ..data.letterbox import NO_LIMIT
from ..errors import UserError
from ..runtime.messages import as_typed, one_line
from ..structures import Resize
from .plain_values import LONGEST, described, not_plain

MOST_VALUES = 100  # of one field
SETTINGS = ("model.backbone", "input_size.", "train.", "decode.")  # keys of ocrdet-train with the same names
OWN = {
    "max_scale": "[float > 0 <= 100]",  # the key may also be null
    "mean": "[3 floats >= 0 <= 1]",
    "std": "[3 floats >= 0.001 <= 255]",  # pixels are divided by it
    "color_order": "[RGB]",
    "precision": "[fp32|bf16|fp16|int8]",
}


@cache
def _keys() -> dict[str, Key]:
    """Type and limits of each field."""
    shared = {key.name: key for name, key in train_keys().items() if name.startswith(SETTINGS)}
    return shared | {name: declared_key(name, comment, "") for name, comment in OWN.items()}


@dataclass(frozen=True)
class Contract:
    """Everything besides the weights that affects detections."""

    backbone: str
    height: int  # trained input size, pixels
    width: int
    resize: Resize
    mean: tuple[float, ...]  # per channel, of values scaled to 0..1
    std: tuple[float, ...]
    color_order: str  # "RGB"
    precision: str  # "fp32" or "bf16": what the run computed in
    shrink_ratio: float
    min_text_size: float  # pixels after the resize
    bin_thresh: float
    box_thresh: float
    unclip_ratio: float
    max_candidates: int
    shape: Literal["quad", "polygon"]
    unclip: Literal["clipper", "analytic"] = "clipper"  # the defaults are for older checkpoints
    candidates: Literal["best", "first"] = "best"
    max_scale: float = NO_LIMIT  # images are enlarged at most this many times; older checkpoints have no limit

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Values of the fields that older checkpoints do not have."""
        return {field.name: field.default for field in fields(cls) if field.default is not MISSING}

    @property
    def resizing(self) -> tuple[int, int, Resize, float]:
        """The arguments of `letterbox`."""
        return self.height, self.width, self.resize, self.max_scale

    def to_dict(self) -> dict[str, Any]:
        """Plain values, lists for tuples."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: object) -> Contract:
        """Read what to_dict wrote, from a source that is not trusted.

        Raises UserError for a missing or unknown field, and for a value that the command line would refuse."""
        if not isinstance(values, dict):
            raise UserError(f"the contract is {described(values)}, not a section with fields")
        names = {field.name: field.default for field in fields(cls)}
        missing = [name for name, default in names.items() if name not in values and default is MISSING]
        if missing:
            raise UserError(f"the checkpoint's contract is missing {', '.join(missing)}: written by another version")
        unknown = [name for name in values if name not in names]
        if unknown:
            name = one_line(unknown[0]) if isinstance(unknown[0], str) else described(unknown[0])
            raise UserError(f"the contract has an unknown field: {name}")
        return cls(**{name: _converted(name, value) for name, value in values.items()})


def _converted(name: str, value: object) -> Any:
    """A field in its type. Raises UserError."""
    key = _keys()[name]
    if (problem := not_plain(value, MOST_VALUES, LONGEST)) is not None:
        raise UserError(f"the contract's {name} {problem}: needs {describe(key)}")
    try:
        typed = convert(value, key)
    except ValueError as error:
        raise UserError(one_line(f"the contract's {name}={as_typed(value)}: {error}")) from None
    return tuple(typed) if isinstance(typed, list) else typed
