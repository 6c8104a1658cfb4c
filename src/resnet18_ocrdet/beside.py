"""Files that are there whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A hidden name beside `path` to write to. What was written takes the place of `path` at the end.

    Where something fails, `path` stays as it was, and nothing is left beside it; a kill leaves the hidden file, which
    the next call writes over."""
    written = path.with_name(".tmp-" + path.name)
    try:
        yield written
        written.replace(path)
    finally:
        with suppress(OSError):
            written.unlink(missing_ok=True)
