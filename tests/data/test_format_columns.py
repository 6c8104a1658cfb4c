"""ICDAR lines with columns before the text, boxes, tabs and line breaks in them."""

from __future__ import annotations

import re

import pytest

from defective_set import encoded, picture
from format_files import build, corners, found
from resnet18_ocrdet.cli import _check
from resnet18_ocrdet.commands.check_messages import summary
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.data.findings import CODES, Report
from resnet18_ocrdet.data.formats import folders, icdar2015
from resnet18_ocrdet.data.formats.column_choice import choose_columns
from resnet18_ocrdet.data.formats.columns import PLAIN
from resnet18_ocrdet.data.formats.continued_lines import joined_lines
from resnet18_ocrdet.data.label_options import LabelOptions
from resnet18_ocrdet.data.load_annotations import read_data
from resnet18_ocrdet.data.splits import custom
from resnet18_ocrdet.data.splits import icdar2015 as make_icdar2015
from resnet18_ocrdet.data.text_file import TextLine
from resnet18_ocrdet.errors import UserError

PLACES = [f"{x},{y},{x + 20},{y},{x + 20},{y + 10},{x},{y + 10}" for y in range(2, 80, 20) for x in (4, 44, 84)]
MLT = [
    "Latin,###",
    "Latin,Castle",
    "Arabic,###",
    "None,###",
    "Chinese,東京, 1",
    "Symbols,",
    "Mixed,a,###",
    "Korean,###",
]
RCTW = ['0,"東京"', '1,"###"', '0,"###"', '1,"say ""hi"""', '0,"1,000"', '0,""']


def lines_of(ends: list[str]) -> str:
    return "".join(f"{place},{end}\n" for place, end in zip(PLACES, ends, strict=False))


def read(root, *labels: str, **options):
    """Write images of 128 x 96 px with these label files, and read them. Returns the first image, and everything."""
    for number, text in enumerate(labels, start=1):
        build(root, {f"images/{number}.png": encoded(".png", picture(number)), f"labels/{number}.txt": text})
    reading = read_data(root, options=LabelOptions(**options))
    ((record, *_),) = reading.splits.values()
    return record, reading


def test_mlt_has_a_script_before_the_text(tmp_path):
    """https://rrc.cvc.uab.es/?ch=8&com=tasks: x1,y1,x2,y2,x3,y3,x4,y4,script,transcription"""
    record, reading = read(tmp_path, lines_of(MLT))
    assert record.texts == ("###", "Castle", "###", "###", "東京, 1", "", "a,###", "###")
    assert record.ignore.tolist() == [True, False, True, True, False, False, False, True]
    assert record.polygons[1].tolist() == [[44, 2], [64, 2], [64, 12], [44, 12]]
    (line,) = [line for line in reading.chosen if "lines read as" in line]
    assert "x1,y1,...,x4,y4,script,text: field 9 of 8 lines is a script (Latin 2, Arabic 1" in line
    assert line in summary(tmp_path, reading) and any(line in note for note in custom(tmp_path).notes)
    assert reading.causes == {"mark": 4} and not reading.report.at("warning")


def test_a_line_without_the_script_keeps_its_text_and_its_mark(tmp_path):
    """Ten lines of MLT, and two of another source: ICDAR 2015."""
    record, _ = read(tmp_path, lines_of(["Latin,a"] * 10) + lines_of(["###", "EXIT"]), columns=["script", "text"])
    assert record.texts[-2:] == ("###", "EXIT") and record.ignore.tolist() == [False] * 10 + [True, False]


def test_box_cannot_be_followed_by_other_columns_than_the_text(tmp_path):
    with pytest.raises(UserError, match="box,script,text: after box, only text"):
        read(tmp_path, "10,10,50,30,Latin,###\n", columns=["box", "script", "text"])


