"""Label files of PaddleOCR and PPOCRLabel."""

from __future__ import annotations

import pytest

from format_files import build, corners, found, names, read_all, recognised
from resnet18_ocrdet.data.formats import ppocr
from resnet18_ocrdet.data.formats.split_names import split_of
from resnet18_ocrdet.errors import UserError

# The first two images of the format's description in PaddleOCR's documentation of text detection data sets
# (train_icdar2015_label.txt), with don't-care regions in the ways that its loader and PPOCRLabel know.
DOCUMENTED = (
    'ch4_test_images/img_61.jpg\t[{"transcription": "MASA", "points": [[310, 104], [416, 141], [418, 216], [312, 179]]}'
    ', {"transcription": "###", "points": [[1, 2], [3, 2], [3, 4], [1, 4]]}]\n'
    'ch4_test_images/img_24.jpg\t[{"transcription": "CONVERSE", "points": [[402, 466], [539, 432], [543, 468], '
    '[406, 502]], "difficult": false}, {"transcription": "*", "points": [[1, 2], [3, 2], [3, 4]]}, {"transcription": '
    '"x", "points": [[5, 6], [7, 6], [7, 8], [5, 8]], "difficult": true, "key_cls": "None"}]\n'
)
BOX = '{"transcription": "a", "points": [[1, 2], [3, 2], [3, 4], [1, 4]]}'


def test_the_documented_example(tmp_path):
    images = {"ch4_test_images/img_61.jpg": None, "ch4_test_images/img_24.jpg": None}
    build(tmp_path, {"train_icdar2015_label.txt": DOCUMENTED, **images})
    parts, report = read_all(ppocr, tmp_path)
    assert names(parts) == {"train": ["img_61.jpg", "img_24.jpg"]} and not len(report)
    one, two = parts["train"]
    assert corners(one)[0] == [[310, 104], [416, 141], [418, 216], [312, 179]]
    assert corners(two)[0] == [[402, 466], [539, 432], [543, 468], [406, 502]]
    assert corners(two)[1:] == [[[1, 2], [3, 2], [3, 4]], [[5, 6], [7, 6], [7, 8], [5, 8]]]
    assert one.texts == ("MASA", "###") and two.texts == ("CONVERSE", "*", "x")
    assert one.ignore.tolist() == [False, True] and two.ignore.tolist() == [False, True, False]
    assert two.flags == ("", "", "difficult")
    assert one.lines.tolist() == [1, 1] and two.lines.tolist() == [2, 2, 2]
    assert one.label_path == tmp_path / "train_icdar2015_label.txt" and one.stated is None and one.lost == 0


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("set/1.png", "1.png"),  # PPOCRLabel writes the name of the opened folder
        ("other/1.png", "1.png"),  # renamed later
        ("1.png", "1.png"),
        ("sub/1.png", "sub/1.png"),
        ("sub\\1.png", "sub/1.png"),
        ("../train_data/det/train/1.png", "train/1.png"),
        ("1.png", "train/1.png"),
        ("1.png", "images/1.png"),
        ("C:\\Users\\me\\images\\1.png", "images/1.png"),
        ("照片 (1), #2.png", "照片 (1), #2.png"),
        ("cafe\u0301.png", "caf\u00e9.png"),
        ("{root}/x/1.png", "x/1.png"),
    ],
)
def test_where_images_are(tmp_path, name, at):
    root = build(tmp_path / "set", {at: None, "Label.txt": f"{name.format(root=tmp_path / 'set')}\t[{BOX}]\n"})
    parts, report = read_all(ppocr, root)
    (record,) = parts["train"]
    assert record.image_path == root / at and record.texts == ("a",) and not len(report)


def test_an_image_beside_the_root_is_not_used_for_a_missing_one(tmp_path):
    root = build(tmp_path / "set", {"../1.png": None, "Label.txt": f"other/1.png\t[{BOX}]\nhttp://a.b/1.png\t[]\n"})
    parts, report = read_all(ppocr, root)
    assert parts == {"train": []}
    assert found(report, root) == [("FS079", "Label.txt", 1), ("FS079", "Label.txt", 2)]
    assert "'other/1.png': not found in" in report[0].detail
    assert "web address" in report[1].detail


