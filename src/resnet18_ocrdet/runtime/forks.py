"""Forks: gunicorn, Celery and multiprocessing fork processes in which a detector is already open.

A child has only the thread that forked. Threads of OpenCV, OpenMP (torch) and of other libraries are missing in it, and
these libraries wait for them for ever.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import current_thread, main_thread
from typing import Any, TypeVar
from weakref import WeakSet

import cv2

T = TypeVar("T")

_with_threads: WeakSet[Any] = WeakSet()  # objects whose destructors wait for threads


@cache
def prepare_forks() -> None:
    """From now on children of this process can use OpenCV: its threads end before each fork, and start again later."""
    before: list[int] = []
    _home()

    def pause() -> None:
        before.append(cv2.getNumThreads())
        cv2.setNumThreads(1)

    def resume() -> None:
        cv2.setNumThreads(before.pop())

    os.register_at_fork(before=pause, after_in_parent=resume, after_in_child=resume)


def keep_in_children(*objects: Any) -> None:
    """Never destroy these in a forked process: they would wait for their threads, at its end or before."""
    _keep_all_in_children()
    _with_threads.update(objects)


@cache
def _keep_all_in_children() -> None:
    def keep() -> None:
        for each in _with_threads:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(each))

    os.register_at_fork(after_in_child=keep)


def fork_safe(work: Callable[[], T]) -> T:
    """Call `work`, which computes with OpenMP; returns or raises what it does.

    OpenMP has a pool of threads for each thread that uses it. In a child of a process that has opened a detector, that
    of the thread that forked is useless, so another one calls `work` instead."""
    if os.getpid() == _home() or current_thread() is not main_thread():  # or started after the fork
        return work()
    return _other_thread(os.getpid()).submit(work).result()


@cache
def _home() -> int:
    """The process that opened the first detector; its children know it."""
    return os.getpid()


@cache
def _other_thread(_: int) -> ThreadPoolExecutor:
    """One of this process, since a child's child has lost that of the child."""
    return ThreadPoolExecutor(1, "forked")
