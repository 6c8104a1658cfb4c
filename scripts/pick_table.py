"""Whether picking pays: fine-tune on 50 picked photos, and on three random draws of 50, from the same weights.

    python scripts/pick_table.py --photos FOLDER init.weights=PATH        # weights that have seen no photo
    python scripts/pick_table.py --photos FOLDER init.weights=PATH --number 20 --draws 5 --output try

FOLDER is ICDAR2015's training half. `ocrdet-check pick=` chooses among photos 1-800 without their labels; the trainings
have the labels of the data set, and photos 801-900 are scored. All trainings are alike (experiment=finetune); other
words are overrides for them. A training that was stopped is resumed.

The second table compares the pre-labels of the picked photos with their labels, by the ICDAR2015 protocol: what has to
be drawn and deleted by hand. Without pre-labels, every region is drawn. Wrong outlines count as both.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

from finetune_table import SCORED_PHOTOS, Pair, Trial, link, measure
from installed import call
from resnet18_ocrdet.data.label_options import LabelOptions
from resnet18_ocrdet.data.load_annotations import read_data
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.evaluation.icdar_files import format_detections
from resnet18_ocrdet.structures import Detection
from script_cli import Parser, natural, run_script

PHOTOS = 800  # the first ones, to choose from
NUMBER, DRAWS = 50, 3
START = "init.weights="
KINDS = {"all": (), "without the unsure ones": ("unsure",)}  # pre-labels, and the flags that leave some out


class Outcome(NamedTuple):
    """A training that was scored."""

    name: str
    folder: Path  # with before/ and after/


def main() -> int:
    """Returns the first exit code that is not 0."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--number", type=natural, default=NUMBER, help="of photos that are trained on")
    parser.add_argument("--draws", type=natural, default=DRAWS, help="random ones, with seeds 0, 1, ...")
    parser.add_argument("--output", type=Path, default=Path("runs/pick_table"))
    args, overrides = parser.parse_known_args()
    starts = [word.removeprefix(START) for word in overrides if word.startswith(START)]
    if len(starts) != 1:
        raise UserError(f"{START}PATH is missing: weights that have seen no photo, unlike the bundled ones")
    if args.number > PHOTOS:
        raise UserError(f"--number {args.number}: at most {PHOTOS}, the photos to choose from")
    picked = args.output / "picked"
    if code := pick(args.photos, args.output / "unlabelled", picked, args.number, starts[0]):
        return code
    numbers = picked_numbers(picked)
    draws = {f"{args.number} picked": numbers}
    draws |= {f"{args.number} at random, seed {seed}": random_numbers(seed, args.number) for seed in range(args.draws)}
    scored = ("data=icdar2015", f"data.root={args.photos}", f"data.val={SCORED_PHOTOS}", "split=val")
    outcomes: list[Outcome] = []
    for name, chosen in draws.items():
        folder = args.output / re.sub(r"\W+", "_", name)
        train = link([photo(args.photos, number) for number in chosen], folder / "set")
        if outcomes and not (folder / "before").exists():  # the same weights on the same photos
            shutil.copytree(outcomes[0].folder / "before", folder / "before")
        if code := measure(Trial(name, train, scored), folder, overrides):
            return code
        outcomes.append(Outcome(name, folder))
    labels = []
    for kind, flags in KINDS.items():
        folder = args.output / re.sub(r"\W+", "_", f"prelabels {kind}")
        if code := score_prelabels(picked, outcomes[0].folder / "set", folder, flags):
            return code
        labels.append((kind, metrics_of(folder / "score")))
    print("\n".join(["", *training_table(outcomes), "", *label_table(labels)]))
    return 0


