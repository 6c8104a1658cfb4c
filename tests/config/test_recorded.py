"""The config that a file brings is checked as a typed one is, and what older versions wrote is understood."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from config_runner import configs, empty_folder  # noqa: F401
from resnet18_ocrdet.config.interpolation import escape_interpolation, literal
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.model.recorded_config import recorded_config

GOLDEN = Path(__file__).parents[1] / "golden"
CUSTOM = "resnet18_ocrdet.data.splits.custom"


def composed(*words: str) -> Any:
    (cfg,) = configs("train", *words)
    return OmegaConf.to_container(cfg)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("experiment=quickstart",),
        ("optimizer=adamw", "scheduler=cosine"),
        ("data=custom", "data.root=a ${b} \\${c}", "run_dir=x"),
        ("data=icdar2015", "data.root=照片", "data.val=0.2"),
    ],
)
def test_what_a_run_records_is_taken_as_it_is(words: tuple[str, ...]):
    saved = composed(*words)
    assert recorded_config(saved) == saved
    assert recorded_config(copy.deepcopy(saved) | {"data": None}) == saved | {"data": None}


def test_a_config_with_the_keys_of_an_earlier_version():
    older = OmegaConf.to_container(OmegaConf.load(GOLDEN / "train_config_november.yaml"))
    expected = composed("data.height=800", "data.width=800") | {"run_dir": None}  # the size of scenes was recorded
    assert recorded_config(older) == expected
    older["model"] |= {"weights": "bundled", "pretrained": "imagenet", "freeze": "stem", "freeze_statistics": True}
    older["train"]["choose"] = True
    older["optimizer"]["lr_for_batch"] = 16
    said = recorded_config(older)
    assert said["init"] == {"weights": "bundled", "backbone": "imagenet", "zero_residuals": False}
    assert (said["train"]["freeze"], said["train"]["freeze_statistics"]) == ("stem", True)
    assert said["train"]["auto_hparams"] is True and said["optimizer"]["base_batch_size"] == 16


def test_what_older_versions_did_not_record_is_filled_in():
    saved = composed("data=custom", "data.root=x")
    older = copy.deepcopy(saved)
    for name in ("max_megapixels", "overwrite"):
        del older[name]
    for section, names in {
        "train": ("compile", "guard", "auto_hparams"),
        "model": ("plain",),
        "augment": ("crop_size",),
        "decode": ("unclip",),
        "data": ("dialect", "cache", "exif"),
    }.items():
        for name in names:
            del older[section][name]
    assert recorded_config(older) == saved


def test_weights_of_other_programs_say_little():
    said = recorded_config({"data": None, "run_dir": None, "model": {"weights": None}, "train": {"loss": {}}})
    assert said["init"]["backbone"] is None and said["loss"]["min_negatives"] == 512
    assert said["data"] is None and said["train"]["min_text_size"] == 8.0
    assert "optimizer" not in said
    assert "data" not in recorded_config({})


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (None, "is null, not sections of settings"),
        ([1], "is a list, not sections of settings"),
        ({"train": {"epochs": "many"}}, "train.epochs=many: needs a whole number, 1 or more"),
        ({"train": {"epochs": True}}, "train.epochs=true: needs a whole number, 1 or more"),
        ({"train": {"epochs": 10**30}}, "holds a whole number"),
        ({"train": {"epoch": 3}}, "no key 'train.epoch': did you mean train.epochs?"),
        ({"_target_": "os.system"}, "no key '_target_'"),
        ({"train": None}, "train is not set: 'train' is a section"),
        ({"evil": 3}, "no key 'evil'"),
        ({"decode": {"bin_thresh": float("nan")}}, "holds the number nan"),
        ({"decode": {"bin_thresh": 2}}, "decode.bin_thresh=2: needs a number, 0 to 1"),
        ({"data": {"_target_": CUSTOM}}, "data.root=FOLDER is missing"),
        ({"data": {"_target_": CUSTOM, "root": "???"}}, "data.root=FOLDER is missing"),
        ({"data": {"_target_": CUSTOM, "root": "x", "more": 1}}, "no key 'data.more'"),
        ({"data": {"_target_": CUSTOM, "root": ""}}, "data.root=: is empty: give a path"),
        ({"data": {"_target_": "os.system", "command": "x"}}, "data._target_=os.system: only "),
        ({"data": {"_target_": ["os.system"]}}, "data._target_=[os.system]: only "),
        ({"data": "x"}, "data=x: 'data' is a section"),
        ({"run_dir": "${oc.env:HOME}"}, "run_dir=${oc.env:HOME}: holds ${…}, which would be looked up"),
        ({"train": {"loss": {"prob_weight": "${seed}"}}}, "loss.prob_weight=${seed}: holds ${…}"),
        ({"run_dir": "\\\\${seed}"}, "holds ${…}, which would be looked up"),
        ({"run_dir": "x" * 20_000}, "holds a text of 20000 characters"),
        ({"a\nb": 1}, r"no key 'a\nb'"),
    ],
)
def test_the_first_mistake_is_one_line(said: Any, problem: str):
    with pytest.raises(UserError) as caught:
        recorded_config(said)
    assert problem in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "text", ["", "a", "${b}", "\\${b}", "\\\\${b}", "a\\", "$", "${", "$${x}", "${${a}}", "\\$\\{"]
)
def test_literal_reads_what_was_escaped(text: str):
    escaped = escape_interpolation(text)
    assert literal(escaped) == text == OmegaConf.create({"x": escaped}).x
    if "${" in text:
        with pytest.raises(ValueError, match="looked up"):
            literal("x${y}" + escaped)
