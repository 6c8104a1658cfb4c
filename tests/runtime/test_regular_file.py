"""Only regular files are read, up to a limit."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from resnet18_ocrdet.runtime.regular_file import open_regular, read_regular


def test_a_file_is_read_whole_up_to_its_limit(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_regular(path, 5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes") as caught:
        read_regular(path, 4)
    assert caught.value.errno == errno.EFBIG


def test_files_that_block_or_never_end_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        with pytest.raises(OSError, match="not a regular file"):
            open_regular(tmp_path / name)
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "absent")


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="no /proc here")  # noqa: PTH110
def test_a_file_that_is_longer_than_the_system_says_is_read_whole():
    data = read_regular(Path("/proc/self/maps"), 2**24)
    assert len(data) > 1000 and data.endswith(b"\n")


def test_a_file_leased_by_another_process_is_waited_for(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"1")
    opened = os.open

    def leased(path, flags, *more):
        if flags & os.O_NONBLOCK:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        return opened(path, flags, *more)

    monkeypatch.setattr(os, "open", leased)
    assert read_regular(tmp_path / "a", 9) == b"1"
