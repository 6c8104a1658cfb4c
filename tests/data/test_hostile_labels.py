"""Label files and lists made to hang or to exhaust memory: a finding or one line in every format."""

from __future__ import annotations

import os
import re
import signal
import time
import timeit
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from dialect_writers import WAYS
from format_files import findings_of
from resnet18_ocrdet.data import findings, text_file
from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats import (
    column_choice,
    ctw1500,
    dota,
    icdar2013,
    icdar_text,
    json_file,
    listed_pairs,
    location,
    lsvt,
    msra_td500,
    pairing,
    ppocr,
    totaltext,
    via,
    xml_file,
    yolo_lines,
    yolo_names,
)
from resnet18_ocrdet.data.formats.continued_lines import joined_lines
from resnet18_ocrdet.data.formats.json_stream import JsonStream
from resnet18_ocrdet.data.formats.locate import locate
from resnet18_ocrdet.data.formats.location import LabelError, Location
from resnet18_ocrdet.data.formats.matlab import read_cells
from resnet18_ocrdet.data.formats.served import names_behind
from resnet18_ocrdet.data.image_io import has_image_suffix
from resnet18_ocrdet.data.label_options import LabelOptions
from resnet18_ocrdet.data.load_annotations import detect_format, read_data
from resnet18_ocrdet.data.polygon_repair import repair_record
from resnet18_ocrdet.data.record import Region, to_record
from resnet18_ocrdet.data.splits import custom
from resnet18_ocrdet.data.text_file import TextLine, label_lines, lines_of
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.geometry.overlap import to_shapes
from resnet18_ocrdet.geometry.polygon import is_tangle

UNIX = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
LONG = 100_000  # characters of a hostile line
NOWHERE = Path("nowhere")


@pytest.fixture(params=WAYS)
def written(request, tmp_path: Path) -> tuple[str, Path, list[Path]]:
    """The format, its folder, and its label files, without lists."""
    way = WAYS[request.param]
    way.write(tmp_path, way.expressible())
    files = [path for path in sorted(tmp_path.rglob("*")) if path.is_file() and not has_image_suffix(path.name)]
    return way.key, tmp_path, [path for path in files if not path.name.endswith("_list.txt")]


@pytest.fixture
def in_time() -> Iterator[None]:
    """Opening a pipe fails the test instead of blocking it."""

    def late(*_: object) -> None:
        raise AssertionError("it hangs")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(20)
    yield
    signal.alarm(0)


@UNIX
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["pipe", "device"])
@pytest.mark.usefixtures("in_time")
def test_a_pipe_is_not_opened_as_label_file(written, make: Callable[[Path], None]):
    key, root, files = written
    for file in files:
        file.unlink()
        make(file)
    found = findings_of(key, root)
    assert all("\n" not in text for _, text in found)
    assert {code for code, _ in found} <= {"GT001", "GT006", ""}, "not there, not read, or refused"
    if not found:  # not recognised: there are no labels
        with pytest.raises(UserError):
            detect_format(root)


def test_a_label_file_above_the_limit_is_reported_with_the_key(written):
    key, root, _ = written
    found = findings_of(key, root, max_label_mb=0)
    assert {code for code, text in found if "data.max_label_mb" in text} <= {"GT006", ""}
    assert any("larger than 0 MB (data.max_label_mb)" in text for _, text in found)
    assert not any("data.max_label_mb" in text for _, text in findings_of(key, root, max_label_mb=1))


def test_the_limit_applies_in_training(tmp_path: Path):
    WAYS["images and labels"].write(tmp_path, WAYS["images and labels"].expressible())
    (label, *_) = sorted(tmp_path.rglob("*.txt"))
    label.write_bytes(label.read_bytes() + b"\n" * 1_000_001)
    with pytest.raises(UserError, match=r"larger than 1 MB \(data\.max_label_mb\)"):
        custom(tmp_path, max_label_mb=1, on_error="fail")


def test_too_many_regions_are_lost_in_every_format(written, monkeypatch):
    key, root, _ = written
    many = {
        record.image_path: len(record.polygons) for records in read_data(root).splits.values() for record in records
    }
    for module in (text_file, pairing, location, ctw1500):
        monkeypatch.setattr(module, "MAX_REGIONS", 0)
    reading = read_data(root, key)
    found = {finding.image for finding in reading.report.of("GT028")}
    assert found == {image for image, number in many.items() if number} and found
    records = {record.image_path: record for records in reading.splits.values() for record in records}
    assert all(records[image].lost and not records[image].polygons for image in found)


