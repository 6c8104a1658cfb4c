"""What lies in conf/: the groups of a command, their options, and the values written there."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from .paths import conf_dir


class Library:
    """The config files of one command: the shipped ones and those of `--config-dir`."""

    def __init__(self, command: str, extra: Path | None = None) -> None:
        """extra: the folder given with `--config-dir`."""
        self.command = command
        self.shipped = conf_dir()
        self.folders = [self.shipped, *([extra] if extra else [])]

    @cached_property
    def primary(self) -> dict[str, Any]:
        """The values of the command's own file, without its defaults list and Hydra's settings."""
        return {name: value for name, value in self._primary_file.items() if name not in ("defaults", "hydra")}

    @cached_property
    def groups(self) -> dict[str, str | None]:
        """Group -> option chosen by default, as in the command's defaults list."""
        entries = [entry for entry in self._primary_file["defaults"] if isinstance(entry, dict)]
        pairs = [pair for entry in entries for pair in entry.items()]
        return {group: option for group, option in pairs if not group.startswith("override ")}

    @cached_property
    def _primary_file(self) -> dict[str, Any]:
        return _read(self.shipped / f"{self.command}.yaml")

    def options(self, group: str) -> list[str]:
        """Names that `group=` takes."""
        found = {
            file.relative_to(folder / group).with_suffix("").as_posix()
            for folder in self.folders
            for file in (folder / group).rglob("*.yaml")
        }
        return sorted(found)

    def ships(self, group: str, option: str) -> bool:
        """Whether the option is one of ours."""
        return (self.shipped / group / f"{option}.yaml").is_file()

    def values(self, group: str, option: str) -> dict[str, Any]:
        """What a shipped option sets."""
        return _read(self.shipped / group / f"{option}.yaml")

    def options_for(self, group: str, target: str | None) -> list[str]:
        """Shipped options of a group that build `target`."""
        shipped = sorted(file.stem for file in (self.shipped / group).glob("*.yaml"))
        return [option for option in shipped if self.values(group, option).get("_target_") == target]


def _read(file: Path) -> dict[str, Any]:
    content = yaml.safe_load(file.read_text("utf-8"))
    return content if isinstance(content, dict) else {}