@pytest.mark.parametrize("name", ["Label.txt", "train_list.txt", "test_icdar2015_label.txt", "val.txt", "det_gt.txt"])
def test_names_of_label_files(tmp_path, name):
    build(tmp_path, {name: f"1.png\t[{BOX}]\n", "1.png": None, "notes.txt": f"1.png\t[{BOX}]\n"})
    assert ppocr.recognise(tmp_path).startswith(f"{name}: line 1 is")
    parts, report = read_all(ppocr, tmp_path)
    assert list(parts) == [split_of(name) or "train"] and not len(report)
    ((record,),) = parts.values()
    assert corners(record) == [[[1, 2], [3, 2], [3, 4], [1, 4]]] and not record.ignore.any()


def test_splits_by_file_and_by_folder(tmp_path):
    files = {f"{part}.txt": f"{part}/{part}.png\t[{BOX}]\n" for part in ("train", "val", "test")}
    a = build(tmp_path / "a", files | {f"{part}/{part}.png": None for part in ("train", "val", "test")})
    everything = "".join(f"{part}/{part}.png\t[]\n" for part in ("train", "val", "test")) + "new.png\t[]\n"
    build(a, {"Label.txt": everything, "new.png": None})  # the complete list, with one more image
    parts, report = read_all(ppocr, a)
    assert names(parts) == {"train": ["train.png", "new.png"], "val": ["val.png"], "test": ["test.png"]}
    assert not len(report)
    b = build(tmp_path / "b", {f"{part}/Label.txt": f"{part}/1.png\t[{BOX}]\n" for part in ("train", "val")})
    build(b, {"train/1.png": None, "val/1.png": None})
    parts, report = read_all(ppocr, b)
    assert {part: records[0].image_path for part, records in parts.items()} == {
        "train": b / "train/1.png",
        "val": b / "val/1.png",
    }


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ('2.png\t[{"transcription": "a", "points": [[1,2],[3,2],[3,4]}]', "GT006", r"column 59: not valid JSON"),
        ("2.png\t[{'transcription': 'a'}]", "GT006", "column 9: "),
        ("2.png\t" + "[" * 100_000, "GT006", "nested too deeply"),
        ("2.png\tnull", "GT022", "got null"),
        ("2.png\t", "GT022", "got nothing"),
        ("2.png", "GT022", "got nothing"),
        ("readme", "GT022", "needs an image, a tab and a JSON list, got 'readme'"),
        ("gone.png\t[]", "FS079", "'gone.png': not found"),
        ("a" * 300 + ".png\t[]", "FS079", "a part is longer than 255 bytes"),
        ("\ta.png\u0000x.png\t[]", "GT006", "NUL"),
    ],
)
def test_a_bad_line_loses_only_itself(tmp_path, line, code, words):
    build(tmp_path, {"Label.txt": f"1.png\t[{BOX}]\n\n{line}\r\n3.png\t[{BOX}]", "1.png": None, "2.png": None})
    build(tmp_path, {"3.png": None})
    parts, report = read_all(ppocr, tmp_path)
    (finding,) = report
    assert finding.code == code and words in finding.detail
    if "\0" in line:  # the whole file is not text
        assert finding.line == 0 and parts == {"train": []}
        return
    assert finding.place == f"{tmp_path / 'Label.txt'}:3"
    assert names(parts) == {"train": ["1.png", "3.png"]}
    assert finding.image == (tmp_path / "2.png" if line.startswith("2.png") else None)
    assert parts["train"][1].lines.tolist() == [4]


@pytest.mark.parametrize(
    ("entry", "code", "words"),
    [
        ("null", "GT022", "region 2: needs transcription and points, got null"),
        ("[[1, 2]]", "GT022", "got a list of 1 value"),
        ('{"transcription": "a"}', "GT022", "region 2: needs points, a list of coordinates, got null"),
        ('{"points": "1,2,3"}', "GT022", "got '1,2,3'"),
        ('{"points": [[1, 2], [3, 2]]}', "GT018", "points holds 2 corners, a region needs 3 or more"),
        ('{"points": []}', "GT018", "0 corners"),
        ('{"points": [[1, 2], [3], [3, 4]]}', "GT019", "corner 2 of points holds 1 number, not x and y"),
        ('{"points": [1, 2, 3, 4, 5, 6, 7]}', "GT019", "points holds 7 numbers"),
        ('{"points": [[1, 2], [3, null], [3, 4]]}', "GT020", "value 2 of corner 2 of points is null, not a number"),
        ('{"points": [[1, 2], [true, 2], [3, 4]]}', "GT020", "is true, not a number"),
        ('{"points": [[1, 2], ["1_0", 2], [3, 4]]}', "GT020", "is '1_0', not a number"),
        ('{"points": [[1, 2], 7, [3, 4]]}', "GT020", "corner 2 of points is 7, not [x, y]"),
        ('{"points": [[1, 2], [[3], 2], [3, 4]]}', "GT020", "is a list of 1 value, not a number"),
    ],
)
def test_a_bad_region_is_counted_as_lost(tmp_path, entry, code, words):
    build(tmp_path, {"Label.txt": f"1.png\t[{BOX}, {entry}, {BOX}]\n", "1.png": None})
    parts, report = read_all(ppocr, tmp_path)
    (record,) = parts["train"]
    (finding,) = report
    assert (finding.code, finding.line, finding.image) == (code, 1, tmp_path / "1.png")
    assert words in finding.detail
    assert record.lost == 1 and corners(record) == [[[1, 2], [3, 2], [3, 4], [1, 4]]] * 2
    assert record.texts == ("a", "a") and not record.ignore.any()


