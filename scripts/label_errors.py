"""How well ocrdet-check finds wrong labels: 30 errors of each kind are made in correct labels.

    python scripts/label_errors.py data.root=FOLDER                        # ICDAR2015's training half, photos 801-1000
    python scripts/label_errors.py data.root=FOLDER --draws 5              # the means of seeds 0 to 4
    python scripts/label_errors.py data.root=FOLDER --photos 801-900 --seed 1 --output try

The network must not have been trained on the photos. All errors are in one copy of the labels, each in another care
region:

    delete   the label is removed                          found as: missing label
    split    cut across into two halves that touch         split
    merge    two neighbours in a line become one           merged
    shrink   to 60 % of length and height, same centre     too tight
    grow     to 150 % of both                              too loose

Printed for each kind: how many of the first 30 findings of that kind are errors that were made, and the median rank of
the errors, where those that are not found rank last. `before` counts findings of that kind in the original labels: each
is a false alarm or an error of the data set itself.
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
EACH = 30  # errors of a kind
SHRUNK, GROWN = 0.6, 1.5  # times
NEIGHBOURS = 1.25  # two words are in a line if a rectangle around both has at most this many times their area


class Place(NamedTuple):
    """One or two care regions of a photo."""

    photo: int
    regions: tuple[int, ...]


class LabelError(NamedTuple):
    """An error that was made."""

    kind: str
    image: str
    labels: tuple[int, ...]  # numbers in the written file; empty for a deleted label
    outline: list[list[float]]  # the correct one


class Outcome(NamedTuple):
    """Results for the errors of one kind and seed."""

    right: int  # among the first EACH findings
    looked_at: int  # EACH, or fewer if there are fewer findings
    median_rank: float  # of the errors, from 1
    found: int  # errors with any finding


def main() -> int:
    """Returns the exit code of the first check that failed, else 0."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", metavar="data.root=FOLDER", help="ICDAR2015's training half")
    parser.add_argument("--photos", default="801-1000", help="range of their numbers, first-last")
    parser.add_argument("--seed", type=int, default=0, help="of the places of the errors")
    parser.add_argument(
        "--draws", type=int, default=1, help="number of seeds: seed, seed + 1, ...; the table has the means"
    )
    parser.add_argument("--checkpoint", default="bundled", help="of the network")
    parser.add_argument("--output", type=Path, default=Path("runs/label_errors"))
    args = parser.parse_args()
    if args.draws < 1:
        parser.error(f"--draws {args.draws}: must be 1 or more")
    records = photos(Path(args.root.removeprefix("data.root=")), args.photos)
    code, before = findings_in(records, args.output / "before", args.checkpoint)
    outcomes: dict[str, list[Outcome]] = {kind: [] for kind in FOUND_AS}
    for seed in range(args.seed, args.seed + args.draws):
        wrong, made = with_errors(records, np.random.default_rng(seed))
        if not code:
            code, findings = findings_in(wrong, args.output / f"wrong_{seed}", args.checkpoint)
        if code:
            return code
        for kind, draws in outcomes.items():
            draws.append(outcome(kind, made, findings))
    print(f"\n{len(records)} photos, {sum(int((~record.ignore).sum()) for record in records)} care regions")
    print("| error | found as | right of the first 30 | each seed | median rank | found at all | before |")
    print("|---|---|---|---|---|---|---|")
    for kind, draws in outcomes.items():
        right, looked_at, rank, found = np.mean(draws, axis=0)
        each = " ".join(str(draw.right) for draw in draws)
        there = sum(finding["kind"] == FOUND_AS[kind] for finding in before)
        cells = (kind, FOUND_AS[kind], f"{right:g} of {looked_at:g}", each, f"{rank:g}", f"{found:g}", there)
        print("|", " | ".join(map(str, cells)), "|", flush=True)
    return 0


