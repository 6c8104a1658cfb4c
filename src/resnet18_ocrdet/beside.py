"""Files that are there whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A name beside `path`, of the same suffix, to write to. What was written takes the place of `path` at the end.

    Where something fails, `path` stays as it was, and nothing is left beside it."""
    written = path.with_suffix(".tmp" + path.suffix)
    try:
        yield written
        written.replace(path)
    finally:
        with suppress(OSError):
            written.unlink(missing_ok=True)
