"""One process of a run, without the others."""

from __future__ import annotations

from resnet18_ocrdet.runtime.distributed import World


def test_what_a_process_tells_steers_no_terminal(capsys):
    World(rank=1).tell("a\x1b[2J\nb.png: cannot be read")
    World(rank=0).tell("is said by other means")
    assert capsys.readouterr().err == "process 1: a\\x1b[2J\\nb.png: cannot be read\n"
