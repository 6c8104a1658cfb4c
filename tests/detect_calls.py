"""Input folders and results of ocrdet-detect, for several test files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from paged_files import pdf, words, write_pages
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.viz.draw import write

PROGRAM = Path(sys.executable).with_name("ocrdet-detect")


def fill(folder: Path, count: int) -> list[str]:
    scenes = SyntheticScenes(count, 96, 128, seed=3)
    folder.mkdir(parents=True)
    for index in range(count):
        write(folder / f"photo {index}.jpg", scenes.load(index).image)
    return [f"photo {index}" for index in range(count)]


def mixture(folder: Path, images: int) -> list[str]:
    """Photos, a PDF and a TIFF of 30 pages each; the names of all items."""
    fill(folder, images)
    (folder / "doc.pdf").write_bytes(pdf([words(str(page), 40) for page in range(30)]))
    pages = [np.random.default_rng(page).integers(0, 256, (1500, 1100, 3), np.uint8) for page in range(30)]
    write_pages(folder / "scan.tif", pages)
    numbers = range(1, 31)
    return [f"photo {n}.jpg" for n in range(images)] + [
        f"{name}#{n}" for name in ("doc.pdf", "scan.tif") for n in numbers
    ]


def words_for_crops(run: Path) -> list[str]:
    return ["input=in", "output=out", f"checkpoint={run}/checkpoints/last.pt", "decode.box_thresh=0", "crops=true"]


def records(folder: Path) -> dict[str, dict]:
    return {image["image"]: image for image in json.loads((folder / "detections.json").read_text())["images"]}


def without_seconds(folder: Path) -> list[dict]:
    return [
        {key: value for key, value in image.items() if key not in ("seconds", "modified_ns")}
        for image in records(folder).values()
    ]


def memory_by_images(process: subprocess.Popen[bytes], lines: Path, stop_at: int | None = None) -> dict[int, float]:
    """The resident memory of ocrdet-detect, MiB, by the number of images done, until it ends.

    lines: its detections.jsonl. stop_at: kill it at this number of images."""
    used: dict[int, float] = {}
    while process.poll() is None:
        time.sleep(0.005)
        done = lines.read_bytes().count(b"\n") if lines.is_file() else 0
        if stop_at is not None and done >= stop_at:
            process.kill()
        with suppress(OSError, IndexError):  # the process may have ended
            pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
            used[done] = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return used
