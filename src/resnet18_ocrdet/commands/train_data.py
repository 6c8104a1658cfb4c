"""The images of a training run: its sets, what is checked before it starts, and their loaders."""

from __future__ import annotations

from collections.abc import Sequence

from omegaconf import DictConfig

from .. import build
from ..config.library import mixed_groups
from ..data.datasets import EvalDataset, TrainDataset
from ..data.loader import EpochBatches, EvalLoader, TrainLoader
from ..data.mixing import MixedDataset, shown_per_epoch
from ..data.region_counts import RegionCounts, count_regions_at, low_usability_note, no_usable_region_error
from ..data.splits import Splits, overlap
from ..data.targets import TargetMaker
from ..errors import UserError
from ..model.contract import Contract
from ..runtime.console import Display
from ..runtime.device import Compute
from ..runtime.messages import count
from ..structures import Source


def check_images(splits: Splits, cfg: DictConfig, display: Display) -> None:
    """Refuse a set without images, and note validation images that are among those of training."""
    for name, source in (("training", splits.train), ("validation", splits.val)):
        _refuse_empty("data", name, source, cfg)
    _note_shared("the training set", splits.train, splits.val, display)


def images_per_epoch(main: int, cfg: DictConfig) -> int:
    """Images of an epoch, those of mixed sets included. main: images of `data`."""
    shares = [cfg.train[f"{group}_share"] for group in mixed_groups() if cfg[group] is not None]
    return main + sum(shown_per_epoch(main, shares))


def open_mixed_sets(splits: Splits, cfg: DictConfig, display: Display) -> list[build.MixedSet]:
    """The sets that are mixed into the training images, checked as `check_images` does."""
    mixed = build.build_mixed_sets(cfg)
    display.lines(f"{each.group}: {note}" for each in mixed for note in each.notes)
    for each in mixed:
        _refuse_empty(each.group, "training", each.source, cfg)
        _note_shared(each.group, each.source, splits.val, display)
    return mixed


def _refuse_empty(group: str, name: str, source: Source, cfg: DictConfig) -> None:
    if len(source) == 0:
        node = cfg[group]
        where = node.get("root") or node._target_
        asked = f"{group}.train={node.get('train')} {group}.val={node.get('val')}"
        raise UserError(f"{group}: no {name} images in {where} with {asked}")


def _note_shared(name: str, train: Source, val: Source, display: Display) -> None:
    if shared := overlap(Splits(train, val, None)):
        display.line(
            f"note: {len(shared)} of {count(len(val), 'validation image')} are in {name} too (first: "
            f"{shared[0]}): hmean will be too optimistic, and over-fitting will not show"
        )


def check_regions(
    splits: Splits,
    mixed: Sequence[build.MixedSet],
    targets: TargetMaker,
    cfg: DictConfig,
    contract: Contract,
    display: Display,
) -> RegionCounts | None:
    """Refuse data without usable regions, note data with few. Returns the counts of the training images, unzoomed.

    A mixed set may have no text at all: it then shows what text is not."""
    zoom = cfg.augment.scale_max if cfg.augment.crop else 1.0
    at = f"{contract.height}x{contract.width}"
    shape = (contract.height, contract.width, contract.resize)
    largest = count_regions_at(splits.train, targets, *shape, zoom)
    zoomed = f"{at}, zoomed {zoom:g} times" if zoom != 1.0 else at
    if largest is not None and (why := no_usable_region_error(largest, zoomed, cfg.train.min_text_size)):
        raise UserError(why)
    parts = {"training": splits.train, "validation": splits.val, **{each.group: each.source for each in mixed}}
    counted = {part: count_regions_at(source, targets, *shape) for part, source in parts.items()}
    known = [(part, found) for part, found in counted.items() if found is not None]
    least = cfg.train.min_text_size
    notes = (low_usability_note(found, part, at, least, scored=part == "validation") for part, found in known)
    display.lines(notes, "note: ")
    return counted["training"]


def make_loaders(
    splits: Splits,
    mixed: Sequence[build.MixedSet],
    targets: TargetMaker,
    cfg: DictConfig,
    contract: Contract,
    compute: Compute,
) -> tuple[TrainLoader, EvalLoader]:
    """The loaders of training and validation."""
    world = compute.world
    workers, pin = build.count_workers(cfg.train.workers, world.local_size), compute.device.type == "cuda"
    views = TrainDataset(splits.train, build.build_augment(cfg), targets, *build.view_size(cfg), cfg.seed)
    sets = [views]
    for each in mixed:
        first = sets[-1].first + len(sets[-1])
        augment = build.build_augment(cfg, whole=each.rendered)
        sets.append(TrainDataset(each.source, augment, targets, *build.view_size(cfg), cfg.seed, first))
    together = MixedDataset(sets, [len(views), *shown_per_epoch(len(views), [each.share for each in mixed])])
    val_views = EvalDataset(splits.val, targets, *contract.resizing)
    batch_size, steps = cfg.train.batch_size, (cfg.train.accumulate, world.rank, world.size)
    order = EpochBatches(len(together), batch_size, cfg.seed, *steps, together.key)
    return (
        TrainLoader(together, order, workers, pin),
        EvalLoader(val_views, cfg.train.batch_size, workers, pin, world.rank, world.size),
    )
