"""Metadata of checkpoints, exports and run folders is not trusted: nothing is called, every value is checked."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from omegaconf import OmegaConf

from conftest import TINY, assert_mentions
from hostile_files import card, raw, write_onnx
from resnet18_ocrdet import build
from resnet18_ocrdet.build import instantiate
from resnet18_ocrdet.cli import _check, _detect, _evaluate, _export, _train
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.inference.backends import open_exported
from resnet18_ocrdet.inference.loading import load_model
from resnet18_ocrdet.model.checkpoint import load_checkpoint
from resnet18_ocrdet.viz.draw import write

JOBS: dict[str, Any] = {
    "train": _train, "eval": _evaluate, "detect": _detect, "check": _check, "export": _export
}  # fmt: skip
CALLS: dict[str, dict[str, Any]] = {
    "os.system": {"command": "touch marker"},
    "os.mkdir": {"path": "marker"},
    "subprocess.run": {"args": ["touch", "marker"]},
    "builtins.eval": {"source": "open('marker', 'w')"},
    "importlib.import_module": {"name": "marker"},
    "pathlib.Path.touch": {"self": "marker"},
    "hydra.utils.instantiate": {"config": {"_target_": "os.mkdir", "path": "marker"}},
    "resnet18_ocrdet.viz.draw.write": {"path": "marker", "image": None},
    "resnet18_ocrdet.data.splits._labelled": {"root": "."},
}


def refused(command: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must end with one line and code 2; returns that line."""
    capsys.readouterr()
    assert run_command(command, JOBS[command], words) == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1 and "Traceback" not in error, error
    return error


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a data set of one image in `set` and the same image as a.png."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "marker.py").write_text("open('marker', 'w')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for part in ("train_images", "train_gts"):
        (tmp_path / "set" / part).mkdir(parents=True)
    write(tmp_path / "set/train_images/a.png", SyntheticScenes(1, 64, 64, seed=0).load(0).image)
    (tmp_path / "set/train_gts/a.txt").write_text("5,5,50,5,50,20,5,20,word\n")
    shutil.copy(tmp_path / "set/train_images/a.png", tmp_path / "a.png")
    return tmp_path


def hostile(file: Path, target: str) -> Path:
    """A checkpoint or an exported file whose recorded `data` section names a function."""
    content = raw() if file.suffix == ".pt" else card()
    content["config"]["data"] = {"_target_": target, **CALLS[target]}
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".pt":
        torch.save(content, file)
    else:
        write_onnx(file, content)
    return file


@pytest.mark.parametrize("suffix", [".pt", ".onnx"])
def test_no_command_calls_a_recorded_target(suffix: str, place: Path, capsys):
    file = hostile(place / f"run/checkpoints/last{suffix}", "os.system")
    calls = {
        "detect": [["input=a.png", f"checkpoint={file}"]],
        "check": [["data.root=set", f"checkpoint={file}", "output=report"]],
        "eval": [
            [f"checkpoint={file}"],
            ["data=custom", "data.root=set", f"checkpoint={file}"],
            ["data=custom", "data.root=set", "checkpoint=bundled", "split=val", f"baseline={file}"],
        ],
        "export": [[f"checkpoint={file}", "output=out.onnx"]],
        "train": [[*TINY, f"init.weights={file}", "run_dir=new"], [f"resume={file}"]],
    }
    for command, ways in calls.items():
        for words in ways:
            error = refused(command, words, capsys)
            loaded = suffix == ".pt" or command not in ("train", "export")
            assert ("data._target_=os.system" in error) == loaded, error
    assert not (place / "marker").exists()


@pytest.mark.parametrize("target", list(CALLS))
@pytest.mark.parametrize("suffix", [".pt", ".onnx"])
def test_no_recorded_data_target_is_called(target: str, suffix: str, place: Path):
    with pytest.raises(UserError, match=rf"recorded config.* data\._target_={re.escape(target)}"):
        load_model(hostile(place / f"a{suffix}", target))
    assert not (place / "marker").exists()


