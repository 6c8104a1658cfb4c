"""docs/bad-input.md: every row exists and names tests; rows about settings and checkpoints without a test elsewhere."""

from __future__ import annotations

import json
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from config_runner import configs
from conftest import TINY, assert_mentions
from resnet18_ocrdet.cli import _detect, _evaluate, _train
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.commands.resume import resumed_config
from resnet18_ocrdet.data import loader
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.model.checkpoint import load_checkpoint, save_checkpoint
from resnet18_ocrdet.runtime import device as devices
from resnet18_ocrdet.runtime.console import Display

JOBS: dict[str, Any] = {"train": _train, "eval": _evaluate, "detect": _detect}


def run(monkeypatch: pytest.MonkeyPatch, command: str, *words: str) -> int:
    monkeypatch.setattr("sys.argv", [f"ocrdet-{command}", *words])
    return run_command(command, JOBS[command])


def test_the_page_has_every_row_and_its_tests_exist():
    root = Path(__file__).parents[2]
    page = (root / "docs/bad-input.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if re.match(r"\| \d+ ", line)]
    assert {int(row[0].strip("| ")) for row in rows} == set(range(1, 131))
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row[-1])
        assert named or "decision: " in row[-2], row
        for file, test in named:
            assert f"\ndef {test}(" in (root / file).read_text(encoding="utf-8"), f"{file}::{test}"


# settings


def test_a_batch_larger_than_the_training_set_is_noted(tmp_path: Path, monkeypatch, capsys):
    words = (*TINY, "train.batch_size=9", "train.preview=true", f"run_dir={tmp_path}/run")
    assert run(monkeypatch, "train", *words) == 0
    (note,) = [line for line in capsys.readouterr().out.splitlines() if "train.batch_size" in line]
    assert_mentions(note, "note:", "train.batch_size=9", "4 training images")


def test_an_epoch_without_a_single_step_is_refused(tmp_path: Path, monkeypatch, capsys):
    assert run(monkeypatch, "train", *TINY, "train.accumulate=4", f"run_dir={tmp_path}/run") == 2
    assert_mentions(capsys.readouterr().err, "4 images", "2 batches of 2", "takes 4", "train.accumulate=4")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_last_epoch_is_validated_whatever_val_every_says(tmp_path: Path, monkeypatch):
    assert run(monkeypatch, "train", *TINY, "train.epochs=2", "train.val_every=9", f"run_dir={tmp_path}/run") == 0
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert [line["val_loss"] is None for line in lines] == [True, False]
    assert (tmp_path / "run/checkpoints/best.pt").is_file()


@pytest.mark.parametrize(
    ("words", "epochs", "percent"),  # of the peak rate where both curves meet: new, old
    [
        # 2 of 4 epochs: (0.5 - 0.3) / 0.7 of the fall, half a cosine: (1 + cos(0.2857 pi)) / 2 = 0.81
        (("scheduler=onecycle",), (2, 4), [81, 0]),
        (("scheduler=onecycle",), (4, 2), [0, 81]),
        # 0.5 ** 0.9 = 0.54
        (("scheduler=poly",), (3, 6), [54, 0]),
        (("scheduler=poly", "optimizer.base_batch_size=8"), (3, 6), [54, 0]),
        # half way between 0.007 and 0.0005: 0.00375 / 0.007 = 0.54; the end is 0.0005 / 0.007 = 0.07
        (("scheduler=cosine",), (3, 6), [54, 7]),
        (("scheduler=cosine", "scheduler.T_max=3"), (3, 6), None),
        (("scheduler=step",), (3, 6), None),
        (("scheduler=onecycle",), (3, 3), None),
    ],
)
def test_a_resume_reports_a_changed_learning_rate_curve(words, epochs, percent, capsys):
    before, after = epochs
    (saved,) = configs("train", *words, f"train.epochs={before}")
    (typed,) = configs("train", f"train.epochs={after}")
    plain = OmegaConf.to_container(saved)
    assert isinstance(plain, dict)
    followed = resumed_config(
        typed, {str(key): node for key, node in plain.items()}, [f"train.epochs={after}"], Display()
    )
    assert followed.train.epochs == after
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note: ")]
    assert len(notes) == (percent is not None)
    for note in notes:
        assert_mentions(note, f"from {before} to {after} epochs", f"epoch {min(epochs)}")
        assert [int(share) for share in re.findall(r"(\d+)\s?%", note)] == percent