def test_numbers_and_texts_of_any_json_type(tmp_path):
    huge = "9" * 5000
    entries = [
        '{"transcription": 12, "points": [["1", " 2.5 "], [-3, 1e1], [3, 4]]}',
        f'{{"transcription": null, "points": [[NaN, 2], [1e300, 2], [{huge}, -{huge}]]}}',
        f'{{"transcription": "", "points": [[{"9" * 400}, 2], [Infinity, 2], [0, 0]]}}',
        '{"transcription": "\\ud83d ###", "points": [[1, 2], [3, 2], [3, 4]], "difficult": "false"}',
    ]
    build(tmp_path, {"Label.txt": f"1.png\t[{', '.join(entries)}]\n", "1.png": None})
    parts, report = read_all(ppocr, tmp_path)
    (record,) = parts["train"]
    assert not len(report) and record.lost == 0
    assert corners(record)[0] == [[1, 2.5], [-3, 10], [3, 4]]
    assert str(corners(record)[1]) == "[[nan, 2.0], [inf, 2.0], [inf, -inf]]"
    assert str(corners(record)[2]) == "[[inf, 2.0], [inf, 2.0], [0.0, 0.0]]"
    assert record.texts == ("12", "", "", "\ufffd ###")
    assert record.ignore.tolist() == [False] * 4


def test_an_empty_list_is_an_image_without_text(tmp_path):
    build(tmp_path, {"Label.txt": f"1.png\t[]\n2.png    [{BOX}]\n", "1.png": None, "2.png": None})
    parts, report = read_all(ppocr, tmp_path)
    assert [len(record.polygons) for record in parts["train"]] == [0, 1] and not len(report)


def test_an_image_in_two_lines(tmp_path):
    build(tmp_path, {"Label.txt": f"1.png\t[{BOX}]\n1.png\t[{BOX}]\nx/1.png\t[]\n", "1.png": None})
    parts, report = read_all(ppocr, tmp_path)
    assert [len(record.polygons) for record in parts["train"]] == [1]
    assert found(report, tmp_path) == [("FS080", "Label.txt", 2), ("GT026", "Label.txt", 3)]
    assert "already in Label.txt:1" in report[0].detail


def test_other_regions_of_an_image_in_two_lines_are_lost(tmp_path):
    other = BOX.replace("]", "0]", 1)
    build(tmp_path, {"Label.txt": f"1.png\t[{BOX}]\n1.png\t[{other}, {BOX}]\n", "1.png": None})
    parts, _ = read_all(ppocr, tmp_path)
    assert [(len(record.polygons), record.lost) for record in parts["train"]] == [(1, 2)]


@pytest.mark.parametrize(
    ("encoding", "codes"), [("utf-8-sig", ["GT003"]), ("utf-16", ["GT004"]), ("gb18030", ["GT004"])]
)
def test_encodings(tmp_path, encoding, codes):
    line = f'1.png\t[{BOX.replace("a", "出口", 1)[:-1]}, "transcription": "出口"}}]\n'
    build(tmp_path, {"Label.txt": line.encode(encoding), "1.png": None})
    assert ppocr.recognise(tmp_path)
    parts, report = read_all(ppocr, tmp_path)
    assert parts["train"][0].texts == ("出口",)
    assert [finding.code for finding in report] == codes


def test_recognise(tmp_path):
    assert recognised(ppocr.recognise, tmp_path) == {"ppocr": "Label.txt: line 1 is an image, a tab and a JSON list"}
    assert ppocr.recognise(tmp_path / "nowhere") is None
    with pytest.raises(UserError, match="nowhere: cannot be listed"):
        read_all(ppocr, tmp_path / "nowhere")
