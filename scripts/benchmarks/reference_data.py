"""Plain reference for bench_data.py: a training sample as MhLiao/DB makes it, written from scratch.

Decode to float32; mirror, rotate and scale the whole image, step by step, in float32; crop at random between the
regions; scale the crop to the network's size and pad it; shrink map; threshold map region by region, from a float64
distance map with a square root per edge; normalise. OpenCV does the warps, which is faster than the image library of
the original.

Legend: H W pixels, K regions, V vertices.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pyclipper
from numpy.typing import NDArray

SHRINK_RATIO = 0.4
THRESH_MIN, THRESH_MAX = 0.3, 0.7
MIN_TEXT_SIZE = 8
MIN_CROP_SHARE = 0.1  # of a side
CROP_TRIES = 10
MEAN = np.array([123.675, 116.28, 103.53], np.float32)  # ImageNet, RGB, 0..255
STD = np.array([58.395, 57.12, 57.375], np.float32)

Float = NDArray[np.floating]


def make_sample(
    read: Callable[[], NDArray[np.uint8]],
    polygons: list[Float],
    ignore: list[bool],
    size: int,
    rng: np.random.Generator,
    stages: dict[str, float],
) -> dict[str, Any]:
    """One sample of size×size; the milliseconds of each stage go into `stages`."""
    began = time.perf_counter()

    def done(stage: str) -> None:
        nonlocal began
        now = time.perf_counter()
        stages[stage] = 1000 * (now - began)
        began = now

    image = read().astype(np.float32)
    done("decode")
    image, polygons = distort(image, polygons, rng)
    image, polygons, ignore = random_crop(image, polygons, ignore, size, rng)
    done("geometry")
    planes = make_targets(polygons, ignore, size, size)
    done("targets")
    image = (image - MEAN) / STD
    image = np.ascontiguousarray(image.transpose(2, 0, 1))
    done("normalise")
    return {"image": image, "planes": planes, "polygons": polygons, "ignore": ignore}


def distort(image: Float, polygons: list[Float], rng: np.random.Generator) -> tuple[Float, list[Float]]:
    """Mirror half of the images, rotate by up to 10 degrees, scale by 0.5 to 3: three passes over the whole image."""
    height, width = image.shape[:2]
    if rng.random() < 0.5:
        image = cv2.flip(image, 1)
        polygons = [np.stack([width - 1 - p[:, 0], p[:, 1]], axis=1) for p in polygons]
    rotation = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), rng.uniform(-10, 10), 1.0)
    image = cv2.warpAffine(image, rotation, (width, height))
    polygons = [p @ rotation[:, :2].T + rotation[:, 2] for p in polygons]
    scale = rng.uniform(0.5, 3.0)
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)  # imgaug's Resize: cubic
    return image, [p * scale for p in polygons]


def random_crop(
    image: Float, polygons: list[Float], ignore: list[bool], size: int, rng: np.random.Generator
) -> tuple[Float, list[Float], list[bool]]:
    """Cut a window whose sides cross no region, scale it to fit size×size, pad it."""
    height, width = image.shape[:2]
    x, y, w, h = crop_window(height, width, polygons, rng)
    scale = min(size / w, size / h)
    new_w, new_h = max(1, int(w * scale)), max(1, int(h * scale))
    padded = np.zeros((size, size, 3), image.dtype)
    padded[:new_h, :new_w] = cv2.resize(image[y : y + h, x : x + w], (new_w, new_h))
    kept, flags = [], []
    for polygon, flag in zip(polygons, ignore, strict=True):
        moved = (polygon - (x, y)) * scale
        outside = (moved.max(axis=0) < 0).any() or (moved.min(axis=0) > (new_w, new_h)).any()
        if not outside:
            kept.append(moved)
            flags.append(flag)
    return padded, kept, flags


def crop_window(height: int, width: int, polygons: list[Float], rng: np.random.Generator) -> tuple[int, int, int, int]:
    """x, y, width and height of a window with text, if one is found; else of the whole image."""
    free_x, free_y = np.ones(width, bool), np.ones(height, bool)
    for polygon in polygons:
        (left, top), (right, bottom) = np.rint(polygon.min(axis=0)), np.rint(polygon.max(axis=0))
        free_x[max(int(left), 0) : max(int(right), 0) + 1] = False
        free_y[max(int(top), 0) : max(int(bottom), 0) + 1] = False
    xs, ys = np.flatnonzero(free_x), np.flatnonzero(free_y)
    if not len(xs) or not len(ys):
        return 0, 0, width, height
    for _ in range(CROP_TRIES):
        left, right = sorted(int(value) for value in rng.choice(xs, 2))
        top, bottom = sorted(int(value) for value in rng.choice(ys, 2))
        if right - left < MIN_CROP_SHARE * width or bottom - top < MIN_CROP_SHARE * height:
            continue
        for polygon in polygons:
            inside = (polygon >= (left, top)).all() and (polygon <= (right, bottom)).all()
            if inside:
                return left, top, right - left, bottom - top
    return 0, 0, width, height


def make_targets(polygons: list[Float], ignore: list[bool], height: int, width: int) -> tuple[Float, ...]:
    """Probability map and mask, threshold map and mask, (H, W) float32."""
    prob_map = np.zeros((height, width), np.float32)
    prob_mask = np.ones((height, width), np.float32)
    nearness = np.zeros((height, width), np.float32)
    thresh_mask = np.zeros((height, width), np.float32)
    for polygon, flag in zip(polygons, ignore, strict=True):
        sides = polygon.max(axis=0) - polygon.min(axis=0)
        shrunk = [] if flag or sides.min() < MIN_TEXT_SIZE else offset(polygon, -1)
        if not shrunk:
            cv2.fillPoly(prob_mask, [polygon.astype(np.int32)], 0)
            continue
        cv2.fillPoly(prob_map, [np.array(shrunk[0], np.int32)], 1)
        draw_border(polygon, nearness, thresh_mask)
    return prob_map, prob_mask, nearness * (THRESH_MAX - THRESH_MIN) + THRESH_MIN, thresh_mask


def offset(polygon: Float, sign: int) -> list[list[list[int]]]:
    """The outline moved in (-1) or out (+1) by A (1 - r²) / L."""
    mover = pyclipper.PyclipperOffset()
    mover.AddPath([tuple(point) for point in polygon], pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    return list(mover.Execute(sign * offset_distance(polygon)))


def offset_distance(polygon: Float) -> float:
    """px."""
    following = np.roll(polygon, -1, axis=0)
    area = abs(float((polygon[:, 0] * following[:, 1] - polygon[:, 1] * following[:, 0]).sum())) / 2
    length = float(np.hypot(*(following - polygon).T).sum())
    return area * (1 - SHRINK_RATIO**2) / length


def draw_border(polygon: Float, nearness: Float, mask: Float) -> None:
    """Raise `nearness` round one outline; set `mask` inside the grown region."""
    grown = np.array(offset(polygon, 1)[0])
    distance = offset_distance(polygon)
    cv2.fillPoly(mask, [grown.astype(np.int32)], 1)
    left, top = grown.min(axis=0)
    right, bottom = grown.max(axis=0)
    width, height = right - left + 1, bottom - top + 1
    xs = np.broadcast_to(np.linspace(0, width - 1, width)[None, :], (height, width))
    ys = np.broadcast_to(np.linspace(0, height - 1, height)[:, None], (height, width))
    local = polygon - (left, top)
    maps = np.zeros((len(local), height, width), np.float32)
    for edge in range(len(local)):
        gap = edge_distance(xs, ys, local[edge], local[(edge + 1) % len(local)])
        maps[edge] = np.clip(gap / distance, 0, 1)
    nearest = maps.min(axis=0)
    full_h, full_w = nearness.shape
    x0, x1 = max(0, left), min(full_w - 1, right)
    y0, y1 = max(0, top), min(full_h - 1, bottom)
    if x0 > x1 or y0 > y1:
        return
    window = nearness[y0 : y1 + 1, x0 : x1 + 1]
    np.fmax(1 - nearest[y0 - top : y1 - top + 1, x0 - left : x1 - left + 1], window, out=window)


def edge_distance(xs: Float, ys: Float, start: Float, end: Float) -> Float:
    """px from every pixel to one edge: the altitude where the angle at the pixel is obtuse, else the nearer end."""
    first = np.square(xs - start[0]) + np.square(ys - start[1])
    second = np.square(xs - end[0]) + np.square(ys - end[1])
    length = np.square(start[0] - end[0]) + np.square(start[1] - end[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = (length - first - second) / (2 * np.sqrt(first * second))
        sine = np.nan_to_num(1 - np.square(cosine))
        altitude = np.sqrt(first * second * np.maximum(sine, 0) / length)
    return np.where(cosine < 0, np.sqrt(np.minimum(first, second)), altitude)
