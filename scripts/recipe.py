"""Train the bundled weights from scratch: backgrounds, rendered words, photos 1-800, thresholds, one small file.

    python scripts/recipe.py data.root=FOLDER                       # ICDAR2015's training half; hours on a CPU
    python scripts/recipe.py data.root=FOLDER train.epochs=2 --pretrain data.train_size=800 --output try

Overrides apply to the trainings on photos. There are --instalments of them: each is a whole schedule with other crops
and starts from the best weights of the one before. Each step prints its command; finished steps are skipped, a training
that was stopped is resumed. Photos 901-1000 are not used; the last line says how to score them.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

from installed import call, train_once

SCRIPTS = Path(__file__).parent


def script(name: str, *args: str) -> int:
    """Print and run a script of this folder. Returns its exit code."""
    print(f"\n$ python scripts/{shlex.join([name, *args])}", flush=True)
    return subprocess.run([sys.executable, SCRIPTS / name, *args]).returncode


def main() -> int:
    """Returns the first exit code that is not 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("runs/recipe"))
    parser.add_argument("--instalments", type=int, default=2, help="trainings on photos, each from the one before")
    parser.add_argument("--pretrain", nargs="*", default=[], help="overrides of the training on rendered words")
    args, overrides = parser.parse_known_args()
    out = args.output
    root = [word for word in overrides if word.startswith("data.root=")]
    if not root:
        parser.error("data.root=FOLDER is missing (the folder with ch4_training_images/)")
    if args.instalments < 1:
        parser.error(f"--instalments {args.instalments}: must be 1 or more")
    backgrounds, pretrained, shipped = out / "backgrounds", out / "pretrained", out / "dbnet_resnet18.pt"
    runs = [pretrained, *(out / f"photos-{number}" for number in range(1, args.instalments + 1))]
    best = runs[-1] / "checkpoints/best.pt"
    cut = ("data=icdar2015", *root, "data.train=1-800", "--output", str(backgrounds))
    calibrated = runs[-1] / "calibrated"

    def train_on_photos() -> int:
        for seed, (before, run) in enumerate(pairwise(runs)):
            start = f"init.weights={before / 'checkpoints/best.pt'}"
            if code := train_once(run, "experiment=icdar2015", f"seed={seed}", *overrides, start):
                return code
        return 0

    def calibrate() -> int:
        return call("ocrdet-eval", f"checkpoint={best}", "calibrate=true", f"output={calibrated}")

    steps = (
        lambda: 0 if backgrounds.exists() else script("text_free.py", *cut),
        lambda: train_once(
            pretrained, "experiment=pretrain_synthetic", f"data.backgrounds={backgrounds}", *args.pretrain
        ),
        train_on_photos,
        lambda: 0 if (calibrated / "metrics.json").exists() else calibrate(),
        lambda: script("ship_weights.py", str(best), "--output", str(shipped)),
    )
    if code := next((code for step in steps if (code := step())), 0):
        return code
    score = ("ocrdet-eval", f"checkpoint={shipped}", "data=icdar2015", *root, "data.val=901-1000", "split=val")
    print(f"\nscore it after all choices are made: {shlex.join(score)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
