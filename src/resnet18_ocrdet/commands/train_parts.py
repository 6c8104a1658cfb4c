"""The parts of a training run, built from its config."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import torch
from omegaconf import DictConfig
from torch import nn

from .. import build
from ..config.check import plain
from ..data.cache import free_memory
from ..data.loader import EvalLoader, TrainLoader, too_many_workers
from ..data.splits import Splits
from ..data.text_sizes import measure_text
from ..evaluation.calibration import Thresholds
from ..inference.postprocess import Decoder
from ..model.compiled import compile_network
from ..model.contract import Contract
from ..model.loss import Criterion
from ..runtime.console import Display, duration
from ..runtime.device import Compute, choose_device, choose_precision, gradient_scaler
from ..runtime.distributed import World
from ..runtime.messages import count
from ..runtime.provenance import data_hash, provenance
from ..train.engine import LossSums, TrainState
from ..train.guard import Guard
from ..train.lr_rules import TrainingSet
from ..train.optim import ModelEma
from ..train.schedule import Schedule
from .auto_hparams import choose_sizes, choose_values, take_thresholds
from .auto_measure import measure_pace, measure_start, training_set
from .train_data import check_images, check_regions, images_per_epoch, make_loaders, open_mixed_sets

if TYPE_CHECKING:  # torchvision takes a second to import: see build.py
    from ..model.dbnet import DBNet


@dataclass(frozen=True)
class Parts:
    """Everything that the training loop uses."""

    cfg: DictConfig
    display: Display
    compute: Compute
    contract: Contract
    splits: Splits
    mixed: list[build.MixedSet]
    state: TrainState
    loader: TrainLoader
    val_loader: EvalLoader
    bare: nn.Module  # `state.network` without the exchange of gradients
    schedule: Schedule
    criterion: Criterion
    about: dict[str, Any]  # where the code and the data come from


def assemble(
    cfg: DictConfig,
    display: Display,
    world: World,
    resumed: Mapping[str, Any] | None = None,
    typed: Sequence[str] | None = None,
) -> Parts:
    """Build the parts. Raises UserError for a config or data that cannot work.

    resumed: `about` of the checkpoint that the weights come from later; None for a new run. typed: as on the command
    line, for train.auto_hparams, which changes `cfg`; None: no change."""
    resuming = resumed is not None
    torch.manual_seed(cfg.seed)
    device = choose_device(cfg.device, world.local_rank if world.size > 1 else None)
    compute = Compute(device, choose_precision(cfg.precision, device), world)
    display.lines([compute.note], "note: ")
    chosen = typed if cfg.train.auto_hparams and not resuming and not cfg.train.preview else None
    if chosen is not None:
        take_thresholds(cfg, chosen, display)
    splits = build.build_splits(cfg.data, build.input_size(cfg))
    display.lines(splits.notes)
    check_images(splits, cfg, display)
    if chosen is not None:
        cpu, text = device.type == "cpu", measure_text(splits.train)
        memory = world.from_first(free_memory) if cpu else None
        share = None if memory is None else memory // world.local_size
        images = images_per_epoch(len(splits.train), cfg) // world.size
        lines = choose_sizes(cfg, chosen, text, images, share, cpu, display)
    mixed = open_mixed_sets(splits, cfg, display)
    contract = build.build_contract(cfg, compute.precision, splits.train)
    targets = build.build_target_maker(cfg.train)
    labels = check_regions(splits, mixed, targets, cfg, contract, display)
    loader, val_loader = make_loaders(splits, mixed, targets, cfg, contract, compute)
    if not resuming:  # a resumed run learns its epoch later
        loader.begin()  # while the network is imported and built
    model = build.build_model(cfg, with_weights=not resuming)
    display.lines(model.lines)
    # channels last: convolutions then read images as they lie in memory
    net = model.net.to(device).to(memory_format=torch.channels_last)
    sources = {"train": splits.train, "val": splits.val, **{each.group: each.source for each in mixed}}
    hashes = {name: data_hash(source) for name, source in sources.items()}
    initialised: list[str] = model.initialised if resumed is None else resumed.get("initialised", [])
    about: dict[str, Any] = provenance(device) | {"data": hashes}
    about |= {"initialised": initialised} if initialised else {}
    criterion: Criterion = build.instantiate(cfg.loss)
    state_of = partial(_state, cfg, criterion, compute, initialised)
    if chosen is not None:
        data = training_set(len(splits.train), labels)
        loaders = loader, val_loader
        contract, start = _choose(cfg, chosen, data, net, state_of, loaders, contract, criterion, compute, display)
        about["start"] = start | {"chosen": lines + start["chosen"]}
        net.freeze(cfg.train.freeze, cfg.train.freeze_statistics)
    _report_batches(loader, cfg, world, display)
    bare = _network(net, loader, cfg, compute, display)
    state, schedule = state_of(net, world.wrap(bare)), build.build_schedule(cfg, loader.images_per_step)
    loaders = loader, val_loader
    return Parts(cfg, display, compute, contract, splits, mixed, state, *loaders, bare, schedule, criterion, about)


def freeze_for(epoch: int, parts: Parts) -> None:
    """Freeze what train.freeze says until train.unfreeze_epoch, and nothing from then on."""
    train, state = parts.cfg.train, parts.state
    if train.unfreeze_epoch is None:
        return
    before = [parameter.requires_grad for parameter in state.model.parameters()]
    up_to = train.freeze if epoch < train.unfreeze_epoch else None
    cast("DBNet", state.model).freeze(up_to, train.freeze_statistics)
    if before != [parameter.requires_grad for parameter in state.model.parameters()]:
        state.network = parts.compute.world.wrap(parts.bare)  # the old one exchanges the gradients of other weights


def _choose(
    cfg: DictConfig,
    typed: Sequence[str],
    data: TrainingSet,
    net: DBNet,
    state_of: Callable[[DBNet, nn.Module], TrainState],
    loaders: tuple[TrainLoader, EvalLoader],
    contract: Contract,
    criterion: Criterion,
    compute: Compute,
    display: Display,
) -> tuple[Contract, dict[str, Any]]:
    """Measure, and set what train.auto_hparams chooses in `cfg`.

    Returns the contract with the thresholds of the run, and what the run records. state_of: the state of a network
    before its first step."""
    loader, val_loader = loaders
    start, seconds = measure_start(net, val_loader, criterion, Decoder.of(contract).trace, compute, cfg, display)
    trial = copy.deepcopy(net)
    pace = measure_pace(state_of(trial, trial), loader, seconds, criterion, compute, cfg)
    lines = choose_values(cfg, typed, data, start, pace, display, compute.world.size)
    decode = {name: cfg.decode[name] for name in Thresholds._fields}
    return replace(contract, **decode), {"hmean": start.hmean, "weights": str(cfg.init.weights), "chosen": lines}


def _state(
    cfg: DictConfig,
    criterion: Criterion,
    compute: Compute,
    initialised: Sequence[str],
    net: DBNet,
    network: nn.Module,
) -> TrainState:
    """The state before the first step. initialised: as of `BuiltModel`. network: `net` as the loop calls it."""
    return TrainState(
        model=net,
        network=network,
        optimizer=build.build_optimizer(cfg, net, initialised),
        scaler=gradient_scaler(compute.device, compute.precision),
        mining=build.build_mining(cfg, criterion),
        guard=Guard(criterion.initial_loss, **plain(cfg.train.guard)),
        ema=None if cfg.train.ema is None else ModelEma(net, cfg.train.ema),
        sums=LossSums([0.0] * len(criterion.terms)),
    )


def _network(net: nn.Module, loader: TrainLoader, cfg: DictConfig, compute: Compute, display: Display) -> nn.Module:
    """The network as the loop calls it, compiled if train.compile is set."""
    if not cfg.train.compile or cfg.train.preview:
        return net
    display.line("compiling the network (train.compile=true): usually a minute or two")
    began = time.perf_counter()
    network = compile_network(net, loader.batch_size, *build.view_size(cfg), compute)
    display.line(f"compiled in {duration(time.perf_counter() - began)}")
    return network


def _report_batches(loader: TrainLoader, cfg: DictConfig, world: World, display: Display) -> None:
    """Print what differs from what was typed, or is probably a mistake."""
    display.lines([too_many_workers(loader.workers, "train.workers", world.local_size)], "note: ")
    if loader.batch_size < cfg.train.batch_size:
        display.line(
            f"note: train.batch_size={cfg.train.batch_size} is more than {count(loader.batch_size, 'training image')}: "
            f"each batch holds the whole set"
        )
    images, meant_for = loader.images_per_step, cfg.optimizer.base_batch_size
    if meant_for is not None and images != meant_for:
        display.line(
            f"optimizer.lr={cfg.optimizer.lr:g} is for {meant_for} images per step; a step has {images} "
            f"({world.size} x {loader.batch_size} x {cfg.train.accumulate}), so all rates are multiplied by "
            f"{images / meant_for:g}: {cfg.optimizer.lr * images / meant_for:g}"
        )
