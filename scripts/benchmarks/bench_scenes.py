"""CPU time of a varied scene against a plain one of the same size, on one thread; they take turns.

    python scripts/benchmarks/bench_scenes.py [--fonts FOLDER --texts FOLDER] [--documents 0.5]

Means, because some scenes cost ten times as much as others; the same scenes in every run. The exit status is 1 if a
varied scene costs more than 1.5 times a plain one.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import cv2

from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.data.synthetic.varied.source import VariedScenes
from resnet18_ocrdet.errors import UserError

MAX_RATIO = 1.5
WARM_UP = 300  # scenes of each kind that are not counted: most fonts are opened
FIRST_COUNTED = 10_000


def seconds(source: SyntheticScenes | VariedScenes, index: int) -> float:
    """CPU time of one scene."""
    began = time.process_time()
    source.load(index)
    return time.process_time() - began


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", type=int, nargs="+", default=(256, 640, 800), help="px")
    parser.add_argument("--scenes", type=int, default=200, help="of each kind and side (default: %(default)s)")
    parser.add_argument("--documents", type=float, default=0.0, help="share, as data.documents")
    for name in ("fonts", "texts"):
        parser.add_argument(f"--{name}", type=Path, help=f"folder, as data.{name}")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    worst = 0.0
    for side in args.sides:
        plain = SyntheticScenes(FIRST_COUNTED + args.scenes, side, side, 0)
        shared = (FIRST_COUNTED + args.scenes, side, side, 0, 0, args.fonts, None, args.texts, args.documents)
        try:
            varied = VariedScenes(*shared)
        except UserError as error:
            parser.error(str(error))
        for index in range(WARM_UP):
            plain.load(index)
            varied.load(index)
        pairs = [(seconds(plain, i), seconds(varied, i)) for i in range(FIRST_COUNTED, FIRST_COUNTED + args.scenes)]
        means = [1000 * sum(column) / len(pairs) for column in zip(*pairs, strict=True)]
        worst = max(worst, means[1] / means[0])
        print(f"{side}x{side}: plain {means[0]:.1f} ms, varied {means[1]:.1f} ms, {means[1] / means[0]:.2f} times")
    return int(worst > MAX_RATIO)


if __name__ == "__main__":
    sys.exit(main())
