"""Draw a sheet of synthetic scenes with their labels: docs/synthetic.jpg.

    python scripts/contact_sheet.py
    python scripts/contact_sheet.py --style varied --fonts FOLDER --texts FOLDER --output sheet.jpg

Green: care regions. Red: don't-care regions. Check it after every change to the renderer.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.data.synthetic.varied.source import VariedScenes
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.structures import Image, Sample
from script_cli import Parser, natural, run_script

CARE_COLOUR = (0, 255, 0)  # RGB
IGNORE_COLOUR = (255, 0, 0)
MAX_BYTES = 400_000  # keeps the repository small
QUALITIES = (85, 75, 65, 55, 45, 35)  # tried until the sheet fits


def draw_labels(sample: Sample) -> Image:
    """A copy of the image with the outlines of its regions."""
    drawn = sample.image.copy()
    for polygon, ignore in zip(sample.polygons, sample.ignore, strict=True):
        corners = np.rint(polygon * 16).astype(np.int32)  # 1/16 px
        cv2.polylines(drawn, [corners], True, IGNORE_COLOUR if ignore else CARE_COLOUR, 1, cv2.LINE_AA, 4)
    return drawn


def main() -> int:
    """Write the sheet. Returns 0; raises UserError for wrong arguments."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("docs/synthetic.jpg"))
    parser.add_argument("--side", type=natural, default=256, help="side of a scene, px (default: %(default)s)")
    parser.add_argument("--rows", type=natural, default=4)
    parser.add_argument("--columns", type=natural, default=5)
    parser.add_argument("--zoom", type=natural, default=1, help="enlarge every scene this many times")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=100, help="number of the first scene (default: %(default)s)")
    parser.add_argument("--style", choices=("plain", "varied"), default="plain")
    for name in ("fonts", "texts", "backgrounds"):
        parser.add_argument(f"--{name}", type=Path, help=f"folder, as data.{name}")
    parser.add_argument("--documents", type=float, default=0.0, help="share of documents, as data.documents")
    args = parser.parse_args()
    numbers = (args.rows * args.columns, args.side, args.side, args.seed, args.first, args.fonts, args.backgrounds)
    if args.style == "plain":
        if args.texts or args.documents:
            raise UserError("--texts and --documents need --style varied")
        source: SyntheticScenes | VariedScenes = SyntheticScenes(*numbers)
    else:
        source = VariedScenes(*numbers, args.texts, args.documents)
    tiles = []
    for index in range(len(source)):
        sample = source.load(index)
        image = cv2.resize(sample.image, None, fx=args.zoom, fy=args.zoom, interpolation=cv2.INTER_NEAREST)
        polygons = tuple((polygon + 0.5) * args.zoom - 0.5 for polygon in sample.polygons)
        tiles.append(draw_labels(Sample(sample.name, np.asarray(image, np.uint8), polygons, sample.ignore)))
    rows = [np.hstack(tiles[start : start + args.columns]) for start in range(0, len(tiles), args.columns)]
    sheet = cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)
    for quality in QUALITIES:
        _, data = cv2.imencode(".jpg", sheet, (cv2.IMWRITE_JPEG_QUALITY, quality))
        if len(data) <= MAX_BYTES:
            break
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_bytes(data.tobytes())
    print(f"{args.output}: {len(tiles)} scenes, {len(data) / 1000:.0f} KB")
    return 0


if __name__ == "__main__":
    sys.exit(run_script("contact_sheet", main))
