"""One schema for each option of a group, told apart by its `target`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from .bundled import BUNDLED
from .rules import key, path

SIDE_LIMITS: dict[str, Any] = {"low": 32, "high": 4096, "multiple_of": 32}  # 32: the network's coarsest stride

SEED: dict[str, Any] = {"low": 0, "high": 10**15}  # torch takes no more than 64 bits

BUNDLED_PLAIN = rf"(null|{BUNDLED})(,(null|{BUNDLED}))*"  # the weights that come with the package: no file name

SIZE_FORM = "height x width, such as 416x416"

MOST_SCENES = 10**9  # of a part: where the numbers of the next part begin, see data.splits

BACKBONE_PARTS = ("stem", "layer1", "layer2", "layer3", "layer4")

DIALECTS = (
    "auto",
    "folders",
    "icdar2015",
    "icdar2013",
    "totaltext",
    "ctw1500",
    "msra_td500",
    "ppocr",
    "mmocr",
    "labelme",
    "coco",
    "doctr",
)
ON_ERROR = ("fail", "skip", "fix")
MISSING_GT = ("fail", "negative", "skip")

SPLIT_FORM = "a share between 0 and 1, a range such as 801-900, or a file of names"
# A share, a range, or several of them in a sweep: not a file name, so Hydra's own grammar may read it.
SPLIT_PLAIN = r"null|[0-9][0-9.eE+-]*( *, *[0-9][0-9.eE+-]*)*"


def _split(doc: str) -> Any:
    return path(doc, low=0, high=1, above=True, below=True, form=SPLIT_FORM, plain=SPLIT_PLAIN)


def _warmup() -> Any:
    return key("epochs of linear rise before it", low=0)


def _decay() -> Any:
    return key("pull towards zero, on convolution weights only", low=0, high=1)


def _lr() -> Any:
    # 100 is far past any use; 10 is legal and warned about, as people do sweep upwards until it breaks.
    return key("learning rate", low=0, above=True, high=100)


def _base_batch_size() -> Any:
    return key("images a step that lr is meant for; else it is scaled", low=1)


def _layer_decay() -> Any:
    return key("rate of a backbone part relative to the next", low=0, above=True, high=1)


@dataclass
class DBNet:
    """model=…"""

    target: ClassVar[str] = "resnet18_ocrdet.model.dbnet.DBNet"
    backbone: str = key("feature extractor", choices=("resnet18", "resnet34", "resnet50"))
    plain: bool = key("neck and heads layer by layer as published: the same function, slower")


@dataclass
class DBLoss:
    """loss=db"""

    target: ClassVar[str] = "resnet18_ocrdet.model.loss.DBLoss"
    prob_weight: float = key("weight of the probability map's cross entropy", low=0)
    thresh_weight: float = key("weight of the threshold map's L1", low=0)
    binary_weight: float = key("weight of the binary map's Dice", low=0)
    negative_ratio: float = key("background pixels kept per text pixel", low=0, above=True)
    min_negatives: int = key("and per image at least", low=0)


@dataclass
class SGD:
    """optimizer=sgd"""

    target: ClassVar[str] = "torch.optim.SGD"
    lr: float = _lr()
    momentum: float = key("share of the previous step that is kept", low=0, high=1, below=True)
    weight_decay: float = _decay()
    nesterov: bool = key("look ahead along the momentum")
    base_batch_size: int | None = _base_batch_size()
    layer_decay: float = _layer_decay()


@dataclass
class AdamW:
    """optimizer=adamw"""

    target: ClassVar[str] = "torch.optim.AdamW"
    lr: float = _lr()
    betas: tuple[float, float] = key("decay of the running mean and square", low=0, high=1, below=True)
    eps: float = key("keeps the division finite", low=0, above=True, high=1)
    weight_decay: float = _decay()
    base_batch_size: int | None = _base_batch_size()
    layer_decay: float = _layer_decay()


@dataclass
class StepLR:
    """scheduler=step"""

    target: ClassVar[str] = "resnet18_ocrdet.train.schedule.StepLR"
    step_size: int = key("epochs between two drops of the rate", low=1)
    gamma: float = key("factor of each drop", low=0, above=True, high=1)
    warmup_epochs: float = _warmup()


@dataclass
class Cosine:
    """scheduler=cosine"""

    target: ClassVar[str] = "resnet18_ocrdet.train.schedule.Cosine"
    T_max: float | None = key("epochs until eta_min; null: the run", low=0, above=True)
    eta_min: float = key("learning rate at the end", low=0)
    warmup_epochs: float = _warmup()


@dataclass
class OneCycle:
    """scheduler=onecycle"""

    target: ClassVar[str] = "resnet18_ocrdet.train.schedule.OneCycle"
    max_lr: float = key("peak of the rate", low=0, above=True, high=100)
    pct_start: float = key("share of the run that rises", low=0, high=1, below=True)
    div_factor: float = key("the run starts at max_lr / div_factor", low=1)
    final_div_factor: float = key("and ends at that / final_div_factor", low=1)


@dataclass
class Poly:
    """scheduler=poly"""

    target: ClassVar[str] = "resnet18_ocrdet.train.schedule.Poly"
    power: float = key("lr · (1 - progress) ** power", low=0, above=True, high=10)
    warmup_epochs: float = _warmup()


@dataclass
class Synthetic:
    """data=synthetic"""

    target: ClassVar[str] = "resnet18_ocrdet.data.splits.synthetic"
    train_size: int = key("rendered images per epoch", low=1, high=MOST_SCENES)
    val_size: int = key("rendered images per validation", low=1, high=MOST_SCENES)
    test_size: int = key("rendered images of split=test", low=1, high=MOST_SCENES)
    fonts: str | None = path("folder of fonts; null: OpenCV's own")
    backgrounds: str | None = path("folder of photos to write on")
    height: int | None = key("px", **SIDE_LIMITS)
    width: int | None = key("px", **SIDE_LIMITS)
    seed: int = key("of what is rendered", **SEED)


def _dialect() -> Any:
    return key("kind of label files; auto: by the look of the folder", choices=DIALECTS)


def _on_error() -> Any:
    return key("labels or images that cannot be used: stop, leave their images out, or mask them", choices=ON_ERROR)


def _missing_gt() -> Any:
    return key("images without a label file: stop, take as images without text, or leave out", choices=MISSING_GT)


def _ignore_marks() -> Any:
    return key("texts that mean don't-care, with spaces between; null: those of the kind of set")


def _coords() -> Any:
    return key("what coordinates are written in", choices=("pixels", "normalized"))


def _exif() -> Any:
    return key("labels of photos that EXIF turns are made for; auto: what they fit", choices=("auto", "upright", "raw"))


def _max_label_mb() -> Any:
    return key("MB of the largest label file that is read", low=1, high=1_000_000)


def _cache() -> Any:
    return key("where decoded images are kept for the next epoch", choices=("none", "ram", "disk"))


@dataclass
class Icdar2015:
    """data=icdar2015"""

    target: ClassVar[str] = "resnet18_ocrdet.data.splits.icdar2015"
    root: str = path(
        "folder that holds ch4_training_images/",
        missing="data=icdar2015 needs data.root=FOLDER (the folder that holds ch4_training_images/)",
    )
    train: str | float | None = _split("what to learn from; null: all that is not val")
    val: str | float | None = _split("what to validate on")
    seed: int = key("of the draw", **SEED)
    on_error: str = _on_error()
    missing_gt: str = _missing_gt()
    ignore_marks: str | None = _ignore_marks()
    coords: str = _coords()
    exif: str = _exif()
    cache: str = _cache()
    max_label_mb: int = _max_label_mb()


@dataclass
class Custom:
    """data=custom, and the kinds of label files that have names of their own"""

    target: ClassVar[str] = "resnet18_ocrdet.data.splits.custom"
    root: str = path(
        "folder that holds images and labels",
        missing="data.root=FOLDER is missing (the folder that holds your images and labels)",
    )
    dialect: str = _dialect()
    train: str | float | None = _split("what to learn from; null: all that is not val")
    val: str | float | None = _split("what to validate on; null: its val part, else a tenth")
    seed: int = key("of the draw", **SEED)
    on_error: str = _on_error()
    missing_gt: str = _missing_gt()
    ignore_marks: str | None = _ignore_marks()
    coords: str = _coords()
    exif: str = _exif()
    cache: str = _cache()
    max_label_mb: int = _max_label_mb()


@dataclass
class InputSize:
    """input_size=HxW"""

    height: int = key("px", **SIDE_LIMITS)
    width: int = key("px", **SIDE_LIMITS)


@dataclass
class Augment:
    """augment=…"""

    target: ClassVar[str] = "resnet18_ocrdet.data.augment.Augment"
    crop: bool = key("random crop; false: the whole image")
    crop_size: str | None = key("of the crop; null: the input size", pattern=r"\d+x\d+", form=SIZE_FORM)
    flip: float = key("probability of a mirror image; mirrors the text too", low=0, high=1)
    rotate: float = key("degrees either way", low=0, high=180)
    scale_min: float = key("zoom, from", low=0.05, high=20)
    scale_max: float = key("zoom, to", low=0.05, high=20)
    perspective: float = key("tilt, as a share of the side", low=0, high=0.5)
    photometric: float = key("strength of the five below together; 0: none", low=0, high=1)
    color: float = key("largest relative change of brightness and contrast", low=0, high=1)
    blur: float = key("probability of a slight blur", low=0, high=1)
    noise: float = key("probability of sensor noise", low=0, high=1)
    jpeg: float = key("probability of a second JPEG compression", low=0, high=1)
    shading: float = key("probability of uneven light and shadows", low=0, high=1)
