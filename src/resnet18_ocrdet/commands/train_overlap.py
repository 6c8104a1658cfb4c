"""Which images were in a network's training set: scores on them are optimistic, mistakes in their labels learned."""

from __future__ import annotations

import os
from collections.abc import Sequence

from omegaconf import DictConfig, OmegaConf

from .. import build
from ..data.labels import LabelledImages
from ..data.record import LabelRecord
from ..data.splits import Splits, same_images
from ..errors import UserError
from ..model.contract import Contract
from ..model.metadata import Metadata
from ..model.release import count_train_overlap, is_stripped
from ..runtime.provenance import data_hash
from ..structures import Source


def records_in_training(
    content: Metadata, contract: Contract, records: Sequence[LabelRecord], own: Splits | None = None
) -> int | None:
    """How many of the images were in the training set, sets that were mixed in included; None if one of these is not
    available. own: the data set that the checkpoint records, if it is already open."""
    if is_stripped(content):
        if "taught" not in content["about"]:
            return None  # exported from a run whose data are elsewhere
        return count_train_overlap(content, [record.image_path for record in records])
    try:
        trains = training_sources(content, contract, own)
    except UserError:
        return None
    known = [record for train in trains if isinstance(train, LabelledImages) for record in train.records]
    return len(same_images(known, records)) if trains else None


def training_sources(content: Metadata, contract: Contract, own: Splits | None = None) -> list[Source]:
    """The sets that a run was trained on, opened again; empty if it records none. own: as of `records_in_training`.

    Raises UserError for a set that is not there any more."""
    cfg = OmegaConf.create(content["config"])
    if cfg.get("data") is None:
        return []
    train = (
        own.train
        if own is not None
        else build.build_splits(cfg.data, (contract.height, contract.width), cached=False).train
    )
    return [train, *(mixed.source for mixed in build.build_mixed_sets(cfg, cached=False))]


def was_trained_on(content: Metadata, splits: Splits, data: DictConfig) -> bool:
    """Whether the run of a checkpoint was validated on `splits.val`: it records the same folder, or the same images and
    labels, which may have moved. data: settings of `splits`."""
    roots = (content["config"].get("data") or {}).get("root"), data.get("root")
    if None not in roots and len({os.path.realpath(str(root)) for root in roots}) == 1:
        return True
    hashes = content["about"].get("data")
    return isinstance(hashes, dict) and hashes.get("val") == data_hash(splits.val)


def images_in_training(content: Metadata, contract: Contract, source: Source, own: Splits | None) -> int | None:
    """The same for a split."""
    if own is not None and source is own.train:
        return len(source)
    return records_in_training(content, contract, source.records, own) if isinstance(source, LabelledImages) else 0
