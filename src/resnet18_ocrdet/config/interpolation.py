"""`${…}` in a config: what OmegaConf looks up, and text that only looks like it."""

from __future__ import annotations

import re


def escape_interpolation(text: str) -> str:
    """What OmegaConf must be given to read back `text`, where it holds `${`."""
    return re.sub(r"(\\*)\$\{", lambda match: match[1] * 2 + r"\${", text)


def literal(text: str) -> str:
    """What OmegaConf reads back of `text`, all of whose `${` are escaped. Raises ValueError where one is not."""
    read = re.sub(r"(\\+)\$\{", lambda match: match[1][: len(match[1]) // 2] + "${", text)
    if escape_interpolation(read) != text:
        raise ValueError("holds ${…}, which would be looked up")
    return read
