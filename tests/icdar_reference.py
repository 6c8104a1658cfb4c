"""Plain reference implementation of the ICDAR 2015 protocol, to compare `metrics` with.

Written from the rules of Challenge 4, Task 1, with one loop for each rule. It shares no code with the package.
"""

from __future__ import annotations

import math

import shapely


def shape_of(polygon):
    """An outline as a valid shape: split where it crosses itself, without lines and points."""
    shape = shapely.Polygon(polygon)
    if shape.is_valid:
        return shape
    pieces = [part for part in shapely.get_parts(shapely.make_valid(shape)) if part.area > 0]
    return shapely.union_all(pieces)


def score_image(polygons, ignore, detections):
    """Give (matched pairs, care regions, [(score, hit) of every care detection]) of one image."""
    regions = [shape_of(polygon) for polygon in polygons]
    found = [shape_of(detection.polygon) for detection in detections]

    dont_care = set()
    for number, shape in enumerate(found):
        for region, skip in zip(regions, ignore, strict=True):
            if skip and shape.area > 0 and region.intersection(shape).area / shape.area > 0.5:
                dont_care.add(number)

    pairs, region_taken, found_taken = [], set(), set()
    for region_number, region in enumerate(regions):
        for number, shape in enumerate(found):
            if region_number in region_taken or number in found_taken:
                continue
            if ignore[region_number] or number in dont_care:
                continue
            common = region.intersection(shape).area
            union = region.area + shape.area - common
            if union > 0 and common / union > 0.5:
                region_taken.add(region_number)
                found_taken.add(number)
                pairs.append((region_number, number))

    care = [(detections[n].score, n in found_taken) for n in range(len(found)) if n not in dont_care]
    return pairs, len(regions) - sum(bool(skip) for skip in ignore), care


def score_set(images):
    """Give (precision, recall, hmean, ap) of a list of (polygons, ignore, detections)."""
    matched, care_regions, care = 0, 0, []
    for polygons, ignore, detections in images:
        pairs, count, found = score_image(polygons, ignore, detections)
        matched += len(pairs)
        care_regions += count
        care += found
    precision = matched / len(care) if care else 0.0
    if care_regions == 0:
        return precision, None, None, None
    recall = matched / care_regions
    hmean = 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0
    if any(math.isnan(detection.score) for _, _, detections in images for detection in detections):
        return precision, recall, hmean, None

    total, correct = 0.0, 0
    for rank, (_, hit) in enumerate(sorted(care, key=lambda item: -item[0]), start=1):  # sorted() keeps ties in order
        if hit:
            correct += 1
            total += correct / rank
    return precision, recall, hmean, total / care_regions
