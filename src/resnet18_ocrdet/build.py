"""Run config to objects; components get plain arguments. Nothing else is built by its name."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from omegaconf import DictConfig
from torch import nn
from torch.optim import Optimizer

from .config.check import plain
from .config.library import mixed_groups, targets
from .data.augment import Augment
from .data.loader import default_workers
from .data.region_counts import training_scale
from .data.splits import Splits
from .data.targets import TargetMaker
from .errors import UserError
from .inference.exported import ExportedNetwork
from .inference.loading import LoadedModel
from .model.bundled import weights_path
from .model.checkpoint import Checkpoint, load_checkpoint, load_weights, shipped_weights
from .model.contract import Contract
from .model.convert import to_imagenet_normalization
from .model.layers import IMAGENET_MEAN, IMAGENET_STD
from .model.loss import Criterion
from .runtime.messages import as_typed, one_line
from .structures import Source
from .train.hard_negatives import MiningWarmup
from .train.schedule import Schedule

# The network's modules are imported when it is built: torchvision takes a second, in which loader processes already
# make their first batches.
if TYPE_CHECKING:
    from .model.backbone import Backbone
    from .model.dbnet import DBNet


def instantiate(node: DictConfig, without: Sequence[str] = (), **more: Any) -> Any:
    """Call the node's `_target_` with its other keys, except `without`.

    Raises UserError for a target that no schema declares: enforced here as well, although callers have checked the
    config. Not Hydra's `instantiate`: it resolves `${` a second time, which breaks file names that hold it, and it
    wraps what the target raises."""
    values = {key: value for key, value in plain(node, resolve=True).items() if key not in without}
    target = values.pop("_target_", None)
    if not isinstance(target, str) or target not in targets():
        raise UserError(one_line(f"_target_={as_typed(target)}: only what the options in conf/ name can be built"))
    module, _, name = target.rpartition(".")
    return getattr(import_module(module), name)(**values | more)


def build_splits(
    data: DictConfig,
    size: tuple[int, int] | None = None,
    cached: bool = True,
    with_everything: bool = False,
    draw_val: bool = True,
) -> Splits:
    """Open the data set. size: height and width of rendered images where the config leaves them open, px.

    cached: False: without `data.cache`, for images that are read once. with_everything: a folder of images also as one
    set of all of them. draw_val: False: a folder that does not say which images are for validation has none."""
    changed: dict[str, Any] = {} if cached or "cache" not in data else {"cache": "none"}
    if "root" in data:
        changed |= {"with_everything": with_everything, "draw_val": draw_val}
    if "height" in data and (data.height is None or data.width is None):
        if size is None:
            raise UserError("data=synthetic: data.height and data.width are needed here")
        changed |= {"height": data.height or size[0], "width": data.width or size[1]}
    splits: Splits = instantiate(data, **changed)
    return splits


class MixedSet(NamedTuple):
    """A data set that is mixed into the training images."""

    group: str  # mix1, mix2 …
    source: Source
    share: float  # of the training images
    rendered: bool
    notes: tuple[str, ...]  # as of `Splits`


def build_mixed_sets(cfg: DictConfig, cached: bool = True) -> list[MixedSet]:
    """The sets that are mixed into the training images. cached: as of `build_splits`.

    Rendered scenes are as large as a training image where the config leaves their size open."""
    found = []
    for group in mixed_groups():
        node = cfg.get(group)
        if node is None:
            continue
        splits = build_splits(node, view_size(cfg), cached, draw_val=False)
        found.append(MixedSet(group, splits.train, cfg.train[f"{group}_share"], "height" in node, splits.notes))
    return found


class BuiltModel(NamedTuple):
    """A network before its training."""

    net: DBNet
    lines: list[str]  # one for each thing that was loaded
    initialised: list[str]  # tensors of the backbone that the file of init.backbone does not have


def build_model(cfg: DictConfig, with_weights: bool) -> BuiltModel:
    """The network with its starting weights. with_weights: False leaves it random (for a resume)."""
    init = cfg.init
    net: DBNet = instantiate(cfg.model)
    net.freeze(cfg.train.freeze, cfg.train.freeze_statistics)
    lines: list[str] = []
    initialised: list[str] = []
    if with_weights and init.backbone is not None:
        from .model.backbone import load_imagenet

        loaded = load_imagenet(net.backbone, init.backbone)
        lines.append(loaded.line)
        initialised = sorted(loaded.initialised)
        _refuse_frozen(net, initialised, cfg)
    if with_weights and init.zero_residuals:
        _zero_residuals(net.backbone, None if init.backbone is None else initialised)
    if with_weights and init.weights is not None:
        path = weights_path(init.weights)
        content = load_checkpoint(path)
        state = to_imagenet_normalization(shipped_weights(content), content["contract"])
        adopted = f" ({content['about']['adopted']})" if "adopted" in content["about"] else ""
        lines.append("starting weights: " + load_weights(net, state, path) + adopted)
    return BuiltModel(net, lines, initialised)


def _refuse_frozen(net: DBNet, initialised: Sequence[str], cfg: DictConfig) -> None:
    """Raises UserError if random layers would never be trained, or never get statistics."""
    if cfg.init.weights is not None:
        return
    trained = dict(net.backbone.named_parameters())
    frozen = [name for name in initialised if name in trained and not trained[name].requires_grad]
    if frozen:
        raise UserError(
            f"train.freeze={cfg.train.freeze} would freeze layers that are not in init.backbone={cfg.init.backbone} "
            f"(first: {frozen[0]}) and so random; freeze fewer parts"
        )
    unmeasured = [name for name in initialised if name.endswith(".running_mean")]
    if unmeasured and cfg.train.freeze_statistics:
        raise UserError(
            f"train.freeze_statistics=true would keep mean 0 and variance 1 of batch norms that are not in "
            f"init.backbone={cfg.init.backbone} (first: {unmeasured[0]}); leave it false"
        )


def _zero_residuals(backbone: Backbone, initialised: Sequence[str] | None) -> None:
    """Let residual branches begin at zero, so that their blocks are their shortcuts (Goyal et al. 2017,
    arXiv:1706.02677, section 5.1). initialised: names of the tensors that were not loaded; None: all of them."""
    norms = backbone.residual_norms()
    if not norms:
        raise UserError(f"init.zero_residuals=true: {backbone.name} has no residual branches")
    names = {id(parameter): name for name, parameter in backbone.named_parameters()}
    for norm in norms:
        if initialised is None or names[id(norm.weight)] in initialised:
            torch.nn.init.zeros_(norm.weight)


def build_optimizer(cfg: DictConfig, net: DBNet, initialised: Sequence[str] = ()) -> Optimizer:
    """Weight decay acts on convolution weights only. initialised: as of `BuiltModel`."""
    from .train.optim import param_groups

    settings, pretrained = cfg.optimizer, set[str]()
    if cfg.init.backbone is not None:
        names = {name for name, _ in net.backbone.named_parameters()}
        pretrained = {f"backbone.{name}" for name in names.difference(initialised)}
    scales = settings.layer_decay, pretrained, settings.pretrained_lr_scale
    groups = param_groups(net, settings.weight_decay, *scales, with_frozen=cfg.train.unfreeze_epoch is not None)
    made: Optimizer = instantiate(settings, ("base_batch_size", "layer_decay", "pretrained_lr_scale"), params=groups)
    return made


def restore_optimizer(made: Optimizer, content: Checkpoint, cfg: DictConfig) -> None:
    """Give an optimizer the state of a checkpoint but the settings of the config.

    Raises UserError when the checkpoint was written by another kind of optimizer, or for other parameters."""
    saved = content["config"]["optimizer"]["_target_"]
    if saved != cfg.optimizer._target_:
        raise UserError(
            f"resume: {cfg.optimizer._target_} cannot go on with the state of {saved}; use init.weights=PATH"
        )
    sizes = [len(group["params"]) for group in content["optimizer"]["param_groups"]]
    if sizes != [len(group["params"]) for group in made.param_groups]:
        raise UserError(
            "resume: train.freeze, train.unfreeze_epoch, optimizer.layer_decay and optimizer.pretrained_lr_scale say "
            "which weights the optimizer holds and how; leave them as they were, or start a new run with "
            "init.weights=PATH"
        )
    wanted = [{key: value for key, value in group.items() if key != "params"} for group in made.param_groups]
    made.load_state_dict(content["optimizer"])
    for group, settings in zip(made.param_groups, wanted, strict=True):
        group.update(settings)


def build_schedule(cfg: DictConfig, images_per_step: int) -> Schedule:
    """Learning rate over the run's epochs; with optimizer.base_batch_size, in proportion to the images of a step: the
    linear scaling rule (Goyal et al. 2017, arXiv:1706.02677)."""
    schedule: Schedule = instantiate(cfg.scheduler, lr=cfg.optimizer.lr, epochs=cfg.train.epochs)
    meant_for = cfg.optimizer.base_batch_size
    return schedule if meant_for is None else lambda epoch: images_per_step / meant_for * schedule(epoch)


def build_mining(cfg: DictConfig, criterion: Criterion) -> MiningWarmup:
    """On from random weights; off when weights of a trained detector are given, or the loss mines no negatives."""
    ratio = criterion.negative_ratio
    if ratio is None or cfg.init.weights is not None or not cfg.train.mining_warmup:
        return MiningWarmup(0)
    return MiningWarmup(cfg.train.mining_warmup_cap, ratio)


def build_augment(cfg: DictConfig, whole: bool = False) -> Augment:
    """Random views for training. whole: without changes of the geometry, for scenes that are rendered at their size."""
    still: dict[str, Any] = {"crop": False, **dict.fromkeys(("scale_min", "scale_max"), 1.0)}
    still |= dict.fromkeys(("flip", "rotate", "quarter_turns", "perspective"), 0.0)
    changed = {"resize": cfg.decode.resize, "evaluated_at": input_size(cfg)} | (still if whole else {})
    made: Augment = instantiate(cfg.augment, ("crop_size",), **changed)
    return made


def input_size(cfg: DictConfig) -> tuple[int, int]:
    """Height and width of an evaluated image."""
    return cfg.input_size.height, cfg.input_size.width


def view_size(cfg: DictConfig) -> tuple[int, int]:
    """Height and width of a training image."""
    if cfg.augment.crop and cfg.augment.crop_size is not None:
        height, width = map(int, cfg.augment.crop_size.split("x"))
        return height, width
    return input_size(cfg)


def build_target_maker(train: DictConfig) -> TargetMaker:
    """What the network is taught. A check has no thresholds of the map: which regions can be drawn is all it asks."""
    names = ("shrink_ratio", "thresh_min", "thresh_max", "min_text_size")
    return TargetMaker(**{name: train[name] for name in names if name in train})


def build_contract(cfg: DictConfig, precision: str, train: Source) -> Contract:
    """What this run's checkpoints will promise. train: the images of training."""
    decode = plain(cfg.decode)
    if decode["max_scale"] is None:
        decode["max_scale"] = training_scale(train, *input_size(cfg), decode["resize"])
    return Contract(
        backbone=cfg.model.backbone,
        height=cfg.input_size.height,
        width=cfg.input_size.width,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        color_order="RGB",
        precision=precision,
        shrink_ratio=cfg.train.shrink_ratio,
        min_text_size=cfg.train.min_text_size,
        **decode,
    )


def build_network(
    trained: LoadedModel, device: torch.device, contract: Contract | None = None, precision: str = "fp32"
) -> nn.Module:
    """A trained network as a torch module on its device.

    contract: how its images will be prepared. precision: of an exported network; others get theirs from `Compute`.
    Raises UserError where an exported network does not take such images."""
    from .inference.torch_network import ExportedModule, load_dbnet

    if trained.exported is None:
        return load_dbnet(trained, device)
    network = ExportedNetwork(trained.exported, precision)
    if contract is not None:
        network.check_size(contract.height, contract.width, contract.resize)
    return ExportedModule(network)


def count_workers(asked: int | None, processes: int = 1) -> int:
    """Loader processes: as asked, else by the number of cores. processes: of this machine, which share them."""
    return default_workers(processes) if asked is None else asked
