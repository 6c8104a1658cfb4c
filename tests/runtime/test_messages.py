"""Formatting of messages."""

from __future__ import annotations

from pathlib import Path

from resnet18_ocrdet.runtime.messages import count, looked_in


def test_one_image_is_not_images():
    assert [count(number, "image") for number in (0, 1, 2)] == ["0 images", "1 image", "2 images"]


def test_only_relative_paths_name_the_current_folder(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert looked_in(Path("photos")) == f" (looked in {tmp_path})"
    assert looked_in(tmp_path / "photos") == ""
