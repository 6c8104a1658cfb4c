"""A trained DBNet, run by torch; and an exported network as a torch module, for evaluation.

Legend: N images, H W pixels.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import UserError
from ..model.checkpoint import load_weights, shipped_weights
from ..model.contract import Contract
from ..model.dbnet import DBNet
from ..model.layers import folded
from ..runtime.allocator import SizeWatch
from ..runtime.device import Compute, choose_device
from ..runtime.forks import fork_safe
from ..structures import Image, Maps
from .exported import ExportedNetwork
from .loading import LoadedModel, exported_precision
from .postprocess import ProbMap

KERNELS, MOST_KERNELS = "ONEDNN_PRIMITIVE_CACHE_CAPACITY", 256  # of convolutions, each for one size of image; by
# default 1024. oneDNN reads the variable when it computes for the first time in the process
GPU_BATCH = 8  # a CPU is as fast with one image at a time


class TorchNetwork:
    """Canvases to probability maps. Threads may share it."""

    def __init__(self, model: nn.Module, compute: Compute) -> None:
        """model: a DBNet on the device of `compute`; a copy with folded batch norms is used."""
        self.model, self.compute = folded(model), compute
        self.batch_size = GPU_BATCH if compute.device.type == "cuda" else 1
        os.environ.setdefault(KERNELS, str(MOST_KERNELS))
        self._process, self._watch_size = os.getpid(), SizeWatch()
        self.note = compute.note

    def __call__(self, canvases: Sequence[Image]) -> list[ProbMap]:
        """Canvases of one size, (H, W, 3) uint8 RGB -> their probability maps, (H, W) float32 0..1.

        Raises UserError for NaN in a map: that would look like an image without text; and on a GPU after a fork."""
        if os.getpid() != self._process and self.compute.device.type != "cpu":
            raise UserError(
                f"device={self.compute.device}: a GPU cannot be used after a fork: open the detector only in the "
                f"new process, or start it with multiprocessing's 'spawn'"
            )
        return fork_safe(lambda: self._run(canvases))

    @torch.inference_mode()
    def _run(self, canvases: Sequence[Image]) -> list[ProbMap]:
        batch = torch.from_numpy(np.stack(canvases)).permute(0, 3, 1, 2)
        with self.compute.autocast():
            maps = self.model(self.compute.image(batch), with_thresh=False)
        prob_maps = maps.prob_map[:, 0].cpu().numpy()
        if not np.isfinite(prob_maps).all():
            raise UserError("the probability map contains NaN: the weights cannot be used in this precision")
        self._watch_size(canvases[0].shape)
        return list(prob_maps)


class ExportedModule(nn.Module):
    """An exported network, called as a DBNet is."""

    def __init__(self, network: ExportedNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, with_thresh: bool = False) -> Maps:
        """image: (N, 3, H, W) uint8 RGB. Returns logits at full size; a file has no threshold map.

        Raises UserError as the network does."""
        return Maps(torch.logit(torch.from_numpy(self.network.prob_maps(image.cpu().numpy()))), None)


def load_dbnet(model: LoadedModel, device: torch.device) -> DBNet:
    """The network of a checkpoint, filled with its weights, on a device. Raises UserError if they do not fit."""
    assert model.checkpoint is not None
    contract = Contract.from_dict(model.content["contract"])
    net = DBNet(contract.backbone, mean=contract.mean, std=contract.std)
    load_weights(net, shipped_weights(model.checkpoint), model.path)
    return net.to(device).to(memory_format=torch.channels_last)


def where_to_run(
    model: LoadedModel, device: str, precision: str, local_rank: int | None = None
) -> tuple[torch.device, str]:
    """The device and the precision asked for, as `choose_device` and `choose_precision` take them.

    Raises UserError for a device that is not available, and for what an exported file does not run with."""
    if model.exported is None:
        return choose_device(device, local_rank), precision
    return torch.device("cpu"), exported_precision(model, device, precision)
