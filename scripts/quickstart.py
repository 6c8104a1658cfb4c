"""make quickstart: train on rendered scenes, score on images never seen, detect on a folder of pictures.

Runs the same three commands a user would type, and prints each before it starts.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from installed import call
from resnet18_ocrdet import draw
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes

ROOT = Path("runs/quickstart")
PICTURES = 12
FIRST_PICTURE = 3_000_000_000  # scene numbers far from those of training, validation and test
SIDE = 256


def main() -> int:
    """Returns the first exit code that is not 0."""
    folder = ROOT / time.strftime("%Y-%m-%d_%H-%M-%S")
    checkpoint = folder / "train/checkpoints/best.pt"
    photos = folder / "pictures"
    began = time.perf_counter()
    steps = (
        ("ocrdet-train", "experiment=quickstart", f"run_dir={folder / 'train'}"),
        ("ocrdet-eval", f"checkpoint={checkpoint}", "data=synthetic", "split=test", f"output={folder / 'eval'}"),
    )
    for step in steps:
        if code := call(*step):
            return code
    minutes = (time.perf_counter() - began) / 60
    write_pictures(photos)
    if code := call("ocrdet-detect", f"input={photos}", f"checkpoint={checkpoint}", f"output={folder / 'detect'}"):
        return code
    hmean = json.loads((folder / "eval/metrics.json").read_text())["hmean"]
    print(f"\nhmean {hmean:.3f} on 200 unseen scenes; training and evaluation took {minutes:.1f} minutes")
    print(f"boxes drawn on pictures: {folder / 'detect/vis'}")
    print(f"curves: tensorboard --logdir {folder / 'train'}   (first: . .venv/bin/activate)")
    return 0


def write_pictures(folder: Path) -> None:
    """A folder of images, as a user would have one."""
    folder.mkdir(parents=True, exist_ok=True)
    scenes = SyntheticScenes(PICTURES, SIDE, SIDE, seed=0, first=FIRST_PICTURE)
    for index in range(len(scenes)):
        sample = scenes.load(index)
        draw.write(folder / f"{sample.name}.jpg", sample.image)


if __name__ == "__main__":
    sys.exit(main())