def test_a_huge_file_of_lines_is_not_kept_in_memory(tmp_path: Path):
    path = tmp_path / "1.txt"
    path.write_bytes(b"1,2,3,4,5,6,7,8,a\n" * 400_000)
    tracemalloc.start()
    label = Location(report := Report(), path, image=tmp_path / "1.png")
    record = icdar_text.parse_lines(label, label_lines(path, report, label.image))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [finding.code for finding in report] == ["GT028"] and record.lost == findings.MAX_REGIONS + 1
    assert peak < 70e6, "the file, its text and 100,001 lines; 400,000 lines would be 90 MB more"


@pytest.mark.parametrize("number", ["1e300", "-1e300", "9" * 400])
def test_a_number_beyond_every_range_causes_no_warning(written, number: str):
    key, root, files = written
    texts = [file for file in files if file.suffix != ".mat"]
    if not texts:
        pytest.skip("the numbers of a MATLAB file have a type of their own")
    before = [file.read_text("utf-8") for file in texts]
    for file, text in zip(texts, before, strict=True):
        file.write_text(re.sub(r"(?<=[\[,\s>\":])[0-9]{2,}(?=[\],\s<\"])", number, text, count=9), "utf-8")
    assert [file.read_text("utf-8") for file in texts] != before
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for coords in ("pixels", "normalized"):
            with suppress(UserError):
                read_data(root, key, LabelOptions(coords=coords))


def totaltext_entries(text: str) -> None:
    for _, entry in totaltext._entries(text):
        with suppress(LabelError):
            totaltext.parse_entry(entry)


def ctw1500_file(text: str) -> None:
    with suppress(Exception):  # of expat
        ctw1500._boxes(text.encode("utf-8", "replace"))


def quiet(parse: Callable[[str], object]) -> Callable[[str], None]:
    def parsed(text: str) -> None:
        with suppress(LabelError):
            parse(text)

    return parsed


def label_at(line: int) -> Location:
    return Location(Report(), NOWHERE, line)


def icdar(quads: bool) -> Callable[[str], None]:
    label = Location(Report(), NOWHERE, image=NOWHERE)
    return lambda text: icdar_text.parse_lines(label, [TextLine(1, text)], ("###",), quads)


PARSERS: dict[str, Callable[[str], object]] = {
    "Total-Text": totaltext_entries,
    "Total-Text, seen": totaltext._RECOGNISED.match,
    "CTW1500 line": quiet(ctw1500.parse_line),
    "CTW1500 XML": ctw1500_file,
    "ICDAR 2013": quiet(icdar2013.parse_line),
    "MSRA-TD500": quiet(msra_td500.parse_line),
    "quads": icdar(quads=True),
    "polygons": icdar(quads=False),
    "columns": lambda text: column_choice.choose_columns({NOWHERE: [TextLine(1, text)] * 2}),
    "quoted": lambda text: joined_lines([TextLine(1, f'1,2,3,4,"{text}')] * 5),
    "YOLO": quiet(lambda text: yolo_lines.parse_line(text, 1, {})),
    "YOLO, seen": yolo_lines.is_yolo,
    "YOLO names": lambda text: yolo_names._value(text, "names"),
    "DOTA": quiet(dota.parse_line),
    "DOTA, seen": lambda text: dota.class_of(text, is_strict=True),
    "PaddleOCR": quiet(
        lambda text: ppocr._read_line(text, Location(Report(), NOWHERE, 1), NOWHERE, [NOWHERE], None, ())
    ),
    "PaddleOCR, seen": lambda text: ppocr._START.search(text),
    "list": lambda text: listed_pairs.find_listed(text, [NOWHERE]),
    "JSON": quiet(json_file.parse_json),
    "JSON, piece by piece": quiet(lambda text: list(JsonStream(StringIO(text)).items())),
    "LSVT, seen": lsvt._FIRST_LIST.match,
    "name": quiet(lambda text: locate(text, [NOWHERE], shortened=[NOWHERE])),
    "lines": lambda text: list(lines_of(text)),
    "XML": quiet(lambda text: xml_file.visit_entries(text, "annotation", lambda _: None)),
    "CSV": quiet(lambda text: via._fields(text, ",")),
    "address": names_behind,
}
SIGNS = [
    *" \t[]({1,'\"\\-+.e/#_\n\r;\u3000é",
    "1,",
    "1 ",
    "[[",
    "']",
    "'], ",
    "],",
    "], ornt",
    "a ",
    "a/",
    "\\/",
    "-1,",
]
SIGNS += ["x: [[", "y: [[", "ornt: [", "transcriptions: ['", "a.jpg ", "a.jpg\t", "<box>", "<!-- -->", "x:\n", "]\n"]
WHOLE = "x: [[1 2 3]], y: [[1 2 3]], "
BEGINNINGS = {
    "Total-Text": ("", "x: [[", "x: [[1 2 3]], y: [[", WHOLE, f"{WHOLE}ornt: [", f"{WHOLE}transcriptions: ['"),
    "CTW1500 XML": ("<Annotations><image>", "<Annotations><image><box><segs>"),
    "quads": ("", "1", "1,1,1,2,2,2,2,1,"),
    "polygons": ("", "1", "[1,"),
    "PaddleOCR": ("", "a.jpg", "a.jpg\t["),
    "YOLO": ("0 ", "0 0.5 "),
    "YOLO names": ("names: [", "names:\n- ", "names:\n"),
    "DOTA": ("", "1 1 1 1 1 1 1 1 "),
    "JSON, piece by piece": ("[", '["'),
    "LSVT, seen": ("", '{"'),
    "list": ("", "a.jpg"),
    "name": ("", "/"),
    "XML": ("<annotation>", "<annotation><object><name>", '<annotation><object a="'),
    "address": ("", "/data/upload/1/1f2e3d4c-", "a://"),
}


