"""A whole set of labels as a trained network sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..data.record import LabelRecord
from ..geometry.batched import text_sizes
from .label_audit import KINDS, Doubt, Kind, Seen, doubts_of, findable_shares


class Doubted(NamedTuple):
    """One image with the doubts about its labels, the gravest first."""

    record: LabelRecord
    seen: Seen
    doubts: tuple[Doubt, ...]

    @property
    def weight(self) -> float:
        """How much is doubted in all."""
        return sum(doubt.suspicion for doubt in self.doubts)


class LabelCheck(NamedTuple):
    """What a network said of the labels of a set."""

    network: str  # its name, for people
    taught: int | None  # images that it learnt from: it has learnt their mistakes too; None: not known
    images: tuple[Doubted, ...]  # those that could be read

    def ranked(self, kind: Kind) -> list[tuple[Doubted, Doubt]]:
        """All doubts of a kind, the gravest first."""
        found = [(image, doubt) for image in self.images for doubt in image.doubts if doubt.kind == kind]
        return sorted(found, key=lambda pair: -pair[1].suspicion)

    @property
    def kinds(self) -> list[Kind]:
        """Those with a doubt."""
        there = {doubt.kind for image in self.images for doubt in image.doubts}
        return [kind for kind in KINDS if kind in there]

    @property
    def worst(self) -> list[Doubted]:
        """The images with a doubt, those with most first."""
        return sorted((image for image in self.images if image.doubts), key=lambda image: -image.weight)


def judge(network: str, taught: int | None, images: Sequence[tuple[LabelRecord, Seen]]) -> LabelCheck:
    """Compare labels with what the network saw. Every label of the set says how well it finds text of its height."""
    heights, _ = text_sizes([polygon for record, _ in images for polygon in record.polygons])
    care = np.concatenate([np.zeros(0, bool), *(~record.ignore for record, _ in images)])
    support = np.concatenate([np.zeros(0), *(seen.support for _, seen in images)])
    shares = np.zeros(len(care))
    shares[care] = findable_shares(heights[care], support[care])
    judged, first = [], 0
    for record, seen in images:
        own = shares[first : first + len(record.polygons)]
        first += len(record.polygons)
        judged.append(Doubted(record, seen, tuple(doubts_of(record.polygons, record.ignore, seen, own))))
    return LabelCheck(network, taught, tuple(judged))
