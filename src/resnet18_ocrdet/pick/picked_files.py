"""The picked images: copies under names that every labelling tool takes, pictures for the report, and pre-labels."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ..data.image_io import has_image_suffix
from ..detections.files import Item
from ..detections.pipeline import Failed, detect_all
from ..inference.predictor import Predictor
from ..runtime.messages import ESCAPED
from ..structures import Detection, Image
from ..viz import draw
from ..viz.crops import GREEN, ORANGE, Layer, draw_crop
from .choosing import Pick
from .prelabels import IMAGES, LabelFormat, LabelledImage, PreLabel, write_label_files
from .uncertainty import is_unsure, lowest_score

MAX_PICTURES = 100  # in the report
MAX_NAME = 60  # characters of a name, without its suffix: at most 240 bytes


class PickedFile(NamedTuple):
    """What was written for a pick."""

    pick: Pick
    rank: int  # from 1 on
    name: str  # of the copy
    regions: int  # pre-labels
    unsure: int  # of them
    picture: bytes | None  # JPEG of the first MAX_PICTURES


def candidates_of(predictor: Predictor) -> Predictor:
    """The same predictor, which also finds regions of a score just below box_thresh.

    They are pre-labels too: it is easier to delete a box than to draw one."""
    lower = copy.copy(predictor)
    lower.decode = replace(predictor.decode, box_thresh=lowest_score(predictor.decode.box_thresh))
    return lower


def write_picks(
    folder: Path,
    predictor: Predictor,
    box_thresh: float,
    picks: Sequence[Pick],
    label_format: LabelFormat,
    advance: Callable[[], object] = lambda: None,
) -> tuple[list[PickedFile], list[Failed]]:
    """Detect on each pick with everything that finds more, and write its copy and pre-labels below a new folder.

    predictor: see `candidates_of`. box_thresh: of the network. Images that cannot be read any more are returned. Raises
    OSError."""
    names = file_names([pick.item for pick in picks])
    ranks = {pick.item.relative: rank for rank, pick in enumerate(picks, start=1)}
    pictures: dict[int, bytes] = {}
    written: list[PickedFile] = []
    failed: list[Failed] = []
    (folder / IMAGES).mkdir()

    def write(item: Item, image: Image, found: list[Detection]) -> None:
        rank = ranks[item.relative]
        target = folder / IMAGES / names[rank - 1]
        if item.page is None and has_image_suffix(item.path.name):
            shutil.copyfile(item.path, target)
        else:
            draw.write(target, image)
        if rank <= MAX_PICTURES:
            pictures[rank] = _picture(image, found, box_thresh)

    def images() -> Iterator[LabelledImage]:
        for outcome in detect_all(predictor, [pick.item for pick in picks], write, predictor.network.batch_size):
            advance()
            if isinstance(outcome, Failed):
                failed.append(outcome)
                continue
            record, rank = outcome.record, ranks[outcome.item.relative]
            pairs = zip(record.polygons, record.scores, strict=True)
            labels = [PreLabel(points, score, is_unsure(score, box_thresh)) for points, score in pairs]
            name, unsure = names[rank - 1], sum(label.unsure for label in labels)
            written.append(PickedFile(picks[rank - 1], rank, name, len(labels), unsure, pictures.pop(rank, None)))
            yield LabelledImage(name, record.height, record.width, labels)

    write_label_files(folder, images(), label_format)
    return written, failed


def file_names(items: Sequence[Item]) -> list[str]:
    """Names in one folder, whose stems differ also where upper and lower case do not: labels are named after them.

    Folders are part of a name, so that the images of several calls can be put into one folder."""
    taken: set[str] = set()
    names = []
    for item in items:
        suffix = item.path.suffix if item.page is None and has_image_suffix(item.path.name) else ".png"
        whole = "_".join(item.result.parts)
        choices = [whole, *(f"{whole}_{number}" for number in range(2, len(items) + 2))]
        stem = next(each for each in map(_plain, choices) if each.casefold() not in taken)
        taken.add(stem.casefold())
        names.append(stem + suffix)
    return names


def _plain(stem: str) -> str:
    """Without what would break a line of a label file, or is no UTF-8."""
    text = "".join("_" if ord(sign) in ESCAPED else sign for sign in stem)
    return text.encode("utf-8", "replace").decode("utf-8")[-MAX_NAME:].lstrip(".") or "image"


def _picture(image: Image, found: Sequence[Detection], box_thresh: float) -> bytes:
    """The image with its regions: the unsure ones in orange."""
    sure = [each.polygon for each in found if not is_unsure(each.score, box_thresh)]
    unsure = [each.polygon for each in found if is_unsure(each.score, box_thresh)]
    return draw_crop(image, [], [Layer(sure, GREEN), Layer(unsure, ORANGE, 2)])
