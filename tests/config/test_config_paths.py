"""Values of path keys arrive as typed, whatever a file name can hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from config_runner import configs, empty_folder  # noqa: F401 - the fixture acts by being here
from resnet18_ocrdet.config.override_grammar import Word, quote_path
from resnet18_ocrdet.config.spec import Rule

NAMES = st.text(st.characters(exclude_characters="\n\0", exclude_categories=["Cs"]), min_size=1)
NASTY = st.text(st.sampled_from("\\'\"${}[](),=:+~@ \tab"), min_size=1)
AWKWARD = [
    "照片 (1), a=b/",
    "it's",
    'say "hi"',
    "back\\slash\\",
    "\\'",
    "a,b",
    "[1,2]",
    "{a: b}",
    "$HOME",
    "${x}",
    "\\${x}",
    "\\\\${x}\\",
    "${unclosed",
    "${oc.env:HOME}",
    " both ends ",
    "-dash",
    "~/home",
    "2015",
    "1e3",
    "true",
    "choice(a,b)",
    "a=b=c",
    "'half",
    "*.jpg",
    "#1?",
]


def arrives(command: str, key: str, *words: str) -> str:
    (cfg,) = configs(command, *words)
    value: str = OmegaConf.select(cfg, key)
    return value


@pytest.mark.parametrize("name", AWKWARD[:12])
def test_awkward_names_through_the_whole_command(name: str):
    assert arrives("detect", "input", f"input={name}", "checkpoint=a") == name


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_names_through_grammar_and_interpolation(name: str):
    assert read_back(name) == name


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NAMES | NASTY)
def test_any_name_through_the_whole_command(name: str):
    assume(not already_quoted(name) and name not in ("null", "???"))
    assert arrives("detect", "input", f"input={name}", "checkpoint=a") == name


@settings(max_examples=300, deadline=None)
@given(NAMES | NASTY)
def test_any_name_through_grammar_and_interpolation(name: str):
    assume(not already_quoted(name) and name.lower() not in ("null", "???"))
    assert read_back(name) == name


def read_back(name: str) -> str:
    """What gate 1, Hydra's grammar and OmegaConf's interpolation make of a name."""
    word = quote_path(Word("", "input", name), Rule("", path=True), multirun=False)
    text: str = OmegaConf.create({"input": word.read().value()}).input
    return text


def already_quoted(name: str) -> bool:
    return len(name) > 1 and name[0] == name[-1] and name[0] in "'\""


@pytest.mark.parametrize("typed", ["'a b'", '"a b"'])
def test_hydra_quotes_are_taken_off(typed: str):
    assert arrives("detect", "input", f"input={typed}", "checkpoint=a") == "a b"


def test_a_file_that_has_quotes_in_its_name_wins(tmp_path: Path):
    (tmp_path / "'a b'").touch()
    assert arrives("detect", "input", "input='a b'", "checkpoint=a") == "'a b'"


def test_null_is_null():
    assert arrives("train", "resume", "resume=null") is None
    assert arrives("train", "resume", "resume=auto") == "auto"


PATH_KEYS = [
    ("train", "run_dir"),
    ("train", "resume"),
    ("train", "init.weights"),
    ("train", "init.backbone"),
    ("train", "data.fonts"),
    ("train", "data.backgrounds"),
    ("train", "data.texts"),
    ("eval", "predictions"),
    ("eval", "output"),
    ("eval", "data.root"),
    ("eval", "data.train"),
    ("eval", "data.val"),
]


@pytest.mark.parametrize(("command", "key"), PATH_KEYS)
def test_every_path_key(command: str, key: str):
    name = "über ${x}, (1)=[a].txt"
    words = {"train": ["data.style=varied"], "eval": ["data=icdar2015", "data.root=x", "predictions=y"]}[command]
    assert arrives(command, key, *words, f"{key}={name}") == name


@pytest.mark.parametrize(
    ("typed", "value"), [("0.1", 0.1), ("801-900", "801-900"), ("null", None), ("2015.txt", "2015.txt")]
)
def test_splits_are_a_share_a_range_or_a_file(typed: str, value: object):
    assert arrives("train", "data.val", "data=icdar2015", "data.root=x", f"data.val={typed}") == value
