"""make quickstart: train on rendered scenes, evaluate on unseen scenes, detect on a folder of images; then detect with
the bundled weights and fine-tune them for a short time.

Runs the installed commands and prints each before it starts.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from installed import call
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.viz import draw

ROOT = Path("runs/quickstart")
PICTURES = 12
FIRST_PICTURE = 3_000_000_000  # scene numbers far from those of training, validation and test
SIDE = 256
FINE_TUNING = (
    "experiment=finetune",
    "init.weights=bundled",
    "data=synthetic",  # yours: data=custom data.root=FOLDER
    "data.train_size=160",
    "data.val_size=50",
    "input_size=256x256",
    "train.epochs=1",
)


def main() -> int:
    """Returns the first exit code that is not 0."""
    folder = ROOT / time.strftime("%Y-%m-%d_%H-%M-%S")
    checkpoint = folder / "train/checkpoints/best.pt"
    photos = folder / "pictures"
    began = time.perf_counter()
    trained = (
        ("ocrdet-train", "experiment=quickstart", f"run_dir={folder / 'train'}"),
        ("ocrdet-eval", f"checkpoint={checkpoint}", "data=synthetic", "split=test", f"output={folder / 'eval'}"),
    )
    used = (
        ("ocrdet-detect", f"input={photos}", f"checkpoint={checkpoint}", f"output={folder / 'detect'}"),
        ("ocrdet-detect", f"input={photos}", "input_size=512x512", f"output={folder / 'bundled'}"),  # small images
        ("ocrdet-train", *FINE_TUNING, f"run_dir={folder / 'finetune'}"),
    )
    if code := call_each(trained):
        return code
    minutes = (time.perf_counter() - began) / 60
    write_pictures(photos)
    if code := call_each(used):
        return code
    hmean = json.loads((folder / "eval/metrics.json").read_text())["hmean"]
    print(f"\nhmean {hmean:.3f} on 200 unseen scenes; training and evaluation took {minutes:.1f} minutes")
    print(f"images with boxes: {folder / 'detect/vis'}, with the bundled weights: {folder / 'bundled/vis'}")
    print(f"curves: tensorboard --logdir {folder / 'train'}   (first: . .venv/bin/activate)")
    return 0


def call_each(commands: Iterable[Sequence[str]]) -> int:
    """Run the commands until one fails. Returns its exit code, else 0."""
    return next((code for command in commands if (code := call(*command))), 0)


def write_pictures(folder: Path) -> None:
    """Write rendered scenes as a folder of images."""
    folder.mkdir(parents=True, exist_ok=True)
    scenes = SyntheticScenes(PICTURES, SIDE, SIDE, seed=0, first=FIRST_PICTURE)
    for index in range(len(scenes)):
        sample = scenes.load(index)
        draw.write(folder / f"{sample.name}.jpg", sample.image)


if __name__ == "__main__":
    sys.exit(main())
