"""Convert detectors trained by other programs: recognised by the names of their tensors, mapped one by one.

Sources of the layouts: MhLiao/DB (decoders/seg_detector.py, backbones/resnet.py, the means of its NormalizeImage),
ModelScope (models/cv/ocr_detection: modules/dbnet.py, preprocessor.py), MMOCR (necks/fpnc.py, heads/db_head.py, the
DBNet configs). All are the network of model/dbnet.py; they differ in names, in the order of channels and in the
normalisation of pixels. A file is converted completely or refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..errors import UserError
from .contract import Contract
from .dbnet import DBNet
from .layers import IMAGENET_MEAN, IMAGENET_STD
from .tensor_file import COUNTER, DEFORMABLE, state_in

State = dict[str, Tensor]

WRAPPINGS = ("model.module.", "module.", "model.", "detector.")  # put before every name by DataParallel and trainers
SHORT_SIDE = 736  # px: all three programs test ICDAR2015 at this size
MAX_NAMED = 3  # tensors of each kind that a message lists
THRESH = "thresh_head."

LEVELS = 4  # of the feature pyramid
HEADS = {"binarize": "prob_head", "thresh": "thresh_head", "threshold": "thresh_head"}
FROM_DB = {  # first part of their names -> of ours
    "backbone.": "backbone.",
    **{f"decoder.in{level + 2}.": f"neck.lateral.{level}." for level in range(LEVELS)},
    **{f"decoder.out{level + 2}.{part}": f"neck.smooth.{level}." for level in range(LEVELS) for part in ("0.", "")},
    **{f"decoder.{theirs}.": f"{ours}." for theirs, ours in HEADS.items()},
}
FROM_MMOCR = {
    "backbone.": "backbone.",
    **{f"neck.{part}_convs.{n}.conv.": f"neck.{part}.{n}." for part in ("lateral", "smooth") for n in range(LEVELS)},
    **{f"{part}.{theirs}.": f"{ours}." for part in ("det_head", "bbox_head") for theirs, ours in HEADS.items()},
}


class Layout(NamedTuple):
    """How one program names and orders the tensors of our network."""

    program: str
    prefixes: Mapping[str, str]  # of their names, without wrapping -> of ours
    unused: str  # pattern of names that the detector does not need
    blue_first: bool = False
    finest_first: bool = False  # order of the levels in the neck's map; ours has the coarsest first
    mean: tuple[float, float, float] = IMAGENET_MEAN  # in the order of their channels, of values 0..1
    std: tuple[float, float, float] = IMAGENET_STD
    bin_thresh: float = 0.3
    box_thresh: float = 0.3


MMOCR = Layout("MMOCR", FROM_MMOCR, r"data_preprocessor\.", finest_first=True)
# subtracted from blue, green, red in this order (they are means of red, green, blue), then divided by 255
DB_MEAN = (122.67891434 / 255, 116.66876762 / 255, 104.00698793 / 255)
SERVED_MEAN = (123.68 / 255, 116.78 / 255, 103.94 / 255)  # ModelScope's own inference
UNUSED = r"backbone\.(fc|smooth)\.|criterion\."
DB = Layout("MhLiao/DB", FROM_DB, UNUSED, blue_first=True, mean=DB_MEAN, std=(1.0, 1.0, 1.0), box_thresh=0.6)
MODELSCOPE_TRAINED = DB._replace(program="ModelScope training checkpoint", bin_thresh=0.2, box_thresh=0.3)
MODELSCOPE = MODELSCOPE_TRAINED._replace(program="ModelScope", mean=SERVED_MEAN)


def convert_weights(content: object) -> dict[str, Any] | None:
    """The arguments of `checkpoint.weights_only` for a file of another program; None if its layout is not known.

    Raises UserError, which names the tensors, if some of them do not fit."""
    state = state_in(content)
    if state is None:
        return None
    wrapping = _wrapping(state)
    bare = {name.removeprefix(wrapping): value for name, value in state.items()}
    if "fc.weight" in bare and "layer1.0.conv1.weight" in bare:
        raise UserError("a torchvision ResNet, which cannot detect text; init.backbone=PATH starts a training from it")
    layout = _layout(bare, wrapping)
    if layout is None:
        return None
    if offset := next((name for name in bare if DEFORMABLE in name), None):
        raise UserError(
            f"{layout.program} with deformable convolutions ({offset}), which this network does not have; use a "
            f"detector trained without them (DB: resnet18, not deformable_resnet18)"
        )
    backbone = _backbone(bare)
    model, threshold = _mapped(bare, layout, backbone)
    return {
        "contract": _contract(layout, backbone).to_dict(),
        "config": {"data": None, "run_dir": None, "resume": None, **CONFIG},
        "about": {"adopted": f"{layout.program}: {len(model)} of {len(model)} tensors{threshold}"},
        "model": model,
    }


def to_imagenet_normalization(state: State, contract: Mapping[str, Any]) -> State:
    """Move another normalisation of the input into the first layer: a new training always uses ImageNet's.

    Exact except at the image's border, where the padding of the first convolution has another value."""
    mean, std = (torch.tensor(contract[key]) for key in ("mean", "std"))
    new_mean, new_std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    if torch.equal(mean, new_mean) and torch.equal(std, new_std):
        return state
    weight = state["backbone.conv1.weight"].float()
    moved = (weight.sum(dim=(2, 3)) * ((new_mean - mean) / std)).sum(dim=1)
    scaled = weight * (new_std / std).view(1, 3, 1, 1)
    running = state["backbone.bn1.running_mean"] - moved
    return state | {"backbone.conv1.weight": scaled, "backbone.bn1.running_mean": running}


