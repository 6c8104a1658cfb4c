"""Input folders and results of ocrdet-detect, for several test files."""

from __future__ import annotations

import json
from pathlib import Path

from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.viz.draw import write


def fill(folder: Path, count: int) -> list[str]:
    scenes = SyntheticScenes(count, 96, 128, seed=3)
    folder.mkdir(parents=True)
    for index in range(count):
        write(folder / f"photo {index}.jpg", scenes.load(index).image)
    return [f"photo {index}" for index in range(count)]


def words_for_crops(run: Path) -> list[str]:
    return ["input=in", "output=out", f"checkpoint={run}/checkpoints/last.pt", "decode.box_thresh=0", "crops=true"]


def records(folder: Path) -> dict[str, dict]:
    return {image["image"]: image for image in json.loads((folder / "detections.json").read_text())["images"]}


def without_seconds(folder: Path) -> list[dict]:
    return [
        {key: value for key, value in image.items() if key not in ("seconds", "modified_ns")}
        for image in records(folder).values()
    ]
