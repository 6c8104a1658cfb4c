"""Which images a network learnt from: what it says of them flatters it, and repeats the mistakes of their labels."""

from __future__ import annotations

from collections.abc import Sequence

from omegaconf import OmegaConf

from .. import build
from ..data.labels import LabelledImages
from ..data.record import LabelRecord
from ..data.splits import Splits, overlap, same_images
from ..errors import UserError
from ..model.checkpoint import Checkpoint
from ..model.contract import Contract
from ..model.release import count_train_overlap, is_stripped
from ..structures import Source


def taught_records(content: Checkpoint, contract: Contract, records: Sequence[LabelRecord]) -> int | None:
    """How many of the images of these records; None where the training images are not there to be compared with."""
    if is_stripped(content):
        if "taught" not in content["about"]:
            return None  # exported from a run that lies elsewhere
        return count_train_overlap(content, [record.image_path for record in records])
    data = OmegaConf.create(content["config"]).get("data")
    if data is None:
        return None
    if "cache" in data:
        data.cache = "none"  # only names and bytes are compared
    try:
        trained = build.build_splits(data, contract).train
    except UserError:
        return None
    return len(same_images(trained.records, records)) if isinstance(trained, LabelledImages) else 0


def taught_images(content: Checkpoint, contract: Contract, source: Source, own: Splits | None) -> int | None:
    """How many of the images of a split. own: the images that the checkpoint records, where they are open already."""
    if own is not None and not is_stripped(content):
        return len(source) if source is own.train else len(overlap(Splits(own.train, source, None)))
    return taught_records(content, contract, source.records) if isinstance(source, LabelledImages) else 0