@pytest.mark.parametrize(
    ("wanted", "cards", "found"),
    [("auto", 0, "cpu"), ("auto", 1, "cuda"), ("cpu", 1, "cpu"), ("cuda", 1, "cuda"), ("cuda:1", 2, "cuda:1")],
)
def test_an_available_device_is_chosen(wanted: str, cards: int, found: str, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)
    assert str(devices.choose_device(wanted)) == found


@pytest.mark.parametrize(
    ("wanted", "cards", "have"),
    [("cuda", 0, ["no CUDA"]), ("cuda:3", 1, ["cuda:0"]), ("cuda:2", 2, ["cuda:0", "cuda:1"])],
)
def test_a_missing_device_is_refused_with_the_available_ones(wanted: str, cards: int, have: list[str], monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)
    with pytest.raises(UserError) as caught:
        devices.choose_device(wanted)
    assert_mentions(str(caught.value), f"device={wanted}", *have)


@pytest.mark.parametrize(
    ("workers", "cores", "processes", "words"),
    [
        (8, 4, 1, None),  # twice the cores
        (9, 4, 1, ["train.workers=9", "4 cores", "train.workers=4"]),
        (5, 4, 2, ["train.workers=5", "2 processes", "4 cores", "train.workers=2"]),
        (3, 1, 4, ["train.workers=3", "4 processes", "1 core", "train.workers=1"]),
        (0, 1, 4, None),
    ],
)
def test_loader_processes_far_above_the_cores(workers, cores, processes, words, monkeypatch):
    monkeypatch.setattr(loader, "available_cores", lambda: cores)
    line = loader.too_many_workers(workers, "train.workers", processes)
    assert (line is None) == (words is None)
    assert_mentions(line or "", *(words or ()))


@pytest.mark.slow
def test_both_commands_note_too_many_loader_processes(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(loader, "available_cores", lambda: 1)
    words = (*TINY, "train.workers=3", "train.preview=true", f"run_dir={tmp_path}/run")
    assert run(monkeypatch, "train", *words) == 0
    assert_mentions(capsys.readouterr().out, "note: train.workers=3", "1 core")
    checkpoint = f"checkpoint={tiny_run}/checkpoints/best.pt"
    assert run(monkeypatch, "eval", checkpoint, "workers=3", f"output={tmp_path}/out") == 0
    assert_mentions(capsys.readouterr().out, "note: workers=3", "1 core")


# checkpoints


def altered(tiny_run: Path, path: Path, **parts: Any) -> Path:
    """The checkpoint of a run with some parts replaced."""
    content: Any = {**load_checkpoint(tiny_run / "checkpoints/best.pt"), **parts}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(path, content)
    return path


def weights(tiny_run: Path) -> dict[str, torch.Tensor]:
    return dict(load_checkpoint(tiny_run / "checkpoints/best.pt")["model"])


@pytest.mark.parametrize(
    "command", ["train init.weights=", "train resume=", "eval checkpoint=", "detect input=. checkpoint="]
)
@pytest.mark.slow
def test_every_command_refuses_weights_with_nan(command: str, tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").touch()
    state = weights(tiny_run)
    state["backbone.conv1.weight"][0] = float("nan")
    path = altered(tiny_run, tmp_path / "run/checkpoints/last.pt", model=state)
    name, *words = f"{command}{path}".split()
    extra = TINY if "weights" in command else ()
    assert run(monkeypatch, name, *extra, *words) == 2
    assert_mentions(capsys.readouterr().err, path, "1 tensor", "NaN", "backbone.conv1.weight")


@pytest.mark.parametrize(
    ("prefix", "who"),
    [("module.", "DistributedDataParallel"), ("_orig_mod.", "torch.compile"), ("model.module.", "")],
)
def test_prefixed_tensor_names_are_refused_with_the_prefix(
    prefix, who, tiny_run: Path, tmp_path: Path, monkeypatch, capsys
):
    state = {prefix + name: tensor for name, tensor in weights(tiny_run).items()}
    path = altered(tiny_run, tmp_path / "best.pt", model=state)
    assert run(monkeypatch, "eval", f"checkpoint={path}", f"output={tmp_path}/out") == 2
    count = len(state)
    error = capsys.readouterr().err
    assert_mentions(error, f"0 of {count}", f"{count} missing", f"{count} unknown", f"{count} names", prefix, who)


@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"epoch": 3, "state_dict": state}])
def test_a_checkpoint_of_another_trainer_is_refused_with_its_content(wrap, tiny_run: Path, tmp_path: Path):
    state = {f"module.{name}": tensor for name, tensor in weights(tiny_run).items()}
    torch.save(wrap(state), tmp_path / "foreign.pt")
    with pytest.raises(UserError) as caught:
        load_checkpoint(tmp_path / "foreign.pt")
    assert_mentions(str(caught.value), f"{len(state)} tensors", next(iter(state)), "DistributedDataParallel")


