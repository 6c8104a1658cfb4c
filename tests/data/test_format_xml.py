"""The reader of XML entries: limits, places of mistakes, encodings."""

from __future__ import annotations

import tracemalloc

import pytest

from format_files import build, found
from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats import xml_file
from resnet18_ocrdet.data.formats.location import LabelError, Location
from resnet18_ocrdet.data.formats.xml_file import Element, read_entries, visit_entries


def entries(text: str, root: str = "a") -> list[Element]:
    found: list[Element] = []
    visit_entries(text, root, found.append)
    return found


def test_entries_with_their_lines_and_texts():
    one, two = entries('<?xml version="1.0"?>\n<a>x\n<b c="1">\n <d> e &amp; <f/>g </d><d>h</d></b>\n<b/></a>')
    assert (one.tag, one.line, one.attributes, one.text.strip()) == ("b", 3, {"c": "1"}, "")
    assert [child.text for child in one.children] == [" e & g ", "h"] and one.children[0].line == 4
    assert one.value("d") == "e & g" and one.value("e") is None and one.child("d") is one.children[0]
    assert two == Element("b", 5, {})
    assert entries("<a/>") == []


@pytest.mark.parametrize(
    ("text", "code", "line", "words"),
    [
        ("<a>\n<b>\n</a>", "GT006", 3, "not valid XML: mismatched tag"),
        ("", "GT006", 1, "no element found"),
        ("\n<c><b/></c>", "GT006", 2, "the root element is <c>, not <a>"),
        ('<!DOCTYPE a [<!ENTITY b "bb">]><a>&b;</a>', "GT006", None, "document type"),
        ("<!DOCTYPE a><a/>", "GT006", None, "document type"),
        ("<a>" + "<b>" * 100_000, "GT006", 1, "more than 32 deep"),
        ("<a>\n<b/>\n" + "<b>" + "<c/>" * 41 + "</b></a>", "GT028", 3, "more than 40 elements"),
        ("<a><b>&nothing;</b></a>", "GT006", 1, "undefined entity"),
    ],
)
def test_what_is_refused(text, code, line, words, monkeypatch):
    monkeypatch.setattr(xml_file, "MAX_ELEMENTS", 40)
    with pytest.raises(LabelError, match=words) as error:
        entries(text)
    assert (error.value.code, error.value.line) == (code, line)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_encodings(tmp_path, encoding):
    text = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?><a><b>出口</b></a>'
    build(tmp_path, {"1.xml": text.encode(encoding)})
    seen: list[Element] = []
    assert read_entries(Location(Report(), tmp_path / "1.xml"), "a", seen.append)
    assert [entry.text for entry in seen] == ["出口"]


def test_what_cannot_be_read_is_reported(tmp_path):
    build(tmp_path, {"1.xml": "<a><b/><b></a>", "2.xml": b"\x89PNG\0"})
    report = Report()
    seen: list[Element] = []
    assert not read_entries(Location(report, tmp_path / "1.xml"), "a", seen.append)
    assert not read_entries(Location(report, tmp_path / "2.xml"), "a", seen.append)
    assert len(seen) == 1 and found(report) == [("GT006", "1.xml", 1), ("GT006", "2.xml", 0)]


def test_entries_are_not_kept_in_memory():
    text = "<a>" + "<b c='1'><d>1</d></b>" * 100_000 + "</a>"
    tracemalloc.start()
    assert visit_entries(text, "a", lambda _: None) == 100_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10e6
