"""Reads what `checkpoint=` names: a checkpoint of a run, weights of another program, or an exported network.

Torch is imported for the first two only."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from omegaconf import DictConfig

from ..errors import UserError
from ..model.bundled import EXPORTED
from ..model.contract import Contract
from ..model.metadata import Metadata, open_checkpoint
from .backends import PRECISIONS, REDUCED, open_exported
from .exported import ExportedFile

if TYPE_CHECKING:
    from ..model.checkpoint import Checkpoint


FAR_SIZE = 2.0  # times: per side, of squares of the same areas


class LoadedModel(NamedTuple):
    """A trained network that was read: one of `checkpoint` and `exported` is not None."""

    path: Path
    content: Metadata
    checkpoint: Checkpoint | None  # with weights, to run in torch, fine-tune or calibrate
    exported: ExportedFile | None  # can only be run

    @classmethod
    def of(cls, path: Path, checkpoint: Checkpoint) -> LoadedModel:
        """The network of a checkpoint."""
        return cls(path, checkpoint, checkpoint, None)

    @property
    def runtime(self) -> str:
        """What runs it: "torch", or a library for exported files."""
        return "torch" if self.exported is None else self.exported.runtime

    @property
    def adopted(self) -> str | None:
        """For weights of another program, a line to print: the program, and the number of tensors."""
        adopted = self.content["about"].get("adopted")
        return None if adopted is None else f"{self.path}: {adopted}"


def load_model(path: Path, runtime: str = "auto", threads: int | None = None) -> LoadedModel:
    """Read `path`. runtime: for an exported file, see `open_exported`. threads: of the network, in torch of the whole
    process; None: torch's own number, or one per core.

    Raises UserError as `load_checkpoint` and `open_exported` do."""
    if path.suffix != EXPORTED:
        import torch

        from ..model.checkpoint import load_checkpoint

        if threads is not None:
            torch.set_num_threads(threads)
        return LoadedModel.of(path, load_checkpoint(path))
    open_checkpoint(path).close()
    file = open_exported(path, runtime, threads)
    content = Metadata(contract=file.card["contract"], config=file.card["config"], about=file.card["about"])
    return LoadedModel(path, content, None, file)


def contract_of(content: Metadata, cfg: DictConfig) -> Contract:
    """The contract of a checkpoint, with the changes of a command's config: `decode`, and `input_size` if it has one.

    Raises UserError for an invalid contract."""
    contract = Contract.from_dict(content["contract"])
    changed = {str(key): value for key, value in cfg.decode.items() if value is not None}
    if cfg.get("input_size") is not None:
        changed |= {"height": cfg.input_size.height, "width": cfg.input_size.width}
    return Contract.from_dict(contract.to_dict() | changed)


def size_note(content: Metadata, contract: Contract) -> str | None:
    """A line if the input size is far from that of the training: text then has another size than the network knows."""
    trained = Contract.from_dict(content["contract"])
    ratio = math.sqrt(contract.height * contract.width / (trained.height * trained.width))
    if 1 / FAR_SIZE <= ratio <= FAR_SIZE:
        return None
    times = f"{ratio:.1f} times" if ratio > 1 else f"{1 / ratio:.1f} times smaller than"
    return (
        f"note: input_size={contract.height}x{contract.width} is {times} {trained.height}x{trained.width}, the size of "
        f"the training: text has another size than in training, and words may be missed"
    )


def exported_precision(model: LoadedModel, device: str, precision: str) -> str:
    """The precision in which an exported file runs on the CPU. device, precision: as of ocrdet-detect.

    Raises UserError for a device or precision that it does not run with."""
    assert model.exported is not None
    path, runtime = model.path, model.exported.runtime
    if device not in ("auto", "cpu"):
        raise UserError(f"device={device}: {path} is run by {runtime}, on the CPU; use device=cpu, or a .pt")
    if (own := model.content["contract"].get("precision")) in REDUCED:
        if precision not in ("auto", own):
            raise UserError(f"precision={precision}: {path} computes in {own}; use precision=auto")
        return str(own)
    able = PRECISIONS[runtime]
    if precision not in ("auto", *able):
        instead = "runtime=openvino, or a .pt" if precision == "bf16" else "or a .pt"
        raise UserError(f"precision={precision}: {path} is run by {runtime}, in {' or '.join(able)}; {instead}")
    if precision == "auto" and len(able) > 1:
        with suppress(ImportError):  # torch knows whether the CPU has bf16; without torch it is not asked
            import torch

            from ..runtime.device import choose_precision

            return choose_precision("auto", torch.device("cpu"))
    return able[0] if precision == "auto" else precision
