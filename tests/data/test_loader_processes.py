"""A loader process that dies: the cause is raised by the next request for a batch."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
from multiprocessing import active_children
from pathlib import Path

import pytest
import torch

from loader_items import many_tensors
from random_scenes import SCENES
from resnet18_ocrdet.data.augment import Augment
from resnet18_ocrdet.data.datasets import EvalDataset, TrainDataset
from resnet18_ocrdet.data.image_io import read_image
from resnet18_ocrdet.data.loader import EpochBatches, EvalLoader, TrainLoader
from resnet18_ocrdet.data.loader_processes import LoaderDied, LoaderProcesses
from resnet18_ocrdet.data.pinning import PinnedAhead
from resnet18_ocrdet.data.targets import TargetMaker
from resnet18_ocrdet.errors import UserError

LIMITED = """
import resource, sys
import torch
from resnet18_ocrdet.data.loader_processes import LoaderDied, LoaderProcesses
from loader_items import many_tensors
loader = LoaderProcesses(many_tensors, 1, nice=False)
loader.start(range(100))
loader.take()
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
kept = []
try:
    while True:
        kept.append(loader.take())
except LoaderDied as error:
    print(error.advice("workers"))
"""


@pytest.fixture(autouse=True)
def no_processes_of_other_tests(monkeypatch):
    for process in active_children():  # of a loader that a test before did not close
        process.kill()
        process.join()
    monkeypatch.setattr("resnet18_ocrdet.data.loader_processes.GRACE", 1.0)  # some of these processes sleep


class Slow(TrainDataset):
    """Blocks in the second epoch."""

    def __getitem__(self, key):
        if key[0] > 0:
            time.sleep(60)
        return super().__getitem__(key)


class Leaving(TrainDataset):
    def __getitem__(self, key):
        os._exit(3)


class Finished(TrainDataset):
    def __getitem__(self, key):
        os._exit(0)


class Gone(TrainDataset):
    """An image that cannot be read."""

    def __getitem__(self, key):
        read_image(Path("gone.png"))


class Late(EvalDataset):
    def __getitem__(self, index):
        time.sleep(0.2)
        return super().__getitem__(index)


class Unreadable(EvalDataset):
    def __getitem__(self, index):
        if index > 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(index)


class Unsendable:
    """An item that cannot be shared."""

    def __init__(self, message: str) -> None:
        self.message = message

    def __reduce__(self):
        raise RuntimeError(self.message)


def train_loader(views: type[TrainDataset], workers: int = 1) -> TrainLoader:
    made = views(SCENES, Augment(), TargetMaker(), 32, 64, seed=3)
    return TrainLoader(made, EpochBatches(len(made), 2, 3), workers, pin=False)


def only_child() -> int:
    (child,) = active_children()
    assert child.pid is not None
    return child.pid


def kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)
    os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)  # dead, not waited for


def test_nothing_is_raised_before_the_next_batch_is_requested():
    loader = train_loader(Slow)
    steps = loader.epoch(0)
    next(steps)
    child = only_child()
    kill(child)
    with pytest.raises(LoaderDied, match=rf"^loader process {child} was ended by signal 9 \(Killed\)$"):
        while True:  # batches that it has sent may arrive first
            next(steps)
    loader.close()


def test_the_death_of_another_loader_is_not_raised():
    training = train_loader(TrainDataset)
    steps = training.epoch(0)
    next(steps)
    child = only_child()
    views = Late(SCENES, TargetMaker(), 32, 64, "keep")
    scoring = EvalLoader(views, batch_size=5, workers=1, pin=False)
    threading.Timer(0.3, os.kill, (child, signal.SIGKILL)).start()
    assert len(next(iter(scoring))) == 1  # wait for this one meanwhile
    with pytest.raises(LoaderDied, match=f"process {child} "):
        next(training.epoch(9))
    training.close()
    scoring.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_waiting_for_a_batch_ends_if_its_process_dies(workers):
    loader = train_loader(Slow, workers)
    assert len(list(loader.epoch(0))) == 2
    child = min(process.pid for process in active_children())
    threading.Timer(0.3, os.kill, (child, signal.SIGTERM)).start()
    with pytest.raises(LoaderDied, match=rf"process {child} was ended by signal 15 \(Terminated\)"):
        next(loader.epoch(1))
    loader.close()
    assert active_children() == []


@pytest.mark.parametrize(("views", "code"), [(Leaving, 3), (Finished, 0)])
def test_the_exit_code_of_an_ended_process_is_reported(views, code):
    loader = train_loader(views)
    with pytest.raises(LoaderDied, match=rf"ended with exit code {code}$"):
        next(loader.epoch(0))
    loader.close()


def test_the_eval_loader_raises_too():
    views = Unreadable(SCENES, TargetMaker(), 32, 64, "keep")
    with pytest.raises(LoaderDied, match="ended by signal 9"):
        list(EvalLoader(views, batch_size=1, workers=1, pin=False))


def test_a_death_during_a_restart_is_raised_with_the_next_batch():
    loader = train_loader(TrainDataset)
    assert len(list(loader.epoch(0))) == 2
    child = only_child()
    kill(child)
    loader.begin(5)
    with pytest.raises(LoaderDied, match=f"process {child} was ended by signal 9"):
        next(loader.epoch(5))
    loader.close()


def test_killed_processes_never_block():
    # as torch's DataLoader does now and then: a killed worker holds a lock that closing waits for
    for _ in range(30):
        loader = train_loader(TrainDataset, workers=2)
        steps = loader.epoch(0)
        next(steps)
        for process in active_children():
            kill(process.pid)
        loader.begin(1)
        with pytest.raises(LoaderDied, match="signal 9"):
            next(loader.epoch(1))
        loader.close()


def test_closing_ends_a_process_that_hangs():
    loader = LoaderProcesses(time.sleep, 1, nice=False)
    loader.start([0.0, 60.0])
    loader.take()
    loader.close()
    assert active_children() == []


def test_closing_leaves_no_temporary_files(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("resnet18_ocrdet.data.loader_processes.GRACE", 60.0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    loader = LoaderProcesses(many_tensors, 2, nice=False)
    loader.start(range(6))
    for _ in range(4):
        loader.take()
    assert list(tmp_path.iterdir())  # the sockets through which memory is shared
    loader.close()
    assert list(tmp_path.iterdir()) == []


def test_closing_does_not_wait_for_a_loader_that_was_started_later(monkeypatch):
    monkeypatch.setattr("resnet18_ocrdet.data.loader_processes.GRACE", 60.0)
    first, later = (LoaderProcesses(negated, 2, nice=False) for _ in range(2))
    for loader in (first, later):
        loader.start(range(20))
        assert loader.take() == 0
    mine = [worker.process for worker in first._workers]
    rescue = threading.Timer(20.0, later.close)  # a failure would take minutes
    rescue.start()
    first.close()
    rescue.cancel()
    assert [process.exitcode for process in mine] == [0, 0]  # not killed
    assert later.take() == -1 and len(active_children()) == 2  # the other one goes on
    later.close()


def test_a_new_loader_after_a_dead_one_works():
    dead = train_loader(Leaving)
    with pytest.raises(LoaderDied):
        next(dead.epoch(0))
    dead.close()
    loader = train_loader(TrainDataset)
    assert len(list(loader.epoch(0))) == 2
    loader.close()


def test_processes_end_with_the_program_even_if_it_is_killed(tmp_path: Path):
    code = (
        "import os, signal, time\n"
        "from multiprocessing import active_children\n"
        "from resnet18_ocrdet.data.loader_processes import LoaderProcesses\n"
        "loaders = [LoaderProcesses(time.sleep, 2, nice=False) for _ in range(2)]\n"
        "for loader in loaders: loader.start([0.1] * 9)\n"
        "for loader in loaders: loader.take()\n"
        "print(*[child.pid for child in active_children()], flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL
    ids = list(map(int, done.stdout.split()))
    assert len(ids) == 4
    until = time.monotonic() + 20
    while any(map(running, ids)) and time.monotonic() < until:
        time.sleep(0.02)
    assert not any(map(running, ids))


def running(process: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("how", "remedy"),
    [
        ("signal 9 (Killed)", "too little memory: workers=0 shows which image"),
        ("signal 7 (Bus error)", "workers=0, or make /dev/shm larger"),
        ("itself: too many open files", "workers=0, or allow more open files (ulimit -n 1024)"),
        ("nobody: loader processes cannot be started: [Errno 11]", "workers=0 or fewer"),
    ],
)
def test_the_advice_depends_on_the_cause(how: str, remedy: str):
    advice = LoaderDied(f"loader process 12 was ended by {how}").advice("workers")
    assert how in advice and remedy in advice


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("unable to open shared memory object </x> in read-write mode: Too many open files", "allow more open files"),
        ("unable to allocate shared memory(shm) for file </x>: No space left on device (28)", "make /dev/shm larger"),
    ],
)
def test_a_batch_that_cannot_be_sent_is_reported(reason: str, remedy: str):
    loader: LoaderProcesses[str, Unsendable] = LoaderProcesses(Unsendable, 1, nice=False)
    loader.start([reason])
    with pytest.raises(LoaderDied, match="cannot send a batch") as caught:
        loader.take()
    loader.close()
    assert reason in str(caught.value) and remedy in caught.value.advice("workers")


def test_too_many_open_files_in_the_main_process_are_reported():
    done = subprocess.run(
        [sys.executable, "-c", LIMITED], capture_output=True, text=True, cwd=Path(__file__).parent.parent
    )
    assert done.returncode == 0, done.stderr
    assert "too many open files" in done.stdout and "ulimit -n 1024" in done.stdout


@pytest.mark.parametrize("workers", [0, 1])
def test_a_missing_image_is_reported_in_one_line(workers):
    loader = train_loader(Gone, workers)
    with pytest.raises(UserError) as caught:
        next(loader.epoch(0))
    assert str(caught.value) == "gone.png: cannot be read: No such file or directory"
    loader.close()


def test_another_error_shows_where_it_was_raised():
    loader: LoaderProcesses[object, object] = LoaderProcesses(pickle.loads, 1, nice=False)
    loader.start([b"x"])
    with pytest.raises(RuntimeError, match=r"in _make\n(.*\n)*.*UnpicklingError"):
        loader.take()
    loader.close()


def negated(value: int) -> int:
    return -value


def test_without_processes_nothing_is_made_in_another_thread(monkeypatch):
    threads = set()

    def pinned(batch):
        threads.add(threading.current_thread())
        return batch

    monkeypatch.setattr("resnet18_ocrdet.structures.Batch.pinned", pinned)
    views = TrainDataset(SCENES, Augment(), TargetMaker(), 32, 64, seed=3)
    loader = TrainLoader(views, EpochBatches(len(views), 2, 3), workers=0, pin=True)
    assert len(list(loader.epoch(0))) == 2
    assert threads == {threading.main_thread()}


@pytest.mark.parametrize("workers", [1, 3])
def test_pinned_batches_keep_their_order(workers):
    pinned = []

    def pin(item: int) -> int:
        pinned.append(threading.current_thread().name)
        return item

    loader = PinnedAhead(LoaderProcesses(negated, workers, nice=False), pin)
    loader.start(range(9))
    assert [loader.take() for _ in range(4)] == [0, -1, -2, -3]
    loader.start(range(20, 25))  # the prepared ones are dropped
    assert [loader.take() for _ in range(5)] == [-20, -21, -22, -23, -24]
    assert len(pinned) >= 9 and threading.current_thread().name not in pinned
    loader.close()


def test_a_pinned_loader_closes_while_its_thread_waits():
    loader = PinnedAhead(LoaderProcesses(time.sleep, 1, nice=False), lambda item: item)
    loader.start([60.0])
    loader.close()
    assert active_children() == []


@pytest.mark.gpu
def test_pinned_batches_are_in_pinned_memory():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    views = TrainDataset(SCENES, Augment(), TargetMaker(), 32, 64, seed=3)
    loader = TrainLoader(views, EpochBatches(len(views), 2, 3), 1, pin=True)
    (batch,) = next(loader.epoch(0))
    assert batch.image.is_pinned() and all(plane.is_pinned() for plane in batch.targets)
    loader.close()
