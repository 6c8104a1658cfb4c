"""ocrdet-detect: boxes on every image of a folder; what cannot be read is listed, the rest is done."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from .. import build, draw
from ..bundled import BUNDLED, weights_path
from ..checkpoint import sha256
from ..data.image_io import list_images, read_image
from ..detector import Detector
from ..display import Display, duration
from ..errors import UserError
from ..memory import ran_out
from ..results import format_detections
from ..run_folder import make_folder
from ..structures import Detection, Image
from ..trained import load_trained, where_to_run
from ..wording import count

FORMAT_VERSION = 1  # of detections.json
RECORDS, ASSEMBLED, ERRORS = "detections.jsonl", "detections.json", "errors.json"
TEXTS, PICTURES = "txt", "vis"  # folders beside them
TEXT: Any = {"encoding": "utf-8", "errors": "backslashreplace"}  # names that are not UTF-8 stay readable JSON


def run(cfg: DictConfig) -> int:
    """Detect as `cfg` says. Returns 0, or 1 when some inputs failed."""
    display = Display()
    source, output, checkpoint = Path(cfg.input), Path(cfg.output), weights_path(cfg.checkpoint)
    images = _find(source, output)
    detector, about = _open(cfg, checkpoint)
    make_folder("output", output)
    root = source if source.is_dir() else source.parent
    names = _result_names([path.relative_to(root) for path in images])
    _clear(output, names)
    network = "the bundled weights" if cfg.checkpoint == BUNDLED else about["checkpoint"]
    at = f"{about['precision']}, {about['height']}x{about['width']}"
    display.line(f"{count(len(images), 'image')} in {source}; {network}, {at}")

    errors: list[dict[str, str]] = []
    began, found = time.perf_counter(), 0
    with (output / RECORDS).open("w", **TEXT) as records, display.progress("detect", len(images)) as advance:
        for path, name in zip(images, names, strict=True):
            relative = path.relative_to(root).as_posix()
            try:
                image = read_image(path)
                started = time.perf_counter()
                detections = detector(image)
                seconds = time.perf_counter() - started
                _write_results(output, name, image, detections, cfg.vis)
            except UserError as error:
                errors.append({"image": relative, "error": str(error)})
            except (MemoryError, RuntimeError) as error:  # one huge image must not end a folder
                if not ran_out(error):
                    raise
                told = (str(error) or type(error).__name__).splitlines()[0]
                errors.append({"image": relative, "error": f"{path}: not enough memory ({told})"})
            else:
                records.write(json.dumps(_record(relative, image, detections, seconds), ensure_ascii=False) + "\n")
                found += len(detections)
            advance()
    _assemble(output, about)
    (output / ERRORS).write_text(json.dumps(errors, ensure_ascii=False, indent=1) + "\n", **TEXT)
    done = len(images) - len(errors)
    took = duration(time.perf_counter() - began)
    display.line(f"{count(found, 'region')} in {count(done, 'image')}, {took}; results in {output}")
    if cfg.vis:
        display.line(f"pictures: {output / PICTURES}")
    for failed in errors:
        display.line(f"not read: {failed['error']}")
    return 1 if errors else 0


def _open(cfg: DictConfig, checkpoint: Path) -> tuple[Detector, dict[str, Any]]:
    """The detector of a checkpoint, and the head of detections.json."""
    device, precision = where_to_run(checkpoint, cfg.device, cfg.precision)
    content = load_trained(checkpoint)
    contract = build.contract_of(content, cfg)
    compute, precision = build.build_compute(device, precision)
    model = build.build_trained(content, checkpoint, device, contract)
    about = {
        "version": FORMAT_VERSION,
        "checkpoint": BUNDLED if cfg.checkpoint == BUNDLED else checkpoint.as_posix(),
        "model_sha256": sha256(checkpoint),
        **contract.to_dict(),
        "precision": precision,
    }
    return Detector(model, contract, build.build_decoder(contract), compute), about


def _find(source: Path, output: Path) -> list[Path]:
    """The images of a file or folder, in natural order, without what earlier calls wrote."""
    pictures = (output / PICTURES).resolve()
    if source.is_file():
        if pictures in source.resolve().parents:
            raise UserError(f"input={source}: lies among the pictures that this call replaces; choose another output=")
        return [source]
    if not source.is_dir():
        raise UserError(f"input={source}: no such file or folder")
    written = {marker.with_name(PICTURES).resolve() for name in (RECORDS, ASSEMBLED) for marker in source.rglob(name)}
    written.add(pictures)
    images = [path for path in list_images(source) if not written & set(path.resolve().parents)]
    if not images:
        raise UserError(f"input={source}: 0 images found (looked for .jpg, .png and the like, in sub-folders too)")
    return images


def _result_names(images: list[Path]) -> list[Path]:
    """Result name of each image: its path without suffix, with it where two would be the same."""
    stems = Counter(image.with_suffix("") for image in images)
    return [image if stems[image.with_suffix("")] > 1 else image.with_suffix("") for image in images]


def _clear(output: Path, names: list[Path]) -> None:
    """Take away what an earlier call wrote for these images, so that the folder holds one call's results.

    Raises UserError, before anything is touched, when it holds results of other images."""
    there = [*(output / TEXTS).rglob("res_*.txt"), *(output / PICTURES).rglob("*.jpg")]
    ours = {file for name in names for file in (_text_file(output, name), _picture_file(output, name))}
    others = sorted(set(there) - ours)
    if others:
        raise UserError(
            f"output={output}: holds {count(len(others), 'result')} of other images (first: "
            f"{others[0].relative_to(output)}); choose another folder, or remove its {TEXTS}/ and {PICTURES}/"
        )
    for file in [*there, output / ASSEMBLED, output / ERRORS]:
        file.unlink(missing_ok=True)


def _text_file(output: Path, name: Path) -> Path:
    return output / TEXTS / name.parent / f"res_{name.name}.txt"


def _picture_file(output: Path, name: Path) -> Path:
    return output / PICTURES / name.parent / f"{name.name}.jpg"


def _record(relative: str, image: Image, detections: list[Detection], seconds: float) -> dict[str, Any]:
    return {
        "image": relative,
        "height": image.shape[0],
        "width": image.shape[1],
        "polygons": [[[round(float(x), 2), round(float(y), 2)] for x, y in d.polygon] for d in detections],
        "scores": [round(d.score, 4) for d in detections],
        "seconds": round(seconds, 4),
    }


def _write_results(output: Path, name: Path, image: Image, detections: list[Detection], vis: bool) -> None:
    text = _text_file(output, name)
    text.parent.mkdir(parents=True, exist_ok=True)
    text.write_text(format_detections(detections, with_scores=True), encoding="utf-8")
    if vis:
        picture = _picture_file(output, name)
        picture.parent.mkdir(parents=True, exist_ok=True)
        draw.write(picture, draw.outline(image, [d.polygon for d in detections]))


def _assemble(output: Path, about: dict[str, Any]) -> None:
    """detections.json from the streamed lines, line by line: the folder may hold more than the memory."""
    beside = output / (ASSEMBLED + ".tmp")
    with beside.open("w", **TEXT) as file:
        head = json.dumps(about, ensure_ascii=False)[:-1]
        file.write(head + ', "images": [\n')
        for number, line in enumerate(_lines(output / RECORDS)):
            file.write((",\n" if number else "") + line)
        file.write("\n]}\n")
    beside.replace(output / ASSEMBLED)


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield line.rstrip("\n")
