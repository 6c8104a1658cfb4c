"""How well a network finds wrong labels: 30 mistakes of each kind are made in good labels, ocrdet-check looks for them.

    python scripts/label_errors.py data.root=FOLDER                        # ICDAR2015's training half, photos 801-1000
    python scripts/label_errors.py data.root=FOLDER --draws 5              # the means of seeds 0 to 4
    python scripts/label_errors.py data.root=FOLDER --photos 801-900 --seed 1 --output try

The photos must not have taught the network. Each mistake hits another care region, all in one copy of the labels:

    delete   the label is gone                             found as: missing label
    split    cut across into two halves that touch         split
    merge    two neighbours of one line become one         merged
    shrink   to 60 % of length and height, same centre     too tight
    grow     to 150 % of both                              too loose

Printed for each kind: how many of the first 30 doubts of that kind are mistakes that were made, and at which place of
the ranking half of them are, those that are not found being last. `before` is the number of doubts of that kind about
the labels as they are: of photos with good labels each is a false alarm, or a mistake of the set itself.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import shapely

from installed import call
from resnet18_ocrdet.data.formats.write_icdar import write_icdar_text
from resnet18_ocrdet.data.load_annotations import read_data
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.data.splits import choose
from resnet18_ocrdet.geometry.polygon import area, min_area_quad
from resnet18_ocrdet.structures import Polygon
from script_cli import Parser, run_script

FOUND_AS = {
    "delete": "missing label",
    "split": "split",
    "merge": "merged",
    "shrink": "too tight",
    "grow": "too loose",
}
EACH = 30  # mistakes of a kind
SHRUNK, GROWN = 0.6, 1.5  # times
NEIGHBOURS = 1.25  # times the area of two words, at most, for one rectangle round both: they stand in a line


class Place(NamedTuple):
    """Two or one care regions of a photo."""

    photo: int
    regions: tuple[int, ...]


class Made(NamedTuple):
    """A mistake."""

    kind: str
    image: str
    labels: tuple[int, ...]  # numbers in the written file; none for a deleted one
    outline: list[list[float]]  # what was right there


class Outcome(NamedTuple):
    """What became of the mistakes of one kind in one draw."""

    right: int  # of the first EACH doubts
    looked_at: int  # EACH, or all there are
    middle: float  # median place of the mistakes in the ranking, from 1
    seen: int  # mistakes that any doubt is about


def main() -> int:
    """Returns the first exit code of a command that neither is 0 nor says that there are findings."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", metavar="data.root=FOLDER", help="ICDAR2015's training half")
    parser.add_argument("--photos", default="801-1000", help="their numbers, first-last")
    parser.add_argument("--seed", type=int, default=0, help="of the places of the mistakes")
    parser.add_argument("--draws", type=int, default=1, help="with seed, seed + 1, ...: the table has their means")
    parser.add_argument("--checkpoint", default="bundled", help="the network that is asked")
    parser.add_argument("--output", type=Path, default=Path("runs/label_errors"))
    args = parser.parse_args()
    if args.draws < 1:
        parser.error(f"--draws={args.draws}: 1 or more")
    records = photos(Path(args.root.removeprefix("data.root=")), args.photos)
    code, before = doubts_about(records, args.output / "before", args.checkpoint)
    outcomes: dict[str, list[Outcome]] = {kind: [] for kind in FOUND_AS}
    for seed in range(args.seed, args.seed + args.draws):
        wrong, made = with_mistakes(records, np.random.default_rng(seed))
        if not code:
            code, doubts = doubts_about(wrong, args.output / f"wrong_{seed}", args.checkpoint)
        if code:
            return code
        for kind, draws in outcomes.items():
            draws.append(outcome(kind, made, doubts))
    print(f"\n{len(records)} photos, {sum(int((~record.ignore).sum()) for record in records)} words that count")
    print("| mistake | found as | right of the first 30 | each draw | median rank | found at all | before |")
    print("|---|---|---|---|---|---|---|")
    for kind, draws in outcomes.items():
        right, looked_at, middle, seen = np.mean(draws, axis=0)
        each = " ".join(str(draw.right) for draw in draws)
        there = sum(doubt["kind"] == FOUND_AS[kind] for doubt in before)
        words = (kind, FOUND_AS[kind], f"{right:g} of {looked_at:g}", each, f"{middle:g}", f"{seen:g}", there)
        print("|", " | ".join(map(str, words)), "|", flush=True)
    return 0


def doubts_about(records: Sequence[LabelRecord], root: Path, checkpoint: str) -> tuple[int, list[dict[str, Any]]]:
    """What ocrdet-check doubts in these labels, and 0 or the exit code of a check that failed."""
    write_set(records, root / "set")
    words = ("data=custom", f"data.root={root / 'set'}", f"checkpoint={checkpoint}", f"output={root}")
    if (code := call("ocrdet-check", *words)) not in (0, 1):
        return code, []
    doubts: list[dict[str, Any]] = json.loads((root / "report.json").read_text("utf-8"))["labels"]["doubts"]
    return 0, doubts


def outcome(kind: str, made: Sequence[Made], doubts: Sequence[dict[str, Any]]) -> Outcome:
    """Look for the mistakes of a kind among the doubts of the kind that they are found as; the gravest come first."""
    own = [each for each in made if each.kind == kind]
    ranked = [doubt for doubt in doubts if doubt["kind"] == FOUND_AS[kind]]
    ranks = [rank_of(each, ranked) for each in own]
    right = sum(any(hit(each, doubt) for each in own) for doubt in ranked[:EACH])
    middle = float(np.median(ranks)) + 1
    return Outcome(right, min(EACH, len(ranked)), middle, sum(rank < len(ranked) for rank in ranks))


