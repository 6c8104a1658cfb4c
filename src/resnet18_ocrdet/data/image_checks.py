"""Check the header of every image before the run starts: whether it is an image, its size, and whether the labels fit.

All later steps use upright images: the EXIF orientation is applied whenever an image is read. Labels made for the
stored pixels are rotated here, once.

Legend: "raw": the stored pixels, "upright": after the EXIF orientation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..runtime.messages import count, sides
from ..structures import Polygon
from .findings import Report
from .image_guard import ImageFault
from .image_header import ImageHeader, read_header
from .image_io import MIRRORED_X, MIRRORED_Y, QUARTER_TURNS
from .polygon_repair import is_normalized
from .record import LabelRecord

Coords = Literal["pixels", "normalized"]
Exif = Literal["auto", "upright", "raw"]

MIN_EXCHANGED = 2  # images whose labels fit only with x and y exchanged: a single one may be another mistake
SLACK_PX = 2.0  # a corner may lie this far outside: tools round up
OUTSIDE_SHARE = 0.5  # of an image's regions entirely outside: the labels were made for another size
MAX_TINY_SIDE = 8  # px; in such small images, regions of one pixel are possible
SAME_ASPECT = 0.02  # largest relative difference of two equal aspect ratios


def check_image_headers(
    splits: dict[str, list[LabelRecord]], report: Report, exif: Exif = "auto", coords: Coords = "pixels"
) -> tuple[dict[str, list[LabelRecord]], str]:
    """Check every image of a data set. Images that cannot be read are reported and dropped, misfits are reported.

    exif: the pixels that the labels were made for; "auto": those they fit, decided for the whole data set.
    coords: "normalized": labels are fractions of width and height, converted to pixels here.
    Returns the records, with polygons in upright pixels and known sizes, and one line about rotated images ("" if
    there are none)."""
    headers = {split: _read_headers(records, report) for split, records in splits.items()}
    pairs = [pair for found in headers.values() for pair in found]
    raw, line = _choose_frame(pairs, exif)
    exchanged = coords == "pixels" and not raw and looks_exchanged(pairs)
    fitted = {
        split: [_fit(record, header, raw, exchanged, coords, report) for record, header in found]
        for split, found in headers.items()
    }
    return fitted, line


def _read_headers(records: Iterable[LabelRecord], report: Report) -> list[tuple[LabelRecord, ImageHeader]]:
    found = []
    for record in records:
        try:
            found.append((record, read_header(record.image_path)))
        except ImageFault as fault:
            detail = str(fault).removeprefix(f"{record.image_path}: ")
            report.add(fault.code, record.image_path, detail=detail, image=record.image_path)
    return found


def _choose_frame(pairs: Sequence[tuple[LabelRecord, ImageHeader]], exif: Exif) -> tuple[bool, str]:
    """Whether labels refer to raw pixels, and the reason in one line."""
    rotated = [(record, header) for record, header in pairs if header.orientation != 1]
    if not rotated:
        return False, ""
    votes = [frame_of(record, header) for record, header in rotated]
    upright, raw = votes.count("upright"), votes.count("raw")
    chosen = exif == "raw" or (exif == "auto" and raw > upright)
    how = f"data.exif={exif}" if exif != "auto" else f"read as made for the {'stored' if chosen else 'upright'} pixels"
    hint = f"; check one image, data.exif={'upright' if chosen else 'raw'} is the alternative" if upright == raw else ""
    return chosen, (
        f"EXIF rotates {count(len(rotated), 'image')} of {len(pairs)}; labels fit only the upright image: {upright}"
        f", only the stored pixels: {raw}, both: {len(rotated) - upright - raw}; {how}{hint}"
    )


def looks_exchanged(pairs: Sequence[tuple[LabelRecord, ImageHeader]]) -> bool:
    """Whether the labels of a data set are y before x: those of several images fit only with x and y exchanged.

    Images whose labels fit both ways are not counted."""
    as_is, swapped = 0, 0
    for record, header in pairs:
        if record.polygons and not is_normalized(record.polygons):
            fits = _inside(record.polygons, header.height, header.width)
            fits_swapped = _inside(record.polygons, header.width, header.height)
            as_is += fits and not fits_swapped
            swapped += fits_swapped and not fits
    return swapped >= MIN_EXCHANGED and swapped > as_is


def frame_of(record: LabelRecord, header: ImageHeader) -> Literal["upright", "raw", "either"]:
    """Which pixels the labels of one rotated image fit."""
    if record.frame != "unknown":
        return record.frame
    upright, raw = header[:2], _raw_size(header)
    if raw != upright and record.stated in (raw, upright):
        return "raw" if record.stated == raw else "upright"
    fits = [_inside(record.polygons, *size) for size in (upright, raw)]
    if fits[0] == fits[1]:
        return "either"
    return "upright" if fits[0] else "raw"


def _raw_size(header: ImageHeader) -> tuple[int, int]:
    """Height and width of the stored pixels."""
    turned = header.orientation in QUARTER_TURNS
    return (header.width, header.height) if turned else (header.height, header.width)


def _inside(polygons: Sequence[Polygon], height: int, width: int) -> bool:
    if not polygons:
        return True
    points = np.concatenate(polygons)
    most = np.array([width - 1, height - 1]) + SLACK_PX
    return bool((points >= -SLACK_PX).all() and (points <= most).all())


def _fit(
    record: LabelRecord, header: ImageHeader, raw: bool, exchanged: bool, coords: Coords, report: Report
) -> LabelRecord:
    """The record with a known size and its polygons in upright pixels; labels that do not fit are lost.

    exchanged: whether the data set has y before x, see `looks_exchanged`."""
    record = replace(record, size=header[:2])
    if not record.polygons:
        return replace(record, frame="upright")
    raw = record.frame == "raw" or (raw and record.frame == "unknown")
    frame = _raw_size(header) if raw else header[:2]
    if coords == "normalized":
        record = _scaled(record, np.array([frame[1], frame[0]], np.float32))
    elif record.stated is not None and record.stated != frame and _same_aspect(record.stated, frame):
        (h, w), (stated_h, stated_w) = frame, record.stated
        fits = stated_h > h and _inside(record.polygons, h, w)  # made for these pixels, even if another size is stated
        done = "they fit without scaling" if fits else "scaled"
        detail = f"labels are for an image {sides(stated_h, stated_w)}, this one is {sides(h, w)}: {done}"
        report.add("GT124", record.place, detail=detail, image=record.image_path)
        record = record if fits else _scaled(record, np.array([w / stated_w, h / stated_h], np.float32))
    if raw and header.orientation != 1:
        detail = f"orientation {header.orientation}: labels rotated with the image"
        report.add("IM063", record.image_path, detail=detail, image=record.image_path)
        record = replace(record, polygons=tuple(to_upright(p, header.orientation, *frame) for p in record.polygons))
    record = replace(record, frame="upright")
    if misfit := _misfit(record, header, exchanged):
        code, detail = misfit
        report.add(code, record.place, detail=detail, image=record.image_path)
        return replace(record.only([]), lost=record.lost + len(record.polygons))
    return _drop_outside(record, header, report)


def _same_aspect(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return min(a) > 0 and abs((a[0] / a[1]) / (b[0] / b[1]) - 1) <= SAME_ASPECT


def _scaled(record: LabelRecord, factor: NDArray[np.float32]) -> LabelRecord:
    with np.errstate(over="ignore"):  # infinite values are reported later
        return replace(record, polygons=tuple(polygon * factor for polygon in record.polygons))


def to_upright(polygon: Polygon, orientation: int, height: int, width: int) -> Polygon:
    """Map (V, 2) points of a stored height×width image to the upright image of EXIF orientation 1..8.

    EXIF 2.32, table 6: orientation 6 needs a quarter turn clockwise."""
    if orientation in QUARTER_TURNS:
        polygon, height, width = polygon[:, ::-1], width, height
    x, y = polygon[:, 0], polygon[:, 1]
    if orientation in MIRRORED_X:
        x = np.float32(width - 1) - x
    if orientation in MIRRORED_Y:
        y = np.float32(height - 1) - y
    return np.stack((x, y), axis=1)


def _misfit(record: LabelRecord, header: ImageHeader, exchanged: bool) -> tuple[str, str] | None:
    """Code and detail if the labels as a whole cannot belong to this image."""
    size = sides(header.height, header.width)
    if is_normalized(record.polygons) and min(header.height, header.width) > MAX_TINY_SIDE:
        return "GT023", f"all coordinates lie between 0 and 1, the image is {size}"
    outside = _outside(record, header)
    fits_exchanged = _inside(record.polygons, header.width, header.height)
    if fits_exchanged and (outside.mean() > OUTSIDE_SHARE or (exchanged and not _inside(record.polygons, *header[:2]))):
        return "GT025", f"regions lie outside the image, {size}; with x and y exchanged all lie inside"
    if outside.mean() <= OUTSIDE_SHARE:
        return None
    width_and_height = np.array([header.width, header.height], np.float32)
    ratio = float((np.concatenate(record.polygons).max(axis=0) / width_and_height).max())
    if len(outside) > 1 and ratio > 1:
        detail = f"{outside.sum()} of {len(outside)} regions lie outside, up to {ratio:.2f} times the image, {size}"
        return "GT024", detail
    return None


def _outside(record: LabelRecord, header: ImageHeader) -> NDArray[np.bool_]:
    """(K,): whether the region's box lies entirely outside the image."""
    low = np.array([polygon.min(axis=0) for polygon in record.polygons])
    high = np.array([polygon.max(axis=0) for polygon in record.polygons])
    most = np.array([header.width - 1, header.height - 1])
    return np.asarray(((high < 0) | (low > most)).any(axis=1))


def _drop_outside(record: LabelRecord, header: ImageHeader, report: Report) -> LabelRecord:
    """Drop regions entirely outside; report those partly outside, which are clipped when they are used."""
    outside = _outside(record, header)
    most = np.array([header.width - 1, header.height - 1]) + SLACK_PX
    for region, polygon in enumerate(record.polygons):
        cut = (polygon < -SLACK_PX).any() or (polygon > most).any()
        if code := "PG040" if outside[region] else "PG039" if cut else "":
            (left, top), (right, bottom) = polygon.min(axis=0), polygon.max(axis=0)
            detail = f"x {left:.6g}..{right:.6g}, y {top:.6g}..{bottom:.6g} in an image {sides(*header[:2])}"
            report.add(code, record.place, record.line(region), detail, record.image_path)
    return record.only(np.flatnonzero(~outside).tolist())
