"""Targets of the fuzzer: for each kind of user file, the functions with which the commands read it.

A target gets a folder with one changed file. It returns if the folder is accepted, and raises UserError if it is
refused; anything else is a failure.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np

from fuzzing.formats import mutate
from fuzzing.networks import mutate_checkpoint, open_checkpoint, read_card, read_contract, read_recorded, resume_folder
from resnet18_ocrdet.check.dataset import check_dataset
from resnet18_ocrdet.check.fixed_copy import clean_records
from resnet18_ocrdet.check.report_html import write_report_html
from resnet18_ocrdet.check.report_json import write_report_json
from resnet18_ocrdet.commands.check_messages import finding_messages, needed_overrides, training_outcome
from resnet18_ocrdet.data.error_policy import MissingGt, OnError, apply_error_policy
from resnet18_ocrdet.data.formats.reader import BY_KEY, LEVELLED
from resnet18_ocrdet.data.image_header import read_header
from resnet18_ocrdet.data.image_io import has_image_suffix, read_image
from resnet18_ocrdet.data.label_options import LabelOptions
from resnet18_ocrdet.data.labels import LabelledImages
from resnet18_ocrdet.data.letterbox import scale_to
from resnet18_ocrdet.data.load_annotations import read_data
from resnet18_ocrdet.data.pages import PageReader, page_count
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.data.splits import choose, custom
from resnet18_ocrdet.data.targets import TargetMaker
from resnet18_ocrdet.data.text_file import decode_text, lines_of
from resnet18_ocrdet.detections.files import SETTINGS
from resnet18_ocrdet.detections.folder import INPUT, ResultFolder
from resnet18_ocrdet.detections.formats import write_formats
from resnet18_ocrdet.detections.inputs import find_items
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.evaluation import icdar_files, result_archive
from resnet18_ocrdet.evaluation.metrics import EvalSample, IcdarMetric
from resnet18_ocrdet.evaluation.result_lines import form_of, parse_line
from resnet18_ocrdet.report.analysis import ErrorAnalysis
from resnet18_ocrdet.runtime.output_folder import OutputFolder

CORPUS = Path(__file__).parents[2] / "tests/corpus"
Files = dict[str, bytes]  # by path relative to the folder
Mutate = Callable[[bytes, Random, Sequence[bytes]], bytes]
WRITTEN_AT = 10**18  # ns, modification time of all files; detections.jsonl records it
TEXT_SHARE = 0.9  # of the inputs in which a file other than an image is changed, if there is one


class Target(NamedTuple):
    """One kind of file."""

    name: str
    seeds: tuple[Files, ...]  # folders to start from
    run: Callable[[Path], None]
    read_only: bool = True  # the run does not change the folder
    mutate: Mutate = mutate

    def changeable(self, seed: int, rng: Random) -> str:
        """Choose the file of a seed to change."""
        names = sorted(self.seeds[seed])
        texts = [name for name in names if not has_image_suffix(name)]
        return rng.choice(texts if texts and rng.random() < TEXT_SHARE else names)


def lay_out(root: Path, files: Files) -> None:
    """Write files to a folder that is empty or does not exist."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, data)


def write(path: Path, data: bytes) -> None:
    """Write one file with a fixed modification time."""
    path.write_bytes(data)
    os.utime(path, ns=(WRITTEN_AT, WRITTEN_AT))


def read_labels(root: Path, dialect: str) -> None:
    """As a training does, before the images are decoded, at every level of the format."""
    for level in LEVELLED[dialect].LEVELS if dialect in LEVELLED else (None,):
        reading = read_data(root, dialect, LabelOptions(level=level))
        parts = apply_error_policy(reading.splits, reading.report, "fix", "negative", limit=None).splits
        records = [record for part in parts.values() for record in part]
        packed = LabelledImages(records)
        for _ in packed.fingerprint():
            pass
        if records:
            choose(packed.records, range(len(records)), 0.5, 0, "val")


def check_labels(root: Path) -> None:
    """As ocrdet-check does, with its reports."""
    reading = read_data(root)

    def train(on_error: OnError, missing_gt: MissingGt) -> int:
        return len(custom(root, on_error=on_error, missing_gt=missing_gt, reading=reading).train)

    training_outcome(reading, train, "fix", "fail")
    needed_overrides(train, "fix", "fail")
    result = check_dataset(root, reading, TargetMaker(), lambda h, w: scale_to(h, w, 96, 128, "keep"), 96, 128)
    for line in finding_messages(result):
        line.encode("utf-8", "backslashreplace")
    output = root.with_name("checked")
    output.mkdir(exist_ok=True)
    write_report_json(output / "report.json", result)
    write_report_html(output / "report.html", result)
    clean_records(reading.splits, reading.report)


def look_and_read(root: Path) -> None:
    """As every command does with an image."""
    (path,) = root.iterdir()
    read_header(path)
    for reduce in (1, 4):
        read_image(path, reduce)
    read_pages(root)