def seconds(parse: Callable[[str], object], text: str) -> float:
    # without garbage collection, whose time grows with the objects of the other tests
    return timeit.timeit(lambda: parse(text), timer=time.process_time, number=1)


@pytest.mark.parametrize("name", PARSERS)
def test_parsing_time_is_linear_in_the_line_length(name: str):
    parse, slow = PARSERS[name], []
    for beginning in BEGINNINGS.get(name, ("",)):
        for sign in SIGNS:
            line = beginning + sign * (LONG // len(sign)) + "x"
            if (whole := seconds(parse, line)) > 0.1:  # quadratic time would take seconds at this length
                part = min(seconds(parse, beginning + sign * (LONG // 4 // len(sign)) + "x") for _ in range(2))
                if min(whole, seconds(parse, line)) > 8 * part:  # 4 times the length; quadratic time would be 16 times
                    slow.append((beginning, sign, whole))
    assert not slow


@pytest.mark.parametrize("compressed", [True, False])
def test_a_small_matlab_file_with_large_content(compressed: bool, tmp_path: Path):
    scipy_io = pytest.importorskip("scipy.io")
    cells = np.empty((1, 6), object)
    cells[0, :] = ["x:", np.zeros((1, 10**6), np.uint8), "y:", np.zeros((1, 10**6), np.uint8), "a", "c"]
    scipy_io.savemat(tmp_path / "1.mat", {"polygt": cells}, do_compression=compressed)
    data = (tmp_path / "1.mat").read_bytes()
    tracemalloc.start()
    with pytest.raises(ValueError, match="of more than 1048576 bytes"):
        read_cells(data, "polygt")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10e6


@pytest.mark.parametrize("corners", [60, 300, 5000])
def test_an_outline_with_many_crossings_is_fast(corners: int):
    points = np.random.default_rng(0).uniform(0, 1000, (corners, 2)).astype(np.float32)
    record = to_record(NOWHERE, NOWHERE, [Region(points, "a"), Region(np.array([[0, 0], [9, 0], [9, 9]], np.float32))])
    began = time.process_time()
    cleaned = repair_record(record, report := Report())
    (shapes,) = [to_shapes([[points]], ["a.jpg"])]
    assert time.process_time() - began < 2
    assert [finding.code for finding in report] == ["PG031", "PG030"]
    assert is_tangle(points) == (corners > 60) and shapes[0].is_valid
    if corners > 60:
        assert cleaned.ignore.tolist() == [True, False] and "its hull" in report[0].detail


def test_a_long_outline_with_a_single_crossing_is_untangled():
    around = np.linspace(0, 2 * np.pi, 500, endpoint=False)
    points = np.stack([500 + 400 * np.cos(around), 500 + 300 * np.sin(around)], axis=1).astype(np.float32)
    points[[100, 101]] = points[[101, 100]]
    cleaned = repair_record(to_record(NOWHERE, NOWHERE, [Region(points)]), report := Report())
    assert [finding.code for finding in report] == ["PG031"] and not cleaned.ignore[0]
