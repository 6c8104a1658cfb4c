"""Runs a trained network on images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ..data.letterbox import EXACT, letterbox, scale_to
from ..model.contract import Contract
from ..runtime.forks import fork_safe, prepare_forks
from ..structures import Detection, Image, ResizeTransform
from .exported import ExportedNetwork
from .listing import Listing
from .loading import LoadedModel, exported_precision
from .orientation import best_turn, turn, turn_back
from .postprocess import Decoded, Decoder, DecodeStats, ProbMap
from .second_look import LARGE_TEXT, CoarseContours, Scales, coarse_contours, smaller_canvas
from .tiling import LARGE_SHARE, joined, spans, tiled_map

if TYPE_CHECKING:  # torch is imported for a checkpoint only
    from .torch_network import TorchNetwork

MIN_SCALE = 0.5  # an image that is scaled down below this loses text that its pixels show


Network: TypeAlias = "ExportedNetwork | TorchNetwork"
"""Canvases to probability maps, `batch_size` at a time."""


Look: TypeAlias = tuple[ProbMap, ResizeTransform]
"""A map of an image, and where the image is on it."""


class Prepared(NamedTuple):
    """An image as it was read, and as the network takes it."""

    image: Image
    canvas: Image
    transform: ResizeTransform  # where the image is on the canvas
    scale: float  # canvas px per image px, the smaller one of both sides

    @property
    def is_large(self) -> bool:
        """Whether the image is much larger than its canvas, so that tiles of it find more."""
        return self.scale < MIN_SCALE

    def fits_with(self, other: Prepared) -> bool:
        """Whether both can go through the network together."""
        return self.canvas.shape == other.canvas.shape and not (self.is_large or other.is_large)


class Predictor:
    """Image in, regions out. Holds no state between images."""

    def __init__(
        self,
        network: Network,
        contract: Contract,
        decode: Decoder,
        tiling: bool = False,
        listing: Listing = Listing("none"),  # noqa: B008  it is frozen
        scales: Scales = "1",
        turning: bool = False,
    ) -> None:
        """contract: how the network's images are prepared. tiling: large images are also searched in tiles. listing:
        the order of an image's regions. scales: when to look a second time. turning: search pages on their side
        upright."""
        self.network, self.contract, self.decode, self.tiling = network, contract, decode, tiling
        self.listing, self.scales, self.turning = listing, scales, turning
        prepare_forks()

    def __call__(self, image: Image) -> list[Detection]:
        """image: (H, W, 3) uint8 RGB, any size. Returns regions in its own pixels."""
        return self.trace(image).detections

    def trace(self, image: Image) -> Decoded:
        """The regions of an image, and how many were lost at which step."""
        (decode,) = self.detect([self.prepare(image)])
        return decode()

    def trace_all(self, images: Sequence[Image]) -> list[Decoded]:
        """`trace` of several images; consecutive ones of one canvas size go through the network together."""
        found: list[Decoded] = []
        for batch in batches(map(self.prepare, images), self.network.batch_size):
            found += [decode() for decode in self.detect(batch)]
        return found

    def detect(self, batch: Sequence[Prepared]) -> list[Callable[[], Decoded]]:
        """Run the network on images of one canvas size; a large one must be alone.

        Returns what decodes the regions of each image, in any thread."""
        prob_maps = self.network([each.canvas for each in batch])
        return [self._look_on(prob_map, each) for prob_map, each in zip(prob_maps, batch, strict=True)]

    def _look_on(self, prob_map: ProbMap, prepared: Prepared) -> Callable[[], Decoded]:
        """Further passes that an image needs after the first; returns what decodes its regions."""
        hints, image, rotation = self._hints(prob_map), prepared.image, 0
        if hints is not None and self.turning and hints.stand:
            found = self.decode.trace(prob_map, prepared.transform)
            rotation = best_turn(found, partial(self._glance, image))
        if rotation:
            upright = self.prepare(turn(image, rotation))
            upright_map = self.network([upright.canvas])[0]
            decode = self._look_closer(upright_map, upright, self._hints(upright_map))
            return lambda: turn_back(decode(), rotation, *image.shape[:2])
        return self._look_closer(prob_map, prepared, hints)

    def _hints(self, prob_map: ProbMap) -> CoarseContours | None:
        """None if no setting asks for them."""
        return coarse_contours(prob_map, self.contract.bin_thresh) if self.turning or self.scales == "auto" else None

    def _glance(self, image: Image, rotation: int) -> Decoded:
        """The regions of an image after a turn, found in few pixels."""
        canvas, transform = smaller_canvas(turn(image, rotation), self.contract)
        return self.decode.trace(self.network([canvas])[0], transform)

    def _look_closer(
        self, prob_map: ProbMap, prepared: Prepared, hints: CoarseContours | None
    ) -> Callable[[], Decoded]:
        """In fewer pixels if the image has large text, in tiles if it is large. prob_map: of the first look."""
        coarse = tiles = None
        if self.scales == "1+0.5" or (self.scales == "auto" and hints is not None and hints.are_large):
            canvas, transform = smaller_canvas(prepared.image, self.contract)
            coarse = self.network([canvas])[0], transform
        if self.tiling and prepared.is_large:
            tiles = self._map_of_tiles(prepared.image)
        return lambda: self.listing(self._join((prob_map, prepared.transform), coarse, tiles, prepared))

    def _join(self, whole: Look, coarse: Look | None, tiles: Look | None, prepared: Prepared) -> Decoded:
        """The regions of all looks at an image; each has its own limit of candidates, tiles have that of all tiles."""
        decode = self.decode
        if tiles is not None:
            height, width = self.contract.height, self.contract.width
            count = len(spans(prepared.image.shape[0], height)) * len(spans(prepared.image.shape[1], width))
            decode = replace(decode, max_candidates=decode.max_candidates * count)
        found = decode.trace(*whole)
        if coarse is not None:
            larger = self.decode.trace(*coarse).detections
            found = found._replace(detections=joined(found.detections, larger, LARGE_TEXT / prepared.scale))
        if tiles is not None:
            pieces = decode.trace(*tiles)
            detections = joined(pieces.detections, found.detections, LARGE_SHARE * height)
            found = Decoded(detections, DecodeStats.together([pieces.stages, found.stages]))
        return found

    def prepare(self, image: Image) -> Prepared:
        """Resize and pad an image, (H, W, 3) uint8, to a canvas, (H', W', 3) uint8."""
        canvas, transform = letterbox(image, *self.contract.resizing)
        scale = min(scale_to(image.shape[0], image.shape[1], *self.contract.resizing))
        return Prepared(image, canvas, transform, scale)

    def predict_map(self, image: Image) -> tuple[ProbMap, ResizeTransform]:
        """The probability map of an image, (H', W') float32 0..1, and where the image is on it."""
        prepared = self.prepare(image)
        return self.network([prepared.canvas])[0], prepared.transform

    def _map_of_tiles(self, image: Image) -> Look:
        """The map of a large image in its own pixels, for small text."""
        exact = self.contract.resize in EXACT  # an exported network may take one size only
        size = self.contract.height, self.contract.width
        prob_map = tiled_map(image, lambda tile: self.network([tile])[0], *size, exact)
        return prob_map, ResizeTransform(image.shape[0], image.shape[1], 1.0, 1.0)


def batches(images: Iterable[Prepared], size: int) -> Iterator[list[Prepared]]:
    """Consecutive images of one canvas size together, at most `size`; a large image alone."""
    batch: list[Prepared] = []
    for each in images:
        if batch and (len(batch) == size or not batch[0].fits_with(each)):
            yield batch
            batch = []
        batch.append(each)
    if batch:
        yield batch


def open_predictor(
    model: LoadedModel,
    contract: Contract,
    device: str = "auto",
    precision: str = "auto",
    tiling: bool = False,
    listing: Listing = Listing(),  # noqa: B008
    scales: Scales = "1",
    turning: bool = False,
) -> tuple[Predictor, str]:
    """A trained network, ready to run, and its precision. device, precision: as of ocrdet-detect.

    Raises UserError for a device or precision that is not available, and if an exported network does not take images
    prepared by `contract`."""
    network: Network
    if model.exported is None:
        from ..runtime.device import Compute, choose_device, choose_precision
        from .torch_network import TorchNetwork, load_dbnet

        on = choose_device(device)
        chosen = choose_precision(precision, on)
        network = fork_safe(lambda: TorchNetwork(load_dbnet(model, on), Compute(on, chosen)))
    else:
        chosen = exported_precision(model, device, precision)
        network = ExportedNetwork(model.exported, chosen)
        network.check_size(contract.height, contract.width, contract.resize)
    return Predictor(network, contract, Decoder.of(contract), tiling, listing, scales, turning), chosen
