"""Rendered scenes that several test files measure."""

from __future__ import annotations

import pytest

from resnet18_ocrdet.data.synthetic.compose import Scene
from resnet18_ocrdet.data.synthetic.render import SceneRegion, label_scene
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes


@pytest.fixture(scope="session")
def source() -> SyntheticScenes:
    return SyntheticScenes(400, 256, 256, seed=0)


@pytest.fixture(scope="session")
def scenes(source: SyntheticScenes) -> list[Scene]:
    return [source.scene(index) for index in range(len(source))]


@pytest.fixture(scope="session")
def labels(scenes: list[Scene]) -> list[list[SceneRegion]]:
    return [label_scene(scene) for scene in scenes]
