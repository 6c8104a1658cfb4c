"""What a feature extractor must offer to the network, to freezing and to layer decay; and its ImageNet weights.

Legend: N images, H W input pixels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.error import URLError

import torch
from torch import Tensor, nn

from ..errors import UserError
from ..runtime.messages import count
from ..runtime.regular_file import open_regular
from .tensor_file import COUNTER, is_state, mismatch, read_tensors

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

Features = tuple[Tensor, Tensor, Tensor, Tensor]

# A new feature extractor needs a subclass of Backbone, a line here and a file in conf/model.
BACKBONES = {  # name in conf/model and in checkpoints -> class that is called with it; imported when it is built
    "resnet18": "resnet18_ocrdet.model.resnet.ResNetFeatures",
    "resnet34": "resnet18_ocrdet.model.resnet.ResNetFeatures",
    "resnet50": "resnet18_ocrdet.model.resnet.ResNetFeatures",
}
PARTS = ("stem", "layer1", "layer2", "layer3", "layer4")  # from the image on, as in train.freeze


class Backbone(nn.Module, ABC):
    """Base class of all feature extractors."""

    name: str  # as in BACKBONES
    channels: tuple[int, int, int, int]  # of the maps at strides 4, 8, 16, 32
    imagenet: WeightsEnum | None = None  # what init.backbone=imagenet downloads
    classifier: str = ""  # prefix of the tensors in ImageNet weights that are not loaded

    @abstractmethod
    def forward(self, image: Tensor) -> Features:
        """image: (N, 3, H, W) normalised. Returns (N, C_i, H/s, W/s) for s = 4, 8, 16, 32."""

    @abstractmethod
    def stages(self) -> tuple[list[nn.Module], ...]:
        """The modules of each of PARTS: the stem, then what leads to each of the four maps."""

    def freeze(self, up_to: str | None, statistics: bool) -> list[nn.Module]:
        """Stop the gradients of the parts up to one of PARTS, and of no other. statistics: freeze those of every batch
        norm.

        Returns the modules that must stay in evaluation mode: frozen parts keep their statistics too."""
        last = 0 if up_to is None else PARTS.index(up_to) + 1
        frozen = [module for stage in self.stages()[:last] for module in stage]
        self.requires_grad_(True)
        for module in frozen:
            module.requires_grad_(False)
        if statistics:
            frozen += [layer for layer in self.modules() if isinstance(layer, nn.BatchNorm2d)]
        return frozen

    def residual_norms(self) -> list[nn.BatchNorm2d]:
        """The batch norm that ends each residual branch, for init.zero_residuals; none without such branches."""
        return []


def build_backbone(name: str) -> Backbone:
    """name: a key of BACKBONES. Raises ValueError for another one."""
    if name not in BACKBONES:
        raise ValueError(f"backbone '{name}': must be one of {', '.join(BACKBONES)}")
    module, _, cls = BACKBONES[name].rpartition(".")
    made: Backbone = getattr(import_module(module), cls)(name)
    return made


class LoadedBackbone(NamedTuple):
    """What came from a state dict, and what did not."""

    line: str  # what was loaded, for the log
    initialised: frozenset[str]  # tensors that the state dict does not have: they keep their first values


def load_imagenet(backbone: Backbone, source: str) -> LoadedBackbone:
    """Fill a backbone with the state dict of a classifier.

    source: "imagenet" (torchvision's default weights from its cache, else its download, which is hash-checked and
    renamed into place when complete) or the path of a torchvision state dict, which may lack layers from one block on.
    Raises UserError if it is not available or does not fit; the backbone is then unchanged."""
    state = _default_weights(backbone) if source == "imagenet" else _weights_file(Path(source))
    if backbone.classifier:
        state = {key: value for key, value in state.items() if not key.startswith(backbone.classifier)}
    wanted = backbone.state_dict()
    absent = absent_layers(backbone, state)
    initialised = frozenset(name for layers in absent.values() for layer in layers for name in layer)
    counters = {key for key in wanted if key.endswith(COUNTER)}  # absent in older files
    if (problem := mismatch(wanted, state, counters | initialised)) is not None:
        raise UserError(f"init.backbone={source}: not weights of {backbone.name}: {problem}")
    backbone.load_state_dict(state, strict=False)  # checked above; only counters and whole layers may be missing
    total = len(wanted) - len(counters)
    line = f"backbone: {total - len(initialised - counters)} of {total} tensors from {source}"
    lacking = (
        f"{part}: {count(len(layers), 'convolution')} and {'its' if len(layers) == 1 else 'their'} batch norms are not "
        f"in {Path(source).name}: initialised"
        for part, layers in absent.items()
    )
    return LoadedBackbone("; ".join((line, *lacking)), initialised)


def absent_layers(backbone: Backbone, given: Collection[str]) -> dict[str, list[list[str]]]:
    """The layers of each part of which a state dict has nothing: lists of the names of their tensors.

    A layer is a convolution with its batch norm. Layers may be absent from one block of the network on: of that block
    some may be there, such as its shortcut, and of the blocks after it none. Otherwise, and where nothing or
    everything is there, the result is empty, and what is missing is a mismatch."""
    absent: dict[str, list[list[str]]] = {}
    complete, first = 0, None  # layers that are there; the first block that is not complete
    for part, layer in _layers(backbone):
        block = layer[0].split(".")[:2]
        there = [name in given for name in layer if not name.endswith(COUNTER)]
        if any(there) and (not all(there) or first not in (None, block)):
            return {}
        if all(there):
            complete += 1
        else:
            first = first or block
            absent.setdefault(part, []).append(layer)
    return absent if complete else {}


def _layers(backbone: Backbone) -> Iterator[tuple[str, list[str]]]:
    """The part and the tensor names of each layer, in the order of their definition."""
    names = {id(module): name for name, module in backbone.named_modules()}
    for part, modules in zip(PARTS, backbone.stages(), strict=True):
        layers: list[list[str]] = []
        for leaf in (leaf for module in modules for leaf in module.modules()):
            tensors = [] if list(leaf.children()) else [f"{names[id(leaf)]}.{key}" for key in leaf.state_dict()]
            if tensors and layers and isinstance(leaf, nn.BatchNorm2d):
                layers[-1] += tensors
            elif tensors:
                layers.append(tensors)
        yield from ((part, layer) for layer in layers)


def _default_weights(backbone: Backbone) -> dict[str, Any]:
    weights = backbone.imagenet
    if weights is None:
        raise UserError(f"init.backbone=imagenet: no ImageNet weights are known for {backbone.name}; give their path")
    try:
        return dict(weights.get_state_dict(progress=False, check_hash=True))
    except (URLError, OSError, RuntimeError) as error:
        cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
        reason = getattr(error, "reason", error)
        raise UserError(
            f"init.backbone=imagenet: not found at {cached}, and the download failed ({reason}). "
            f"Put the file there, give its path (init.backbone=FILE), or train without it (init.backbone=null)"
        ) from None


def _weights_file(path: Path) -> dict[str, Any]:
    try:
        file = open_regular(path)
    except OSError as error:
        why = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise UserError(f"init.backbone={path}: {why} (a torchvision state dict, or 'imagenet', or null)") from None
    try:
        with file:
            state = read_tensors(file)
    except UserError as error:
        raise UserError(f"init.backbone={path}: {error}") from None
    except Exception as error:  # files of other programs fail in many ways
        raise UserError(f"init.backbone={path}: not a state dict ({type(error).__name__})") from None
    if not is_state(state):
        raise UserError(f"init.backbone={path}: not a state dict of tensors")
    return state
