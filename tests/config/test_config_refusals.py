"""What is typed, and the line that answers it. Exit code 2, no job, nothing written."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from config_runner import empty_folder  # noqa: F401 - the fixture acts by being here
from resnet18_ocrdet.commands.launch import run_command

# command line, parts of the answer
REFUSED = [
    # keys that do not exist
    ("train optimzer.lr=0.1", ["no key 'optimzer.lr': did you mean optimizer.lr?"]),
    ("train train.epoch=3", ["no key 'train.epoch': did you mean train.epochs?"]),
    ("train +train.epohcs=3", ["no key 'train.epohcs': did you mean train.epochs?"]),
    ("train ++x=1", ["no key 'x'"]),
    ("train optimizer.learning_rate=0.1", ["no key 'optimizer.learning_rate': did you mean optimizer.lr?"]),
    ("train num_workers=2", ["no key 'num_workers': did you mean train.workers?"]),
    ("train data.documents=0.5", ["data.documents=0.5 is for varied scenes: add data.style=varied"]),
    ("train imgsz=640", ["did you mean the group input_size"]),
    ("train epochs=3", ["no key 'epochs': did you mean train.epochs?"]),
    ("train optimizr=sgd", ["no key 'optimizr': did you mean the group optimizer (adamw, sgd)?"]),
    ("train inputsize=640x640", ["did you mean the group input_size ("]),
    ("train experiments=quickstart", ["did you mean the group experiment (finetune, icdar2015, pretrain"]),
    ("train lr=3", ["did you mean optimizer.lr?"]),
    ("train +optimizer.lrr=3", ["no key 'optimizer.lrr': did you mean optimizer.lr?"]),
    ("train träin.epochs=3", ["did you mean train.epochs?"]),
    ("train train={epochs:2,batch:3}", ["no key 'train.batch': did you mean train.batch_size?"]),
    ("train optimizer=adamw optimizer.momentum=0.8", ["with optimizer=adamw", "optimizer=sgd has it", "betas, eps"]),
    ("train experiment=quickstart optimizer.momentum=0.8", ["no key 'optimizer.momentum' with optimizer=adamw"]),
    ("train data.val=0.2", ["with data=synthetic", "data=custom or data=icdar2015 has it"]),
    ("eval data.root=x", ["without data=…", "data=icdar2015"]),
    ("eval train.batch_size=2", ["did you mean batch_size?"]),
    ("eval optimizer=sgd", ["no group 'optimizer' here; ocrdet-eval takes data, input_size"]),
    # options that do not exist
    ("train optimizer=adamm", ["optimizer=adamm: did you mean adamw? (adamw, sgd)"]),
    ("train optimizer=", ["no such option (adamw, sgd)"]),
    ("train model=null", ["model=null: a run needs one"]),
    ("train +experiment=quickstart", ["write it without +"]),
    ("train optimizer@foo=sgd", ["packages"]),
    ("train hydra/launcher=nowhere", ["Could not find 'hydra/launcher/nowhere'"]),
    # input sizes
    ("train input_size=640", ["did you mean 640x640?"]),
    ("train input_size=650", ["did you mean 640x640 or 672x672?"]),
    ("train input_size=801x801", ["801 is not a multiple of 32: nearest 800x800 or 832x832"]),
    ("train input_size=16x640", ["16 is not between 32 and 4096: nearest 32x640"]),
    ("train input_size=big", ["height x width is needed"]),
    ("train input_size=null", ["a run needs one"]),
    ("train input_size.height=641", ["a multiple of 32", "nearest 640 or 672"]),
    ("eval checkpoint=a input_size.height=640", ["input_size.width is not set"]),
    # types
    ("train train.batch_size=eight", ["train.batch_size=eight: needs a whole number, 1 to 4096"]),
    ("train train.epochs=1.5", ["train.epochs=1.5: needs a whole number"]),
    ("train train.epochs=true", ["train.epochs=true: needs a whole number"]),
    ("train train.epochs=null", ["train.epochs=null: needs a whole number"]),
    ("train train.preview=1", ["train.preview=1: needs true or false"]),
    ("train optimizer.lr=nan", ["optimizer.lr=nan: needs a number"]),
    ("train optimizer.lr=", ["optimizer.lr=: needs a number"]),
    ("train train=3", ["'train' is a section", "train.batch_size"]),
    ("train optimizer=adamw optimizer.betas=[0.9]", ["optimizer.betas=[0.9]: needs 2 numbers in brackets"]),
    ("train run_dir=", ["run_dir=: is empty: give a path, or null"]),
    # ranges and choices
    ("train optimizer.lr=-1", ["optimizer.lr=-1: needs a number above 0, up to 100"]),
    ("train optimizer.lr=0", ["needs a number above 0"]),
    ("train optimizer.momentum=1", ["needs a number, 0 or more and below 1"]),
    ("train scheduler.gamma=2", ["scheduler.gamma=2: needs a number above 0, up to 1"]),
    ("train scheduler.step_size=0", ["scheduler.step_size=0: needs a whole number, 1 or more"]),
    ("train train.epochs=0", ["needs a whole number, 1 or more"]),
    ("train train.shrink_ratio=1", ["needs a number above 0 and below 1"]),
    ("train decode.unclip_ratio=0.9", ["needs a number, 1 to 10"]),
    ("train decode.bin_thresh=2", ["needs a number, 0 to 1"]),
    ("train seed=-1", ["needs a whole number, 0 to 1e+15"]),
    ("train decode.shape=quads", ["did you mean quad? (quad, polygon)"]),
    ("train device=cudda", ["did you mean cuda?", "cuda:N"]),
    ("train precision=fp8", ["auto, fp32, bf16, fp16"]),
    ("train data=icdar2015 data.root=x data.val=1.5", ["data.val=1.5: needs a share between 0 and 1"]),
    ("train data=icdar2015 data.root=x data.val=900-801", ["801-900"]),
    ("train data=icdar2015 data.root=x data.val=0.6 data.train=0.6", ["add up to more than 1"]),
    # what a preset cannot do without
    ("train experiment=finetune", ["init.weights=PATH is missing: experiment=finetune", "type init.weights=bundled"]),
    ("train train.auto_hparams=true", ["init.weights=PATH is missing", "or init.weights=runs/train/DATE_TIME/"]),
    # targets
    ("train optimizer._target_=os.system", ["only torch.optim.AdamW and torch.optim.SGD can be built"]),
    ("train model._target_=os.system", ["only resnet18_ocrdet.model.dbnet.DBNet can be built"]),
    # settings that exclude each other
    ("train scheduler=cosine optimizer.lr=0.0001", ["eta_min=0.0005 is above optimizer.lr=0.0001"]),
    ("train scheduler=cosine optimizer.lr=0.0003", ["a tenth is usual, scheduler.eta_min=0.00003"]),
    ("train scheduler.warmup_epochs=30", ["takes up all of train.epochs=30"]),
    ("train scheduler=constant scheduler.decay_epochs=31", ["decay_epochs=31", "longer than train.epochs=30"]),
    ("train train.unfreeze_epoch=2", ["nothing is frozen", "train.freeze=layer1"]),
    ("train train.freeze=stem train.unfreeze_epoch=0", ["train.unfreeze_epoch=0", "1 or more"]),
    ("train augment.quarter_turns=90", ["augment.quarter_turns=90", "0 to 1"]),
    ("train train.thresh_min=0.8", ["train.thresh_min=0.8 must be below train.thresh_max=0.7"]),
    ("train augment.scale_min=4", ["augment.scale_min=4 must be below augment.scale_max=3"]),
    ("train augment.crop_size=416", ["augment.crop_size=416: needs height x width, such as 416x416, or null"]),
    ("train augment.crop_size=400x416", ["augment.crop_size=400x416: 400 is not a multiple of 32: nearest 384x416 or"]),
    ("train augment=none augment.crop_size=64x64", ["augment.crop_size needs augment.crop=true"]),
    ("train optimizer.nesterov=true optimizer.momentum=0", ["needs optimizer.momentum above 0"]),
    ("eval checkpoint=a predictions=b data=synthetic", ["checkpoint and predictions are both given"]),
    ("eval predictions=b", ["add data=icdar2015 data.root=FOLDER"]),
    # what is missing
    ("train data=icdar2015", ["data.root=FOLDER is missing (the folder that holds ch4_training_images/)"]),
    ("train data=custom", ["data.root=FOLDER is missing"]),
    ("eval", ["data=… is missing: the bundled weights", "data=icdar2015 data.root=FOLDER"]),
    ("eval checkpoint=bundled", ["data=… is missing: the bundled weights"]),
    ("detect checkpoint=a", ["input=PATH is missing"]),
    # the form of a word
    ("train ~train.epochs", ["nothing can be removed"]),
    ("train train.epochs 3", ["'train.epochs' has no value: write train.epochs=3"]),
    ("train optimizer.lr = 3", ["write optimizer.lr=VALUE", "without spaces"]),
    ("train photo.jpg", ["'photo.jpg' is not a setting"]),
    ("check /", ["'/' is not a setting", "did you mean data.root=/?"]),
    ("detect /", ["did you mean input=/?"]),
    ("train ''", ["'' is not a setting"]),
    ("train optimizer.lr=0.003,0.005", ["several values; add -m for a sweep"]),
    ("train optimizer=sgd,adamw", ["several values; add -m for a sweep"]),
    ("train input_size=320x320,640x640", ["several values; add -m for a sweep"]),
    (
        "train input_size=[640,640]",
        ["input_size=[640,640]: height x width is needed, such as 800x800", "without brackets"],
    ),
    ("train \"'train.epochs=3'\"", ["'train.epochs=3': these quotes reached the command; type train.epochs=3"]),
    (
        "train optimizer=adamw optimizer.betas=0.9 0.999",
        ["optimizer.betas=0.9: needs 2 numbers in brackets", "'0.999' is"],
    ),
    (
        "train optimizer=adamw 'optimizer.betas=\"[0.9,0.999]\"'",
        ["quotes inside the word make it text: leave them out"],
    ),
    ("train train.epochs=[1", ["train.epochs=[1: cannot be read"]),
    ("train train.epochs=${train.foo}", ["train.epochs: Interpolation key 'train.foo' not found"]),
    ("train hydra.foo=1", ["hydra.foo"]),
    ("train hydra.mode=MULTIRUN", ["use -m"]),
    # flags
    ("train --multi", ["no flag --multi: did you mean --multirun?"]),
    ("train --train.epochs=3", ["settings are written without dashes, as train.epochs=3"]),
    ("train --cfg jobs", ["'jobs'"]),
    ("train --config-dir nowhere", ["no such folder"]),
    ("train --resolve", ["go with --cfg"]),
]


@pytest.mark.parametrize(("line", "parts"), REFUSED, ids=[line for line, _ in REFUSED])
def test_refused_with_a_helpful_line(line: str, parts: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    command, *words = shlex.split(line)
    assert run_command(command, pytest.fail, words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    for part in parts:
        assert part in err, err
    assert all(answer.startswith(f"ocrdet-{command}: ") for answer in err.splitlines())
    assert list(tmp_path.iterdir()) == []


def test_one_mistake_is_one_line(capsys: pytest.CaptureFixture[str]):
    run_command("train", pytest.fail, ["train.epochs", "3"])
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (["seed=-1"], ["seed=-1: needs"]),
        (["input_size.height=-32"], ["input_size.height=-32: needs"]),
        (["-m", "optimizer.lr=0.1,bad", "train.epochs=x"], ["train.epochs=x: needs", "optimizer.lr=bad: "]),
        (["-m", "optimizer.lr=0.1,bad", "epochs=3"], ["no key 'epochs'", "optimizer.lr=bad: needs"]),
        (["-m", "hydra/sweeper=basic", "train.epochs=abc", "seed=1,2"], ["train.epochs=abc: needs"]),
        (["-m", "optimizer.lr=interval(0.001,0.01)"], ["interval() needs a search"]),
        (["-m", "seed=range(0,3,0)"], ["seed=range(0,3,0): "]),
        (["-m", "scheduler=glob(z*)"], ["scheduler=glob(z*): no value"]),
        (["train.loss={prob_weight: 3}"], ["'train.loss' is now the group 'loss'"]),
        (["train.loss.prob_weight=3"], ["'train.loss.prob_weight' is now loss.prob_weight"]),
        (["model.weights=bundled"], ["'model.weights' is now init.weights"]),
    ],
)
def test_each_mistake_is_one_line(words: list[str], lines: list[str], capsys: pytest.CaptureFixture[str]):
    assert run_command("train", pytest.fail, words) == 2
    found = capsys.readouterr().err.splitlines()
    assert len(found) == len(lines) and all(part in line for part, line in zip(lines, found, strict=True)), found


def test_rendered_scenes_have_no_labels_to_check(capsys: pytest.CaptureFixture[str]):
    assert run_command("check", pytest.fail, ["data=synthetic"]) == 2
    assert "data.root=FOLDER" in capsys.readouterr().err


def test_all_mistakes_are_told_at_once(capsys: pytest.CaptureFixture[str]):
    words = ["optimzer.lr=1", "train.epochs=x", "scheduler=stepp", "input_size=640", "optimizer.lr=-1", "word"]
    assert run_command("train", pytest.fail, words) == 2
    assert len(capsys.readouterr().err.splitlines()) == len(words)


def test_the_gates_stand_before_cfg_job_too(capsys: pytest.CaptureFixture[str]):
    assert run_command("train", pytest.fail, ["--cfg", "job", "train.epoch=3"]) == 2
    assert run_command("train", pytest.fail, ["--cfg", "job", "train.thresh_min=0.8"]) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("word", ["optimizer.lr=10", "train.batch_size=1", "scheduler.step_size=50"])
def test_odd_but_legal(word: str):
    assert run_command("train", lambda cfg, _: 0, [word]) == 0
