"""Which images were in a network's training set: scores on them are optimistic, mistakes in their labels learned."""

from __future__ import annotations

import os
from collections.abc import Sequence

from omegaconf import DictConfig, OmegaConf

from .. import build
from ..data.labels import LabelledImages
from ..data.record import LabelRecord
from ..data.splits import Splits, overlap, same_images
from ..errors import UserError
from ..model.contract import Contract
from ..model.metadata import Metadata
from ..model.release import count_train_overlap, is_stripped
from ..runtime.provenance import data_hash
from ..structures import Source


def records_in_training(content: Metadata, contract: Contract, records: Sequence[LabelRecord]) -> int | None:
    """How many of the images were in the training set; None if the training set is not available."""
    if is_stripped(content):
        if "taught" not in content["about"]:
            return None  # exported from a run whose data are elsewhere
        return count_train_overlap(content, [record.image_path for record in records])
    data = OmegaConf.create(content["config"]).get("data")
    if data is None:
        return None
    try:
        train = build.build_splits(data, contract, cached=False).train
    except UserError:
        return None
    return len(same_images(train.records, records)) if isinstance(train, LabelledImages) else 0


def was_trained_on(content: Metadata, splits: Splits, data: DictConfig) -> bool:
    """Whether the run of a checkpoint was validated on `splits.val`: it records the same folder, or the same images and
    labels, which may have moved. data: settings of `splits`."""
    roots = (content["config"].get("data") or {}).get("root"), data.get("root")
    if None not in roots and len({os.path.realpath(str(root)) for root in roots}) == 1:
        return True
    hashes = content["about"].get("data")
    return isinstance(hashes, dict) and hashes.get("val") == data_hash(splits.val)


def images_in_training(content: Metadata, contract: Contract, source: Source, own: Splits | None) -> int | None:
    """The same for a split. own: the data set that the checkpoint records, if it is already open."""
    if own is not None and not is_stripped(content):
        return len(source) if source is own.train else len(overlap(Splits(own.train, source, None)))
    return records_in_training(content, contract, source.records) if isinstance(source, LabelledImages) else 0
