"""A precision that is slow on a device is announced: by the commands in a line, by Detector as a warning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from conftest import assert_mentions
from resnet18_ocrdet import Detector
from resnet18_ocrdet.cli import _detect, _evaluate
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.runtime.device import BF16_CPU, FP16_CPU, Compute, cpu_has
from resnet18_ocrdet.viz.draw import write


@pytest.fixture
def cpu_with(monkeypatch):
    return lambda *names: monkeypatch.setattr(
        torch.cpu, "get_capabilities", lambda: dict.fromkeys(names, True), raising=False
    )


def test_only_fp16_on_a_cpu_without_it_is_announced(cpu_with):
    cpu_with("avx512_f")
    assert_mentions(str(Compute(torch.device("cpu"), "fp16").note), "fp16", "slower", "precision=auto")
    for device, precision in (("cpu", "fp32"), ("cpu", "bf16"), ("cuda", "fp16"), ("meta", "fp16")):
        assert Compute(torch.device(device), precision).note is None
    for name in ("avx512_fp16", "amx_fp16", "fp16_arith"):
        cpu_with(name)
        assert Compute(torch.device("cpu"), "fp16").note is None


def test_the_commands_and_the_api_announce_it(cpu_with, tiny_run: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    cpu_with("avx512_f")
    checkpoint = str(tiny_run / "checkpoints/best.pt")
    write(tmp_path / "a.png", np.zeros((32, 32, 3), np.uint8))
    words = [f"checkpoint={checkpoint}", "precision=fp16", "device=cpu"]
    assert run_command("detect", _detect, [*words, "input=a.png", "input_size=32x32", "output=found"]) == 0
    assert_mentions(capsys.readouterr().out, "note: precision=fp16", "slower")
    assert run_command("eval", _evaluate, [*words, "data=synthetic", "data.test_size=1", "workers=0"]) == 0
    assert_mentions(capsys.readouterr().out, "note: precision=fp16", "slower")
    with pytest.warns(UserWarning, match=r"precision=fp16: .* slower"):
        Detector(checkpoint, device="cpu", precision="fp16")


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="this system has no /proc/cpuinfo")
def test_the_flags_of_the_cpu_are_found_without_torch(monkeypatch):
    """torch 2.4 has no list of them."""
    wanted = [cpu_has(names) for names in (BF16_CPU, FP16_CPU, ["avx2"], ["no_such_thing"])]
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert [cpu_has(names) for names in (BF16_CPU, FP16_CPU, ["avx2"], ["no_such_thing"])] == wanted
    assert wanted[-1] is False
