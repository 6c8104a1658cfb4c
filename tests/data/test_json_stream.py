"""Large JSON and text files, read piece by piece."""

from __future__ import annotations

import io
import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resnet18_ocrdet.data.findings import Report
from resnet18_ocrdet.data.formats import json_stream
from resnet18_ocrdet.data.formats.json_stream import JsonStream
from resnet18_ocrdet.data.formats.location import LabelError
from resnet18_ocrdet.data.text_stream import label_stream

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def read(text):
    stream, found = JsonStream(io.StringIO(text)), {}
    for key in stream.members():
        found[key] = list(stream.items()) if stream.peek() == "[" else stream.value()
    stream.end()
    return found


@pytest.fixture(params=[1, 7, 2**16])
def piece(request, monkeypatch):
    """Characters that are read at once."""
    monkeypatch.setattr(json_stream, "PIECE", request.param)


@pytest.mark.usefixtures("piece")
def test_values_are_those_of_the_whole_text():
    @settings(max_examples=60, deadline=None)
    @given(content=st.dictionaries(st.text(max_size=5), VALUES, max_size=4), cut=st.floats(0, 1), indent=st.booleans())
    def same(content, cut, indent):
        text = json.dumps(content, ensure_ascii=False, indent=1 if indent else None)
        assert read(text) == content
        with pytest.raises(LabelError) as caught:
            read(text[: int(cut * (len(text) - 1))])
        assert caught.value.code == "GT006" and caught.value.line

    same()


@pytest.mark.usefixtures("piece")
@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "column 1: the file is empty"),
        ("[1]", 1, "column 1: not valid JSON: needs '{', got '['"),
        ('{"a": [1, 2],}', 1, "column 14: not valid JSON: needs a key in double quotes, got '}'"),
        ('{"a"\n 1}', 2, "column 2: not valid JSON: needs ':', got '1'"),
        ('{"a": [1,\n\n 2 3]}', 3, "column 4: not valid JSON: needs ',' or ']', got '3'"),
        ('{"a": 1', 1, "column 8: not valid JSON: needs ',' or '}', got the end of the file"),
        ('{"a": tru}', 1, "column 7: not valid JSON: Expecting value"),
        ('{"a": "b\tc"}', 1, "column 9: not valid JSON: Invalid control character"),
        ('{"a": 1}\n]', 2, "column 1: not valid JSON: text after its end, ']'"),
        ('{"a": ' + "[" * 100_000, 1, "column 8: not valid JSON: nested too deeply"),
    ],
)
def test_errors_name_the_place(text, line, words):
    with pytest.raises(LabelError) as caught:
        read(text)
    assert caught.value.line == line and words in caught.value.detail


def test_integers_of_any_length_are_numbers():
    assert read('{"a": [1' + "0" * 5000 + ", 2]}") == {"a": [float("inf"), 2]}


def test_the_size_of_a_value_is_limited(monkeypatch):
    monkeypatch.setattr(json_stream, "MAX_VALUE", 1000)
    monkeypatch.setattr(json_stream, "PIECE", 100)
    assert len(read('{"a": [' + '"x",' * 5000 + "1]}")["a"]) == 5001
    with pytest.raises(LabelError, match="a value of more than 1000 characters"):
        read('{"a": ["' + "x" * 5000 + '"]}')


def test_a_large_file_is_read_in_little_memory(tmp_path):
    entry = json.dumps({"points": [[1, 2]] * 1000, "text": "東" * 1000})
    path = tmp_path / "large.json"
    path.write_text('{"a": [' + f"{entry},\n" * 1000 + "1]}", "utf-8")  # 11 MB
    tracemalloc.start()
    with label_stream(path, report := Report()) as text:
        stream = JsonStream(text)
        number = sum(1 for _ in stream.members() for _ in stream.items())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert number == 1001 and not len(report)
    assert peak < 6e6, "a MB of the file to find its encoding, and one value"


@pytest.mark.parametrize(
    ("encoding", "codes"), [("utf-8", []), ("utf-8-sig", ["GT003"]), ("gb18030", ["GT004"]), ("utf-16", ["GT004"])]
)
def test_encodings(tmp_path, encoding, codes):
    path = tmp_path / "a.json"
    path.write_bytes('{"a":\r\n"东西",\r"b": 1}'.encode(encoding))
    with label_stream(path, report := Report()) as text:
        assert text.read() == '{"a":\n"东西",\n"b": 1}'
    assert [finding.code for finding in report] == codes


@pytest.mark.parametrize(
    ("content", "words"), [(b"{\0", "not a text file: contains NUL"), (b" " * 1_000_001, "larger than 1 MB")]
)
def test_files_that_are_not_read(tmp_path, content, words):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    for place in (path, tmp_path, tmp_path / "gone"):
        with label_stream(place, report := Report(1)) as text:
            assert text is None
        assert [finding.code for finding in report] == ["GT006"]
        assert place != path or words in report[0].detail
