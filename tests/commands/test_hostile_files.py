"""Checkpoints, cards and run folders are believed nothing: what they name is not called, what they say is checked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from omegaconf import OmegaConf

from conftest import TINY
from hostile_files import card, raw, write_onnx
from resnet18_ocrdet import build
from resnet18_ocrdet.cli import _check, _detect, _evaluate, _export, _train
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.config.instantiate import instantiate
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


def told(command: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that has to end in one line and code 2."""
    capsys.readouterr()
    assert run_command(command, JOBS[command], words) == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1 and "Traceback" not in error, error
    return error


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a small set of images, one of them alone."""
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
    """A checkpoint or an exported file whose data are something to call."""
    data, said = {"_target_": target, **CALLS[target]}, raw() if file.suffix == ".pt" else card()
    said["config"]["data"] = data
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".pt":
        torch.save(said, file)
    else:
        write_onnx(file, said)
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
            error = told(command, words, capsys)
            loaded = suffix == ".pt" or command not in ("train", "export")
            assert ("its recorded config: data._target_=os.system: only " in error) == loaded, error
    assert not (place / "marker").exists()


@pytest.mark.parametrize("target", list(CALLS))
@pytest.mark.parametrize("suffix", [".pt", ".onnx"])
def test_no_recorded_data_target_is_called(target: str, suffix: str, place: Path):
    with pytest.raises(UserError, match=rf"its recorded config: data\._target_={target}: only "):
        load_model(hostile(place / f"a{suffix}", target))
    assert not (place / "marker").exists()


@pytest.mark.parametrize("section", ["data", "optimizer", "scheduler", "augment", "model"])
def test_no_recorded_section_target_is_called(section: str, place: Path):
    content = raw()
    content["config"][section] = {"_target_": "os.mkdir", "path": "marker"}
    torch.save(content, place / "a.pt")
    with pytest.raises(UserError, match=rf"its recorded config: .*{section}\._target_=os\.mkdir"):
        load_checkpoint(place / "a.pt")


@pytest.mark.parametrize("target", [*CALLS, None, 5, ["os.mkdir"], "", "torch.optim.sgd"])
def test_only_options_in_conf_can_be_built(target: Any, place: Path):
    """Also where a check before it should fail."""
    node = OmegaConf.create({"_target_": target, "path": "marker"})
    with pytest.raises(UserError, match=r"_target_=.*: only what the options in conf/ name can be built"):
        build.build_splits(node)
    with pytest.raises(UserError, match="can be built"):
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
        assert "holds weights only" in told("train", [f"resume={run}"], capsys)
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
WRONG: list[tuple[str, Callable[[dict[str, Any]], None], str]] = [
    ("contract none", put("contract", None), "the contract is null, not fields with values"),
    ("contract list", put("contract", [1]), "the contract is a list"),
    ("contract empty", put("contract", {}), "the checkpoint's contract lacks backbone, height, width"),
    ("a field more", contract(evil=1), "the contract has a field that this version does not know: evil"),
    ("backbone", contract(backbone="x"), "the contract's backbone=x: needs resnet18, resnet34, resnet50"),
    ("backbone none", contract(backbone=None), "the contract's backbone=null: needs resnet18"),
    ("mean none", contract(mean=None), "the contract's mean=null: needs 3 numbers in brackets"),
    ("mean nan", contract(mean=[NAN, 0.4, 0.4]), "the contract's mean holds the number nan: needs 3 numbers"),
    ("mean of two", contract(mean=[0.4, 0.4]), "the contract's mean=[0.4,0.4]: needs 3 numbers"),
    ("mean of pixels", contract(mean=[123.0, 116.0, 103.0]), "each 0 to 1"),
    ("std 0", contract(std=[0.2, 0.0, 0.2]), "the contract's std=[0.2,0.0,0.2]: needs 3 numbers"),
    ("std tiny", contract(std=[1e-30, 0.2, 0.2]), "each 0.001 to 255"),
    ("bin nan", contract(bin_thresh=NAN), "the contract's bin_thresh holds the number nan: needs a number, 0 to 1"),
    ("bin true", contract(bin_thresh=True), "the contract's bin_thresh=true: needs a number, 0 to 1"),
    ("box inf", contract(box_thresh=float("inf")), "the contract's box_thresh holds the number inf: needs a number"),
    ("unclip", contract(unclip_ratio=-1), "the contract's unclip_ratio=-1: needs a number, 1 to 10"),
    ("resize", contract(resize="x"), "the contract's resize=x: needs keep, short_side, stretch, fit"),
    ("BGR", contract(color_order="BGR"), "the contract's color_order=BGR: "),
    ("candidates", contract(max_candidates=-5), "the contract's max_candidates=-5: needs a whole number, 1 or more"),
    ("candidates half", contract(max_candidates=1.5), "the contract's max_candidates=1.5: needs a whole number"),
    ("height", contract(height=50), "the contract's height=50: needs a whole number, a multiple of 32, 32 to 4096"),
    ("width huge", contract(width=10**400), "the contract's width holds a whole number: needs a whole number, a"),
    ("shape", contract(shape="circle"), "the contract's shape=circle: needs quad, polygon"),
    ("precision", contract(precision="fp8"), "the contract's precision=fp8: did you mean"),
    ("text size", contract(min_text_size=-1.0), "the contract's min_text_size=-1.0: needs a number, 0 or more"),
    ("line ends", contract(resize="a\nb\x1b[31m"), r"the contract's resize=a\nb\x1b[31m: needs keep"),
    ("about 5", put("about", 5), "its 'about' is a whole number, not a section"),
    ("about nan", put("about", {"hmean": NAN}), "its 'about' holds the number nan"),
    ("about key", put("about", {5: 1}), "its 'about' holds a name that is no text"),
    ("about tensor", put("about", {"a": torch.zeros(2)}), "its 'about' holds a value of type Tensor"),
    ("about deep", put("about", {"a": [[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]}), "its 'about' is nested too deeply"),
    ("about surrogate", put("about", {"cpu": "\udc80"}), "its 'about' not Unicode"),
    ("adopted", put("about", {"adopted": 5}), "its 'about': adopted is not a text"),
    ("taught", put("about", {"taught": "abc"}), "its 'about': taught is not a list of texts"),
    ("start", put("about", {"start": {"hmean": "x"}}), "its 'about': start does not describe"),
    ("config none", put("config", None), "its recorded config: is null, not sections of settings"),
    ("config model", put("config", {"model": 5}), "its recorded config: model is 5: a run needs a section here"),
    ("config key", put("config", {1: 2}), "its recorded config: holds a name that is no text"),
    ("schema", put("schema", True), "schema or weights have the wrong type"),
    ("epoch", put("epoch", -1), "its 'epoch' must be a whole number >= 0"),
    ("step", put("step", 1.0), "its 'step' must be a whole number >= 0"),
    ("steps", put("steps_per_epoch", None), "its 'steps_per_epoch' must be a whole number >= 0"),
    ("world", put("world", 0), "its 'world' must be a number of processes"),
    ("images", put("images_per_step", "8"), "its 'images_per_step' must be a number of images"),
    ("hmean", put("best_hmean", NAN), "its 'best_hmean' must be in 0..1"),
    ("optimizer", put("optimizer", [1]), "its 'optimizer' must be a section"),
    ("guard", put("guard", 3), "its 'guard' must be a section"),
    ("average", put("average", {"steps": 1}), "its 'average' must be averaged weights"),
    ("weights", put("model", [1]), "schema or weights have the wrong type"),
    ("names", lambda content: content["model"].update({5: torch.zeros(1)}), "schema or weights have the wrong type"),
    ("sparse", weight(lambda value: value.float().to_sparse()), "a tensor is sparse or nested"),
    ("sparse csr", weight(lambda value: value.float().flatten(1).to_sparse_csr()), "is sparse or nested"),
    ("meta", weight(lambda value: value.to("meta")), "a tensor is on the device 'meta'"),
    ("quantized", weight(lambda v: torch.quantize_per_tensor(v.float(), 0.1, 0, torch.qint8)), "holds torch.qint8"),
    ("complex", weight(lambda value: value.to(torch.complex64)), "holds torch.complex64"),
    ("nested", weight(lambda v: torch.nested.nested_tensor([v.float()[0], v.float()[1]])), "contains pickled code"),
    ("expanded", weight(lambda v: torch.zeros(1).expand(2**40)), "claims 1099511627776 values and holds fewer"),
    ("bool", weight(lambda value: value > 0), "schema or weights have the wrong type"),
    ("8 bits", weight(lambda value: value.to(torch.float8_e4m3fn)), "schema or weights have the wrong type"),
    ("scalar", weight(lambda value: torch.tensor(1.0)), "1 of another shape"),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning")  # of torch, about tensors of these kinds
@pytest.mark.parametrize(("change", "message"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
@pytest.mark.slow
def test_invalid_checkpoint_metadata_is_one_line(change, message, place: Path, capsys):
    content = raw()
    change(content)
    torch.save(content, place / "a.pt")
    assert message in (error := told("detect", ["input=a.png", "checkpoint=a.pt"], capsys)), error
    assert "checkpoint a.pt: " in error and not list(place.glob("runs/**/*.json"))


def test_numbers_as_strings_are_parsed_as_on_the_command_line(place: Path):
    content = raw()
    content["contract"] |= {"bin_thresh": "0.25", "max_candidates": 50.0, "height": "640"}
    torch.save(content, place / "a.pt")
    read = load_checkpoint(place / "a.pt")["contract"]
    assert (read["bin_thresh"], read["max_candidates"], read["height"]) == (0.25, 50, 640)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("name", ["pipe.pt", "pipe.onnx"])
def test_a_pipe_as_checkpoint_is_refused(name: str, place: Path, capsys):
    os.mkfifo(place / name)
    assert "cannot be read (not a regular file)" in told("detect", ["input=a.png", f"checkpoint={name}"], capsys)


CARDS: list[tuple[str, dict[str, Any], str]] = [
    ("no format", {"format": None}, "its card says no format"),
    ("true", {"format": True}, "its card says no format"),
    ("newer", {"format": 2}, "its card has format 2, newer than this version's 1; upgrade"),
    ("contract", {"contract": None}, "the contract is null"),
    ("about", {"about": 5}, "its 'about' is a whole number"),
    ("config", {"config": "x"}, "its recorded config: is a text of 1 characters"),
    ("input", {"input": None}, "its card: input.dtype is neither uint8 nor float"),
    ("dtype", {"input": {"dtype": "string", "shape": []}}, "its card: input.dtype is neither uint8 nor float"),
    ("shape", {"input": {"dtype": "uint8", "shape": "x"}}, "its card: input.shape is not that of one image of 64x64"),
    ("channels", {"input": {"dtype": "uint8", "shape": [1, 4, 64, 64]}}, "its card: input.shape is not that"),
    ("sides", {"input": {"dtype": "uint8", "shape": [1, 3, 96, 64]}}, "its card: input.shape is not that"),
]


@pytest.mark.parametrize(("change", "message"), [row[1:] for row in CARDS], ids=[row[0] for row in CARDS])
@pytest.mark.slow
def test_invalid_export_metadata_is_one_line(change, message, place: Path, capsys):
    write_onnx(place / "a.onnx", card(**change))
    assert message in (error := told("detect", ["input=a.png", "checkpoint=a.onnx"], capsys)), error
    assert "a.onnx: " in error


@pytest.mark.parametrize("said", ["", "5", "[" * 100_000, "{}", '{"contract": NaN}', "no JSON"])
def test_an_onnx_file_without_metadata_is_refused(said: str, place: Path):
    write_onnx(place / "a.onnx", said)
    with pytest.raises(UserError, match=r"a\.onnx: not written by ocrdet-export: no contract in its metadata"):
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
    assert "not read: " in (out := capsys.readouterr().out) and "the network's map holds NaN" in out
    assert "a.pt: its map holds NaN" in told(
        "eval", ["checkpoint=a.pt", "data=synthetic", "data.test_size=1", "workers=0"], capsys
    )
    assert "holds NaN" in told("check", ["data.root=set", "checkpoint=a.pt", "output=report"], capsys)
    content["model"] = raw()["model"]
    for name, value in content["model"].items():
        if name.startswith("thresh_head") and name.endswith("weight"):
            content["model"][name] = torch.full(value.shape, 1e38)
    torch.save(content, place / "a.pt")
    assert "a.pt: its loss is NaN" in told("eval", ["checkpoint=a.pt", "data=synthetic", "data.test_size=1"], capsys)
