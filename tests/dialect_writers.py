"""One data set, written in every label format.

The writers do not use the readers. A `Dialect` says what its format can hold, and `expressible` reduces the data set
to that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from dialect_set import PICTURES, Picture, Word, pixels
from dialects_detectors import dota, with_columns, yolo_beside, yolo_boxes, yolo_outlines
from dialects_json import coco, coco_text, doctr, labelme, mmocr, ppocr, ppocr_label, textocr
from dialects_sets import art, hiertext, lsvt, mmocr_lines, rects, synthtext, wildreceipt
from dialects_text import (
    ctw1500_offsets,
    ctw1500_text,
    ctw1500_xml,
    icdar2013,
    icdar2015,
    listed_folders,
    msra_td500,
    paired_lists,
    plain_folders,
    scanned_folders,
    totaltext_mat,
    totaltext_txt,
)
from dialects_tools import cvat, label_studio, label_studio_min, ro_label_img, via_csv, via_json, voc

__all__ = ["WAYS", "pixels"]

FREE_NAMES = ("Straße nach Süden 1.png", "東京 menu (2).jpg", "a.b #3.png", "plain.jpg")
FOUR_CORNERS = ("rectangle", "rotated", "quad")
ANYTHING = (*FOUR_CORNERS, "curve")


@dataclass(frozen=True)
class Dialect:
    """A way to write the data set, and what it can hold."""

    key: str  # of the label format
    write: Callable[[Path, list[Picture]], None]
    kinds: tuple[str, ...] = ANYTHING
    texts: bool = True
    mark: str | None = None  # text that means don't-care; None: marked with a flag
    ignores: bool = True  # whether regions can be don't-care
    empty: bool = True  # whether a text may be empty
    digits_first: bool = True  # whether a text may start with a digit
    spaces: bool = True  # whether a text may have spaces
    names: Callable[[int], str] = field(default=lambda number: FREE_NAMES[number - 1])  # of image number 1, 2, ...
    splits: tuple[str, str] = ("train", "test")  # names of the two splits
    tolerance: float = 0.0  # px

    def expressible(self) -> list[Picture]:
        """The data set as this format can hold it, with its names and splits."""
        return [
            picture._replace(
                split=self.splits[picture.split == "test"],
                name=self.names(number),
                words=tuple(self._word(word) for word in picture.words if self._holds(word)),
            )
            for number, picture in enumerate(PICTURES, start=1)
        ]

    def _holds(self, word: Word) -> bool:
        return (
            word.kind in self.kinds
            and (self.ignores or not word.ignore)
            and (self.empty or bool(word.text))
            and (self.digits_first or not word.text[:1].isdigit())
            and (self.spaces or " " not in word.text)
        )

    def _word(self, word: Word) -> Word:
        text = self.mark if word.ignore and self.mark is not None else word.text
        return word._replace(text=text if self.texts else "")


_TOTAL_TEXT = Dialect("totaltext", totaltext_txt, mark="#", names="img{}.jpg".format)
_CTW1500 = Dialect("ctw1500", ctw1500_xml, kinds=("curve",), mark="###", names="{:04}.jpg".format)
_QUADS = Dialect("folders", listed_folders, kinds=FOUR_CORNERS, mark="###")
_POLYGONS = Dialect("folders", scanned_folders, mark="###", digits_first=False)
_ALL_TRAIN = ("train", "train")
_TRAIN_VAL = ("train", "val")
_YOLO = Dialect("yolo", yolo_outlines, texts=False, ignores=False, tolerance=0.001)
_DOTA = Dialect("dota", dota, kinds=FOUR_CORNERS, texts=False)
_COCO_TEXT = Dialect("coco", partial(coco_text, "mask"), names="COCO_train2014_{:012}.jpg".format, splits=_TRAIN_VAL)
_LSVT = Dialect("lsvt", lsvt, names="gt_{}.jpg".format, splits=_ALL_TRAIN)
_SYNTHTEXT = Dialect(
    "synthtext",
    partial(synthtext, True),
    kinds=("rotated", "quad"),
    ignores=False,
    empty=False,
    spaces=False,
    names="ballet_{}_0.jpg".format,
    splits=_ALL_TRAIN,
)

WAYS: dict[str, Dialect] = {
    "icdar2015": Dialect("icdar2015", icdar2015, kinds=FOUR_CORNERS, mark="###", names="img_{}.jpg".format),
    "icdar2013": Dialect("icdar2013", icdar2013, kinds=("rectangle",), mark="###", names="img_{}.jpg".format),
    "lists": _QUADS,
    "lists of pairs": replace(_QUADS, write=paired_lists),
    "folders without lists": _POLYGONS,
    "images and labels": replace(_POLYGONS, write=plain_folders, splits=_ALL_TRAIN),
    "totaltext .txt": _TOTAL_TEXT,
    "totaltext .mat": replace(_TOTAL_TEXT, write=totaltext_mat),
    "ctw1500 XML": _CTW1500,
    "ctw1500 offsets": replace(_CTW1500, write=ctw1500_offsets, texts=False, ignores=False),
    "ctw1500 ####": replace(_CTW1500, write=ctw1500_text, names=lambda number: f"{1000 + number}.jpg"),
    "msra_td500": Dialect(
        "msra_td500",
        msra_td500,
        kinds=("rectangle", "rotated"),
        texts=False,
        names="IMG_{:04}.JPG".format,
        tolerance=0.05,
    ),
    "ppocr": Dialect("ppocr", ppocr, mark="###", names="img_{}.jpg".format),
    "PPOCRLabel": Dialect("ppocr", ppocr_label, mark="###", splits=_ALL_TRAIN),
    "mmocr": Dialect("mmocr", partial(mmocr, "textdet"), texts=False),
    "mmocr spotting": Dialect("mmocr", partial(mmocr, "textspotting")),
    "labelme": Dialect("labelme", labelme, mark="###", empty=False),
    "coco": Dialect("coco", coco, texts=False),
    "coco-text": _COCO_TEXT,
    "coco-text 1": replace(_COCO_TEXT, write=partial(coco_text, "polygon")),
    "textocr": Dialect("coco", textocr, mark=".", names="a4ea732cd3d5948{}.jpg".format, splits=_TRAIN_VAL),
    "yolo segments": _YOLO,
    "yolo boxes": replace(_YOLO, write=yolo_boxes, kinds=("rectangle",), splits=_TRAIN_VAL),
    "yolo side by side": replace(_YOLO, write=yolo_beside, kinds=("rectangle",), splits=_ALL_TRAIN),
    "dota": _DOTA,
    "dota annfiles": replace(_DOTA, write=partial(dota, labels="annfiles", header=False), splits=_TRAIN_VAL),
    "MLT": replace(_QUADS, write=partial(with_columns, columns=",Latin,{text}")),
    "RCTW": replace(_QUADS, write=partial(with_columns, columns=',{level},"{text}"'), mark=None),
    "TD500 of MhLiao/DB": replace(
        _QUADS, write=partial(with_columns, columns=",{level}"), mark=None, texts=False, empty=True
    ),
    "boxes": replace(_QUADS, write=partial(with_columns, columns=",box,{text}"), kinds=("rectangle",)),
    "rects": Dialect("rects", rects, kinds=FOUR_CORNERS, names="train_ReCTS_{:06}.jpg".format, splits=_ALL_TRAIN),
    "lsvt": _LSVT,
    "art": replace(_LSVT, write=art),
    "mmocr 0.x": Dialect("mmocr_lines", mmocr_lines, texts=False),
    "wildreceipt": Dialect("mmocr_lines", wildreceipt, kinds=FOUR_CORNERS),
    "synthtext": _SYNTHTEXT,
    "synthtext, plain": replace(_SYNTHTEXT, write=partial(synthtext, False)),
    "hiertext": Dialect("hiertext", hiertext, names="0a1b2c{}.jpg".format, splits=_TRAIN_VAL),
    "doctr": Dialect("doctr", doctr, kinds=FOUR_CORNERS, texts=False, ignores=False),
    "voc": Dialect("voc", voc, kinds=("rectangle",), texts=False),
    "roLabelImg": Dialect("voc", ro_label_img, kinds=("rectangle", "rotated"), texts=False, tolerance=0.001),
    "cvat": Dialect("cvat", cvat, tolerance=0.02),
    "label studio": Dialect("label_studio", label_studio, mark="###", tolerance=0.001),
    "label studio min": Dialect("label_studio", label_studio_min, mark="###", empty=False, tolerance=0.001),
    "via": Dialect("via", via_json),
    "via csv": Dialect("via", via_csv, mark="###"),
}