def pick(photos: Path, unlabelled: Path, output: Path, number: int, weights: str) -> int:
    """Pick among links to the first PHOTOS, without labels beside them, once. Returns the exit code."""
    if (output / "report.json").exists():
        return 0
    unlabelled.mkdir(parents=True, exist_ok=True)
    for each in range(1, PHOTOS + 1):
        image = photo(photos, each).image
        if not image.is_file():
            raise UserError(f"{image}: no such file")
        if not (unlabelled / image.name).exists():
            (unlabelled / image.name).symlink_to(image.resolve())
    words = (f"input={unlabelled}", f"pick={number}", f"checkpoint={weights}", f"output={output}")
    return call("ocrdet-check", *words)


def picked_numbers(output: Path) -> list[int]:
    """The numbers of the photos, the best first."""
    return [int(re.sub(r"\D", "", pick["image"])) for pick in json_of(output / "report.json")["picked"]]


def random_numbers(seed: int, number: int) -> list[int]:
    """`number` different photos of the first PHOTOS."""
    return sorted((np.random.default_rng(seed).permutation(PHOTOS)[:number] + 1).tolist())


def score_prelabels(picked: Path, labels: Path, folder: Path, left_out: Sequence[str]) -> int:
    """Score the pre-labels, without those that have one of the flags `left_out`. Returns the exit code."""
    results = folder / "results"
    results.mkdir(parents=True, exist_ok=True)
    if not any(pick["unsure_regions"] for pick in json_of(picked / "report.json")["picked"]):
        left_out = ()  # a flag that no region has is refused
    reading = read_data(picked, options=LabelOptions(flags=left_out or None))
    for record in (record for records in reading.splits.values() for record in records):
        kept = [
            Detection(polygon, math.nan) for polygon, out in zip(record.polygons, record.ignore, strict=True) if not out
        ]
        (results / f"res_{record.image_path.stem}.txt").write_text(format_detections(kept, with_scores=False))
    if (folder / "score/metrics.json").exists():
        return 0
    words = ("data=custom", f"data.root={labels}", "split=all", f"output={folder / 'score'}")
    return call("ocrdet-eval", f"predictions={results}", *words)


def training_table(outcomes: Sequence[Outcome]) -> list[str]:
    """The score before, of each training, and the mean of the random draws, which come after the picked ones."""
    lines = ["| trained on | hmean | 95 % interval |", "|---|---|---|"]
    rows = [("nothing", metrics_of(outcomes[0].folder / "before"))]
    rows += [(name, metrics_of(folder / "after")) for name, folder in outcomes]
    for name, metrics in rows:
        low, high = metrics["interval_95"]["hmean"] or (0.0, 0.0)
        lines.append(f"| {name} | {metrics['hmean'] or 0.0:.3f} | {low:.3f} to {high:.3f} |")
    mean = fmean(metrics["hmean"] or 0.0 for _, metrics in rows[2:])
    return [*lines, f"| mean of {len(rows) - 2} random draws | {mean:.3f} | |"]


def label_table(kinds: Sequence[tuple[str, dict[str, Any]]]) -> list[str]:
    """What is left to do by hand: regions that the pre-labels miss are drawn, wrong ones are deleted."""
    lines = ["| pre-labels | precision | recall | to draw | to delete |", "|---|---|---|---|---|"]
    lines.append(f"| none | | | {kinds[0][1]['care_regions']} | 0 |")
    for kind, metrics in kinds:
        shown = " | ".join(f"{metrics[key] or 0.0:.3f}" for key in ("precision", "recall"))
        wrong = metrics["care_detections"] - metrics["matched"]
        lines.append(f"| {kind} | {shown} | {metrics['care_regions'] - metrics['matched']} | {wrong} |")
    return lines


def metrics_of(folder: Path) -> dict[str, Any]:
    """Its metrics.json."""
    return json_of(folder / "metrics.json")


def json_of(path: Path) -> dict[str, Any]:
    """An object in a file."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def photo(root: Path, number: int) -> Pair:
    """A photo and its labels."""
    labels = root / "ch4_training_localization_transcription_gt"
    return Pair(root / f"ch4_training_images/img_{number}.jpg", labels / f"gt_img_{number}.txt")


if __name__ == "__main__":
    sys.exit(run_script("pick_table", main))
