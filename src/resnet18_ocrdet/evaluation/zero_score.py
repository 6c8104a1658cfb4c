"""Why a validation found nothing: how far the regions came from the probability map to a match, and what lost them."""

from __future__ import annotations

from ..inference.records import DecodeStats
from ..model.contract import Contract
from ..runtime.messages import count
from .records import Score

SPECKLE = 10  # contours a region; text that is merely small leaves about one


def explain_zero(
    score: Score, stages: DecodeStats, best_iou: float, contract: Contract, warming_up: bool = False
) -> list[str]:
    """Two lines for a set of which no region was found: the funnel, and the stage that lost them with its remedy.

    best_iou: highest IoU of any box with any region, 0..1. warming_up: the mining warm-up is not over, so that boxes
    in wrong places say nothing about the labels yet."""
    boxes = f"{stages.boxes} box" + ("" if stages.boxes == 1 else "es")
    funnel = (
        f"hmean 0, step by step: {count(score.care_regions, 'region')} to find → highest probability "
        f"{stages.max_prob:.2f} → {count(stages.contours, 'contour')} above bin_thresh → {stages.large} large enough → "
        f"{stages.confident} above box_thresh → {boxes} → best IoU {best_iou:.2f} (above 0.5 counts)"
    )
    return [funnel, f"lost at: {_lost_at(score, stages, best_iou, contract, warming_up)}"]


def _lost_at(score: Score, stages: DecodeStats, best_iou: float, contract: Contract, warming_up: bool) -> str:
    if stages.contours == 0:
        return (
            f"probability: no pixel is above decode.bin_thresh={contract.bin_thresh:g}. The network does not know text "
            f"yet: train longer, or look at what it is taught with train.preview=true"
        )
    if stages.large == 0 and stages.contours > SPECKLE * score.care_regions:
        return (
            f"size: {count(stages.contours, 'contour')} for {count(score.care_regions, 'region')}, all thinner than 3 "
            f"px: speckle, not text. The network does not know text yet: train longer"
        )
    if stages.large == 0:
        return (
            f"size: every contour is thinner than 3 px at {contract.height}x{contract.width}. The text is too small: "
            f"a larger input_size"
        )
    if stages.confident == 0 and stages.contours > SPECKLE * score.care_regions:
        return (
            f"score: {count(stages.contours, 'contour')} for {count(score.care_regions, 'region')}, none with a mean "
            f"probability of decode.box_thresh={contract.box_thresh:g}: noise, not text. The network does not know "
            f"text yet: train longer"
        )
    if stages.confident == 0:
        return (
            f"score: no contour has a mean probability of decode.box_thresh={contract.box_thresh:g}. The network sees "
            f"text and is not sure of it yet: train longer, or look at the boxes with decode.box_thresh=0.3"
        )
    if stages.boxes == 0:
        return f"size: every box is thinner than 5 px after growing by unclip_ratio={contract.unclip_ratio:g}"
    if best_iou > 0.5:
        return "matching: the boxes lie on don't-care regions only"
    if best_iou > 0.3:
        return (
            f"IoU: boxes lie on the text and do not fit it (best IoU {best_iou:.2f}). Train longer; boxes that are too "
            f"tight or too loose: another decode.unclip_ratio than {contract.unclip_ratio:g}"
        )
    if warming_up:
        return f"IoU: the boxes lie beside the labels (best IoU {best_iou:.2f}), as they do early. Train longer"
    return (
        f"IoU: the boxes lie beside the labels (best IoU {best_iou:.2f}). Train longer; if it stays: are the labels in "
        f"pixels of these images (their size, their EXIF rotation)? train.preview=true shows it"
    )
