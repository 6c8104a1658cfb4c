"""A look at the head of every image before anything starts: is it one, how large is it, do the labels fit.

Everything later works on upright images: EXIF is applied when an image is read, in training, evaluation and detection
alike. Labels that were made for the stored, unturned pixels are turned here, once, with their image.

Legend: H W height and width in px; "raw" are the stored pixels, "upright" what EXIF makes of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.image_guard import ImageFault
from resnet18_ocrdet.data.image_head import ImageHead, look_at
from resnet18_ocrdet.data.polygon_repair import has_shares
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.runtime.messages import count, sides
from resnet18_ocrdet.structures import Polygon

Coords = Literal["pixels", "normalized"]
Exif = Literal["auto", "upright", "raw"]

LEAST_EXCHANGED = 2  # images whose labels fit only with x and y exchanged: one may be any other mistake
SLACK_PX = 2.0  # a corner may lie so far outside before that says anything: tools round up
OUTSIDE_SHARE = 0.5  # of an image's regions wholly outside: the labels belong to another size
NO_SHARES_SIDE = 8  # px, of an image so small that regions of a pixel are possible
SAME_ASPECT = 0.02  # relative difference of two aspect ratios that counts as none
QUARTER = (5, 6, 7, 8)  # EXIF orientations that exchange height and width (EXIF 2.32, table 6)


@dataclass(frozen=True)
class Surveyed:
    """What the survey of a set gives."""

    parts: dict[str, list[LabelRecord]]  # without images that are none; polygons in upright pixels, sizes known
    exif: str  # what was found about turned images, in a line; "" where none is turned


def survey(
    parts: dict[str, list[LabelRecord]], report: Report, exif: Exif = "auto", coords: Coords = "pixels"
) -> Surveyed:
    """Look at every image of a set. What cannot be read is reported and left out; what does not fit is reported.

    exif: which pixels the labels were made for; "auto": those they fit, decided for the set as a whole.
    coords: "normalized": labels are shares of width and height, and become pixels here."""
    looked = {part: _look(records, report) for part, records in parts.items()}
    pairs = [pair for found in looked.values() for pair in found]
    raw, line = _choose_frame(pairs, exif)
    exchanged = coords == "pixels" and not raw and looks_exchanged(pairs)
    done = {
        part: [_fit(record, head, raw, exchanged, coords, report) for record, head in found]
        for part, found in looked.items()
    }
    return Surveyed(done, line)


def _look(records: Iterable[LabelRecord], report: Report) -> list[tuple[LabelRecord, ImageHead]]:
    found = []
    for record in records:
        try:
            found.append((record, look_at(record.image_path)))
        except ImageFault as fault:
            detail = str(fault).removeprefix(f"{record.image_path}: ")
            report.add(fault.code, record.image_path, detail=detail, image=record.image_path)
    return found


def _choose_frame(pairs: Sequence[tuple[LabelRecord, ImageHead]], exif: Exif) -> tuple[bool, str]:
    """Whether labels count raw pixels, and what that was decided by."""
    turned = [(record, head) for record, head in pairs if head.orientation != 1]
    if not turned:
        return False, ""
    votes = [frame_of(record, head) for record, head in turned]
    upright, raw = votes.count("upright"), votes.count("raw")
    chosen = exif == "raw" or (exif == "auto" and raw > upright)
    how = (
        f"data.exif={exif}" if exif != "auto" else f"taken for the {'unturned pixels' if chosen else 'turned picture'}"
    )
    doubt = f"; look at one, data.exif={'upright' if chosen else 'raw'} is the other way" if upright == raw else ""
    return chosen, (
        f"EXIF turns {count(len(turned), 'image')} of {len(pairs)}; labels that fit only the turned picture: {upright}"
        f", only the unturned pixels: {raw}, both: {len(turned) - upright - raw}; {how}{doubt}"
    )


def looks_exchanged(pairs: Sequence[tuple[LabelRecord, ImageHead]]) -> bool:
    """Whether the labels of a set were written y before x: those of several images fit them only the other way round.

    Images whose labels fit both ways say nothing."""
    written, other = 0, 0
    for record, head in pairs:
        if record.polygons and not has_shares(record):
            as_written = _inside(record.polygons, head.height, head.width)
            as_exchanged = _inside(record.polygons, head.width, head.height)
            written += as_written and not as_exchanged
            other += as_exchanged and not as_written
    return other >= LEAST_EXCHANGED and other > written


def frame_of(record: LabelRecord, head: ImageHead) -> Literal["upright", "raw", "either"]:
    """Which pixels the labels of one turned image fit."""
    if record.frame != "unknown":
        return record.frame
    raw = head.width, head.height
    if head.orientation not in QUARTER:
        raw = head.height, head.width
    if record.stated is not None and head.orientation in QUARTER and raw != (head.height, head.width):
        if record.stated == raw:
            return "raw"
        if record.stated == (head.height, head.width):
            return "upright"
    fits = [_inside(record.polygons, *size) for size in ((head.height, head.width), raw)]
    if fits[0] == fits[1]:
        return "either"
    return "upright" if fits[0] else "raw"


def _inside(polygons: Sequence[Polygon], height: int, width: int) -> bool:
    if not polygons:
        return True
    points = np.concatenate(polygons)
    most = np.array([width - 1, height - 1]) + SLACK_PX
    return bool((points >= -SLACK_PX).all() and (points <= most).all())


def _fit(
    record: LabelRecord, head: ImageHead, raw: bool, exchanged: bool, coords: Coords, report: Report
) -> LabelRecord:
    """The record with its size known and its polygons in upright pixels; labels that do not fit are masked.

    exchanged: whether the set has y before x, see `looks_exchanged`."""
    where = record.label_path or record.image_path
    record = replace(record, size=(head.height, head.width))
    if not record.polygons:
        return replace(record, frame="upright")
    raw = record.frame == "raw" or (raw and record.frame == "unknown")
    frame = (head.width, head.height) if raw and head.orientation in QUARTER else (head.height, head.width)
    if coords == "normalized":
        record = _scaled(record, np.array([frame[1], frame[0]], np.float32))
    elif record.stated not in (None, frame) and _same_aspect(record.stated, frame):
        assert record.stated is not None
        (h, w), (stated_h, stated_w) = frame, record.stated
        fits = stated_h > h and _inside(record.polygons, h, w)  # made for these pixels, whatever is stated
        done = "they fit it as they are, and stay so" if fits else "scaled"
        detail = f"labels are for an image {sides(stated_h, stated_w)}, this one is {sides(h, w)}: {done}"
        report.add("GT124", where, detail=detail, image=record.image_path)
        record = record if fits else _scaled(record, np.array([w / stated_w, h / stated_h], np.float32))
    if raw and head.orientation != 1:
        detail = f"orientation {head.orientation}: labels turned with the image"
        report.add("IM063", record.image_path, detail=detail, image=record.image_path)
        record = _turned(record, head.orientation, frame)
    record = replace(record, frame="upright")
    if misfit := _misfit(record, head, exchanged):
        code, detail = misfit
        report.add(code, where, detail=detail, image=record.image_path)
        return _without(record, range(len(record.polygons)), lost=True)
    return _drop_outside(record, head, report)


def _same_aspect(a: tuple[int, int] | None, b: tuple[int, int]) -> bool:
    return a is not None and min(a) > 0 and abs((a[0] / a[1]) / (b[0] / b[1]) - 1) <= SAME_ASPECT


def _scaled(record: LabelRecord, factor: NDArray[np.float32]) -> LabelRecord:
    with np.errstate(over="ignore"):  # what becomes infinite is found to be so
        return replace(record, polygons=tuple(polygon * factor for polygon in record.polygons))


def _turned(record: LabelRecord, orientation: int, raw_size: tuple[int, int]) -> LabelRecord:
    return replace(record, polygons=tuple(turn_upright(p, orientation, *raw_size) for p in record.polygons))


def turn_upright(polygon: Polygon, orientation: int, height: int, width: int) -> Polygon:
    """Carry (V, 2) points of a stored height×width image to where EXIF orientation 1..8 puts them.

    EXIF 2.32, table 6: 6 is the camera held so that a quarter turn clockwise shows the picture."""
    x, y = polygon[:, 0], polygon[:, 1]
    mirrored_x, mirrored_y = np.float32(width - 1) - x, np.float32(height - 1) - y
    ways = {
        1: (x, y),
        2: (mirrored_x, y),
        3: (mirrored_x, mirrored_y),
        4: (x, mirrored_y),
        5: (y, x),
        6: (mirrored_y, x),
        7: (mirrored_y, mirrored_x),
        8: (y, mirrored_x),
    }
    return np.stack(ways[orientation], axis=1)


def _misfit(record: LabelRecord, head: ImageHead, exchanged: bool) -> tuple[str, str] | None:
    """Code and words where the labels as a whole cannot belong to this image."""
    points = np.concatenate(record.polygons)
    shown = sides(head.height, head.width)
    largest = points.max(axis=0)
    if has_shares(record) and min(head.height, head.width) > NO_SHARES_SIDE:
        return "GT023", f"all coordinates lie between 0 and 1, the image is {shown}"
    outside = _wholly_outside(record, head)
    fits_exchanged = _inside(record.polygons, head.width, head.height)
    if fits_exchanged and (outside.mean() > OUTSIDE_SHARE or (exchanged and not _inside(record.polygons, *head[:2]))):
        return "GT025", f"regions lie outside of the image, {shown}; with x and y exchanged all lie inside"
    if outside.mean() <= OUTSIDE_SHARE:
        return None
    ratio = float(max(largest[0] / head.width, largest[1] / head.height))
    if len(outside) > 1 and ratio > 1:
        return (
            "GT024",
            f"{outside.sum()} of {len(outside)} regions lie outside, up to {ratio:.2f} times the image, {shown}",
        )
    return None


def _wholly_outside(record: LabelRecord, head: ImageHead) -> NDArray[np.bool_]:
    """(K,): no part of the region's box lies in the image."""
    low = np.array([polygon.min(axis=0) for polygon in record.polygons])
    high = np.array([polygon.max(axis=0) for polygon in record.polygons])
    most = np.array([head.width - 1, head.height - 1])
    return np.asarray(((high < 0) | (low > most)).any(axis=1))


