"""Commands that run at the same time do not damage each other's results."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.model.checkpoint import load_checkpoint, save_checkpoint
from resnet18_ocrdet.runtime.lock import locked
from resnet18_ocrdet.runtime.run_folder import remove_unused, reserve_folder


def test_no_two_commands_get_the_same_folder(tmp_path: Path):
    with ThreadPoolExecutor(16) as pool:
        folders = list(pool.map(lambda _: reserve_folder(tmp_path / "runs/eval/now"), range(64)))
    assert len(set(folders)) == 64 and all(folder.is_dir() for folder in folders)
    (folders[0] / "report.html").write_text("mine")
    (folders[1] / "run.lock").write_text("process 1")
    for folder in folders:
        remove_unused(folder)
    assert [path for path in (tmp_path / "runs/eval").iterdir()] == folders[:1]


def test_a_folder_that_cannot_be_created_is_not_tried_for_ever(tmp_path: Path):
    (tmp_path / "runs").symlink_to(tmp_path / "not mounted")
    with pytest.raises(UserError, match="cannot be created"):
        reserve_folder(tmp_path / "runs/eval/now")


@pytest.mark.slow
def test_two_writers_of_one_checkpoint_never_break_it(tiny_run: Path, tmp_path: Path):
    content = load_checkpoint(tiny_run / "checkpoints/best.pt")
    path, reads = tmp_path / "best.pt", 0
    save_checkpoint(path, content)

    def save() -> None:
        for _ in range(8):
            save_checkpoint(path, content)

    writers = [threading.Thread(target=save) for _ in range(2)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert torch.load(path, weights_only=True)["step"] == content["step"]
        reads += 1
    assert reads > 2 and list(tmp_path.iterdir()) == [path]


def test_a_checkpoint_outside_of_a_run_is_changed_by_one_process(tmp_path: Path):
    path = tmp_path / "moved.pt"
    path.write_bytes(b"weights")
    code = (
        "from pathlib import Path; from resnet18_ocrdet.runtime.lock import locked\n"
        f"with locked(Path({str(path)!r})): print(1, flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "1\n"
        with pytest.raises(UserError, match="another process is changing it"), locked(path):
            pass
        other.communicate("\n")
    with locked(path):
        assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_two_evaluations_that_start_together_have_two_results(tiny_run: Path, tmp_path: Path):
    program = Path(sys.executable).with_name("ocrdet-eval")
    words = [
        f"checkpoint={tiny_run}/checkpoints/best.pt",
        "data=synthetic",
        "data.val_size=1",
        "split=val",
        "workers=0",
    ]
    calls = [subprocess.Popen([program, *words], cwd=tmp_path, stdout=-1, stderr=-1) for _ in range(2)]
    assert [call.wait() for call in calls] == [0, 0]
    assert len(list((tmp_path / "runs/eval").glob("*/metrics.json"))) == 2
    calls = [subprocess.Popen([program, *words, "output=same"], cwd=tmp_path, stdout=-1, stderr=-1) for _ in range(2)]
    assert sorted(call.wait() for call in calls) in ([0, 0], [0, 2])  # one after the other, or one is refused
    assert (tmp_path / "same/metrics.json").is_file()
