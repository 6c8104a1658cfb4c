"""Shared by the test_config files: run commands in an empty folder, with a job that only records its config.

Paths on these command lines need not exist: tests/config/test_config_disk.py checks them. Hydra needs a tenth of
a second for a composition, so equal overrides are composed once per session; no test changes a config file later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig

from resnet18_ocrdet.commands import launch, path_checks
from resnet18_ocrdet.config import compose
from resnet18_ocrdet.config.compose import Request


def configs(command: str, *words: str) -> list[DictConfig]:
    """The configs that the jobs of a command line receive: one, or one per job of a sweep."""
    seen: list[DictConfig] = []

    def job(cfg: DictConfig, _: list[str]) -> int:
        seen.append(cfg)
        return 0

    assert launch.run_command(command, job, list(words)) == 0
    return seen


_compose = compose._compose
_composed: dict[tuple[str, ...], DictConfig] = {}


def _compose_once(hydra: Any, request: Request, words: list[str]) -> DictConfig:
    key = (request.command, *words)
    if key not in _composed:
        _composed[key] = _compose(hydra, request, words)
    return _composed[key]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(compose, "_compose", _compose_once)
    monkeypatch.setattr(path_checks, "misplaced", lambda cfg, command: [])
