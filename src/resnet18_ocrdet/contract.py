"""What a checkpoint promises about itself, so that nobody has to remember how it was trained."""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, Literal

from .errors import UserError
from .structures import Resize


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
    def from_dict(cls, values: dict[str, Any]) -> Contract:
        """Read what to_dict wrote. Raises UserError when a field lacks."""
        missing = [field.name for field in fields(cls) if field.name not in values and field.default is MISSING]
        if missing:
            raise UserError(f"the checkpoint's contract lacks {', '.join(missing)}: written by another version")
        known: dict[str, Any] = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        return cls(**known | {"mean": tuple(known["mean"]), "std": tuple(known["std"])})
