"""What docs/bad-input.md says: every row is there; and of settings and checkpoints, what no other file shows."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from config_runner import configs
from conftest import TINY
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
    told = "note: train.batch_size=9 is more than the 4 training images: batches hold all of them"
    assert told in capsys.readouterr().out.splitlines()


def test_an_epoch_without_a_single_step_is_refused(tmp_path: Path, monkeypatch, capsys):
    assert run(monkeypatch, "train", *TINY, "train.accumulate=4", f"run_dir={tmp_path}/run") == 2
    assert "4 images make 2 batches of 2, but a step takes 4" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_last_epoch_is_validated_whatever_val_every_says(tmp_path: Path, monkeypatch):
    assert run(monkeypatch, "train", *TINY, "train.epochs=2", "train.val_every=9", f"run_dir={tmp_path}/run") == 0
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert [line["val_loss"] is None for line in lines] == [True, False]
    assert (tmp_path / "run/checkpoints/best.pt").is_file()


@pytest.mark.parametrize(
    ("words", "epochs", "told"),
    [
        # 2 of 4 epochs: (0.5 - 0.3) / 0.7 of the fall, half a cosine: (1 + cos(0.2857 pi)) / 2 = 0.81
        (
            ("scheduler=onecycle",),
            (2, 4),
            "stretched from 2 to 4 epochs: after epoch 2 the rate is 81% of its peak, not 0%",
        ),
        (
            ("scheduler=onecycle",),
            (4, 2),
            "pressed from 4 to 2 epochs: after epoch 2 the rate is 0% of its peak, not 81%",
        ),
        # 0.5 ** 0.9 = 0.54
        (
            ("scheduler=poly",),
            (3, 6),
            "stretched from 3 to 6 epochs: after epoch 3 the rate is 54% of its peak, not 0%",
        ),
        # half way between 0.007 and 0.0005: 0.00375 / 0.007 = 0.54; the end is 0.0005 / 0.007 = 0.07
        (
            ("scheduler=cosine",),
            (3, 6),
            "stretched from 3 to 6 epochs: after epoch 3 the rate is 54% of its peak, not 7%",
        ),
        (("scheduler=poly", "optimizer.base_batch_size=8"), (3, 6), "the rate is 54% of its peak, not 0%"),
        (("scheduler=cosine", "scheduler.T_max=3"), (3, 6), None),
        (("scheduler=step",), (3, 6), None),
        (("scheduler=onecycle",), (3, 3), None),
    ],
)
def test_a_resume_reports_a_changed_learning_rate_curve(words, epochs, told, capsys):
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
    assert len(notes) == (told is not None)
    assert told is None or told in notes[0]


@pytest.mark.parametrize(
    ("wanted", "cards", "found"),
    [("auto", 0, "cpu"), ("auto", 1, "cuda"), ("cpu", 1, "cpu"), ("cuda", 1, "cuda"), ("cuda:1", 2, "cuda:1")],
)
def test_an_available_device_is_chosen(wanted: str, cards: int, found: str, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)
    assert str(devices.choose_device(wanted)) == found


@pytest.mark.parametrize(
    ("wanted", "cards", "have"),
    [("cuda", 0, "no CUDA device"), ("cuda:3", 1, "cuda:0;"), ("cuda:2", 2, "cuda:0, cuda:1;")],
)
def test_a_missing_device_is_refused_with_the_available_ones(wanted: str, cards: int, have: str, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)
    with pytest.raises(UserError, match=f"device={wanted}: this machine has {have}"):
        devices.choose_device(wanted)


@pytest.mark.parametrize(
    ("workers", "cores", "processes", "told"),
    [
        (8, 4, 1, None),  # twice the cores
        (9, 4, 1, "train.workers=9 on 4 cores: .* train.workers=4 is as fast"),
        (5, 4, 2, "train.workers=5 in each of 2 processes on 4 cores: .* train.workers=2 is as fast"),
        (3, 1, 4, "train.workers=3 in each of 4 processes on 1 core: .* train.workers=1 is as fast"),
        (0, 1, 4, None),
    ],
)
def test_loader_processes_far_above_the_cores(workers, cores, processes, told, monkeypatch):
    monkeypatch.setattr(loader, "available_cores", lambda: cores)
    line = loader.too_many_workers(workers, "train.workers", processes)
    assert line is None if told is None else line is not None and re.match(told, line)


@pytest.mark.slow
def test_both_commands_note_too_many_loader_processes(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(loader, "available_cores", lambda: 1)
    words = (*TINY, "train.workers=3", "train.preview=true", f"run_dir={tmp_path}/run")
    assert run(monkeypatch, "train", *words) == 0
    assert "note: train.workers=3 on 1 core: " in capsys.readouterr().out
    checkpoint = f"checkpoint={tiny_run}/checkpoints/best.pt"
    assert run(monkeypatch, "eval", checkpoint, "workers=3", f"output={tmp_path}/out") == 0
    assert "note: workers=3 on 1 core: " in capsys.readouterr().out


# checkpoints


def altered(tiny_run: Path, path: Path, **parts: Any) -> Path:
    """The checkpoint of a run with other parts."""
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
def test_every_command_refuses_weights_with_nan(
    command: str, tiny_run: Path, tmp_path: Path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").touch()
    state = weights(tiny_run)
    state["backbone.conv1.weight"][0] = float("nan")
    path = altered(tiny_run, tmp_path / "run/checkpoints/last.pt", model=state)
    name, *words = f"{command}{path}".split()
    extra = TINY if "weights" in command else ()
    assert run(monkeypatch, name, *extra, *words) == 2
    assert (
        f"checkpoint {path}: 1 tensors hold NaN or infinity (first: backbone.conv1.weight)" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("prefix", "who"),
    [("module.", "of DistributedDataParallel"), ("_orig_mod.", "of torch.compile"), ("model.module.", "")],
)
def test_prefixed_tensor_names_are_refused_with_the_prefix(
    prefix, who, tiny_run: Path, tmp_path: Path, monkeypatch, capsys
):
    state = {prefix + name: tensor for name, tensor in weights(tiny_run).items()}
    path = altered(tiny_run, tmp_path / "best.pt", model=state)
    assert run(monkeypatch, "eval", f"checkpoint={path}", f"output={tmp_path}/out") == 2
    error = capsys.readouterr().err
    count = len(state)
    assert f"0 of {count} tensors fit; {count} missing, {count} unknown, 0 of another shape" in error
    assert f"; {count} names fit without the prefix '{prefix}'" in error and who in error


@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"epoch": 3, "state_dict": state}])
def test_a_checkpoint_of_another_trainer_is_refused_with_its_content(wrap, tiny_run: Path, tmp_path: Path):
    state = {f"module.{name}": tensor for name, tensor in weights(tiny_run).items()}
    torch.save(wrap(state), tmp_path / "foreign.pt")
    with pytest.raises(UserError) as caught:
        load_checkpoint(tmp_path / "foreign.pt")
    first = f"first 'module.{next(iter(weights(tiny_run)))}' (of DistributedDataParallel"
    assert f": it holds {len(state)} tensors, {first}" in str(caught.value)


def test_deformable_convolutions_are_named(tmp_path: Path):
    torch.save({"model.backbone.layer2.0.conv2_offset.weight": torch.zeros(1)}, tmp_path / "foreign.pt")
    with pytest.raises(UserError, match="it has deformable convolutions"):
        load_checkpoint(tmp_path / "foreign.pt")


def test_weights_of_another_backbone_are_refused_with_counts(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    start = f"init.weights={tiny_run}/checkpoints/best.pt"
    assert run(monkeypatch, "train", *TINY, "model=dbnet_resnet34", start, f"run_dir={tmp_path}/run") == 2
    # a ResNet-34 has 8 blocks more, of 12 tensors each: two convolutions, two batch norms of five
    assert "158 of 254 tensors fit; 96 missing, 0 unknown, 0 of another shape" in capsys.readouterr().err


@pytest.mark.slow
def test_starting_weights_and_resume_report_what_they_loaded(tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    start = f"init.weights={tiny_run}/checkpoints/best.pt"
    assert run(monkeypatch, "train", *TINY, "train.epochs=1", start, f"run_dir={tmp_path}/run") == 0
    out = capsys.readouterr().out
    assert f"starting weights: 158 of 158 tensors from {tiny_run}/checkpoints/best.pt" in out and "resumed" not in out
    assert run(monkeypatch, "train", f"resume={tmp_path}/run", "train.epochs=2") == 0
    out = capsys.readouterr().out
    taken = "optimizer, schedule, mining warm-up, guard, random states, best hmean"
    saved = f"{tmp_path}/run/checkpoints/last.pt"
    assert f"resumed at epoch 2, step 0 of 2: 158 of 158 tensors from {saved}; {taken}" in out
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
        with pytest.raises(RuntimeError, match="CUDA"):
            torch.load(path, weights_only=True)  # it really says so
    assert {tensor.device.type for tensor in load_checkpoint(path)["model"].values()} == {"cpu"}
