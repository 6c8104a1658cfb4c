"""Statistics of varied scenes: the table of docs/synthetic.md.

    python scripts/scene_statistics.py [--fonts FOLDER --texts FOLDER] [--documents 1]

Heights, contrasts and angles are those of care regions; shares are of regions, or of images where the name says so.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from resnet18_ocrdet.data.synthetic.corpus import HAN, KANA
from resnet18_ocrdet.data.synthetic.region import Region
from resnet18_ocrdet.data.synthetic.varied.source import VariedScenes
from resnet18_ocrdet.structures import Image
from script_cli import Parser, natural, run_script

DARK = 50  # mean grey level of an image
PERCENTS = (5, 25, 50, 75, 95)


def measure(scenes: Sequence[tuple[Image, list[Region]]]) -> dict[str, float]:
    """The quantities by name."""
    side = max(scenes[0][0].shape[:2])
    regions = [region for _, in_scene in scenes for region in in_scene]
    care = [region for region in regions if not region.ignore]
    counts = np.array([len(in_scene) for _, in_scene in scenes])
    heights = np.array([region.height for region in care])
    angles = np.abs([region.angle for region in care])
    quarter = np.abs(angles - 90) < 15
    texts = [region.text for region in regions]
    kinds = [region.kind for region in regions]
    found = {f"text height, {percent} %": np.percentile(heights, percent) for percent in PERCENTS}
    if contrasts := [region.contrast for region in care if region.contrast]:  # unknown in documents
        found |= {f"contrast, {percent} %": np.percentile(contrasts, percent) for percent in PERCENTS}
    return found | {
        "text below 12 px": (heights < 12).mean(),
        "angle below 5°": (angles < 5).mean(),
        "angle 5° to 30°": ((angles >= 5) & (angles < 30)).mean(),
        "angle above 30°, not a quarter turn": ((angles >= 30) & ~quarter).mean(),
        "quarter turn": quarter.mean(),
        "curved": np.mean([len(region.polygon) > 8 for region in care]),
        "stacked letters": kinds.count("stacked") / len(kinds),
        "columns": kinds.count("columns") / len(kinds),
        "Chinese or Japanese": np.mean([bool(HAN.search(text) or KANA.search(text)) for text in texts]),
        "with a digit": np.mean([any(c.isdigit() for c in text) for text in texts]),
        "one character": np.mean([len(text) == 1 for text in texts]),
        "don't-care": np.mean([region.ignore for region in regions]),
        "regions per image, mean": counts.mean(),
        "regions per image, 95 %": np.percentile(counts, 95),
        "images without text": (counts == 0).mean(),
        "images with a word over half of a side": np.mean([_fills(in_scene, side) for _, in_scene in scenes]),
        "dark images": np.mean([image.mean() < DARK for image, _ in scenes]),
    }


def _fills(regions: list[Region], side: int) -> bool:
    """Whether one region spans more than half of the image's longer side."""
    return any(np.ptp(region.polygon, axis=0).max() > side / 2 for region in regions if not region.ignore)


def main() -> int:
    """Print the rows. Returns 0; raises UserError for wrong arguments."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=natural, default=320, help="px (default: %(default)s)")
    parser.add_argument("--count", type=natural, default=1000, help="scenes (default: %(default)s)")
    parser.add_argument("--documents", type=float, default=0.0, help="share, as data.documents")
    for name in ("fonts", "texts"):
        parser.add_argument(f"--{name}", type=Path, help=f"folder, as data.{name}")
    args = parser.parse_args()
    folders = {"fonts": args.fonts, "texts": args.texts}
    source = VariedScenes(args.count, args.side, args.side, 0, **folders, documents=args.documents)
    for name, value in measure([source.draw(index) for index in range(args.count)]).items():
        print(f"| {name} | {value:.3g} |")
    return 0


if __name__ == "__main__":
    sys.exit(run_script("scene_statistics", main))
