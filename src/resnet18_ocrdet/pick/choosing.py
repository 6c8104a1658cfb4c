"""From what was seen of all images to the ones that are picked, each with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from ..detections.files import Item
from ..runtime.messages import count
from .diversity import Choice, Features, farthest_first, originals
from .survey import Surveyed
from .uncertainty import Uncertainty, rank_unsure

OFTEN = 0.75  # share of the other images, from which on a sign is named as a reason


class Pick(NamedTuple):
    """One image to label."""

    item: Item
    reason: str
    unsure: float  # 0..1, see `rank_unsure`
    distance: float  # 0..1, see `Choice`


class Candidates(NamedTuple):
    """Images without labels, sorted by whether they are worth labelling."""

    left: list[Surveyed]
    like_labelled: list[Surveyed]  # nearly the same picture as a labelled one
    copies: list[Surveyed]  # nearly the same picture as an earlier one
    blank: list[Surveyed]


def sort_out(surveyed: Sequence[Surveyed], labelled: Sequence[Surveyed]) -> Candidates:
    """Separate blank images and copies from the others. All of one picture but the first are copies."""
    found = Candidates([], [], [], [])
    filled: list[Surveyed] = []
    for each in surveyed:
        (found.blank if each.blank else filled).append(each)
    everything = [*labelled, *filled]
    sources = originals([each.picture for each in everything], len(labelled))
    for each, source in zip(filled, sources[len(labelled) :], strict=True):
        kind = found.left if source is None else found.like_labelled if source < len(labelled) else found.copies
        kind.append(each)
    return found


def choose(left: Sequence[Surveyed], labelled: Sequence[Surveyed], number: int) -> list[Pick]:
    """At most `number` images, the best first."""
    if not left:
        return []
    unsure = rank_unsure([each.doubt for each in left])
    features = _features(left)
    known = _features(labelled) if labelled else features[:0]
    chosen = islice(farthest_first(features, unsure, known), number)
    return [_pick(left[choice.image], choice, float(unsure[choice.image])) for choice in chosen]


def _features(surveyed: Sequence[Surveyed]) -> Features:
    return np.stack([each.feature for each in surveyed])


def _pick(surveyed: Surveyed, choice: Choice, unsure: float) -> Pick:
    reason = "; ".join(_reasons(surveyed.doubt, unsure, choice.novelty))
    return Pick(surveyed.item, reason, unsure, choice.distance)


def _reasons(doubt: Uncertainty, unsure: float, novelty: float) -> list[str]:
    """The main reason first: what the network is unsure of, or that the image is unlike the others."""
    doubts = []
    if doubt.unsure:
        doubts.append(f"{doubt.unsure} of {count(doubt.regions, 'region')} unsure")
    if doubt.unmatched:
        doubts.append(f"{count(doubt.unmatched, 'region')} found in one of two passes only")
    if not doubt.regions:
        doubts.append("traces of text, but no region")
    unlike = ["unlike the others"] if novelty >= OFTEN else []
    reasons = [*unlike, *doubts] if novelty > unsure else [*doubts, *unlike]
    return reasons or ["the most different of those left"]
