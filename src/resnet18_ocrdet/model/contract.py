"""What a checkpoint promises about itself, so that nobody has to remember how it was trained."""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, Literal

from ..config.options import DBNet, InputSize
from ..config.plain import LONGEST, described, not_plain
from ..config.rules import Rule
from ..config.runs import Decode, Train
from ..config.schema_walk import Key, keys_of
from ..config.values import convert, describe, kinds_of
from ..errors import UserError
from ..runtime.messages import as_typed, one_line
from ..structures import Resize

MOST_VALUES = 100  # of one field
THREE = tuple[float, float, float]
KEYS = {key.name: key for schema in (DBNet, InputSize, Train, Decode) for key in keys_of(schema)} | {
    "mean": Key("mean", THREE, Rule("", low=0, high=1)),
    "std": Key("std", THREE, Rule("", low=1e-3, high=255)),  # pixels are divided by it
    "color_order": Key("color_order", str, Rule("", choices=("RGB",))),
    "precision": Key("precision", str, Rule("", choices=("fp32", "bf16", "fp16", "int8"))),
}


@dataclass(frozen=True)
class Contract:
    """Everything besides the weights that changes what the network sees and says."""

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
    unclip: Literal["clipper", "analytic"] = "clipper"  # older checkpoints do not say it

    def to_dict(self) -> dict[str, Any]:
        """Plain values, lists for tuples."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: object) -> Contract:
        """Read what to_dict wrote, or what somebody else says it wrote.

        Raises UserError for a field that lacks, is not known, or has a value that its setting could not have."""
        if not isinstance(values, dict):
            raise UserError(f"the contract is {described(values)}, not fields with values")
        names = {field.name: field.default for field in fields(cls)}
        missing = [name for name, default in names.items() if name not in values and default is MISSING]
        if missing:
            raise UserError(f"the checkpoint's contract lacks {', '.join(missing)}: written by another version")
        unknown = [name for name in values if name not in names]
        if unknown:
            raise UserError(f"the contract has a field that this version does not know: {_name(unknown[0])}")
        return cls(**{name: _judged(name, value) for name, value in values.items()})


def _judged(name: str, value: object) -> Any:
    """A field in its type, as the command line would take it. Raises UserError."""
    key = KEYS[name]
    if (problem := not_plain(value, MOST_VALUES, LONGEST)) is not None:
        raise UserError(f"the contract's {name} {problem}: needs {describe(kinds_of(key.annotation), key.rule)}")
    try:
        typed = convert(value, key.annotation, key.rule)
    except ValueError as error:
        raise UserError(one_line(f"the contract's {name}={as_typed(value)}: {error}")) from None
    return tuple(typed) if isinstance(typed, list) else typed


def _name(field: object) -> str:
    return one_line(field) if isinstance(field, str) else described(field)