def test_deformable_convolutions_are_named(tmp_path: Path):
    torch.save({"model.backbone.layer2.0.conv2_offset.weight": torch.zeros(1)}, tmp_path / "foreign.pt")
    with pytest.raises(UserError, match="deformable convolutions"):
        load_checkpoint(tmp_path / "foreign.pt")


def test_weights_of_another_backbone_are_refused_with_counts(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    start = f"init.weights={tiny_run}/checkpoints/best.pt"
    assert run(monkeypatch, "train", *TINY, "model=dbnet_resnet34", start, f"run_dir={tmp_path}/run") == 2
    # a ResNet-34 has 8 blocks more, of 12 tensors each: two convolutions, two batch norms of five
    assert_mentions(capsys.readouterr().err, "158 of 254", "96 missing", "0 unknown", "0 of another shape")


@pytest.mark.slow
def test_starting_weights_and_resume_report_what_they_loaded(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    start = f"init.weights={tiny_run}/checkpoints/best.pt"
    assert run(monkeypatch, "train", *TINY, "train.epochs=1", start, f"run_dir={tmp_path}/run") == 0
    out = capsys.readouterr().out
    assert_mentions(out, "starting weights: 158 of 158", f"{tiny_run}/checkpoints/best.pt")
    assert "resumed" not in out
    assert run(monkeypatch, "train", f"resume={tmp_path}/run", "train.epochs=2") == 0
    out = capsys.readouterr().out
    (line,) = [line for line in out.splitlines() if line.startswith("resumed")]
    assert_mentions(line, "epoch 2, step 0 of 2", "158 of 158", f"{tmp_path}/run/checkpoints/last.pt")
    assert_mentions(line, "optimizer", "schedule", "mining", "guard", "random state", "best hmean")
    assert "starting weights" not in out


def test_a_checkpoint_written_on_a_gpu_is_read_on_a_cpu(tiny_run: Path, tmp_path: Path):
    # torch notes the device of each tensor as text in data.pkl: a length of 4 bytes, then the name
    path = tmp_path / "gpu.pt"
    with zipfile.ZipFile(tiny_run / "checkpoints/best.pt") as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith("data.pkl"):
                assert data.count(b"X\x03\x00\x00\x00cpu") == 1  # noted once, then referred to
                data = data.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
            target.writestr(name, data)
    if not torch.cuda.is_available():
        with pytest.raises((RuntimeError, pickle.UnpicklingError), match="CUDA"):
            torch.load(path, weights_only=True)  # it really says so
    assert {tensor.device.type for tensor in load_checkpoint(path)["model"].values()} == {"cpu"}