def findings_in(records: Sequence[LabelRecord], root: Path, checkpoint: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit code of a check that failed, else 0; and the findings of ocrdet-check in these labels."""
    write_set(records, root / "set")
    overrides = ("data=custom", f"data.root={root / 'set'}", f"checkpoint={checkpoint}", f"output={root}")
    if (code := call("ocrdet-check", *overrides)) not in (0, 1):
        return code, []
    findings: list[dict[str, Any]] = json.loads((root / "report.json").read_text("utf-8"))["labels"]["doubts"]
    return 0, findings


def outcome(kind: str, made: Sequence[LabelError], findings: Sequence[dict[str, Any]]) -> Outcome:
    """Look for the errors of a kind among the findings of the matching kind, worst first."""
    own = [each for each in made if each.kind == kind]
    ranked = [finding for finding in findings if finding["kind"] == FOUND_AS[kind]]
    ranks = [rank_of(each, ranked) for each in own]
    right = sum(any(hit(each, finding) for each in own) for finding in ranked[:EACH])
    median_rank = float(np.median(ranks)) + 1
    return Outcome(right, min(EACH, len(ranked)), median_rank, sum(rank < len(ranked) for rank in ranks))


def photos(root: Path, span: str) -> list[LabelRecord]:
    """The labels of the photos first-last. Raises UserError if there are none."""
    records = read_data(root, "icdar2015").splits.get("train", [])
    return [records[index] for index in choose(records, range(len(records)), span, 0, "--photos")]


def with_errors(records: Sequence[LabelRecord], rng: np.random.Generator) -> tuple[list[LabelRecord], list[LabelError]]:
    """A copy of the labels with EACH errors of each kind, and the errors; each region has at most one."""
    single = [Place(n, (k,)) for n, record in enumerate(records) for k in np.flatnonzero(~record.ignore).tolist()]
    pairs = [place for n, record in enumerate(records) for place in neighbours(n, record)]
    used: set[tuple[int, int]] = set()
    chosen: dict[str, list[Place]] = {}
    for kind in ("merge", "delete", "split", "shrink", "grow"):  # pairs are the rarest
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
    """Pairs of care regions in one line."""
    places = []
    for left, right in combinations(np.flatnonzero(~record.ignore).tolist(), 2):
        outlines = record.polygons[left], record.polygons[right]
        together, _ = min_area_quad(np.concatenate(outlines))
        if area(together) < NEIGHBOURS * sum(map(area, outlines)):
            places.append(Place(photo, (left, right)))
    return places


def rewritten(record: LabelRecord, here: dict[str, list[Place]]) -> tuple[LabelRecord, list[LabelError]]:
    """The labels of one photo with its errors."""
    fate = {place.regions[0]: (kind, place) for kind, places in here.items() for place in places}
    gone = {place.regions[1] for place in here["merge"]}
    polygons, flags, texts, made = list[Polygon](), list[bool](), list[str](), list[LabelError]()
    for k, polygon in enumerate(record.polygons):
        if k in gone:
            continue
        kind, place = fate.get(k, ("", Place(0, (k,))))
        right = min_area_quad(np.concatenate([record.polygons[each] for each in place.regions]))[0]
        new = CHANGES[kind](right) if kind else [polygon]
        if kind:
            numbers = tuple(range(len(polygons), len(polygons) + len(new)))
            made.append(LabelError(kind, record.image_path.name, numbers, right.tolist()))
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
    """Scale about its centre."""
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
    """Write a data set with these labels and links to the images."""
    images, labels = root / "train_images", root / "train_gts"
    shutil.rmtree(root, ignore_errors=True)  # of another call, with other photos or errors
    images.mkdir(parents=True)
    labels.mkdir()
    for record in records:
        link = images / record.image_path.name
        link.symlink_to(os.path.relpath(record.image_path.resolve(), images.resolve()))
        write_icdar_text(labels / f"gt_{record.image_path.stem}.txt", record, quads=True)


def rank_of(made: LabelError, ranked: Sequence[dict[str, Any]]) -> int:
    """The rank of the first finding about an error, from 0; after the last one if there is none."""
    return next((rank for rank, finding in enumerate(ranked) if hit(made, finding)), len(ranked))


def hit(made: LabelError, finding: dict[str, Any]) -> bool:
    """Whether a finding of the matching kind is about this error."""
    if Path(finding["image"]).name != made.image:
        return False
    if made.labels:
        return bool({label["label"] for label in finding["labels"]} & set(made.labels))
    correct, found = shapely.Polygon(made.outline), shapely.Polygon(finding["seen"][0])
    return bool(correct.intersection(found).area > 0.5 * min(correct.area, found.area))


if __name__ == "__main__":
    sys.exit(run_script("label_errors.py", main))
