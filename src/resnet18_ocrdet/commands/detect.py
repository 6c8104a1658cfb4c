"""ocrdet-detect: boxes on every image of a folder. Files that cannot be read are listed; the others are done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from ..config.library import Library
from ..detections.files import CROPS, PICTURES, TEXT_MODE, Item
from ..detections.folder import ResultFolder
from ..detections.formats import write_formats
from ..detections.inputs import find_items, shard_of
from ..detections.pipeline import Failed, detect_all
from ..detections.recognition import TextReader, open_reader, reader_name
from ..inference.listing import Listing
from ..inference.loading import contract_of, load_model, size_note
from ..inference.predictor import Predictor, open_predictor
from ..model.bundled import BUNDLED, weights_path
from ..model.contract import Contract
from ..runtime.console import Display, duration
from ..runtime.messages import count
from ..runtime.regular_file import sha256
from ..runtime.run_folder import make_folder

FORMAT_VERSION = 2  # of detections.json
EARLIER = {"order": "none", "scales": "1", "orientation": "off"}  # what versions without these keys did


@dataclass
class Totals:
    """What a call did."""

    images: int = 0  # done
    regions: int = 0
    large: int = 0  # images, see `Prepared.is_large`
    turned: int = 0  # images, searched upright
    surplus: int = 0  # images with more than max_candidates regions
    unread: int = 0  # regions without a text, if texts are read
    blank: list[str] = field(default_factory=list)  # images that are nearly all of one colour
    errors: list[dict[str, str]] = field(default_factory=list)  # "image" and "error" of each one that failed


def run(cfg: DictConfig, _: list[str]) -> int:
    """Detect as `cfg` says. Returns 0, or 1 if some images failed."""
    display = Display()
    dpi = None if cfg.dpi == "auto" else int(cfg.dpi)
    source, output, checkpoint = Path(cfg.input), Path(cfg.output), weights_path(cfg.checkpoint)
    everything, left_out, unread = find_items(source, output, cfg.crops)
    mine = shard_of(everything, cfg.shard)
    read = open_reader(cfg.read, cfg.threads)
    predictor, about = open_network(cfg, checkpoint, display)
    make_folder("output", output)
    formats = [name for name in ("vis", "crops", "labelme", "coco") if cfg[name]]
    defaults = Library("detect").primary | Contract.defaults() | EARLIER
    folder = ResultFolder(output, everything, about, source, cfg.shard, formats, cfg.overwrite, defaults)
    network = "the bundled weights" if cfg.checkpoint == BUNDLED else about["checkpoint"]
    at = f"{about['precision']}, {about['height']}x{about['width']}"
    part = "" if cfg.shard is None else f", shard {cfg.shard} of {len(everything)}"
    try:
        with folder.held():
            left = folder.claim(mine)
            done = "" if len(left) == len(mine) else f", {len(mine) - len(left)} of them done already"
            display.line(f"{count(len(mine), 'image')} in {source}{part}{done}; {network}, {at}")
            if folder.lost_corrections:
                display.line(f"overwrite=true: {count(folder.lost_corrections, 'corrected LabelMe file')} replaced")
            skipped = f"{count(left_out, 'picture')} of earlier detections skipped" if left_out else None
            display.lines([_paged(everything), unread or None, skipped], "note: ")
            began = time.perf_counter()
            totals = _detect(predictor, folder, left, display, dpi, read)
            label_files = write_formats(folder, mine, totals.errors, dpi)
            display.line(f"{_summary(totals, label_files, time.perf_counter() - began)}; results in {folder.root}")
            display.lines(_notes(cfg, predictor, folder, totals))
            return 1 if totals.errors else 0
    except OSError as error:  # of the disk; every recorded image is complete
        display.line(f"output={output}: cannot be written ({error.strerror}); finished images are kept")
        return 1


def _paged(items: list[Item]) -> str | None:
    """A line about files with several pages, None if there are none."""
    pages = [item.page for item in items if item.page is not None]
    return f"{count(pages.count(1), 'file')} with {len(pages)} pages, each an image named FILE#PAGE" if pages else None


def _detect(
    predictor: Predictor,
    folder: ResultFolder,
    left: list[Item],
    display: Display,
    dpi: int | None,
    read: TextReader | None,
) -> Totals:
    totals = Totals()
    with folder.records.open("a", **TEXT_MODE) as records, display.progress("detect", len(left)) as advance:
        for each in detect_all(predictor, left, folder.files.write, predictor.network.batch_size, dpi, read):
            if isinstance(each, Failed):
                totals.errors.append({"image": each.item.relative, "error": each.error})
            else:
                records.write(each.record.to_json() + "\n")
                records.flush()
                totals.images += 1
                totals.regions += len(each.record.scores)
                totals.large += each.is_large
                totals.turned += each.record.rotation > 0
                totals.surplus += each.record.surplus > 0
                totals.unread += len(each.record.unread or ())
                totals.blank += [each.record.image] * each.record.blank
            advance()
    return totals


def _summary(totals: Totals, label_files: int, seconds: float) -> str:
    if totals.images:
        text = f"{count(totals.regions, 'region')} in {count(totals.images, 'image')}, {duration(seconds)}"
    elif totals.errors:
        text = f"no image done, {len(totals.errors)} failed"
    else:
        text = "all images were done already"
    return f"{text}; {count(label_files, 'LabelMe file')} written" if label_files else text


def _notes(cfg: DictConfig, predictor: Predictor, folder: ResultFolder, totals: Totals) -> Iterator[str]:
    """What the sizes of the images mean for the detections, where pictures are, and what failed."""
    height, width = predictor.contract.height, predictor.contract.width
    if totals.large and predictor.tiling:
        yield f"{count(totals.large, 'image')} much larger than {height}x{width}: also searched in tiles"
    elif totals.large:
        shrunk = count(totals.large, "image")
        yield f"note: {shrunk} shrunk to less than half, text of 16 px to less than 8: use tiling=auto"
    if totals.turned:
        yield f"{count(totals.turned, 'image')} with text on its side: searched upright (rotation in detections.json)"
    if totals.surplus:
        yield (
            f"note: {count(totals.surplus, 'image')} with more regions than decode.max_candidates="
            f"{predictor.contract.max_candidates}, the least confident left out: choose a higher number"
        )
    if totals.blank:
        yield f"note: {count(len(totals.blank), 'image')} almost blank (first: {totals.blank[0]})"
    if totals.unread:
        yield f"note: {count(totals.unread, 'region')} without a text: 'unread' in detections.json says why"
    for written, what, name in ((cfg.vis, "images with boxes", PICTURES), (cfg.crops, "upright regions", CROPS)):
        if written and (folder.root / name).is_dir():
            yield f"{what}: {folder.root / name}"
    for failed in totals.errors:
        yield f"failed: {failed['error']}"


def open_network(cfg: DictConfig, checkpoint: Path, display: Display) -> tuple[Predictor, dict[str, Any]]:
    """The network of a checkpoint, and the head of detections.json."""
    model = load_model(checkpoint, cfg.runtime, cfg.threads)
    contract = contract_of(model.content, cfg)
    display.lines([model.adopted, size_note(model.content, contract)])
    listing = Listing(cfg.order, cfg.lines)
    predictor, precision = open_predictor(
        model,
        contract,
        cfg.device,
        cfg.precision,
        tiling=cfg.tiling == "auto",
        listing=listing,
        scales=cfg.scales,
        turning=cfg.orientation == "auto",
    )
    display.lines([predictor.network.note], "note: ")
    about = {
        "version": FORMAT_VERSION,
        "checkpoint": BUNDLED if cfg.checkpoint == BUNDLED else checkpoint.as_posix(),
        "model_sha256": sha256(checkpoint),
        **contract.to_dict(),
        "precision": precision,
        "runtime": model.runtime,
        "tiling": cfg.tiling,
        "scales": cfg.scales,
        "orientation": cfg.orientation,
        "dpi": cfg.dpi if cfg.dpi == "auto" else int(cfg.dpi),
        "order": cfg.order,
        "lines": cfg.lines,
    }
    if name := reader_name(cfg.read):
        about["read"] = name
    return predictor, about
