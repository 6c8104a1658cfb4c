"""ocrdet-check input=FOLDER pick=N: which images to label first, with pre-labels. The folder itself is not changed."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from omegaconf import DictConfig

from ..config.check import plain
from ..config.library import Library
from ..data.label_options import options_of
from ..detections.files import Item
from ..detections.inputs import find_items, items_of
from ..detections.pipeline import Failed
from ..errors import UserError
from ..inference.loading import load_model
from ..inference.predictor import Predictor, open_predictor
from ..model.bundled import BUNDLED, weights_path
from ..model.contract import Contract
from ..pick.choosing import Pick, choose, sort_out
from ..pick.labelled import labelled_beside, labelled_in
from ..pick.picked_files import candidates_of, write_picks
from ..pick.prelabels import IMAGES, LABEL_CONFIG, TASKS, LabelFormat
from ..pick.report import REPORTS, LeftOut, PickReport, write_reports
from ..pick.survey import SecondPass, Surveyed, Surveyor
from ..runtime.console import Display, duration
from ..runtime.messages import count
from ..runtime.output_folder import OutputFolder

WRITTEN = (*REPORTS, TASKS, LABEL_CONFIG, f"{IMAGES}/*")  # patterns of what a call may write
DEFAULT_FORMAT: LabelFormat = "labelme"
CORRECT = {  # what to do with the pre-labels
    "labelme": "labelme {output}/images",
    "ppocr": "open {output}/images in PPOCRLabel",
    "label_studio": "import {output}/tasks.json into Label Studio, in a project with {output}/label_config.xml",
}


class Images(NamedTuple):
    """The images of a call."""

    candidates: list[Item]  # of the input, without labels
    labelled: list[Item]  # of the input, with labels
    elsewhere: list[Item]  # of labelled=


def pick_images(cfg: DictConfig) -> int:
    """Pick, and write what was picked. Returns 0, or 1 if an image cannot be read, or nothing is picked or written."""
    began, display = time.perf_counter(), Display()
    source, folder = Path(cfg.input), Path(cfg.output)
    images = _find_images(cfg, source, folder, display)
    predictor = _open_network(cfg, display)
    surveyor = Surveyor(predictor)
    output = OutputFolder(folder, "check", plain(cfg), cfg.overwrite, Library("check").primary)
    with output.claimed(WRITTEN):
        known, lost = _look_at(surveyor, [*images.labelled, *images.elsewhere], "none", display)
        seen, failed = _look_at(surveyor, images.candidates, cfg.second_pass, display)
        found = sort_out(seen, known)
        labelled = [item.relative for item in images.labelled]
        like_labelled, copies, blank = ([each.item.relative for each in kind] for kind in found[1:])
        left_out = LeftOut(labelled, like_labelled, copies, blank, [*lost, *failed])
        total = count(len(images.candidates) + len(labelled), "image")
        display.line(", ".join([f"{total} in {source}", *(f"{number} {what}" for what, number in left_out.rows())]))
        if cfg.pick > len(found.left):
            display.line(f"pick={cfg.pick}: {count(len(found.left), 'image')} to choose from, so all of them")
        picks = choose(found.left, known, cfg.pick)
        network = "the bundled weights" if cfg.checkpoint in (None, BUNDLED) else cfg.checkpoint
        label_format: LabelFormat = cfg.label_format or DEFAULT_FORMAT
        report = PickReport(source, network, len(found.left), left_out, (), label_format)
        written = bool(picks) and _write(output, predictor, picks, report, display)
        display.lines(f"failed: {each.error}" for each in left_out.failed)
        display.line(duration(time.perf_counter() - began))
        return 0 if written and not left_out.failed else 1


def _find_images(cfg: DictConfig, source: Path, folder: Path, display: Display) -> Images:
    """Raises UserError if there is nothing to choose from, and for a `labelled` folder without labels."""
    if not source.is_dir():
        raise UserError(f"input={source}: is a file; pick={cfg.pick} chooses among the images of a folder")
    items, _, unread = find_items(source, folder, crops=False)
    options, dialect = options_of(cfg.data), cfg.data.get("dialect", "icdar2015")  # data=icdar2015 has no dialect
    beside, why = labelled_beside(source, dialect, options)
    display.lines([unread or None, why and f"no labels are read beside the images: {why}"], "note: ")
    done = set(map(os.path.realpath, beside))
    elsewhere: list[Item] = []
    if cfg.labelled is not None:
        root = Path(cfg.labelled)
        try:
            paths = labelled_in(root, dialect, options)
        except UserError as error:
            raise UserError(str(error).replace("data.root=", "labelled=", 1)) from None
        if not paths:
            raise UserError(f"labelled={root}: no image in it has a label file")
        inside = set(map(os.path.realpath, (item.path for item in items)))
        done.update(map(os.path.realpath, paths))
        elsewhere = items_of([path for path in paths if os.path.realpath(path) not in inside], root)
    sorted_items: tuple[list[Item], list[Item]] = ([], [])
    for item in items:
        sorted_items[os.path.realpath(item.path) in done].append(item)
    candidates, labelled = sorted_items
    if not candidates:
        raise UserError(f"input={source}: all {count(len(items), 'image')} have labels already")
    return Images(candidates, labelled, elsewhere)


def _open_network(cfg: DictConfig, display: Display) -> Predictor:
    """With everything that ocrdet-detect does to find more."""
    model = load_model(weights_path(cfg.checkpoint or BUNDLED))
    contract = Contract.from_dict(model.content["contract"])
    predictor, _ = open_predictor(model, contract, cfg.device, cfg.precision, tiling=True, scales="auto", turning=True)
    display.lines([model.adopted])
    display.lines([predictor.network.note], "note: ")
    return predictor


def _look_at(
    surveyor: Surveyor, items: Sequence[Item], second: SecondPass, display: Display
) -> tuple[list[Surveyed], list[Failed]]:
    found: list[Surveyed] = []
    failed: list[Failed] = []
    with display.progress("look", len(items)) as advance:
        for each in surveyor.survey(items, second):
            if isinstance(each, Failed):
                failed.append(each)
            else:
                found.append(each)
            advance()
    return found, failed


def _write(
    output: OutputFolder, predictor: Predictor, picks: Sequence[Pick], report: PickReport, display: Display
) -> bool:
    """The copies with their pre-labels, and the reports, all or none. Returns whether they could be written."""
    box_thresh, label_format = predictor.decode.box_thresh, report.label_format
    try:
        with output.writing() as staged, display.progress("pre-label", len(picks)) as advance:
            files, failed = write_picks(staged, candidates_of(predictor), box_thresh, picks, label_format, advance)
            left_out = report.left_out._replace(failed=[*report.left_out.failed, *failed])
            write_reports(staged, report._replace(files=files, left_out=left_out))
    except OSError as error:
        display.line(f"output={output.root}: cannot be written ({error.strerror or error})")
        return False
    regions, unsure = sum(file.regions for file in files), sum(file.unsure for file in files)
    display.lines(f"failed: {each.error}" for each in failed)
    display.line(
        f"{count(len(files), 'image')} in {output.root / IMAGES}, the best first in {output.root / REPORTS[0]}; "
        f"{count(regions, 'pre-label')}, {unsure} of them unsure"
    )
    correct = CORRECT[label_format].format(output=output.root)
    display.line(f"to correct them: {correct}; then: ocrdet-check data.root={output.root}")
    return not failed
