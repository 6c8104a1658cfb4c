"""Records of images: what is written, and what is read again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from resnet18_ocrdet.detections.records import ImageRecord
from resnet18_ocrdet.inference.postprocess import Decoded, DecodeStats
from resnet18_ocrdet.structures import Detection, Recognition, TextLine

QUAD = np.array([[10, 20], [40.123, 20], [40.123, 30], [10, 30]], np.float32)
OUTLINE = np.concatenate([QUAD, [[9, 25]]]).astype(np.float32)
IMAGE = np.zeros((60, 50, 3), np.uint8)


def record(lines=None):
    found = Decoded([Detection(QUAD, 0.5), Detection(OUTLINE, 0.87654, QUAD)], DecodeStats.together([]), lines)
    return ImageRecord.of("a/b.jpg", IMAGE, found, 1.5, Path(__file__).stat())


def test_a_record_holds_the_quads_of_the_detections():
    found = record()
    assert found.quads == [[[10, 20], [40.12, 20], [40.12, 30], [10, 30]]] * 2 and len(found.polygons[1]) == 5
    assert found.scores == [0.5, 0.8765] and found.height == 60 and found.width == 50
    assert "lines" not in json.loads(found.to_json()) and ImageRecord.from_json(found.to_json()) == found
    assert found.is_of(Path(__file__))


def test_lines():
    found = record([TextLine((1, 0), QUAD)])
    assert found.lines == [{"regions": [1, 0], "polygon": found.quads[0]}]
    assert ImageRecord.from_json(found.to_json()) == found
    assert ImageRecord.of("x", IMAGE, Decoded([], DecodeStats.together([]), []), 0, Path(__file__).stat()).lines == []


def read_record():
    said = [Recognition("Exit", 0.98765), Recognition(reason="no letters")]
    found = [Detection(QUAD, 0.5).with_recognition(each) for each in said]
    decoded = Decoded(found, DecodeStats.together([]))
    return ImageRecord.of("a.jpg", IMAGE, decoded, 1, Path(__file__).stat(), read=True)


def test_texts():
    found = read_record()
    assert (found.texts, found.confidences) == (["Exit", None], [0.9877, None])
    assert found.unread == [{"region": 1, "reason": "no letters"}]
    assert ImageRecord.from_json(found.to_json()) == found
    assert not {"texts", "confidences", "unread"} & {*json.loads(record().to_json())}
    empty = Decoded([], DecodeStats.together([]))
    for read, texts in ((True, []), (False, None)):
        assert ImageRecord.of("x", IMAGE, empty, 0, Path(__file__).stat(), read=read).texts == texts


@pytest.mark.parametrize(
    "changed",
    [
        {"texts": None},
        {"texts": ["Exit"]},
        {"texts": ["Exit", 3]},
        {"texts": ["Exit", "b"]},
        {"confidences": [0.9]},
        {"confidences": [0.9, 0.8]},
        {"confidences": ["0.9", None]},
        {"unread": []},
        {"unread": None},
        {"unread": [{"region": 0, "reason": "x"}]},
        {"unread": [{"region": 1}]},
    ],
)
def test_damaged_texts_are_not_a_record(changed):
    with pytest.raises(ValueError, match="record"):
        ImageRecord.from_json(json.dumps(json.loads(read_record().to_json()) | changed))


def test_records_of_earlier_versions_are_read():
    value = json.loads(record().to_json())
    del value["surplus"]
    assert ImageRecord.from_json(json.dumps(value)) == record()


@pytest.mark.parametrize(
    "lines",
    [
        None,
        {},
        [3],
        [{"regions": [0, 1]}],
        [{"regions": [0], "polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}],
        [{"regions": [0, 2], "polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}],
        [{"regions": [0, True], "polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}],
        [{"regions": [0, 1], "polygon": [[0, 0], [1]]}],
        [{"regions": "01", "polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}],
    ],
)
def test_damaged_lines_are_not_a_record(lines):
    value = json.loads(record().to_json()) | {"lines": lines}
    with pytest.raises(ValueError, match="record"):
        ImageRecord.from_json(json.dumps(value))
