"""What experiment=finetune is worth: train on a few images of one kind, score unseen ones before and after.

    python scripts/finetune_table.py --receipts FOLDER                # 100 receipts, then 50; 50 others are scored
    python scripts/finetune_table.py --photos FOLDER init.weights=PATH  # 50 photos of ICDAR2015
    python scripts/finetune_table.py --folder TRAIN TEST              # any two folders of labelled images
    python scripts/finetune_table.py --receipts FOLDER optimizer=sgd --output try   # overrides apply to every training

Receipts: a folder with images/ and gts/ (ICDAR 2019 SROIE, 150 scanned receipts labelled by line segment); the first
100 by name are trained on, then the first 50, and the last 50 are scored. Photos: ICDAR2015's training half; 1-50 are
trained on and 801-900 scored. The preset holds out its own validation images, a tenth. It starts from the bundled
weights unless init.weights= is given. A training that was stopped is resumed; its minutes are then left out.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from installed import call, train_once
from resnet18_ocrdet.errors import UserError
from script_cli import Parser, natural, run_script

RECEIPTS, DEV_RECEIPTS = 100, 50  # by name: the first ones, the last ones
NUMBERS = (100, 50)  # of receipts that are trained on
PHOTOS = 50
SCORED_PHOTOS = "801-900"
START = "init.weights=bundled"


class Trial(NamedTuple):
    """One row of the table."""

    name: str
    train: Path  # a folder of labelled images
    scored: tuple[str, ...]  # words for ocrdet-eval that name the images


class Pair(NamedTuple):
    """An image and its label file."""

    image: Path
    label: Path


def main() -> int:
    """Returns the first exit code that is not 0."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--receipts", type=Path)
    parser.add_argument("--numbers", type=natural, nargs="+", default=NUMBERS, help="of receipts that are trained on")
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--folder", type=Path, nargs=2, metavar=("TRAIN", "TEST"))
    parser.add_argument("--output", type=Path, default=Path("runs/finetune_table"))
    args, overrides = parser.parse_known_args()
    if max(args.numbers) > RECEIPTS:
        raise UserError(f"--numbers {max(args.numbers)}: at most {RECEIPTS}, the others are scored")
    if not any((args.receipts, args.photos, args.folder)):
        raise UserError("--receipts FOLDER, --photos FOLDER or --folder TRAIN TEST is missing")
    rows = []
    for trial in trials(args):
        folder = args.output / trial.name.replace(" ", "_")
        if code := measure(trial, folder, overrides):
            return code
        rows.append(row(trial.name, folder))
    print("\n| trained on | before | 95 % interval | after | 95 % interval | minutes |\n|---|---|---|---|---|---|")
    print("\n".join(rows))
    return 0


def trials(args: argparse.Namespace) -> Iterator[Trial]:
    """The rows that the command line asks for, with their folders prepared. Raises UserError."""
    if args.receipts is not None:
        pairs = receipts(args.receipts)
        dev = link(pairs[-DEV_RECEIPTS:], args.output / "receipts_dev")
        for number in args.numbers:
            folder = link(pairs[:number], args.output / f"receipts_{number}_train")
            yield Trial(f"{number} receipts", folder, ("data=custom", f"data.root={dev}", "split=all"))
    if args.photos is not None:
        images, labels = (args.photos / f"ch4_training_{part}" for part in ("images", "localization_transcription_gt"))
        pairs = [Pair(images / f"img_{n}.jpg", labels / f"gt_img_{n}.txt") for n in range(1, PHOTOS + 1)]
        folder = link(pairs, args.output / "photos_train")
        scored = ("data=icdar2015", f"data.root={args.photos}", f"data.val={SCORED_PHOTOS}", "split=val")
        yield Trial(f"{PHOTOS} photos", folder, scored)
    if args.folder is not None:
        train, test = args.folder
        yield Trial(train.name, train, ("data=custom", f"data.root={test}", "split=all"))


def receipts(root: Path) -> list[Pair]:
    """All receipts, by name. Raises UserError if there are too few."""
    images = sorted((root / "images").glob("*.jpg"))
    if len(images) < RECEIPTS + DEV_RECEIPTS:
        raise UserError(f"--receipts {root}: {len(images)} images/*.jpg, at least {RECEIPTS + DEV_RECEIPTS} are needed")
    return [Pair(image, root / "gts" / f"gt_{image.stem}.txt") for image in images]


def link(pairs: Sequence[Pair], folder: Path) -> Path:
    """A folder with images/ and gts/ that link to the pairs. Raises UserError for a file that does not exist."""
    for image, label in pairs:
        for path, place in ((image, folder / "images"), (label, folder / "gts")):
            if not path.is_file():
                raise UserError(f"{path}: no such file")
            place.mkdir(parents=True, exist_ok=True)
            if not (place / path.name).exists():
                (place / path.name).symlink_to(path.resolve())
    return folder.resolve()


def measure(trial: Trial, folder: Path, overrides: Sequence[str]) -> int:
    """Score, train, score. What is done already is skipped. Returns the first exit code that is not 0."""
    start = next((word for word in overrides if word.startswith("init.weights=")), START)
    others = [word for word in overrides if word != start]
    before = ("ocrdet-eval", f"checkpoint={start.partition('=')[2]}", *trial.scored, f"output={folder / 'before'}")
    if not (folder / "before/metrics.json").exists() and (code := call(*before)):
        return code
    run, timed = folder / "run", folder / "minutes.json"
    fresh, began = not run.exists(), time.monotonic()
    if code := train_once(run, "experiment=finetune", start, "data=custom", f"data.root={trial.train}", *others):
        return code
    if fresh:
        timed.write_text(json.dumps((time.monotonic() - began) / 60.0), encoding="utf-8")
    if (folder / "after/metrics.json").exists():
        return 0
    return call("ocrdet-eval", f"checkpoint={run / 'checkpoints/best.pt'}", *trial.scored, f"output={folder / 'after'}")


def row(name: str, folder: Path) -> str:
    """The line of a trial that is done."""
    cells = [name]
    for when in ("before", "after"):
        metrics = json.loads((folder / when / "metrics.json").read_text(encoding="utf-8"))
        low, high = metrics["interval_95"]["hmean"] or (0.0, 0.0)
        cells += [f"{metrics['hmean'] or 0.0:.3f}", f"{low:.3f} to {high:.3f}"]
    timed = folder / "minutes.json"
    cells.append(f"{json.loads(timed.read_text(encoding='utf-8')):.1f}" if timed.exists() else "–")
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(run_script("finetune_table", main))
