"""Fixtures of the tests of ocrdet-train."""

from __future__ import annotations

import pytest

from resnet18_ocrdet.train import engine
from resnet18_ocrdet.train.engine import StepRecord


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> list[StepRecord]:
    """Of every step of the runs that follow."""
    seen: list[StepRecord] = []
    original = engine.StepRecord

    def record(*fields):
        seen.append(original(*fields))
        return seen[-1]

    monkeypatch.setattr(engine, "StepRecord", record)
    return seen