@pytest.mark.parametrize("separator", [",", ", ", ";", "\t", "，"])
def test_scripts_with_other_separators(tmp_path, separator):
    text = "".join(f"{place},Latin,two words\n{place},###".replace("###", "Arabic,###\n") for place in PLACES[:2])
    record, _ = read(tmp_path, text.replace(",", separator))
    assert record.texts == ("two words", "###") * 2 and record.ignore.tolist() == [False, True] * 2


def test_rctw_has_a_difficulty_and_a_quoted_text(tmp_path):
    """http://rctw.vlrlab.net/dataset: x1,...,y4,difficult,"transcript"; 1 and ### are don't-care."""
    record, reading = read(tmp_path, lines_of(RCTW))
    assert record.texts == ("東京", "###", "###", 'say "hi"', "1,000", "")
    assert record.ignore.tolist() == [False, True, True, True, False, False]
    assert reading.causes == {"mark": 2, "difficult": 1}
    (line,) = [line for line in reading.chosen if "lines read as" in line]
    assert "x4,y4,difficult,text: field 9 of 6 lines is 0 or 1 (2 times 1, which is don't-care)" in line


def test_difficulties_count_only_if_their_flag_does(tmp_path):
    record, reading = read(tmp_path, lines_of(RCTW), flags=["none"])
    assert record.ignore.tolist() == [False, True, True, False, False, False]
    assert any("difficult 2; data.ignore_flags=difficult" in line for line in reading.chosen)


@pytest.mark.parametrize("separator", [",", " "])
def test_td500_as_dbnet_reads_it_has_a_difficulty_alone(tmp_path, separator):
    """MhLiao/DB, data/image_dataset.py: a last field of 1 becomes ###."""
    record, reading = read(tmp_path, lines_of(["0", "1", "0", "1"]).replace(",", separator))
    assert record.texts == ("",) * 4 and record.ignore.tolist() == [False, True, False, True]
    assert not reading.report.of("GT010", "GT009") and any("x4,y4,difficult:" in line for line in reading.chosen)


@pytest.mark.parametrize(
    ("ends", "texts"),
    [
        (["1,000", "1,500", "0,50"], ("1,000", "1,500", "0,50")),  # prices
        (["1", "1", "1"], ("1", "1", "1")),  # perhaps a score
        (["1", "0", "12"], ("1", "0", "12")),  # digits
        (["Latin", "None", "Chinese"], ("Latin", "None", "Chinese")),  # words
        (["Latin,a", "hall,b", "cafe,c"], ("Latin,a", "hall,b", "cafe,c")),
        (["0,a", "1,b", "x,c"], ("0,a", "1,b", "x,c")),
        (["", "", ""], ("", "", "")),
        (['"a"', '"b,c"', '"###"'], ("a", "b,c", "###")),  # all in quotes
        (['"a"', "b", '"###"'], ('"a"', "b", '"###"')),
    ],
)
def test_columns_that_are_the_text(tmp_path, ends, texts):
    record, reading = read(tmp_path, lines_of(ends))
    assert record.texts == texts and not any("lines read as" in line for line in reading.chosen)
    assert record.ignore.tolist() == [text == "###" for text in texts]


def test_all_label_files_decide_together(tmp_path):
    one, other = lines_of(["1,a"]), lines_of(["word", "other"])
    assert read(tmp_path, one, other)[0].texts == ("1,a",)
    difficult = lines_of(["0,b", "1,c"])
    record, _ = read(tmp_path, one, difficult)
    assert (record.texts, record.ignore.tolist()) == (("a",), [True])


@pytest.mark.parametrize(
    ("columns", "end", "text", "ignore"),
    [
        ("text", "Latin,###", "Latin,###", False),
        ("text", "1", "1", False),
        ("script,text", "whatever,###", "###", True),
        ("script,difficult,text", "Latin,1,a", "a", True),
        ("difficult,text", "0,1,000", "1,000", False),
        ("difficult", "1,rest", "", True),
        ("script", "Latin", "", False),
    ],
)
def test_data_columns_overrules_what_the_lines_show(tmp_path, columns, end, text, ignore):
    record, reading = read(tmp_path, lines_of([end] * 2), columns=columns.split(","))
    assert (record.texts[0], record.ignore.tolist()[0]) == (text, ignore)
    assert any("as data.columns says" in line for line in reading.chosen)
    assert custom(tmp_path, columns=columns, val=0.5, on_error="skip").notes