CONFIG: dict[str, Any] = {  # what ocrdet-eval reads of a run: the targets and loss of the DB paper
    "model": {},
    "init": {"weights": None, "backbone": None},
    "loss": {},
    "train": {"shrink_ratio": 0.4, "thresh_min": 0.3, "thresh_max": 0.7, "min_text_size": 8.0},
}


def _wrapping(state: State) -> str:
    """The prefix of all the detector's names."""
    name = next((name for name in state if name.endswith("layer1.0.conv1.weight")), "")
    return next((each for each in WRAPPINGS if name.startswith(each)), "")


def _layout(bare: State, wrapping: str) -> Layout | None:
    if "decoder.in5.weight" in bare:
        if "backbone.smooth.weight" in bare:
            return DB
        return MODELSCOPE_TRAINED if wrapping else MODELSCOPE
    return MMOCR if "neck.lateral_convs.0.conv.weight" in bare else None


def _renamed(name: str, prefixes: Mapping[str, str]) -> str | None:
    """Our name of a tensor; None if it is not part of the detector."""
    theirs = next((prefix for prefix in prefixes if name.startswith(prefix)), None)
    return theirs and prefixes[theirs] + name.removeprefix(theirs)


def _backbone(bare: State) -> str:
    if "backbone.layer1.0.conv3.weight" in bare:
        return "resnet50"
    return "resnet34" if "backbone.layer1.2.conv1.weight" in bare else "resnet18"


def _mapped(bare: State, layout: Layout, backbone: str) -> tuple[State, str]:
    """The state dict under our names, and a note if the file has no threshold head."""
    wanted = DBNet(backbone=backbone).state_dict()
    theirs = {name: _renamed(name, layout.prefixes) for name in bare if not re.match(layout.unused, name)}
    found = {ours: name for name, ours in theirs.items() if ours is not None}
    no_threshold = not any(ours.startswith(THRESH) for ours in found)
    needed = {name for name in wanted if not (name.endswith(COUNTER) or (no_threshold and name.startswith(THRESH)))}
    missing = sorted(needed - found.keys())
    unknown = sorted(name for name, ours in theirs.items() if ours is None or ours not in wanted)
    reshaped = sorted(
        f"{name} {tuple(bare[name].shape)} instead of {tuple(wanted[ours].shape)}"
        for ours, name in found.items()
        if ours in wanted and bare[name].shape != wanted[ours].shape
    )
    if missing or unknown or reshaped:
        fit = len(needed) - len(missing) - len(reshaped)
        problems = [
            f"{len(names)} {what} ({', '.join(names[:MAX_NAMED])}{', …' if len(names) > MAX_NAMED else ''})"
            for names, what in ((missing, "missing"), (unknown, "unknown"), (reshaped, "of another shape"))
            if names
        ]
        raise UserError(f"{layout.program}, {backbone}: {fit} of {len(needed)} tensors fit; {'; '.join(problems)}")
    state = wanted | {ours: bare[name] for ours, name in found.items()}
    if layout.blue_first:
        state["backbone.conv1.weight"] = state["backbone.conv1.weight"].flip(1)
    if layout.finest_first:
        for head in ("prob_head", "thresh_head")[: 1 if no_threshold else 2]:
            weight = state[f"{head}.0.weight"]
            levels = weight.unflatten(1, (LEVELS, -1))
            state[f"{head}.0.weight"] = levels.flip(1).flatten(1, 2)
    return state, "; no threshold head (only used in training), starts at random" if no_threshold else ""


def _contract(layout: Layout, backbone: str) -> Contract:
    step = -1 if layout.blue_first else 1
    return Contract(
        backbone=backbone,
        height=SHORT_SIDE,
        width=SHORT_SIDE,
        resize="short_side",
        mean=layout.mean[::step],
        std=layout.std[::step],
        color_order="RGB",
        precision="fp32",
        shrink_ratio=0.4,
        min_text_size=8.0,
        bin_thresh=layout.bin_thresh,
        box_thresh=layout.box_thresh,
        unclip_ratio=1.5,
        max_candidates=1000,
        shape="quad",
    )