@pytest.mark.parametrize("section", ["data", "optimizer", "scheduler", "augment", "model"])
def test_no_recorded_section_target_is_called(section: str, place: Path):
    content = raw()
    content["config"][section] = {"_target_": "os.mkdir", "path": "marker"}
    torch.save(content, place / "a.pt")
    with pytest.raises(UserError, match=rf"recorded config.* {section}\._target_=os\.mkdir"):
        load_checkpoint(place / "a.pt")


@pytest.mark.parametrize("target", [*CALLS, None, 5, ["os.mkdir"], "", "torch.optim.sgd"])
def test_only_options_in_conf_can_be_built(target: Any, place: Path):
    """The last line of defence, if an earlier check has a bug."""
    node = OmegaConf.create({"_target_": target, "path": "marker"})
    with pytest.raises(UserError, match=r"_target_=.*conf/"):
        build.build_splits(node)
    with pytest.raises(UserError, match=r"conf/|can be built"):
        instantiate(OmegaConf.create({"path": "marker"}))
    assert not (place / "marker").exists()


def test_the_config_of_a_run_folder_is_never_called(place: Path, capsys):
    run = place / "run"
    (run / "checkpoints").mkdir(parents=True)
    torch.save(raw(), run / "checkpoints/last.pt")
    for config in (
        {"data": {"_target_": "os.mkdir", "path": "marker", "root": "x"}},
        {"data": {"_target_": "resnet18_ocrdet.data.splits.custom", "root": "${oc.env:HOME}"}},
        [1, 2],
    ):
        (run / "config.yaml").write_text(yaml.safe_dump(config))
        assert_mentions(refused("train", [f"resume={run}"], capsys), "weights only")
    assert not (place / "marker").exists()


