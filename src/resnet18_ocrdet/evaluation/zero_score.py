"""Explain why a validation found nothing: at which step from the probability map to a match all regions were lost."""

from __future__ import annotations

from ..inference.postprocess import DecodeStats
from ..model.contract import Contract
from ..runtime.messages import count
from .metrics import MATCH_IOU, Score

NOISE = 10  # contours per region; text that is merely small gives about one


def explain_zero(
    score: Score, stats: DecodeStats, best_iou: float, contract: Contract, warming_up: bool = False
) -> list[str]:
    """Two lines for a set without a match: the count after each step, and the step that lost the last ones.

    best_iou: highest IoU of any box with any region, 0..1. warming_up: the mining warm-up is not over; until then
    misplaced boxes do not indicate wrong labels."""
    boxes = f"{stats.boxes} box" + ("" if stats.boxes == 1 else "es")
    steps = (
        f"hmean 0, step by step: {count(score.care_regions, 'region')} to find → highest probability "
        f"{stats.max_prob:.2f} → {count(stats.contours, 'contour')} above bin_thresh → {stats.large} large enough → "
        f"{stats.confident} above box_thresh → {boxes} → best IoU {best_iou:.2f} (must be above {MATCH_IOU:g})"
    )
    return [steps, f"lost at: {_lost_at(score, stats, best_iou, contract, warming_up)}"]


def _lost_at(score: Score, stats: DecodeStats, best_iou: float, contract: Contract, warming_up: bool) -> str:
    noise = stats.contours > NOISE * score.care_regions
    counts = f"{count(stats.contours, 'contour')} for {count(score.care_regions, 'region')}"
    if stats.contours == 0:
        return (
            f"probability: no pixel is above decode.bin_thresh={contract.bin_thresh:g}. The network does not know text "
            f"yet: train longer, or check the targets with train.preview=true"
        )
    if stats.large == 0 and noise:
        return f"size: {counts}, all thinner than 3 px: noise, not text. Train longer"
    if stats.large == 0:
        return (
            f"size: every contour is thinner than 3 px at {contract.height}x{contract.width}. The text is too small: "
            f"use a larger input_size"
        )
    if stats.confident == 0:
        limit = f"a mean probability of decode.box_thresh={contract.box_thresh:g}"
        if noise:
            return f"score: {counts}, none with {limit}: noise, not text. Train longer"
        return (
            f"score: no contour has {limit}. The network sees text with low confidence: train longer, or inspect the "
            f"boxes with decode.box_thresh=0.3"
        )
    if stats.boxes == 0:
        return f"size: every box is thinner than 5 px after unclip_ratio={contract.unclip_ratio:g}"
    if best_iou > MATCH_IOU:
        return "matching: all boxes are on don't-care regions"
    if best_iou > 0.3:
        return (
            f"IoU: boxes are on the text but do not fit it (best IoU {best_iou:.2f}). Train longer; if boxes stay too "
            f"tight or too loose, change decode.unclip_ratio={contract.unclip_ratio:g}"
        )
    misplaced = f"IoU: boxes are not on the labels (best IoU {best_iou:.2f})"
    if warming_up:
        return f"{misplaced}, which is normal early in training. Train longer"
    return (
        f"{misplaced}. Train longer; if it stays, check that the labels are in pixels of these images (image size, "
        f"EXIF rotation) with train.preview=true"
    )
