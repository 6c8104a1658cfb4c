"""One look at every image: what the detector is unsure of, and what the image looks like to it.

Legend: N images of a batch, C channels, H W canvas pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..check.image_stats import ImageStats, thumbnail
from ..check.sharpness import grey_levels, grey_of, scaled_down
from ..detections.files import Item
from ..detections.pipeline import Failed, detect_all
from ..errors import UserError
from ..inference.postprocess import Decoded, ProbMap
from ..inference.predictor import Predictor, Prepared
from ..inference.second_look import smaller_canvas
from ..inference.torch_network import TorchNetwork
from ..structures import Detection, Image, ResizeTransform
from .diversity import unit_features
from .uncertainty import FAINT, Uncertainty, count_unmatched, is_unsure, lowest_score, map_entropy

SecondPass = Literal["flip", "half", "none"]
"""The mirrored image, half the size, or no second pass."""

Look = tuple[ProbMap, ResizeTransform]


class Surveyed(NamedTuple):
    """What is kept of an image: about 4 kB."""

    item: Item
    doubt: Uncertainty
    feature: NDArray[np.float32]  # (C,), unit length
    picture: ImageStats  # only what shows copies
    blank: bool  # nearly of one colour, or without any trace of text


class _Measured(NamedTuple):
    doubt: Uncertainty
    feature: NDArray[np.float32]
    highest: float  # probability of any pixel, 0..1


class Surveyor(Predictor):
    """A predictor that measures each image while it detects; `measured` is of the image that was decoded last."""

    def __init__(self, predictor: Predictor) -> None:
        """Raises UserError for an exported network, which does not give its features."""
        network = predictor.network
        if not isinstance(network, TorchNetwork):
            raise UserError(f"pick needs the features of the network, which {network.path} does not give: use a .pt")
        super().__init__(network, predictor.contract, predictor.decode)
        self.second: SecondPass = "none"
        self.measured: _Measured | None = None
        self._decode_all = replace(predictor.decode, box_thresh=lowest_score(predictor.decode.box_thresh))
        self._pooled = np.zeros((0, 0), np.float32)  # (N, C) of the pass before
        backbone: Any = network.model.backbone
        backbone.register_forward_hook(self._pool)

    def detect(self, batch: Sequence[Prepared]) -> list[Callable[[], Decoded]]:
        """As of `Predictor`; decoding also measures."""
        prob_maps = self.network([each.canvas for each in batch])
        features = unit_features(self._pooled)
        seconds = [None] * len(batch) if self.second == "none" else self._second_looks(batch)
        looks = zip(prob_maps, features, seconds, batch, strict=True)
        return [partial(self._measure, *look) for look in looks]

    def _pool(self, _: Any, __: Any, features: Any) -> None:
        """Keep the channel means of the deepest features, (N, C, h, w)."""
        self._pooled = features[-1].float().mean((2, 3)).cpu().numpy()

    def _second_looks(self, batch: Sequence[Prepared]) -> Sequence[Look]:
        if self.second == "flip":  # the whole canvas: its padding is on the left then, and the map fits the first one
            prob_maps = self.network([np.ascontiguousarray(each.canvas[:, ::-1]) for each in batch])
            return [
                (np.ascontiguousarray(prob_map[:, ::-1]), each.transform)
                for prob_map, each in zip(prob_maps, batch, strict=True)
            ]
        canvases, transforms = zip(*(smaller_canvas(each.image, self.contract) for each in batch), strict=True)
        return list(zip(self.network(canvases), transforms, strict=True))

    def _measure(
        self, prob_map: ProbMap, feature: NDArray[np.float32], second: Look | None, prepared: Prepared
    ) -> Decoded:
        """Decode the candidates, and set `measured`."""
        box_thresh = self.decode.box_thresh
        candidates = self._decode_all.trace(prob_map, prepared.transform)
        found = [each.polygon for each in candidates.detections if each.score >= box_thresh]
        again = [] if second is None else [each.polygon for each in self.decode(*second)]
        doubt = Uncertainty(
            regions=len(candidates.detections),
            unsure=sum(is_unsure(each.score, box_thresh) for each in candidates.detections),
            entropy=map_entropy(prob_map, FAINT * self.decode.bin_thresh),
            seen=0 if second is None else len(found) + len(again),
            unmatched=0 if second is None else count_unmatched(found, again),
        )
        self.measured = _Measured(doubt, feature, candidates.stages.max_prob)
        return candidates

    def survey(self, items: Iterable[Item], second: SecondPass) -> Iterator[Surveyed | Failed]:
        """Look at every image, in order. A failure affects its own image only; pixels are not kept."""
        self.second = second
        kept: dict[str, Surveyed] = {}

        def keep(item: Item, image: Image, _: list[Detection]) -> None:
            assert self.measured is not None  # `_measure` was called just before, in this thread
            doubt, feature, highest = self.measured
            blank = highest < FAINT * self.decode.bin_thresh
            kept[item.relative] = Surveyed(item, doubt, feature, picture_of(image), blank)

        for outcome in detect_all(self, items, keep, self.network.batch_size):
            if isinstance(outcome, Failed):
                yield outcome
            else:
                found = kept.pop(outcome.item.relative)
                yield found._replace(blank=found.blank or outcome.record.blank)


def picture_of(image: Image) -> ImageStats:
    """What shows whether an image is a copy of another one."""
    small = scaled_down(grey_of(image))
    height, width = image.shape[:2]
    return ImageStats(None, height, width, grey_levels(small), thumb=thumbnail(small))