def test_the_command_line_takes_columns_with_a_comma(tmp_path, capsys):
    root = tmp_path / "set"
    read(root, lines_of(MLT), lines_of(MLT))
    run_command("check", _check, [f"data.root={root}", f"output={tmp_path}/out", "data.columns=script,text"])
    assert "lines read as x1,y1,...,x4,y4,script,text, as data.columns says" in capsys.readouterr().out


def test_a_difficulty_that_is_no_number_loses_its_region(tmp_path):
    record, reading = read(tmp_path, lines_of(["0,a", "2,b", "x"]), columns=["difficult", "text"])
    assert record.texts == ("a",) and record.lost == 2
    assert found(reading.report) == [("GT022", "1.txt", 2), ("GT022", "1.txt", 3)]
    assert "needs a difficulty, 0 or 1, before the text, got '2'" in reading.report[0].text


@pytest.mark.parametrize("columns", [["texts"], ["text", "script"], ["text", "text"], []])
def test_unknown_columns_are_refused(tmp_path, columns):
    with pytest.raises(UserError, match=r"data\.columns=.*box, script, difficult, text, in this order"):
        read(tmp_path, lines_of(MLT), columns=columns)


def test_formats_with_fixed_columns_refuse_the_key(tmp_path):
    label = '1.png\t[{"transcription": "a", "points": [[1, 1], [6, 1], [6, 5], [1, 5]]}]\n'
    with pytest.raises(UserError, match=r"data\.columns=text: PaddleOCR has fixed columns"):
        read_data(build(tmp_path, {"1.png": None, "Label.txt": label}), options=LabelOptions(columns=["text"]))


@pytest.mark.parametrize("make", [custom, make_icdar2015], ids=["custom", "icdar2015"])
def test_the_advice_for_texts_that_end_in_a_mark_works_in_the_folders_of_icdar_2015(tmp_path, make):
    for number in (1, 2):
        label = f"ch4_training_localization_transcription_gt/gt_img_{number}.txt"
        image = f"ch4_training_images/img_{number}.png"
        build(
            tmp_path, {image: encoded(".png", picture(number)), label: lines_of(["Klingon,###", "Klingon,Qapla"] * 2)}
        )
    (advice,) = re.findall(r"data\.(columns)=([a-z,]+)", CODES["GT011"].remedy)
    splits = make(tmp_path, val=None, draw_val=False)
    assert any("GT011" in note for note in splits.notes) and not splits.train.records[0].ignore.any()
    splits = make(tmp_path, val=None, draw_val=False, **dict([advice]))
    assert not any("GT011" in note for note in splits.notes)
    for record in splits.train.records:
        assert record.texts == ("###", "Qapla") * 2 and record.ignore.tolist() == [True, False] * 2
        assert record.polygons[1].tolist() == [[44, 2], [64, 2], [64, 12], [44, 12]]


def test_texts_that_end_in_a_mark_are_reported_once(tmp_path):
    """A script that is not known: the text cannot be told from it."""
    ends = ["Klingon,###", "Klingon,Qapla", "Elvish,###", "Elvish,mellon", 'Elvish,"###"']
    record, reading = read(tmp_path, lines_of(ends))
    assert not record.ignore.any() and record.texts[0] == "Klingon,###"
    (finding,) = reading.report.of("GT011")
    assert (finding.path.name, finding.line) == ("1.txt", 1)
    assert "3 of 5 texts end in a don't-care mark: 'Klingon,###'" in finding.text
    record, reading = read(tmp_path, lines_of(ends), columns=["script", "text"])
    assert record.ignore.tolist() == [True, False, True, False, False] and not reading.report.of("GT011")


