"""The detector for programs that embed it: `from resnet18_ocrdet import Detector`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from . import build
from .bundled import BUNDLED, weights_path
from .config.options import SIDE_LIMITS
from .config.rules import Rule
from .config.runs import Decode, DetectRun
from .contract import Contract
from .data.image_io import read_image
from .detector import Detector as OpenDetector
from .structures import Detection, Image
from .trained import load_trained, where_to_run

# the rules of the command line hold here too
OWN: dict[str, Rule] = {each.name: each.metadata["rule"] for each in fields(DetectRun)}
DECODING: dict[str, Rule] = {each.name: each.metadata["rule"] for each in fields(Decode)}
SIDE = Rule("of an input size", **SIDE_LIMITS)


class Detector:
    """A trained text detector, called with an image.

    It holds no state between calls: any number of threads may call one at the same time."""

    def __init__(
        self,
        checkpoint: str | PathLike[str] = BUNDLED,
        *,
        device: str = "auto",
        precision: str = "auto",
        input_size: tuple[int, int] | None = None,
        tiling: bool = True,
        **decode: Any,
    ) -> None:
        """checkpoint: of a run (.pt), exported (.onnx), or "bundled". device, precision: as of ocrdet-detect.

        input_size: height and width, multiples of 32; None and what `decode` does not name (bin_thresh, box_thresh,
        unclip_ratio, max_candidates, shape, unclip, resize): as the checkpoint says. tiling: images that would be
        shrunk to less than half are looked at in tiles as well.
        Raises UserError for a checkpoint or device that cannot be used, ValueError for another setting."""
        for name, value in {"device": device, "precision": precision}.items():
            _judge(name, value, OWN[name])
        if unknown := sorted(set(decode) - set(DECODING)):
            raise ValueError(f"{', '.join(unknown)}: not known; there are {', '.join(DECODING)}")
        for name, value in decode.items():
            _judge(name, value, DECODING[name])
        if input_size is not None:
            if not isinstance(input_size, Sequence) or len(input_size) != 2:
                raise ValueError(f"input_size={input_size}: height and width are needed")
            for side in input_size:
                _judge("input_size", side, SIDE)
            decode |= {"height": input_size[0], "width": input_size[1]}
        path = weights_path(str(checkpoint))
        place, wanted = where_to_run(path, device, precision)
        content = load_trained(path)
        compute, self.precision = build.build_compute(place, wanted)
        self.contract = Contract.from_dict(content["contract"] | decode)
        model = build.build_trained(content, path, place, self.contract)
        self._open = OpenDetector(model, self.contract, build.build_decoder(self.contract), compute, tiling)

    def __call__(self, image: Image | str | PathLike[str]) -> list[Detection]:
        """image: (H, W, 3) uint8 RGB, any size, or the path of an image file. Returns regions in its pixels.

        A region has a `polygon`, (V, 2) float32, a quad clockwise from its top-left, and a `score`, 0..1.
        Raises ValueError for another array, UserError for a file that is no image."""
        if isinstance(image, str | PathLike):
            image = read_image(Path(image))
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise ValueError(f"an image is (height, width, 3) uint8 RGB, got {image.shape} {image.dtype}")
        return self._open(image)


def _judge(name: str, value: Any, rule: Rule) -> None:
    """Raises ValueError for a value that the command would refuse."""
    if rule.choices:
        if value not in rule.choices and not (rule.pattern and re.fullmatch(rule.pattern, str(value))):
            raise ValueError(f"{name}={value!r}: {rule.form or 'one of ' + ', '.join(rule.choices)}")
    elif (
        not isinstance(value, int | float)
        or not rule.low <= value <= rule.high
        or (rule.multiple_of > 1 and value % rule.multiple_of)
    ):
        steps = f", multiples of {rule.multiple_of}" if rule.multiple_of > 1 else ""
        raise ValueError(f"{name}={value!r}: {rule.low:g} to {rule.high:g}{steps}")
