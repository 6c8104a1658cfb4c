"""Recognisers of other programs: RapidOCR's network, whose weights come in its wheel, and Tesseract.

Legend: M crops.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from ..errors import UserError
from ..runtime.messages import one_line
from ..structures import Image
from ..viz import draw

Recognise: TypeAlias = Callable[[Sequence[Image]], list[tuple[str, float]]]
"""M crops, each (h, w, 3) uint8 RGB, one word or line -> M texts and their confidences, 0..1. Any error may be raised:
it is about these crops."""

CHOICES = {"false": "", "true": "rapidocr"}  # values of the key that stand for others; "" reads nothing
PAGE_MODE = "7"  # of Tesseract: a single line of text
SECONDS = 600  # that Tesseract may take for an image


def open_recogniser(name: str, threads: int | None = None) -> Recognise:
    """name: "rapidocr" or "tesseract". threads: of the CPU; None: as the library chooses.

    Raises UserError if it is not installed."""
    return {"rapidocr": _rapidocr, "tesseract": _tesseract}[name](threads)


def _rapidocr(threads: int | None) -> Recognise:
    if find_spec("rapidocr_onnxruntime") is None:
        raise UserError(
            "read=true: RapidOCR is not installed: pip install 'resnet18-ocrdet[read]' (Python 3.11 or 3.12), or use "
            "read=tesseract"
        )
    from rapidocr_onnxruntime import main as package
    from rapidocr_onnxruntime.ch_ppocr_rec import TextRecognizer

    config: dict[str, Any] = package.update_model_path(package.read_yaml(package.DEFAULT_CFG_PATH))["Rec"]
    recogniser = TextRecognizer(config | {"intra_op_num_threads": threads or -1})
    process = os.getpid()

    def recognise(crops: Sequence[Image]) -> list[tuple[str, float]]:
        if os.getpid() != process:
            raise UserError(
                "read=true: RapidOCR runs on ONNX Runtime, which cannot be used after a fork: open the detector "
                "only in the new process"
            )
        texts, _ = recogniser([crop[:, :, ::-1] for crop in crops])
        return [(str(text), float(confidence)) for text, confidence, *_ in texts]

    return recognise


def _tesseract(threads: int | None) -> Recognise:
    program = shutil.which("tesseract")
    if program is None:
        raise UserError(
            "read=tesseract: the program tesseract is not installed: apt install tesseract-ocr (Debian, Ubuntu) or "
            "brew install tesseract (macOS), or use read=true"
        )
    environment = os.environ | {"OMP_THREAD_LIMIT": str(threads or 1)}  # it is not faster with more

    def recognise(crops: Sequence[Image]) -> list[tuple[str, float]]:
        with TemporaryDirectory(prefix="ocrdet") as place:
            names = [f"{place}/{number}.png" for number in range(len(crops))]
            for name, crop in zip(names, crops, strict=True):
                Path(name).write_bytes(draw.encode(".png", crop))
            listed = Path(place, "crops.txt")
            listed.write_text("\n".join(names) + "\n", encoding="utf-8")
            command = [program, str(listed), "stdout", "--psm", PAGE_MODE, "tsv"]
            done = subprocess.run(command, env=environment, capture_output=True, timeout=SECONDS, check=False)
        if done.returncode:
            raise RuntimeError(f"tesseract: {one_line(done.stderr.decode('utf-8', 'replace').strip())}")
        return _texts(done.stdout.decode("utf-8", "replace"), len(crops))

    return recognise


def _texts(table: str, count: int) -> list[tuple[str, float]]:
    """The text of each page of Tesseract's table, and the mean confidence of its words.

    A line: level, page from 1 on, block, paragraph, line, word, left, top, width, height, confidence 0..100, text."""
    words: list[list[tuple[str, float]]] = [[] for _ in range(count)]
    for row in table.splitlines()[1:]:
        cells = row.split("\t")
        if len(cells) == 12 and cells[11].strip() and float(cells[10]) >= 0:  # -1: not a word
            words[int(cells[1]) - 1].append((cells[11], float(cells[10]) / 100))
    return [
        (" ".join(text for text, _ in page), fmean(confidence for _, confidence in page) if page else 0.0)
        for page in words
    ]