def contract(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["contract"].update(changes)


def put(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content.update({name: value})


def weight(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[dict[str, Any]], None]:
    def put_in(content: dict[str, Any]) -> None:
        name = "backbone.layer1.0.conv1.weight"
        content["model"][name] = change(content["model"][name])

    return put_in


NAN = float("nan")
WRONG: list[tuple[str, Callable[[dict[str, Any]], None], tuple[str, ...]]] = [
    ("contract none", put("contract", None), ("contract", "null")),
    ("contract list", put("contract", [1]), ("contract", "list")),
    ("contract empty", put("contract", {}), ("contract", "backbone, height, width")),
    ("a field more", contract(evil=1), ("contract", "evil")),
    ("backbone", contract(backbone="x"), ("backbone=x", "resnet18, resnet34, resnet50")),
    ("backbone none", contract(backbone=None), ("backbone=null", "resnet18")),
    ("mean none", contract(mean=None), ("mean=null", "3 numbers")),
    ("mean nan", contract(mean=[NAN, 0.4, 0.4]), ("mean", "nan", "3 numbers")),
    ("mean of two", contract(mean=[0.4, 0.4]), ("mean=[0.4,0.4]", "3 numbers")),
    ("mean of pixels", contract(mean=[123.0, 116.0, 103.0]), ("mean", "0 to 1")),
    ("std 0", contract(std=[0.2, 0.0, 0.2]), ("std=[0.2,0.0,0.2]", "3 numbers")),
    ("std tiny", contract(std=[1e-30, 0.2, 0.2]), ("std", "0.001 to 255")),
    ("bin nan", contract(bin_thresh=NAN), ("bin_thresh", "nan", "0 to 1")),
    ("bin true", contract(bin_thresh=True), ("bin_thresh=true", "0 to 1")),
    ("box inf", contract(box_thresh=float("inf")), ("box_thresh", "inf", "0 to 1")),
    ("unclip", contract(unclip_ratio=-1), ("unclip_ratio=-1", "1 to 10")),
    ("resize", contract(resize="x"), ("resize=x", "keep, short_side, stretch, fit")),
    ("BGR", contract(color_order="BGR"), ("color_order=BGR",)),
    ("candidates", contract(max_candidates=-5), ("max_candidates=-5", "whole number", "1 or more")),
    ("candidates half", contract(max_candidates=1.5), ("max_candidates=1.5", "whole number")),
    ("height", contract(height=50), ("height=50", "multiple of 32", "32 to 4096")),
    ("width huge", contract(width=10**400), ("width", "whole number", "32")),
    ("shape", contract(shape="circle"), ("shape=circle", "quad, polygon")),
    ("precision", contract(precision="fp8"), ("precision=fp8", "fp16")),
    ("max scale none", contract(max_scale=None), ("max_scale=null", "100")),
    ("max scale 0", contract(max_scale=0.0), ("max_scale=0.0", "100")),
    ("max scale inf", contract(max_scale=float("inf")), ("max_scale", "inf", "100")),
    ("text size", contract(min_text_size=-1.0), ("min_text_size=-1.0", "0 or more")),
    ("line ends", contract(resize="a\nb\x1b[31m"), (r"resize=a\nb\x1b[31m", "keep")),
    ("about 5", put("about", 5), ("'about'", "whole number")),
    ("about nan", put("about", {"hmean": NAN}), ("'about'", "nan")),
    ("about key", put("about", {5: 1}), ("'about'", "name")),
    ("about tensor", put("about", {"a": torch.zeros(2)}), ("'about'", "Tensor")),
    ("about deep", put("about", {"a": [[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]}), ("'about'", "nested")),
    ("about surrogate", put("about", {"cpu": "\udc80"}), ("'about'", "Unicode")),
    ("adopted", put("about", {"adopted": 5}), ("'about'", "adopted")),
    ("taught", put("about", {"taught": "abc"}), ("'about'", "taught")),
    ("start", put("about", {"start": {"hmean": "x"}}), ("'about'", "start")),
    ("config none", put("config", None), ("recorded config", "null")),
    ("config model", put("config", {"model": 5}), ("recorded config", "model", "5")),
    ("config key", put("config", {1: 2}), ("recorded config", "name")),
    ("schema", put("schema", True), ("schema", "type")),
    ("epoch", put("epoch", -1), ("'epoch'", ">= 0")),
    ("step", put("step", 1.0), ("'step'", ">= 0")),
    ("steps", put("steps_per_epoch", None), ("'steps_per_epoch'", ">= 0")),
    ("world", put("world", 0), ("'world'",)),
    ("images", put("images_per_step", "8"), ("'images_per_step'",)),
    ("hmean", put("best_hmean", NAN), ("'best_hmean'", "0..1")),
    ("optimizer", put("optimizer", [1]), ("'optimizer'",)),
    ("guard", put("guard", 3), ("'guard'",)),
    ("average", put("average", {"steps": 1}), ("'average'",)),
    ("weights", put("model", [1]), ("weights", "type")),
    ("names", lambda content: content["model"].update({5: torch.zeros(1)}), ("weights", "type")),
    ("sparse", weight(lambda value: value.float().to_sparse()), ("sparse",)),
    ("sparse csr", weight(lambda value: value.float().flatten(1).to_sparse_csr()), ("sparse",)),
    ("meta", weight(lambda value: value.to("meta")), ("'meta'",)),
    ("quantized", weight(lambda v: torch.quantize_per_tensor(v.float(), 0.1, 0, torch.qint8)), ("torch.qint8",)),
    ("complex", weight(lambda value: value.to(torch.complex64)), ("torch.complex64",)),
    ("nested", weight(lambda v: torch.nested.nested_tensor([v.float()[0], v.float()[1]])), ("pickled code",)),
    ("expanded", weight(lambda v: torch.zeros(1).expand(2**40)), ("1099511627776",)),
    ("bool", weight(lambda value: value > 0), ("weights", "type")),
    ("8 bits", weight(lambda value: value.to(torch.float8_e4m3fn)), ("weights", "type")),
    ("scalar", weight(lambda value: torch.tensor(1.0)), ("1 of another shape",)),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning")  # of torch, about tensors of these kinds
@pytest.mark.parametrize(("change", "words"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
@pytest.mark.slow
def test_invalid_checkpoint_metadata_is_one_line(change, words, place: Path, capsys):
    content = raw()
    change(content)
    torch.save(content, place / "a.pt")
    assert_mentions(refused("detect", ["input=a.png", "checkpoint=a.pt"], capsys), "a.pt", *words)
    assert not list(place.glob("runs/**/*.json"))


def test_numbers_as_strings_are_parsed_as_on_the_command_line(place: Path):
    content = raw()
    content["contract"] |= {"bin_thresh": "0.25", "max_candidates": 50.0, "height": "640"}
    torch.save(content, place / "a.pt")
    read = load_checkpoint(place / "a.pt")["contract"]
    assert (read["bin_thresh"], read["max_candidates"], read["height"]) == (0.25, 50, 640)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
@pytest.mark.parametrize("name", ["pipe.pt", "pipe.onnx"])
def test_a_pipe_as_checkpoint_is_refused(name: str, place: Path, capsys):
    os.mkfifo(place / name)
    assert_mentions(refused("detect", ["input=a.png", f"checkpoint={name}"], capsys), name, "not a regular file")


CARDS: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("no format", {"format": None}, ("format",)),
    ("true", {"format": True}, ("format",)),
    ("newer", {"format": 2}, ("format 2", "1", "upgrade")),
    ("contract", {"contract": None}, ("contract", "null")),
    ("about", {"about": 5}, ("'about'", "whole number")),
    ("config", {"config": "x"}, ("recorded config", "1 character")),
    ("input", {"input": None}, ("input.dtype", "uint8")),
    ("dtype", {"input": {"dtype": "string", "shape": []}}, ("input.dtype", "uint8")),
    ("shape", {"input": {"dtype": "uint8", "shape": "x"}}, ("input.shape", "64x64")),
    ("channels", {"input": {"dtype": "uint8", "shape": [1, 4, 64, 64]}}, ("input.shape",)),
    ("sides", {"input": {"dtype": "uint8", "shape": [1, 3, 96, 64]}}, ("input.shape",)),
]


@pytest.mark.parametrize(("change", "words"), [row[1:] for row in CARDS], ids=[row[0] for row in CARDS])
@pytest.mark.slow
def test_invalid_export_metadata_is_one_line(change, words, place: Path, capsys):
    write_onnx(place / "a.onnx", card(**change))
    assert_mentions(refused("detect", ["input=a.png", "checkpoint=a.onnx"], capsys), "a.onnx", *words)


@pytest.mark.parametrize("said", ["", "5", "[" * 100_000, "{}", '{"contract": NaN}', "no JSON"])
def test_an_onnx_file_without_metadata_is_refused(said: str, place: Path):
    write_onnx(place / "a.onnx", said)
    with pytest.raises(UserError, match=r"a\.onnx: .*ocrdet-export"):
        open_exported(place / "a.onnx")


@pytest.mark.slow
def test_weights_that_compute_nan_are_reported(place: Path, capsys):
    content = raw()
    content["contract"] |= {"height": 64, "width": 64, "precision": "fp32"}
    for name, value in content["model"].items():
        if name.endswith("conv1.weight"):
            content["model"][name] = torch.full(value.shape, 1e38)
    torch.save(content, place / "a.pt")
    assert run_command("detect", _detect, ["input=a.png", "checkpoint=a.pt", "output=out"]) == 1
    assert_mentions(capsys.readouterr().out, "a.png", "map", "NaN")
    score = ["checkpoint=a.pt", "data=synthetic", "data.test_size=1", "workers=0"]
    assert_mentions(refused("eval", score, capsys), "a.pt", "map", "NaN")
    assert_mentions(refused("check", ["data.root=set", "checkpoint=a.pt", "output=report"], capsys), "NaN")
    content["model"] = raw()["model"]
    for name, value in content["model"].items():
        if name.startswith("thresh_head") and name.endswith("weight"):
            content["model"][name] = torch.full(value.shape, 1e38)
    torch.save(content, place / "a.pt")
    assert_mentions(refused("eval", score, capsys), "a.pt", "loss", "NaN")