def read_pages(root: Path) -> None:
    """As ocrdet-detect does with a file of several pages."""
    (path,) = root.iterdir()
    pages = page_count(path)
    with closing(PageReader()) as reader:
        for page in range(1, min(pages, 3) + 1):
            reader.read(path, page)


def box(left: int, top: int, right: int, bottom: int) -> Any:
    """A region."""
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


LABELS = {  # of the images of the result files
    "img_1": ((box(10, 10, 60, 30), box(70, 12, 110, 40), box(12, 60, 60, 80)), np.array([False, False, True])),
    "img_2": ((box(5, 5, 50, 25),), np.array([False])),
}


def score(predictions: dict[str, Any]) -> None:
    """As ocrdet-eval does, up to metrics.json."""
    answers = [EvalSample(f"{stem}.png", *labels, predictions.get(stem, [])) for stem, labels in LABELS.items()]
    metric = IcdarMetric()
    metric.update_all(answers)
    metric.center_shift()
    json.dumps(ErrorAnalysis(metric, answers).to_dict(), allow_nan=False)
    for found in predictions.values():
        icdar_files.format_detections(found, with_scores=True)


def score_results(path: Path) -> None:
    """`predictions=` and `baseline=` with a folder or a zip."""
    score(icdar_files.read_predictions(path, list(LABELS)).found)


def score_zip(root: Path) -> None:
    """A zip, and whether it is one of results."""
    (path,) = root.iterdir()
    result_archive.holds_results(path)
    score_results(path)


def read_result_lines(root: Path) -> None:
    """Line by line, so that a refused line hides no other."""
    (path,) = root.iterdir()
    for line in islice(lines_of(decode_text(path.read_bytes(), str(path))), 100):
        with suppress(UserError):
            score({"img_1": [parse_line(line, str(path), form_of([line.text]))]})


def choose_listed(root: Path) -> None:
    """`data.val=` with a file of names."""
    (path,) = root.iterdir()
    names = ("img_1.jpg", "img_2.jpg", "img_801.png", "img_802.png")
    none = np.zeros(0, bool)
    records = [LabelRecord(root / name, None, (), none, ()) for name in names]
    choose(records, range(len(records)), str(path), 0, "val")


def use_results(root: Path) -> None:
    """A repeated ocrdet-detect: finished results are kept, the rest would be done."""
    settings = json.loads(SEED_SETTINGS)
    about = {key: value for key, value in settings.items() if key != INPUT}
    source, output = root / "in", root / "out"
    items = find_items(source, output, crops=False).items
    folder = ResultFolder(output, items, about, source, formats=["labelme", "coco"])
    with folder.held():
        folder.claim(items)
        write_formats(folder, items, [])


def use_output(root: Path) -> None:
    """A repeated ocrdet-eval: its own results are replaced, other files are refused."""
    folder = OutputFolder(root, "eval", {"split": "val", "decode": {"box_thresh": 0.5}}, overwrite=False)
    with folder.claimed(["metrics.json", "boxes/res_*.txt"]), folder.writing() as staged:
        (staged / "metrics.json").write_text("{}\n", encoding="utf-8")


def seeds_of(name: str, corpus: Path = CORPUS) -> tuple[Files, ...]:
    """The folders of the corpus for a target; a single file is a folder of one file."""
    found = []
    for entry in sorted((corpus / name).iterdir()):
        files = [entry] if entry.is_file() else sorted(path for path in entry.rglob("*") if path.is_file())
        top = entry.parent if entry.is_file() else entry
        found.append({path.relative_to(top).as_posix(): path.read_bytes() for path in files})
    return tuple(found)


LABEL_KINDS = tuple(BY_KEY)
ALL_LABELS = tuple(seed for name in LABEL_KINDS for seed in seeds_of(name))
SEED_SETTINGS = seeds_of("detections")[0][f"out/{SETTINGS}"]
TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        *(Target(name, seeds_of(name), partial(read_labels, dialect=name)) for name in LABEL_KINDS),
        Target("auto", ALL_LABELS, partial(read_labels, dialect="auto")),
        Target("check", ALL_LABELS, check_labels),
        Target("image", seeds_of("image"), look_and_read),
        Target("pages", seeds_of("pages"), read_pages),
        Target("results_zip", seeds_of("results_zip"), score_zip),
        Target(
            "results_folder",
            seeds_of("results_folder"),
            score_results,
        ),
        Target("result_lines", seeds_of("result_lines"), read_result_lines),
        Target("split_list", seeds_of("split_list"), choose_listed),
        Target("detections", seeds_of("detections"), use_results, read_only=False),
        Target("output", seeds_of("output"), use_output, read_only=False),
        Target("card", seeds_of("card"), read_card),
        Target("contract", seeds_of("contract"), read_contract),
        Target("recorded", seeds_of("recorded"), read_recorded),
        Target("checkpoint", seeds_of("checkpoint"), open_checkpoint, mutate=mutate_checkpoint),
        Target("run_folder", seeds_of("run_folder"), resume_folder),
    )
}
