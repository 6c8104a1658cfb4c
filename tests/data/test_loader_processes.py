"""A loader process that dies: the cause is raised by the next request for a batch."""

from __future__ import annotations

import os
import signal
import threading
import time
from multiprocessing import active_children
from pathlib import Path

import pytest
from torch.utils.data import DataLoader, Dataset

from random_scenes import SCENES
from resnet18_ocrdet.data.augment import Augment
from resnet18_ocrdet.data.datasets import EvalDataset, TrainDataset
from resnet18_ocrdet.data.image_io import read_image
from resnet18_ocrdet.data.loader import EpochBatches, EvalLoader, TrainLoader, _exit_unsent
from resnet18_ocrdet.data.loader_processes import LoaderDied, LoaderProcesses
from resnet18_ocrdet.data.targets import TargetMaker
from resnet18_ocrdet.errors import UserError

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGCHLD"), reason="this system has no SIGCHLD")


class Slow(TrainDataset):
    """Blocks in the second epoch."""

    def __getitem__(self, key):
        if key[0] > 0:
            time.sleep(60)
        return super().__getitem__(key)


class Leaving(TrainDataset):
    """Its process exits, as if a batch could not be sent."""

    def __getitem__(self, key):
        os._exit(3)


class Unsendable(TrainDataset):
    """Its process has too many open files."""

    def __getitem__(self, key):
        _exit_unsent(
            RuntimeError("unable to open shared memory object </x> in read-write mode: Too many open files"), 0
        )


class Gone(TrainDataset):
    """An image that cannot be read."""

    def __getitem__(self, key):
        read_image(Path("gone.png"))


class Finished(TrainDataset):
    def __getitem__(self, key):
        os._exit(0)


class Hanging(Dataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        time.sleep(60)


class Late(EvalDataset):
    def __getitem__(self, index):
        time.sleep(0.2)
        return super().__getitem__(index)


class Unreadable(EvalDataset):
    def __getitem__(self, index):
        if index > 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(index)


def train_loader(views: type[TrainDataset]) -> TrainLoader:
    made = views(SCENES, Augment(), TargetMaker(), 32, 64, seed=3)
    return TrainLoader(made, EpochBatches(len(made), 2, 3), workers=1, pin=False)


def only_child() -> int:
    (child,) = active_children()
    assert child.pid is not None
    return child.pid


def test_nothing_is_raised_before_the_next_batch_is_requested():
    loader = train_loader(Slow)
    steps = loader.epoch(0)
    next(steps)
    child = only_child()
    os.kill(child, signal.SIGKILL)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # dead, not waited for
    time.sleep(0.01)  # its SIGCHLD is handled between two lines of Python
    with pytest.raises(LoaderDied, match=rf"^loader process {child} was ended by signal 9 \(Killed\)$"):
        next(steps)
    loader.close()


def test_the_death_of_another_loader_is_not_raised():
    training = train_loader(TrainDataset)
    steps = training.epoch(0)
    next(steps)
    child = only_child()
    views = Late(SCENES, TargetMaker(), 32, 64, "keep")
    scoring = iter(EvalLoader(views, batch_size=5, workers=1, pin=False))
    threading.Timer(0.3, os.kill, (child, signal.SIGKILL)).start()
    assert len(next(scoring)) == 1  # wait for this one meanwhile
    with pytest.raises(LoaderDied, match=f"process {child} "):
        next(steps)
    training.close()


def test_waiting_for_a_batch_ends_if_its_process_dies():
    loader = train_loader(Slow)
    assert len(list(loader.epoch(0))) == 2
    child = only_child()
    threading.Timer(0.3, os.kill, (child, signal.SIGTERM)).start()
    with pytest.raises(LoaderDied, match=rf"process {child} was ended by signal 15 \(Terminated\)"):
        next(loader.epoch(1))
    loader.close()


def test_the_exit_code_of_an_ended_process_is_reported():
    loader = train_loader(Leaving)
    with pytest.raises(LoaderDied, match=r"ended with exit code 3$"):
        next(loader.epoch(0))
    loader.close()


def test_the_eval_loader_raises_too():
    views = Unreadable(SCENES, TargetMaker(), 32, 64, "keep")
    with pytest.raises(LoaderDied, match="ended by signal 9"):
        list(EvalLoader(views, batch_size=1, workers=1, pin=False))


@pytest.mark.slow  # torch checks every five seconds
def test_exit_code_0_is_reported_too():
    loader = train_loader(Finished)
    with pytest.raises(LoaderDied, match=r"ended with exit code 0$"):
        next(loader.epoch(0))
    loader.close()


def test_a_death_during_a_restart_is_raised_with_the_next_batch():
    loader = train_loader(TrainDataset)
    assert len(list(loader.epoch(0))) == 2
    child = only_child()
    os.kill(child, signal.SIGKILL)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    loader.begin(5)
    with pytest.raises(LoaderDied, match=f"process {child} was ended by signal 9"):
        next(loader.epoch(5))
    loader.close()


def test_other_loaders_raise_torchs_own_error():
    loader = train_loader(TrainDataset)
    next(loader.epoch(0))
    (ours,) = active_children()
    foreign = iter(DataLoader(Hanging(), num_workers=1, multiprocessing_context="fork"))
    (theirs,) = set(active_children()) - {ours}
    threading.Timer(0.3, os.kill, (theirs.pid, signal.SIGKILL)).start()
    with pytest.raises(RuntimeError, match="DataLoader worker"):
        next(foreign)
    loader.close()


def test_a_new_loader_after_a_dead_one_works():
    dead = train_loader(Leaving)
    with pytest.raises(LoaderDied):
        next(dead.epoch(0))
    dead.close()
    loader = train_loader(TrainDataset)
    assert len(list(loader.epoch(0))) == 2
    loader.close()


@pytest.mark.parametrize(
    ("how", "remedy"),
    [
        ("signal 9 (Killed)", "too little memory: workers=0 shows which image"),
        ("signal 7 (Bus error)", "workers=0, or make /dev/shm larger"),
        ("itself: too many open files", "workers=0, or allow more open files (ulimit -n 1024)"),
    ],
)
def test_the_advice_depends_on_the_cause(how: str, remedy: str):
    advice = LoaderDied(f"loader process 12 was ended by {how}").advice("workers")
    assert how in advice and remedy in advice


def test_too_many_open_files_are_not_a_full_shared_memory(capfd):
    loader = train_loader(Unsendable)
    with pytest.raises(LoaderDied, match=r"loader process \d+ ended: too many open files"):
        next(loader.epoch(0))
    loader.close()
    processes = LoaderProcesses()
    for error in (OSError(24, "Too many open files"), RuntimeError("Too many open files. Communication with the …")):
        for block in (processes.starting, processes.asking):
            with pytest.raises(LoaderDied, match="too many open files"), block():
                raise error


def test_a_missing_image_is_reported_in_one_line():
    loader = train_loader(Gone)
    with pytest.raises(UserError) as caught:
        next(loader.epoch(0))
    assert str(caught.value) == "gone.png: cannot be read: No such file or directory"
    (process,) = active_children()
    del loader  # the traceback keeps its iterator alive
    process.terminate()
    process.join()  # torch's SIGCHLD handler runs meanwhile
