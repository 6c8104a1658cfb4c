"""Targets of the fuzzer for networks: checkpoints, and the contracts and configs in them and in exported files."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import OmegaConf
from torch import nn

from fuzzing.formats import change_zip, mutate
from fuzzing.mutations import any_value, change_tree
from resnet18_ocrdet import build
from resnet18_ocrdet.commands.launch import NAME_FAULTS
from resnet18_ocrdet.commands.resume import resumed_config
from resnet18_ocrdet.commands.resume_words import implied_words
from resnet18_ocrdet.config.library import Library
from resnet18_ocrdet.data.letterbox import scale_to
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.inference import backends
from resnet18_ocrdet.inference.exported import ExportedFile, ExportedNetwork
from resnet18_ocrdet.inference.loading import load_model
from resnet18_ocrdet.inference.postprocess import Decoder
from resnet18_ocrdet.model.checkpoint import load_weights, shipped_weights
from resnet18_ocrdet.model.contract import Contract
from resnet18_ocrdet.model.recorded_config import recorded_config
from resnet18_ocrdet.model.release import is_stripped, without_paths
from resnet18_ocrdet.runtime.console import Display
from resnet18_ocrdet.train.resume_state import check_parts, random_states

NET = nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2))  # the checkpoints of the corpus contain weights of this one
OPTIMIZER = torch.optim.SGD(NET.parameters(), lr=0.1, momentum=0.9)  # the first one imports torch's compiler
MAX_TRIAL_PIXELS = 2**20  # of the image on which an exported network is tried


def use_contract(contract: Contract) -> None:
    """As the commands do before the first image."""
    json.dumps(contract.to_dict(), allow_nan=False)
    scale_to(480, 640, contract.height, contract.width, contract.resize)
    Decoder.of(contract)


def use_config(config: dict[str, Any]) -> None:
    """As ocrdet-eval does with a recorded config, except for data folders of the user."""
    saved = OmegaConf.create(config)
    build.build_target_maker(saved.get("train", {}))
    data = saved.get("data")
    if data is not None and data._target_.endswith(".synthetic"):
        try:
            build.build_splits(data, (64, 64))
        except OSError as error:  # not a valid file name
            if error.errno in NAME_FAULTS:  # `run_command` makes it one line
                raise UserError(str(error)) from None
            raise
    without_paths(config)


def read_card(root: Path) -> None:
    """`checkpoint=` with the metadata of an .onnx file."""
    (path,) = root.iterdir()
    card = backends.read_card(path, {backends.KEY: path.read_bytes().decode("utf-8", "replace")})
    contract = Contract.from_dict(card["contract"])
    use_contract(contract)
    use_config(card["config"])
    json.dumps(card["about"], allow_nan=False).encode()
    if contract.height * contract.width < MAX_TRIAL_PIXELS:
        exported = ExportedFile(path, "onnxruntime", card, lambda precision: blank_map, lambda: None)
        ExportedNetwork(exported).check_size(contract.height, contract.width, contract.resize)


def blank_map(images: NDArray[Any]) -> NDArray[np.float32]:
    """Replaces an exported network: no detections."""
    return np.zeros((len(images), 1, *images.shape[2:]), np.float32)


def read_contract(root: Path) -> None:
    """The contract of a checkpoint."""
    (path,) = root.iterdir()
    use_contract(Contract.from_dict(parse(path)))


def read_recorded(root: Path) -> None:
    """The config of a checkpoint."""
    (path,) = root.iterdir()
    use_config(recorded_config(parse(path)))


def parse(path: Path) -> Any:
    """Values of a checkpoint, from JSON."""
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise UserError(f"{path}: not JSON") from None


def open_checkpoint(root: Path) -> None:
    """`checkpoint=` and `resume=` with a .pt file, up to loading the weights of a tiny network."""
    (path,) = root.iterdir()
    trained = load_model(path)
    content = trained.checkpoint
    assert content is not None
    use_contract(Contract.from_dict(content["contract"]))
    use_config(content["config"])
    json.dumps(content["about"], allow_nan=False)
    load_weights(NET, shipped_weights(content), path)
    if not is_stripped(content):
        resumed_config(OmegaConf.create(content["config"]), content["config"], [], Display(quiet=True))
        content["random"] = content["random"] or random_states()  # not in the corpus: two thousand numbers
        check_parts(content, OPTIMIZER)


def resume_folder(root: Path) -> None:
    """`resume=RUN`: the config.yaml of the run."""
    checkpoint = root / "checkpoints/last.pt"
    checkpoint.parent.mkdir(exist_ok=True)
    checkpoint.touch()
    implied_words([f"resume={root}"], library())


@cache
def library() -> Library:
    """The config library of ocrdet-train."""
    return Library("train")


@cache
def loaded(data: bytes) -> Any:
    """The content of a checkpoint of the corpus."""
    return torch.load(io.BytesIO(data), weights_only=True)


def tree_value(rng: Random) -> Any:
    """A value, or a tensor of a kind that weights never are."""
    made: tuple[Callable[[], Any], ...] = (
        lambda: torch.empty(2, 3, 3, 3, device="meta"),
        lambda: torch.eye(2).to_sparse(),
        lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.quint8),
        lambda: torch.full((2,), float("nan")),
        lambda: torch.ones(2, dtype=torch.complex64),
        lambda: torch.ones(2, 3, 3, 3, dtype=torch.int8),
        lambda: torch.ones(2, dtype=torch.bfloat16, requires_grad=True),
        lambda: torch.ones(1).expand(2**20, 2**20),
        lambda: torch.zeros(0),
        lambda: torch.tensor(3),
        lambda: nn.Parameter(torch.ones(2)),
        lambda: torch.ones(2).to(torch.float8_e4m3fn),
        lambda: torch.Size([1]),
        lambda: torch.float32,
        lambda: (1, (2,)),
        lambda: {1, "a"},
        lambda: b"\xff",
        lambda: {None: 1, 2: {(): 3}},
    )
    return rng.choice(made)() if rng.random() < 0.4 else any_value(rng)


def mutate_checkpoint(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    """Change values and tensors, members of the zip, or any bytes."""
    how = rng.random()
    if how < 0.15:
        return mutate(data, rng, others)
    if how < 0.3:
        return change_zip(data, rng)
    content = deepcopy(loaded(data))
    for _ in range(1 + int(rng.expovariate(1.5))):
        content = change_tree(content, rng, tree_value)
    out = io.BytesIO()
    try:
        torch.save(content, out)
    except Exception:  # a tensor that cannot be written, or nested too deeply
        return change_zip(data, rng)
    return out.getvalue()
