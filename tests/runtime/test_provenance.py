"""What a run records: versions, the machine, the revision of the code."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import resnet18_ocrdet
from resnet18_ocrdet.runtime.provenance import git_state, provenance

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def test_provenance_is_plain_and_names_the_versions():
    facts = provenance(torch.device("cpu"))
    assert facts["version"] == resnet18_ocrdet.__version__
    assert facts["python"] == ".".join(map(str, sys.version_info[:3]))
    assert set(facts["libraries"]) == {"torch", "torchvision", "opencv", "numpy", "shapely", "pyclipper", "hydra"}
    assert facts["libraries"]["numpy"] == np.__version__
    assert facts["libraries"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert all(facts["libraries"].values())
    assert facts["gpu"] is None
    assert isinstance(facts["cpus"], int) and facts["cpus"] >= 1
    assert json.loads(json.dumps(facts)) == facts
    file = io.BytesIO()
    torch.save(facts, file)
    file.seek(0)
    assert torch.load(file, weights_only=True) == facts


@pytest.mark.gpu
def test_provenance_names_the_gpu():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    assert provenance(torch.device("cuda"))["gpu"] == torch.cuda.get_device_name()


def git(folder, *words):
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", *identity, *words], cwd=folder, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def package(tmp_path):
    """A package in a checkout: <tmp>/src/pack."""
    folder = tmp_path / "src" / "pack"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("x = 1\n")
    (tmp_path / "README.md").write_text("one\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "one")
    return folder


@needs_git
def test_revision_of_a_checkout(package):
    head = git(package, "rev-parse", "HEAD")
    assert git_state(package) == {"revision": head, "dirty": False}
    (package.parents[1] / "README.md").write_text("two\n")  # no code
    assert git_state(package) == {"revision": head, "dirty": False}
    (package / "__init__.py").write_text("x = 2\n")
    assert git_state(package) == {"revision": head, "dirty": True}


@needs_git
def test_a_new_file_of_the_package_makes_it_dirty(package):
    git(package, "config", "status.showUntrackedFiles", "no")  # a user's setting that hides it
    (package / "new.py").write_text("")
    assert git_state(package)["dirty"] is True


@needs_git
def test_an_untracked_package_in_another_checkout_has_no_revision(package):
    installed = package.parents[1] / ".venv" / "pack"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    assert git_state(installed) is None


@needs_git
def test_variables_of_a_git_hook_are_ignored(package, monkeypatch):
    monkeypatch.setenv("GIT_DIR", "/nowhere/.git")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    assert git_state(package)["dirty"] is False


def test_outside_of_a_repository(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "__init__.py").write_text("")
    assert git_state(tmp_path) is None


def test_without_git(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(Path(resnet18_ocrdet.__file__).parent) is None


def test_a_hanging_git_is_not_waited_for(monkeypatch):
    def hang(words, timeout, **rest):
        raise subprocess.TimeoutExpired(words, timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    assert git_state(Path(resnet18_ocrdet.__file__).parent) is None