def test_few_texts_that_end_in_a_mark_are_texts(tmp_path):
    assert not read(tmp_path, lines_of(["a,###", "b,###", "c", "d"]))[1].report.of("GT011")
    labels = "ch4_training_localization_transcription_gt/gt_img_1.txt"
    build(tmp_path / "b", {"ch4_training_images/img_1.png": None, labels: lines_of(["Latin,###"] * 4)})
    report = Report()
    icdar2015.read(tmp_path / "b", report)
    assert [finding.code for finding in report] == ["GT011"]


# Boxes


BOXES = ["4 2 24 12 Castle", '44 2 64 12 "two words"', "84 2 104 12 ###", "4 22 24 32", "44 22 64 32 24 hours"]


@pytest.mark.parametrize("separator", [" ", ",", ", ", "\t"])
def test_left_top_right_bottom_and_a_text(tmp_path, separator):
    lines = [line.replace(" ", separator, 4) for line in BOXES]
    record, reading = read(tmp_path, "\n".join(lines))
    assert record.texts == ("Castle", "two words", "###", "", "24 hours")
    assert record.ignore.tolist() == [False, False, True, False, False]
    assert corners(record)[:2] == [[[4, 2], [24, 2], [24, 12], [4, 12]], [[44, 2], [64, 2], [64, 12], [44, 12]]]
    (line,) = [line for line in reading.chosen if "lines read as" in line]
    assert "left,top,right,bottom,text:" in line and "of 5 lines start with 4 numbers" in line


HEADINGS = [
    "left top right bottom label",
    "x1 y1 x2 y2 text",
    "Xmin,Ymin,Xmax,Ymax",
    '"x_min";"y_min";"x_max";"y_max";"word"',
    "# left top right bottom",
    "// made by hand",
]


@pytest.mark.parametrize("columns", [None, ["box", "text"]])
@pytest.mark.parametrize("heading", HEADINGS)
def test_a_heading_and_comments_among_boxes_are_reported_and_no_regions(tmp_path, heading, columns):
    """Each of the files has more such lines than regions."""
    labels = [f"{heading}\n# 2024\n{box}\n# end\n" for box in BOXES[:3]]
    record, reading = read(tmp_path, *labels, columns=columns)
    assert corners(record) == [[[4, 2], [24, 2], [24, 12], [4, 12]]]
    assert (record.texts, record.ignore.tolist(), record.lines.tolist(), record.lost) == (("Castle",), [False], [3], 0)
    wanted = [("GT017", f"{number}.txt", line) for number in (1, 2, 3) for line in (1, 2, 4)]
    assert found(reading.report) == wanted and heading in reading.report[0].detail
    assert reading.causes == {"mark": 1}


def test_a_heading_of_quads_may_have_blanks(tmp_path):
    quads = lines_of(["a", "###"]).replace(",", " ")
    record, reading = read(tmp_path, f"x1 y1 x2 y2 x3 y3 x4 y4 text\n{quads}")
    assert record.texts == ("a", "###") and record.ignore.tolist() == [False, True]
    assert corners(record)[0] == [[4, 2], [24, 2], [24, 12], [4, 12]]
    assert [(finding.code, finding.line) for finding in reading.report.at("repair")] == [("GT017", 1)]


def test_words_without_coordinates_are_a_lost_region_and_no_heading(tmp_path):
    record, reading = read(tmp_path, "\n".join(["turn left at the exit", *BOXES * 40]))
    assert record.lost == 1 and len(record.polygons) == 5 and found(reading.report)[0] == ("GT020", "1.txt", 1)


def test_four_numbers_that_are_a_width_and_a_height_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"1\.txt:2: '60 40 20 10 b': .*left < right and top < bottom; .*width height"):
        read(tmp_path, "4 2 20 10 a\n60 40 20 10 b\n")
    record, reading = read(tmp_path, "4 2 20 10 a\n60 40 20 10 b\n", columns=["box", "text"])
    assert record.lost == 1 and found(reading.report) == [("GT022", "1.txt", 2)]


