"""Words and runs of a folder of texts, and strings that are not words."""

from __future__ import annotations

import numpy as np
import pytest

from resnet18_ocrdet.data.synthetic.corpus import LONGEST_LINE, LONGEST_RUN, read_corpus, split_words
from resnet18_ocrdet.data.synthetic.strings import DRAWERS, draw_string
from resnet18_ocrdet.errors import UserError


@pytest.fixture
def corpus(tmp_path):
    (tmp_path / "latin.txt").write_text("One two, three.\n--- *\nFour five\x07 " + 40 * "x" + " six\n", "utf-8")
    (tmp_path / "words.txt").write_text("Haus\nStraße\n", "utf-8")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "han.txt").write_text("今天，天气 很好。\n日本語のテキスト\n", "utf-8")
    return read_corpus(tmp_path)


def test_scripts_and_dictionaries_are_told_apart(corpus):
    assert corpus.lines == {
        "latin": ("One two, three.", "Four five six"),  # no rules, control characters and words of 40 letters
        "chinese": ("今天，天气 很好。",),
        "japanese": ("日本語のテキスト",),
    }
    assert corpus.vocabulary == ("Haus", "Straße")
    assert [path.name for path in corpus.files] == ["han.txt", "latin.txt", "words.txt"]


def test_words_follow_each_other_across_lines(corpus):
    text = "One two, three. Four five six " * 3
    for seed in range(20):
        words = corpus.words(np.random.default_rng(seed), "latin", 4)
        assert len(words) == 4 and " ".join(words) in text


def test_runs_have_no_gap_and_are_cut_at_punctuation(corpus):
    for seed in range(20):
        run = corpus.run(np.random.default_rng(seed), "chinese", 2)
        assert run in ("今天", "天气", "很好")
    assert {corpus.run(np.random.default_rng(seed), "japanese", 20) for seed in range(3)} == {"日本語のテキスト"}


def test_without_a_folder_the_built_in_words_are_used():
    rng = np.random.default_rng(0)
    corpus = read_corpus(None)
    assert len(corpus.words(rng, "latin", 50)) == 50
    assert corpus.word(rng) and corpus.run(rng, "chinese", 3)


def test_a_folder_without_text_and_a_file_that_is_no_text_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"texts: no \*\.txt file below"):
        read_corpus(tmp_path)
    (tmp_path / "image.txt").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    with pytest.raises(UserError, match=r"texts: .*image\.txt"):
        read_corpus(tmp_path)


def test_a_text_in_another_encoding_is_refused(tmp_path):
    path = tmp_path / "german.txt"
    path.write_text("Die Straße\nder Größe", "latin-1")
    with pytest.raises(UserError, match=r"texts: .*german\.txt .* UTF-8"):
        read_corpus(tmp_path)
    path.write_text("Die Straße", "utf-16")
    assert read_corpus(tmp_path).lines == {"latin": ("Die Straße",)}


def test_long_lines_are_cut(tmp_path):
    (tmp_path / "line.txt").write_text("one two three " * 50 + "\n" + "字" * 1000, "utf-8")
    lines = read_corpus(tmp_path).lines
    assert [len(line.split()) for line in lines["latin"]] == [LONGEST_LINE] * 3
    [run] = lines["chinese"]
    assert list(map(len, run.split())) == [LONGEST_RUN, LONGEST_RUN, 200]


def test_signs_alone_are_not_words():
    assert split_words("B & B __ -- = é 2 (a) 国。 ·") == ["B", "&", "B", "é", "2", "(a)", "国。"]


@pytest.mark.parametrize("draw", sorted({*DRAWERS, draw_string}, key=lambda draw: draw.__name__))
def test_strings_have_no_gap_and_some_ink(draw):
    rng = np.random.default_rng(0)
    strings = {draw(rng) for _ in range(300)}
    assert len(strings) > 25
    assert all(0 < len(string) <= 40 and string.isprintable() and " " not in string for string in strings)
