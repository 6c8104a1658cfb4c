"""How much pretraining on rendered words helps with few photos: train on 50 photos with it and without.

    python scripts/few_photos.py data.root=FOLDER                 # ICDAR2015's training half; 40 minutes on 2 cores
    python scripts/few_photos.py data.root=FOLDER train.epochs=2 --output try    # overrides apply to both trainings

Photos 1-50 are the training set, 51-100 the validation set that chooses the epoch and the thresholds, 801-900 are
scored. The rendered words have drawn backgrounds, so the pretrained weights have seen no photo. Both trainings have the
same settings and number of steps.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from installed import call, train_once

SPLIT = ("data.train=1-50", "data.val=51-100")
SHORT = ("train.epochs=60", "train.val_every=20")  # 6 steps of 8 per epoch
STARTS = ("rendered words", "nothing")


def main() -> int:
    """Returns the first exit code that is not 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("runs/few_photos"))
    parser.add_argument("--pretrain", nargs="*", default=[], help="overrides of the training on rendered words")
    args, overrides = parser.parse_known_args()
    root = [word for word in overrides if word.startswith("data.root=")]
    if not root:
        parser.error("data.root=FOLDER is missing (the folder with ch4_training_images/)")
    rendered = args.output / "pretrained"
    if code := train_once(rendered, "experiment=pretrain_synthetic", *args.pretrain):
        return code
    starts = dict(zip(STARTS, (f"init.weights={rendered / 'checkpoints/best.pt'}", "init.weights=null"), strict=True))
    rows = []
    for name, weights in starts.items():
        folder = args.output / name.replace(" ", "_")
        if code := measure(folder, root, (*SHORT, *overrides, weights)):
            return code
        rows.append((name, json.loads((folder / "score/metrics.json").read_text(encoding="utf-8"))))
    print("\n| start | precision | recall | hmean | 95 % interval | AP |\n|---|---|---|---|---|---|")
    for name, metrics in rows:
        low, high = metrics["interval_95"]["hmean"] or (0.0, 0.0)
        shown = " | ".join(f"{metrics[key] or 0.0:.3f}" for key in ("precision", "recall", "hmean"))
        print(f"| {name} | {shown} | {low:.3f} to {high:.3f} | {metrics['ap'] or 0.0:.3f} |")
    return 0


def measure(folder: Path, root: list[str], overrides: tuple[str, ...]) -> int:
    """Train on 50 photos, calibrate on the next 50, score 801-900. Returns the first exit code that is not 0."""
    best = f"checkpoint={folder / 'run/checkpoints/best.pt'}"
    if code := train_once(folder / "run", "experiment=icdar2015", *SPLIT, *overrides):
        return code
    if not (folder / "calibrated/metrics.json").exists():
        code = call("ocrdet-eval", best, "calibrate=true", f"output={folder / 'calibrated'}")
        if code not in (0, 1):  # 1: no thresholds give any detection, so the score is 0
            return code
    scored = ("data=icdar2015", *root, "data.val=801-900", "split=val", f"output={folder / 'score'}")
    return call("ocrdet-eval", best, *scored)


if __name__ == "__main__":
    sys.exit(main())