def test_boxes_among_quads_are_incomplete_quads(tmp_path):
    record, reading = read(tmp_path, f"{lines_of(['a', 'b'])}4,62,24,72,c\n")
    assert record.lost == 1 and found(reading.report) == [("GT020", "1.txt", 3)]


def test_rotated_boxes_are_named(tmp_path):
    with pytest.raises(UserError, match=r"1\.txt:1: '0 50 40 20 10 30': .*class cx cy w h angle"):
        read(tmp_path, "0 50 40 20 10 30\n1 60 50 20 10 -45\n")
    triangles, _ = read(tmp_path, "4,2,24,2,24,12\n44,2,64,2,64,12\n")
    assert [len(polygon) for polygon in triangles.polygons] == [3, 3]


# Tabs and line breaks


def test_a_tab_instead_of_a_comma_before_the_text(tmp_path):
    record, reading = read(tmp_path, f"{PLACES[0]}\tCastle\n{PLACES[1]} \t 12\tb\n{PLACES[2]}\t###\n{PLACES[3]},a\tb\n")
    assert record.texts == ("Castle", "12\tb", "###", "a\tb") and record.lost == 0
    assert record.ignore.tolist() == [False, False, True, False]
    assert [finding.code for finding in reading.report] == ["GT015"]
    missing = PLACES[4].rpartition(",")[0]
    assert read(tmp_path, f"{PLACES[0]}\ta\n{missing}\tb\n")[0].lost == 1


def test_a_tab_after_the_corners_of_polygons(tmp_path):
    polygon = "4,2,24,2,30,8,24,14,4,14,2,8"
    record, _ = read(tmp_path, f"{polygon}\tCastle\n{polygon.replace('30', '32')}\t12\n")
    assert [len(points) for points in record.polygons] == [6, 6] and record.texts == ("Castle", "12")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_line_break_in_a_quoted_text_is_a_continuation(tmp_path, end):
    lines = [
        f'{PLACES[0]},"first',
        'second, 10 20"',
        f'{PLACES[1]},"one"',
        f"{PLACES[2]},###",
        f'{PLACES[3]},"a',
        "",
        'b"',
    ]
    record, reading = read(tmp_path, end.join(lines))
    assert record.texts == ('"first\nsecond, 10 20"', '"one"', "###", '"a\nb"')
    assert record.lines.tolist() == [1, 3, 4, 5] and record.lost == 0 and not len(reading.report)


def test_line_breaks_in_rctw(tmp_path):
    record, _ = read(tmp_path, f'{PLACES[0]},1,"a\nb"\n{PLACES[1]},0,"c"\n')
    assert (record.texts, record.ignore.tolist()) == (("a\nb", "c"), [True, False])


@pytest.mark.parametrize(
    "lines",
    [
        ['1,2,3,4,5,6,7,8,"', "1,2,3,4,5,6,7,8,b"],  # a quote as text
        ['1,2,3,4,5,6,7,8,5" pipe', 'b"'],
        ['1,2,3,4,5,6,7,8,"a', "b", "c"],  # never closed
        ['1,2,3,4,5,6,7,8,"a', *["b"] * 30, 'c"'],  # too far
        ['1,2,3,4,5,6,7,8,"a', '1,2,3,4,5,6,7,8,b"'],
        ['"a', 'b"'],
    ],
)
def test_quotes_that_do_not_continue(lines):
    numbered = [TextLine(number, text) for number, text in enumerate(lines, start=1)]
    assert joined_lines(numbered) == numbered


def test_polygons_and_quads_are_told_apart_as_before():
    polygon = TextLine(1, "0,0,5,0,9,5,5,9,0,9,0,5,word")
    assert choose_columns({folders.Path("a"): [polygon], folders.Path("b"): None}) == (False, PLAIN, "")
    assert choose_columns({}) == (True, PLAIN, "")
