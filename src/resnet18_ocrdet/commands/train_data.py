"""The images of a training run: its sets, what is checked before it starts, and their loaders."""

from __future__ import annotations

from collections.abc import Sequence, Sized

from omegaconf import DictConfig

from .. import build
from ..config.library import mixed_groups
from ..data.datasets import EvalDataset, TrainDataset
from ..data.labels import LabelledImages
from ..data.loader import EpochBatches, EvalLoader, TrainLoader
from ..data.mixing import MixedDataset, shown_per_epoch
from ..data.region_counts import (
    RegionCounts,
    count_regions_at,
    has_usable_region,
    low_usability_note,
    no_usable_region_error,
)
from ..data.splits import Splits, overlap
from ..data.targets import TargetMaker
from ..errors import UserError
from ..model.contract import Contract
from ..runtime.console import Display
from ..runtime.device import Compute
from ..runtime.messages import as_typed, count
from ..structures import Resize, Source


def check_images(splits: Splits, cfg: DictConfig, display: Display) -> None:
    """Refuse a set without images, and note validation images that are among those of training."""
    refuse_empty(splits, cfg)
    _note_shared("the training set", splits.train, splits.val, display)


def refuse_empty(splits: Splits, cfg: DictConfig) -> None:
    """Raise UserError for a set without images for training or validation."""
    sets = {"training": splits.train, "validation": splits.val, "test": splits.test or ()}
    has = ", ".join(f"{count(len(source), 'image')} for {name}" for name, source in sets.items() if len(source))
    if not len(splits.train) and len(splits.val) == 1 and cfg.data.get("root") and cfg.data.get("train") is None:
        raise UserError(
            f"data: {cfg.data.root} has only one image for training and validation: label at least one more, or use it "
            f"for both with data.train=NAMES.txt data.val=NAMES.txt, a file that holds its name"
        )
    for name in ("training", "validation"):
        _refuse_empty("data", name, sets[name], cfg, f"; it has {has or 'no images'}")


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


def _refuse_empty(group: str, name: str, source: Sized, cfg: DictConfig, has: str = "") -> None:
    """Raise UserError for a set without images. has: what the data set has instead."""
    if len(source) == 0:
        node = cfg[group]
        where = node.get("root") or node._target_
        asked = " ".join(f"{group}.{key}={as_typed(node.get(key))}" for key in ("train", "val"))
        raise UserError(f"{group}: no {name} images in {where} with {asked}{has}")


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
    at = f"{contract.height}x{contract.width}"
    shape = (contract.height, contract.width, contract.resize)
    refuse_unusable(splits.train, targets, *shape, cfg)
    parts = {"training": splits.train, "validation": splits.val, **{each.group: each.source for each in mixed}}
    counted = {part: count_regions_at(source, targets, *shape) for part, source in parts.items()}
    known = [(part, found) for part, found in counted.items() if found is not None]
    least = cfg.train.min_text_size
    notes = (low_usability_note(found, part, at, least, scored=part == "validation") for part, found in known)
    display.lines(notes, "note: ")
    return counted["training"]


def refuse_unusable(
    train: Source, targets: TargetMaker, height: int, width: int, resize: Resize, cfg: DictConfig
) -> None:
    """Raise UserError if no region of the training images is usable, even at the largest zoom of the augmentation."""
    zoom = cfg.augment.scale_max if cfg.augment.crop else 1.0
    if not isinstance(train, LabelledImages) or has_usable_region(train, targets, height, width, resize, zoom):
        return
    largest = count_regions_at(train, targets, height, width, resize, zoom)
    zoomed = f"{height}x{width}" + (f", zoomed {zoom:g} times" if zoom != 1.0 else "")
    if largest is not None and (why := no_usable_region_error(largest, zoomed, cfg.train.min_text_size)):
        raise UserError(why)


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
