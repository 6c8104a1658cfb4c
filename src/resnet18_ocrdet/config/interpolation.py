"""`${…}` in a config: what OmegaConf looks up, and text that only looks like it."""

from __future__ import annotations


def escape_interpolation(text: str) -> str:
    r"""What OmegaConf must be given to read back `text`: `\${` for `${`, and twice the backslashes before it."""
    *before, last = text.split("${")
    return "".join(piece + "\\" * _backslashes(piece) + "\\${" for piece in before) + last


def literal(text: str) -> str:
    """What OmegaConf reads back of `text`, all of whose `${` are escaped. Raises ValueError where one is not."""
    *before, last = text.split("${")
    if any(_backslashes(piece) % 2 == 0 for piece in before):
        raise ValueError("holds ${…}, which would be looked up")
    return "".join(piece[: len(piece) - (_backslashes(piece) + 1) // 2] + "${" for piece in before) + last


def _backslashes(piece: str) -> int:
    """At its end."""
    return len(piece) - len(piece.rstrip("\\"))
