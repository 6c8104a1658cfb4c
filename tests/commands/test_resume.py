"""What a resumed run takes from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from config_runner import configs, empty_folder  # noqa: F401 - the fixture acts by being here
from resnet18_ocrdet.commands.resume import resumed_config
from resnet18_ocrdet.commands.resume_words import implied_words
from resnet18_ocrdet.config.library import Library
from resnet18_ocrdet.config.override_grammar import typed_keys
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.runtime.console import Display

SAVED = ("data=custom", "data.root=x", "input_size=640x640", "augment=light", "run_dir=r")


@pytest.mark.parametrize(
    ("word", "changed"),
    [
        ("augment={flip: 0.25}", {"augment.flip": 0.25}),
        ("data={val: 0.2, seed: 3}", {"data.val": 0.2, "data.seed": 3}),
        ("input_size={height: 320}", {"input_size.height": 320}),
        ("train={guard: {ratio: 9}}", {"train.guard.ratio": 9}),
        ("loss={prob_weight: 2}", {"loss.prob_weight": 2}),
        ("decode={box_thresh: 0.7}", {"decode.box_thresh": 0.7}),
        ("init.weights=bundled", {"init.weights": "bundled"}),
    ],
)
def test_a_section_in_braces_changes_its_keys_alone(word: str, changed: dict[str, object], capsys):
    (before,) = configs("train", *SAVED)
    (composed,) = configs("train", *SAVED, word)
    after = resumed_config(composed, OmegaConf.to_container(before), [word], Display())
    expected = before.copy()
    for key, value in changed.items():
        OmegaConf.update(expected, key, value)
    assert after == expected
    assert all(f"resume: {key} was " in capsys.readouterr().out for key in list(changed)[:1])


def test_a_section_in_braces_keeps_the_saved_group(tmp_path: Path):
    (saved,) = configs("train", *SAVED, "optimizer=adamw")
    (tmp_path / "run/checkpoints").mkdir(parents=True)
    (tmp_path / "run/checkpoints/last.pt").touch()
    OmegaConf.save(saved, tmp_path / "run/config.yaml")
    implied = implied_words([f"resume={tmp_path}/run", "data={cache: ram}", "input_size=320x320"], Library("train"))
    assert {"data=custom", "data.root='x'", "optimizer=adamw"} <= set(implied)
    assert not any(word.startswith("input_size=") for word in implied)


def test_another_loss_cannot_continue_a_run():
    (saved,) = configs("train", *SAVED)
    composed = saved.copy()
    composed.loss._target_ = "resnet18_ocrdet.model.focal_loss.FocalLoss"
    with pytest.raises(UserError, match=r"FocalLoss cannot continue a run with .*DBLoss; .*init\.weights"):
        resumed_config(composed, OmegaConf.to_container(saved), ["loss=focal"], Display())


@pytest.mark.parametrize(
    ("done", "epochs", "told"),
    [
        (6.0, (10, 20), None),  # not begun: epochs 8 and 9 decay
        (8.5, (10, 20), ["50%", "100%"]),  # a quarter of the decay: 1 - sqrt(1/4)
        (10.0, (10, 20), ["0%", "100%"]),
        (6.0, (10, 9), None),
        (7.5, (10, 9), ["100%", "50%"]),
    ],
)
def test_a_constant_rate_goes_on_until_it_decays(done, epochs, told, capsys):
    words = ("scheduler=constant", "scheduler.decay_epochs=2")
    (saved,) = configs("train", *words, f"train.epochs={epochs[0]}")
    (typed,) = configs("train", *words, f"train.epochs={epochs[1]}")
    resumed_config(typed, OmegaConf.to_container(saved), [f"train.epochs={epochs[1]}"], Display(), done)
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note: ")]
    assert len(notes) == (told is not None)
    assert all(share in notes[0] for share in told or [])


@pytest.mark.parametrize(
    ("decays", "done", "epochs", "told"),
    [
        ((2, 3), 4.0, (4, 6), ["0%", "42%"]),  # decayed, then one third into the decay from 3: 1 - sqrt(1/3)
        ((0, 3), 4.0, (4, 6), ["epoch 3", "100%", "42%", "train.epochs=7"]),  # never decayed
        ((0, 2), 4.0, (4, 6), None),  # a branch that decays from here on
        ((2, 4), 3.5, (10, 10), None),
        ((2, 4), 7.0, (10, 10), ["epoch 6", "100%", "50%", "train.epochs=11"]),
    ],
)
def test_a_decay_that_begins_in_what_is_done_is_noted(decays, done, epochs, told, capsys):
    sides = [[f"train.epochs={n}", f"scheduler.decay_epochs={d}"] for n, d in zip(epochs, decays, strict=True)]
    saved, composed = (configs("train", "scheduler=constant", *words)[0] for words in sides)
    resumed_config(composed, OmegaConf.to_container(saved), sides[1], Display(), done)
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note: ")]
    assert len(notes) == (told is not None)
    assert all(part in notes[0] for part in told or [])


@pytest.mark.parametrize(
    ("words", "crop"),
    [
        (["augment=none"], None),  # of another group
        (["augment=finetune"], "416x416"),  # repeated
        (["augment=finetune", "augment.flip=0.5"], "416x416"),
        (["augment=default", "augment.crop_size=96x96"], "96x96"),
    ],
)
def test_a_group_typed_at_the_resume_of_a_finetuning(words: list[str], crop: str | None):
    first = ("experiment=finetune", "init.weights=bundled")
    saved = OmegaConf.to_container(configs("train", *first, "augment.crop_size=416x416")[0])
    (composed,) = configs("train", *first, *words)
    assert resumed_config(composed, saved, words, Display()).augment.crop_size == crop


def test_typed_keys():
    words = ["+optimizer.lr=0.1", "train={epochs: 3, guard: {ratio: 9}}", "model=dbnet_resnet18", "run_dir={a: b}"]
    assert typed_keys(words) == {
        "optimizer.lr", "train", "train.epochs", "train.guard", "train.guard.ratio", "model", "run_dir"
    }  # fmt: skip