def _drop_outside(record: LabelRecord, head: ImageHead, report: Report) -> LabelRecord:
    """Leave out regions that lie outside, tell of those that reach outside: they are cut where they are used."""
    where = record.label_path or record.image_path
    gone = _wholly_outside(record, head)
    most = np.array([head.width - 1, head.height - 1]) + SLACK_PX
    for region, polygon in enumerate(record.polygons):
        detail = f"x {polygon[:, 0].min():.6g}..{polygon[:, 0].max():.6g}, y {polygon[:, 1].min():.6g}.."
        detail += f"{polygon[:, 1].max():.6g} in an image {sides(head.height, head.width)}"
        if gone[region]:
            report.add("PG040", where, record.line(region), detail, record.image_path)
        elif (polygon < -SLACK_PX).any() or (polygon > most).any():
            report.add("PG039", where, record.line(region), detail, record.image_path)
    return _without(record, np.flatnonzero(gone), lost=False)


def _without(record: LabelRecord, regions: Iterable[int], lost: bool) -> LabelRecord:
    """Take regions out. lost: they are somewhere in the image, nobody knows where."""
    out = set(map(int, regions))
    if not out:
        return record
    kept = [region for region in range(len(record.polygons)) if region not in out]
    return replace(
        record,
        polygons=tuple(record.polygons[region] for region in kept),
        ignore=record.ignore[kept],
        texts=tuple(record.texts[region] for region in kept),
        lines=np.array([record.line(region) for region in kept], np.int32),
        lost=record.lost + (len(out) if lost else 0),
    )
