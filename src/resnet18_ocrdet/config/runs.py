"""The run config of each command, key by key. Group nodes are unions of the schemas of their options."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .options import (
    BACKBONE_PARTS,
    BUNDLED_PLAIN,
    SEED,
    SGD,
    AdamW,
    Augment,
    Cosine,
    Custom,
    DBLoss,
    DBNet,
    Icdar2015,
    InputSize,
    OneCycle,
    Poly,
    StepLR,
    Synthetic,
)
from .rules import key, note, path

LOADERS = "loader processes; null: by the number of cores"
DEVICE = {"choices": ("auto", "cpu", "cuda", "mps"), "pattern": r"cuda:\d+", "form": "auto, cpu, cuda, cuda:N or mps"}
SHARD = r"[1-9][0-9]*/[1-9][0-9]*"
RESIZES = ("keep", "short_side", "stretch", "fit")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
RUNTIMES = ("auto", "onnxruntime", "openvino")


def _max_megapixels() -> Any:
    return key("larger images are refused before they are decoded", low=0, above=True, high=1074)


def _overwrite() -> Any:
    return key("replace what this command did not write, or that was changed since")


@dataclass(kw_only=True)
class Init:
    """init.*"""

    weights: str | None = path("checkpoint to start from (fine-tuning), or bundled", plain=BUNDLED_PLAIN)
    backbone: str | None = path(
        "backbone weights: imagenet, or a torchvision state dict",
        plain="(null|imagenet)(,(null|imagenet))*",
    )


@dataclass(kw_only=True)
class Guard:
    """train.guard.*"""

    ratio: float = key("a loss above this many times the running median is bad", low=1, above=True)
    patience: int = key("bad steps in a row before the weights go back", low=1)
    rollbacks: int = key("how often they go back, each time with half the rate, before the run stops", low=0)


@dataclass(kw_only=True)
class Train:
    """train.*"""

    batch_size: int = key("images per batch, in each process", low=1, high=4096)
    accumulate: int = key("batches whose gradients are added up for one step", low=1, high=4096)
    epochs: int = key("passes over the training set", low=1)
    workers: int | None = key(LOADERS, low=0)
    log_every: int = key("steps between two points in TensorBoard", low=1)
    val_every: int = key("epochs between two validations", low=1)
    save_minutes: float = key("between two saves within an epoch", low=0, above=True)
    keep_last: int = key("newest checkpoints that are kept", low=1, high=1000)
    clip_norm: float | None = key("longest gradient", low=0, above=True)
    ema: float | None = key("share of the averaged weights kept at a step", low=0, above=True, high=1, below=True)
    early_stop: int | None = key("validations without a better hmean before the run ends", low=1)
    compile: bool = key("compile the network before the first step")
    auto_hparams: bool = key("rate, epochs and freezing from the data and init.weights")
    freeze: str | None = key("backbone parts left as they are, up to", choices=BACKBONE_PARTS)
    freeze_statistics: bool = key("keep mean and variance of the backbone's batch norms")
    preview: bool = key("write one batch with its targets as a picture, then stop")
    mining_warmup: bool = key("begin without hard-negative mining")
    mining_warmup_cap: int = key("steps after which mining grows in any case", low=0)
    min_text_size: float = key("px after resize; smaller text is ignored", low=0)
    shrink_ratio: float = key("text kernel in the probability map", low=0, above=True, high=1, below=True)
    thresh_min: float = key("threshold map away from the border", low=0, high=1)
    thresh_max: float = key("threshold map on the border", low=0, high=1)
    guard: Guard = field(metadata=note("what to do about steps that go wrong"))


@dataclass(kw_only=True)
class Decode:
    """decode.*"""

    bin_thresh: float = key("a pixel is text above this probability", low=0, high=1)
    box_thresh: float = key("a box is kept above this mean probability", low=0, high=1)
    unclip_ratio: float = key("how far a box grows back", low=1, high=10)
    max_candidates: int = key("boxes per image", low=1)
    unclip: str = key("how boxes grow back", choices=("clipper", "analytic"))
    shape: str = key("of a box", choices=("quad", "polygon"))
    resize: str = key("to the input size", choices=RESIZES)


@dataclass(kw_only=True)
class TrainRun:
    """ocrdet-train"""

    model: DBNet = field(metadata=note("network"))
    init: Init = field(metadata=note("weights to start from"))
    loss: DBLoss = field(metadata=note("what the training minimises"))
    optimizer: SGD | AdamW = field(metadata=note("how the weights move"))
    scheduler: StepLR | Cosine | OneCycle | Poly = field(metadata=note("learning rate over the epochs"))
    data: Synthetic | Icdar2015 | Custom = field(metadata=note("images and their regions"))
    input_size: InputSize = field(metadata=note("height x width of a training image"))
    augment: Augment = field(metadata=note("random changes of a training image"))
    run_dir: str | None = path("folder of this run")
    resume: str | None = path("auto, or a checkpoint to go on from")
    seed: int = key("of everything random", **SEED)
    max_megapixels: float = _max_megapixels()
    overwrite: bool = _overwrite()
    device: str = key("where to compute", **DEVICE)
    precision: str = key("bf16 is faster where the device has it", choices=PRECISIONS)
    train: Train = field(metadata=note("the training loop"))
    decode: Decode = field(metadata=note("from maps to boxes"))


@dataclass(kw_only=True)
class EvalRun:
    """ocrdet-eval"""

    checkpoint: str | None = path("a trained model (.pt); null: the bundled one", plain=BUNDLED_PLAIN)
    predictions: str | None = path("or: folder or zip with res_*.txt")
    baseline: str | None = path("to compare with: .pt, or folder or zip of res_*.txt", plain=BUNDLED_PLAIN)
    data: Synthetic | Icdar2015 | Custom | None = field(
        metadata=note("images and their regions; null: the checkpoint's")
    )
    input_size: InputSize | None = field(metadata=note("height x width; null: the checkpoint's"))
    calibrate: bool = key("find the best thresholds and write them into the checkpoint")
    split: str | None = key("part of the data; null: test if there is one", choices=("train", "val", "test"))
    output: str | None = path("folder of the results")
    seed: int = key("of the data split", **SEED)
    max_megapixels: float = _max_megapixels()
    overwrite: bool = _overwrite()
    device: str = key("where to compute", **DEVICE)
    precision: str = key("bf16 is faster where the device has it", choices=PRECISIONS)
    runtime: str = key("what runs an exported .onnx", choices=RUNTIMES)
    batch_size: int = key("images per step", low=1, high=4096)
    workers: int | None = key(LOADERS, low=0)
    decode: Decode = field(metadata=note("from maps to boxes; null: the checkpoint's", inherit=True))


@dataclass(kw_only=True)
class DetectRun:
    """ocrdet-detect"""

    input: str = path(
        "image, or folder of images", missing="input=PATH is missing (an image, or a folder that is searched)"
    )
    checkpoint: str = path("a trained model (.pt), or bundled", plain=BUNDLED_PLAIN)
    output: str | None = path("folder of the results")
    vis: bool = key("write the images with their boxes")
    tiling: str = key("large images in tiles as well, or scaled down only", choices=("auto", "off"))
    crops: bool = key("write each region as an upright image")
    labelme: bool = key("write a sheet for LabelMe for each image")
    coco: bool = key("write coco.json")
    shard: str | None = key("i/n: every n-th image from the i-th on, for several machines", pattern=SHARD, form="i/n")
    input_size: InputSize | None = field(metadata=note("height x width; null: the checkpoint's"))
    max_megapixels: float = _max_megapixels()
    overwrite: bool = _overwrite()
    device: str = key("where to compute", **DEVICE)
    precision: str = key("bf16 is faster where the device has it", choices=PRECISIONS)
    runtime: str = key("what runs an exported .onnx", choices=RUNTIMES)
    decode: Decode = field(metadata=note("from maps to boxes; null: the checkpoint's", inherit=True))


@dataclass(kw_only=True)
class ExportRun:
    """ocrdet-export"""

    checkpoint: str = path("a trained model (.pt), or bundled", plain=BUNDLED_PLAIN)
    output: str | None = path("file to write: .onnx, or .pt2 for torch.export")
    dynamic_shapes: bool = key("any number and size of images; false: one of input_size at a time")
    input_dtype: str = key("of the graph's input, 0..255", choices=("uint8", "float"))
    precision: str = key("what the file computes in", choices=("fp32", "int8"))
    input: str | None = path("images on which file and checkpoint are compared; null: rendered scenes")
    input_size: InputSize | None = field(metadata=note("height x width; null: the checkpoint's"))
    seed: int = key("of the rendered scenes", **SEED)
    max_megapixels: float = _max_megapixels()
    overwrite: bool = _overwrite()
    decode: Decode = field(metadata=note("written into the contract; null: the checkpoint's", inherit=True))


@dataclass(kw_only=True)
class Plan:
    """What ocrdet-check has to know of train.*"""

    batch_size: int = key("images per batch, in each process", low=1, high=4096)
    accumulate: int = key("batches whose gradients are added up for one step", low=1, high=4096)
    epochs: int = key("passes over the training set", low=1)
    freeze: str | None = key("backbone parts left as they are, up to", choices=BACKBONE_PARTS)
    freeze_statistics: bool = key("keep mean and variance of the backbone's batch norms")
    min_text_size: float = key("px after resize; smaller text is ignored", low=0)
    shrink_ratio: float = key("text kernel in the probability map", low=0, above=True, high=1, below=True)


@dataclass(kw_only=True)
class Fitting:
    """What ocrdet-check has to know of decode.*"""

    resize: str = key("to the input size", choices=RESIZES)


@dataclass(kw_only=True)
class CheckRun:
    """ocrdet-check"""

    data: Icdar2015 | Custom = field(metadata=note("images and their regions"))
    model: DBNet = field(metadata=note("network of the planned training"))
    init: Init = field(metadata=note("weights that the planned training starts from"))
    optimizer: SGD | AdamW = field(metadata=note("of the planned training"))
    scheduler: StepLR | Cosine | OneCycle | Poly = field(metadata=note("of the planned training"))
    input_size: InputSize = field(metadata=note("height x width of the planned training"))
    augment: Augment = field(metadata=note("of the planned training"))
    output: str | None = path("folder of the report")
    checkpoint: str | None = path("a trained model (.pt), or bundled, that judges the labels", plain=BUNDLED_PLAIN)
    device: str = key("where that computes", **DEVICE)
    precision: str = key("bf16 is faster where the device has it", choices=PRECISIONS)
    fix: bool = key("write a cleaned copy, too")
    seed: int = key("of the data split", **SEED)
    max_megapixels: float = _max_megapixels()
    overwrite: bool = _overwrite()
    train: Plan = field(metadata=note("the planned training"))
    decode: Fitting = field(metadata=note("how images are resized"))


RUNS: dict[str, type] = {
    "train": TrainRun,
    "eval": EvalRun,
    "detect": DetectRun,
    "check": CheckRun,
    "export": ExportRun,
}
