"""Photos and labels of ICDAR2015, if they are available."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from conftest import installed
from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats import icdar2015 as dialect
from resnet18_ocrdet.data.targets import TargetMaker
from resnet18_ocrdet.evaluation.metrics import IcdarMetric
from resnet18_ocrdet.inference.postprocess import Decoder
from resnet18_ocrdet.structures import ResizeTransform

pytestmark = pytest.mark.slow

PHOTO = 56  # img_56: 5 words, none of them don't-care


@pytest.mark.parametrize(("height", "width", "least"), [(720, 1280, 0.99), (800, 800, 0.985)])
def test_targets_decoded_back_are_the_labels(icdar2015: Path, height: int, width: int, least: float):
    records = dialect.read(icdar2015, Report())["train"]
    assert records is not None and len(records) == 1000
    place = ResizeTransform(720, 1280, height / 720, width / 1280)
    make, decode, metric = TargetMaker(), Decoder(), IcdarMetric()
    for record in records:
        polygons = [place.to_canvas(polygon) for polygon in record.polygons]
        planes = make(polygons, record.ignore, height, width)
        found = decode(planes.prob_map.astype(np.float32), place)
        metric.update(record.polygons, record.ignore, found, record.image_path.name)
    score = metric.result()
    assert score.care_regions == 4468  # 11,886 words less 7,418 ###: none is lost on the way
    assert score.hmean is not None and score.hmean >= least


@pytest.mark.soak
def test_one_photo_can_be_overfitted(icdar2015: Path, tmp_path: Path):
    words = (
        "data=icdar2015",
        f"data.root={icdar2015}",
        f"data.train={PHOTO}-{PHOTO}",
        f"data.val={PHOTO}-{PHOTO}",
        "augment=none",
        "train.epochs=150",  # steps: one photo an epoch
        "train.val_every=50",
        "train.workers=1",
        "scheduler=cosine",
        "decode.resize=stretch",
        "run_dir=run",
    )
    done = installed("ocrdet-train", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert max(line["hmean"] or 0.0 for line in lines) == 1.0
