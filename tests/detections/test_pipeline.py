"""Order, batches, failures, kills and memory of a call."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from conftest import installed
from detect_calls import PROGRAM, fill, memory_by_images, records, words_for_crops
from fake_predictor import FakePredictor
from resnet18_ocrdet.detections.files import Item
from resnet18_ocrdet.detections.pipeline import Done, detect_all
from resnet18_ocrdet.viz.draw import write


def test_order_batches_and_failures(tmp_path: Path):
    sizes = [64, 64, 64, 96, 96, 64, 64, 64]
    items = []
    for number, size in enumerate(sizes):
        path = tmp_path / f"{number}.png"
        value = 250 if number == 7 else number
        write(path, np.full((size, 64, 3), value, np.uint8))
        items.append(Item(path, path.name, Path(path.stem)))
    items[1].path.write_text("no image")
    written: list[str] = []
    predictor = FakePredictor()
    found = list(detect_all(predictor, items, lambda item, image, boxes: written.append(item.relative), batch_size=2))
    assert [done.item for done in found] == items
    assert [isinstance(done, Done) for done in found] == [number != 1 for number in range(8)]
    assert [done.record.scores[0] for done in found if isinstance(done, Done)] == [0, 2, 3, 4, 5, 6, 250]
    assert predictor.batches == [1, 1, 2, 2, 1]  # 0 | 2, after the failure of 1 | 3 4 | 5 6 | 7
    assert written == [item.relative for item in items if item is not items[1]]


def test_a_batch_too_large_for_memory_is_done_one_by_one(tmp_path: Path):
    for number in range(2):
        write(tmp_path / f"{number}.png", np.full((64, 64, 3), 250, np.uint8))
    items = [Item(tmp_path / f"{n}.png", f"{n}.png", Path(f"{n}")) for n in range(2)]
    predictor = FakePredictor()
    found = list(detect_all(predictor, items, lambda *_: None, batch_size=2))  # type: ignore[arg-type]
    assert predictor.batches == [1, 1] and [type(done) for done in found] == [Done, Done]


def test_a_bug_is_not_reported_as_a_bad_image(tmp_path: Path):
    write(tmp_path / "0.png", np.zeros((64, 64, 3), np.uint8))
    predictor = FakePredictor(lambda prob_map, transform: [][0])
    with pytest.raises(IndexError):
        list(detect_all(predictor, [Item(tmp_path / "0.png", "0.png", Path("0"))], lambda *_: None))


@pytest.mark.slow
def test_after_kills_each_image_is_done_once(tiny_run: Path, tmp_path: Path):
    fill(tmp_path / "in", 60)
    words = ["input=in", "output=out", f"checkpoint={tiny_run}/checkpoints/last.pt", "decode.box_thresh=0"]
    program = Path(sys.executable).with_name("ocrdet-detect")
    for _ in range(3):
        process = subprocess.Popen([program, *words], cwd=tmp_path, stdout=subprocess.DEVNULL)
        lines = len((tmp_path / "out/detections.jsonl").read_text().split("\n")) if (tmp_path / "out").is_dir() else 0
        for _ in range(600):
            time.sleep(0.02)
            path = tmp_path / "out/detections.jsonl"
            if process.poll() is not None or (path.is_file() and len(path.read_text().split("\n")) > lines + 8):
                break
        process.kill()
        process.wait()
    done = installed("ocrdet-detect", *words, cwd=tmp_path)
    assert done.returncode == 0
    names = [json.loads(line)["image"] for line in (tmp_path / "out/detections.jsonl").read_text().splitlines()]
    assert sorted(names) == sorted(f"photo {n}.jpg" for n in range(60))
    assert len(records(tmp_path / "out")) == 60 and len(list((tmp_path / "out/txt").iterdir())) == 60


@pytest.mark.slow
def test_shards_can_start_at_the_same_time(tiny_run: Path, tmp_path: Path):
    fill(tmp_path / "in", 12)
    words = ["input=in", "output=out", f"checkpoint={tiny_run}/checkpoints/last.pt", "decode.box_thresh=0", "vis=false"]
    program = Path(sys.executable).with_name("ocrdet-detect")
    shards = [
        subprocess.Popen(
            [program, *words, f"shard={n}/4"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for n in range(1, 5)
    ]
    outputs = [process.communicate()[0] for process in shards]
    assert [process.returncode for process in shards] == [0] * 4, outputs
    done = installed("ocrdet-detect", *words, cwd=tmp_path)
    assert done.returncode == 0 and "12 images in in, 12 of them done already" in done.stdout


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_images(tiny_run: Path, tmp_path: Path):
    fill(tmp_path / "in", 20)
    for number in range(20, 1000):
        os.link(tmp_path / f"in/photo {number % 20}.jpg", tmp_path / f"in/photo {number}.jpg")
    words = words_for_crops(tiny_run)
    process = subprocess.Popen([PROGRAM, *words], cwd=tmp_path, stdout=subprocess.DEVNULL)
    used = memory_by_images(process, tmp_path / "out/detections.jsonl")
    assert process.returncode == 0 and len(records(tmp_path / "out")) == 1000
    first, last = (max(used[done] for done in used if low <= done < high) for low, high in ((100, 200), (900, 1000)))
    assert last - first < 50
