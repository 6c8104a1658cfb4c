"""ocrdet-train with sets that are mixed into the training images."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from config_runner import configs
from conftest import TINY, assert_mentions, installed
from eval_calls import score
from grey_photos import WORD, photos
from resnet18_ocrdet import build
from resnet18_ocrdet.commands.auto_hparams import choose_sizes
from resnet18_ocrdet.commands.resume import resumed_config
from resnet18_ocrdet.commands.train_overlap import training_sources
from resnet18_ocrdet.data.augment import Augment
from resnet18_ocrdet.data.text_sizes import TextSizes
from resnet18_ocrdet.model.contract import Contract
from resnet18_ocrdet.runtime.console import Display
from resnet18_ocrdet.train import engine
from train_runner import last, train

SCENES = ("mix1=synthetic", "train.mix1_share=0.25")


def test_rendered_scenes_are_as_large_as_a_crop():
    words = ("input_size=128x256", "augment.crop_size=96x64")
    (cfg,) = configs("train", *SCENES, *words, "mix2=synthetic", "mix2.height=192", "train.mix2_share=0.1")
    first, second = build.build_mixed_sets(cfg)
    assert (first.group, first.share, first.rendered, len(first.source)) == ("mix1", 0.25, True, 1000)
    assert (first.source.open(0).height, first.source.open(0).width) == (96, 64)
    assert (second.source.open(0).height, second.source.open(0).width) == (192, 64)
    assert build.build_augment(cfg, whole=True) == Augment(
        flip=0, rotate=0, scale_min=1, scale_max=1, crop=False, evaluated_at=(128, 256)
    )


def test_rendered_scenes_follow_a_size_that_is_chosen_later():
    """By the rules of a fine-tuning, which enlarge the input for small text and take crops of it."""
    (cfg,) = configs("train", "experiment=finetune", "init.weights=bundled", *SCENES)
    choose_sizes(cfg, [], TextSizes(0.01, 0.02, 0.03, 1.0), 90, None, quick=True, display=Display(quiet=True))
    (mixed,) = build.build_mixed_sets(cfg)
    assert cfg.input_size.height != 800 and cfg.augment.crop_size is not None
    scene = mixed.source.open(0)
    assert (scene.height, scene.width) == build.view_size(cfg) != build.input_size(cfg)


@pytest.mark.parametrize(
    ("before", "changes", "scenes"),
    [
        (("input_size=128x128",), ("input_size=192x192",), (192, 192)),
        (("input_size=128x128", "augment.crop_size=64x64"), ("input_size=192x192",), (64, 64)),
        (("input_size=128x128",), ("augment.crop_size=96x64",), (96, 64)),
        (("input_size=128x128", "mix1.height=128", "mix1.width=96"), ("input_size=192x192",), (128, 96)),
    ],
)
def test_rendered_scenes_follow_a_size_that_a_resume_changes(before, changes, scenes):
    saved = OmegaConf.to_container(configs("train", *SCENES, *before)[0])
    (composed,) = configs("train", *changes)
    cfg = resumed_config(composed, saved, list(changes), Display(quiet=True))
    (mixed,) = build.build_mixed_sets(cfg)
    assert (mixed.source.open(0).height, mixed.source.open(0).width) == scenes


@pytest.mark.parametrize(("words", "images"), [((), 5), (("mix1.val=0.4",), 3), (("mix1.train=1-2",), 2)])
def test_all_images_of_a_mixed_folder_are_for_training(tmp_path, words, images):
    """But those that the settings leave out: data=custom would draw a tenth for validation."""
    root = photos(tmp_path / "set", *[WORD] * 5)
    (cfg,) = configs("train", "mix1=custom", f"mix1.{root.partition('.')[2]}", "train.mix1_share=0.5", *words)
    (mixed,) = build.build_mixed_sets(cfg)
    assert len(mixed.source) == images and not mixed.rendered


def test_a_preset_can_mix(tmp_path: Path):
    (tmp_path / "experiment").mkdir()
    text = "# @package _global_\ndefaults:\n  - override /data@mix2: synthetic\ntrain:\n  mix2_share: 0.5\n"
    (tmp_path / "experiment/mine.yaml").write_text(text)
    (cfg,) = configs("train", f"--config-dir={tmp_path}", "experiment=mine", "mix2.train_size=7")
    assert (cfg.mix1, cfg.mix2.train_size, cfg.train.mix2_share) == (None, 7, 0.5)


@pytest.mark.slow
def test_a_sweep_over_sets():
    found = configs("train", "-m", "mix1=synthetic,quickstart", "train.mix1_share=0.25")
    assert [cfg.mix1.train_size for cfg in found] == [1000, 4800]


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["mix1=synthetic"], ["mix1 is not used", "train.mix1_share"]),
        (["train.mix2_share=0.2"], ["train.mix2_share=0.2", "mix2=synthetic", "mix2.root=FOLDER"]),
        ([*SCENES, "mix2=synthetic", "train.mix2_share=0.75"], ["add up to 1"]),
        (["mix1=synthetic", "train.mix1_share=1"], ["train.mix1_share=1", "below 1"]),
        (["mix1=custom", "train.mix1_share=0.2"], ["mix1.root=FOLDER is missing"]),
        (["mix1=custom", "mix1.root=nowhere", "train.mix1_share=0.2"], ["mix1.root=nowhere", "no such folder"]),
        (["mix1=synthetic", "mix1.fonts=nowhere", "train.mix1_share=0.2"], ["mix1.fonts=nowhere", "no such folder"]),
        ([*SCENES, "mix1.texts=."], ["mix1.texts=", "add mix1.style=varied"]),
        (["mix1.root=x"], ["no key 'mix1.root' without mix1="]),
        (["mix1=icdar"], ["did you mean icdar2015?"]),
        (["mix1=custom", "mix1.root=.", "train.mix1_share=0.2", "mix1.train=9-1"], ["mix1.train=9-1", "1-9"]),
    ],
)
def test_settings_that_cannot_work_are_refused(tmp_path, monkeypatch, capsys, words, parts):
    monkeypatch.chdir(tmp_path)
    assert train(monkeypatch, *words) == 2
    err = capsys.readouterr().err
    assert_mentions(err, *parts)
    assert err.count("\n") == 1


def test_a_mixed_set_without_images_is_refused(tmp_path, monkeypatch, capsys):
    root = photos(tmp_path / "set", *[WORD] * 3).partition("=")[2]
    words = ("mix1=custom", f"mix1.root={root}", "mix1.train=7-9", "train.mix1_share=0.5")
    assert train(monkeypatch, *TINY, *words, f"run_dir={tmp_path}/run") == 2
    assert_mentions(capsys.readouterr().err, root, "train=7-9", "no image")


def test_the_other_sets_of_a_run_are_among_its_training_images(tmp_path):
    own, other = (photos(tmp_path / name, *[WORD] * 4).partition("=")[2] for name in ("own", "other"))
    (cfg,) = configs("train", "data=custom", f"data.root={own}", "mix1=custom", f"mix1.root={other}", *SCENES[1:])
    contract = build.build_contract(cfg, "fp32", build.build_splits(cfg.data).train)
    content = {"config": OmegaConf.to_container(cfg), "about": {}, "contract": contract.to_dict()}
    assert [len(source) for source in training_sources(content, Contract.from_dict(contract.to_dict()))] == [3, 4]


@pytest.mark.slow
def test_photos_receipts_and_scenes_in_one_training(tmp_path, monkeypatch, capsys):
    """The installed command; then what the checkpoint says about the images it was trained on."""
    photos(tmp_path / "photos", *[WORD] * 6)
    photos(tmp_path / "receipts", *[WORD] * 3, side=160)
    words = ("input_size=64x64", "train.batch_size=2", "train.workers=1", "train.epochs=2", "data=custom")
    words += ("data.root=photos", "data.val=4-5", "mix1=custom", "mix1.root=receipts", "train.mix1_share=0.25")
    done = installed("ocrdet-train", *words, "mix2=synthetic", "train.mix2_share=0.25", "run_dir=run", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    # 4 photos are half of 8 images: 4 steps
    assert_mentions(done.stdout, "mix1: data: ", "4 steps on 4 images, 25% from mix1, 25% from mix2, 2 for validation")
    about = json.loads((tmp_path / "run/about.json").read_text())
    assert set(about["data"]) == {"train", "val", "mix1", "mix2"}
    assert last(tmp_path / "run")["config"]["mix1"]["root"] == str(tmp_path / "receipts")
    code, _ = score(monkeypatch, tmp_path, "checkpoint=run/checkpoints/last.pt", "data=custom", "data.root=receipts")
    assert code == 0 and "3 of 3 images were in the training set" in capsys.readouterr().out


@pytest.mark.slow
def test_a_stop_in_mid_epoch_shows_the_same_images_again(tmp_path, monkeypatch, records):
    words = (*TINY, *SCENES, "data.train_size=6", "mix1.train_size=3", "train.epochs=3", "train.mining_warmup_cap=5")
    assert train(monkeypatch, *words, f"run_dir={tmp_path}/whole") == 0
    names, losses = [record.names for record in records], [record.loss["total"] for record in records]
    assert len(losses) == 12  # 8 images an epoch, 2 of them mixed in
    records.clear()
    original = engine.StepRecord

    def record(*fields):
        if fields[0] == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(*fields)

    with monkeypatch.context() as patch:
        patch.setattr(engine, "StepRecord", record)
        assert train(patch, *words, f"run_dir={tmp_path}/halves") == 143
    assert train(monkeypatch, f"resume={tmp_path}/halves") == 0
    assert [record.names for record in records] == names
    assert [record.loss["total"] for record in records] == losses
    ours, theirs = (last(tmp_path / name)["model"] for name in ("whole", "halves"))
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.slow
def test_validation_images_in_a_mixed_set_are_noted(tmp_path, monkeypatch, capsys):
    root = photos(tmp_path / "set", *[WORD] * 5).partition("=")[2]
    words = (*TINY[:1], *TINY[4:], "train.batch_size=2", "train.epochs=1", "data=custom", f"data.root={root}")
    words += ("data.val=0-1", "mix1=custom", f"mix1.root={root}", "train.mix1_share=0.5", f"run_dir={tmp_path}/run")
    assert train(monkeypatch, *words) == 0
    assert_mentions(capsys.readouterr().out, "note: 2 of 2 validation images are in mix1 too")


@pytest.mark.slow
def test_another_share_at_a_resume_is_refused_with_the_steps(tmp_path, monkeypatch, capsys):
    assert train(monkeypatch, *TINY, *SCENES, "train.epochs=1", f"run_dir={tmp_path}/run") == 0
    resume = (f"resume={tmp_path}/run", "train.epochs=2")
    assert train(monkeypatch, *resume, "train.mix1_share=0.6") == 2  # 4 of 10 images instead of 4 of 5
    assert_mentions(capsys.readouterr().err, "epochs have 2 steps", "make 5")
    assert train(monkeypatch, *resume, "mix1.train_size=2000") == 0
    assert_mentions(capsys.readouterr().out, "mix1.train_size was 1000, is now 2000", "images or labels have changed")
    assert train(monkeypatch, *resume, "train.epochs=3", "mix1=null", "train.mix1_share=0") == 0
    assert last(tmp_path / "run")["config"]["mix1"] is None
