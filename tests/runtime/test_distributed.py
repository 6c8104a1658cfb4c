"""One process of a run, without the others."""

from __future__ import annotations

import pytest
import torch

from config_runner import configs
from resnet18_ocrdet.commands import job
from resnet18_ocrdet.commands.train_faults import explain
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.runtime.distributed import STARTED_BY_TORCHRUN, World, join_world


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in STARTED_BY_TORCHRUN:
        monkeypatch.delenv(name, raising=False)


def test_reported_errors_are_escaped_for_the_terminal(capsys):
    World(rank=1).report_error("a\x1b[2J\nb.png: cannot be read")
    World(rank=0).report_error("is printed elsewhere")
    assert capsys.readouterr().err == "process 1: a\\x1b[2J\\nb.png: cannot be read\n"


@pytest.mark.parametrize("words", [{"RANK": "0", "WORLD_SIZE": "2"}, {"RANK": "3"}, {"WORLD_SIZE": "4"}])
def test_processes_of_another_launcher_are_refused(words: dict[str, str], monkeypatch):
    """As of Slurm or mpirun: each of them would train the whole run by itself, into the same folder."""
    for name, value in words.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match="is not: start several processes with torchrun"), join_world("cpu"):
        pass


@pytest.mark.parametrize("words", [{}, {"RANK": "0", "WORLD_SIZE": "1"}])
def test_a_single_process_is_a_run(words: dict[str, str], monkeypatch):
    for name, value in words.items():
        monkeypatch.setenv(name, value)
    with join_world("cpu") as world:
        assert world.size == 1 and world.first


def test_a_mistake_that_only_one_rank_has_is_reported(monkeypatch, capsys):
    monkeypatch.setenv("RANK", "2")
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    assert job.report("train", UserError("a.jpg: cannot be read")) == 2
    assert slept == [job.GRACE_SECONDS]  # torchrun ends it there, if rank 0 has made the same mistake
    assert capsys.readouterr().err == "ocrdet-train: process 2: a.jpg: cannot be read\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:2001", "another process of this run"),
        ("NCCL error: ncclRemoteError: A remote process exited", "another process of this run"),
        ("NCCL error in: x.cpp:1, unhandled cuda error\nLast error:\nno NVLink", "Last error: no NVLink"),
        ("NCCL error in: x.cpp:1\nCuda failure 2 'out of memory'", "out of memory with train.batch_size=8"),
        ("gloo: no interface named eth7", "no interface named eth7"),
    ],
)
def test_a_failed_exchange_keeps_its_reason(text: str, words: str):
    (cfg,) = configs("train")
    line = explain(RuntimeError(text), cfg, World(size=2))
    assert line is not None and words in line and "\n" not in line
    assert explain(RuntimeError(text.replace("out of memory", "")), cfg, World()) is None


def test_an_error_of_this_rank_is_not_blamed_on_another():
    world = World(rank=1, size=2)
    assert not world.lost_peer(torch.distributed.DistBackendError("NCCL error: unhandled system error"))
    assert world.lost_peer(RuntimeError("Connection reset by peer"))