def photos(root: Path, span: str) -> list[LabelRecord]:
    """The labels of the photos first-last. Raises UserError where there are none."""
    records = read_data(root, "icdar2015").parts.get("train", [])
    return [records[index] for index in choose(records, range(len(records)), span, 0, "--photos")]


def with_mistakes(records: Sequence[LabelRecord], rng: np.random.Generator) -> tuple[list[LabelRecord], list[Made]]:
    """A copy of the labels with EACH mistakes of each kind, and what they are; no region is hit twice."""
    single = [Place(n, (k,)) for n, record in enumerate(records) for k in np.flatnonzero(~record.ignore).tolist()]
    pairs = [place for n, record in enumerate(records) for place in neighbours(n, record)]
    used: set[tuple[int, int]] = set()
    chosen: dict[str, list[Place]] = {}
    for kind in ("merge", "delete", "split", "shrink", "grow"):  # pairs are rarest
        places = pairs if kind == "merge" else single
        chosen[kind] = []
        for index in rng.permutation(len(places)):
            place = places[index]
            if len(chosen[kind]) < EACH and not used & {(place.photo, k) for k in place.regions}:
                chosen[kind].append(place)
                used |= {(place.photo, k) for k in place.regions}
    labels, made = list(records), []
    for photo, record in enumerate(records):
        here = {kind: [place for place in places if place.photo == photo] for kind, places in chosen.items()}
        labels[photo], own = rewritten(record, here)
        made += own
    return labels, made


def neighbours(photo: int, record: LabelRecord) -> list[Place]:
    """Pairs of care regions that stand in one line."""
    places = []
    for left, right in combinations(np.flatnonzero(~record.ignore).tolist(), 2):
        outlines = record.polygons[left], record.polygons[right]
        together, _ = min_area_quad(np.concatenate(outlines))
        if area(together) < NEIGHBOURS * sum(map(area, outlines)):
            places.append(Place(photo, (left, right)))
    return places


def rewritten(record: LabelRecord, here: dict[str, list[Place]]) -> tuple[LabelRecord, list[Made]]:
    """The labels of one photo with its mistakes."""
    fate = {place.regions[0]: (kind, place) for kind, places in here.items() for place in places}
    gone = {place.regions[1] for place in here["merge"]}
    polygons, flags, texts, made = list[Polygon](), list[bool](), list[str](), list[Made]()
    for k, polygon in enumerate(record.polygons):
        if k in gone:
            continue
        kind, place = fate.get(k, ("", Place(0, (k,))))
        right = min_area_quad(np.concatenate([record.polygons[each] for each in place.regions]))[0]
        new = CHANGES[kind](right) if kind else [polygon]
        if kind:
            numbers = tuple(range(len(polygons), len(polygons) + len(new)))
            made.append(Made(kind, record.image_path.name, numbers, right.tolist()))
        polygons += new
        flags += [bool(record.ignore[k])] * len(new)
        texts += [record.texts[k]] * len(new)
    return replace(record, polygons=tuple(polygons), ignore=np.array(flags, bool), texts=tuple(texts)), made


def halves(quad: Polygon) -> list[Polygon]:
    """Cut across the longer direction."""
    if np.linalg.norm(quad[1] - quad[0]) < np.linalg.norm(quad[2] - quad[1]):
        quad = np.roll(quad, -1, axis=0)
    a, b, c, d = quad
    top, bottom = (a + b) / 2, (c + d) / 2
    return [np.array([a, top, bottom, d]), np.array([top, b, c, bottom])]


def scaled(quad: Polygon, times: float) -> list[Polygon]:
    """Round its centre."""
    centre = quad.mean(axis=0)
    return [((quad - centre) * times + centre).astype(np.float32)]


CHANGES: dict[str, Callable[[Polygon], list[Polygon]]] = {
    "delete": lambda quad: [],
    "split": halves,
    "merge": lambda quad: [quad],
    "shrink": lambda quad: scaled(quad, SHRUNK),
    "grow": lambda quad: scaled(quad, GROWN),
}


def write_set(records: Sequence[LabelRecord], root: Path) -> None:
    """A data set of these labels; its images are links."""
    images, labels = root / "train_images", root / "train_gts"
    shutil.rmtree(root, ignore_errors=True)  # of another call: other photos, other mistakes
    images.mkdir(parents=True)
    labels.mkdir()
    for record in records:
        link = images / record.image_path.name
        link.symlink_to(os.path.relpath(record.image_path.resolve(), images.resolve()))
        write_icdar_text(labels / f"gt_{record.image_path.stem}.txt", record, quads=True)


def rank_of(made: Made, ranked: Sequence[dict[str, Any]]) -> int:
    """The place of the first doubt about a mistake, from 0; behind the last where there is none."""
    return next((rank for rank, doubt in enumerate(ranked) if hit(made, doubt)), len(ranked))


def hit(made: Made, doubt: dict[str, Any]) -> bool:
    """Whether a doubt of the right kind is about this mistake."""
    if Path(doubt["image"]).name != made.image:
        return False
    if made.labels:
        return bool({label["label"] for label in doubt["labels"]} & set(made.labels))
    right, seen = shapely.Polygon(made.outline), shapely.Polygon(doubt["seen"][0])
    return bool(right.intersection(seen).area > 0.5 * min(right.area, seen.area))


if __name__ == "__main__":
    sys.exit(run_script("label_errors.py", main))
