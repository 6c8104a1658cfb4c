"""Which wing of the package may import which; and that a command answers before torch is loaded."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import resnet18_ocrdet

PACKAGE = "resnet18_ocrdet"
ROOT = Path(resnet18_ocrdet.__file__).parent

# Floors of docs/architecture.md, from the ground up: a wing imports itself and the wings before it.
WINGS = [
    "structures",
    "errors",
    "geometry",
    "runtime",
    "config",
    "data",
    "model",
    "inference",
    "evaluation",
    "viz",
    "train",
    "check",
    "report",
    "export",
    "detections",
    "pick",
    "build",
    "commands",
    "cli",
    "api",
]
FACE = {"api", "errors", "runtime"}  # what the package's own __init__ may import


def modules(root: Path) -> dict[str, Path]:
    """Dotted name below the package -> file; "" for the package itself."""
    found = {}
    for file in sorted(root.rglob("*.py")):
        parts = file.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imports(name: str, known: Mapping[str, Path]) -> set[str]:
    """Modules of the package that a module imports, wherever in its text it does so."""
    file = known[name]
    here = [PACKAGE, *filter(None, name.split("."))]
    here = here if file.stem == "__init__" else here[:-1]
    paths: list[list[str]] = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            paths += [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            base = base + (node.module.split(".") if node.module else [])
            paths += [[*base, alias.name] for alias in node.names]
    dotted = [".".join(path[1:]) for path in paths if path[0] == PACKAGE and not path[-1].startswith("__")]
    # what is no module is a name in one: `structures.Sample`
    return {path if path in known else path.rpartition(".")[0] for path in dotted} - {""}


def violations(root: Path) -> list[str]:
    """Imports that point up a floor."""
    known, found = modules(root), []
    for name in known:
        wing = name.partition(".")[0]
        if name and wing not in WINGS:
            found.append(f"{wing}: not among the wings of tests/test_imports.py")
            continue
        below = set(WINGS[: WINGS.index(wing) + 1]) if name else FACE
        wings = {(path, path.partition(".")[0]) for path in imports(name, known)}
        found += [f"{name or PACKAGE} -> {path}" for path, other in sorted(wings) if other not in below]
    return found


def cycle(root: Path) -> list[str]:
    """Modules that import each other in a circle; empty where there is none."""
    known = modules(root)
    left = {name: imports(name, known) for name in known if name}
    while ready := {name for name, needed in left.items() if not needed & left.keys()}:
        left = {name: needed for name, needed in left.items() if name not in ready}
    return sorted(left)


def test_no_import_points_up_a_floor():
    assert len(modules(ROOT)) > 100
    assert violations(ROOT) == []


def test_no_module_imports_itself_through_others():
    assert cycle(ROOT) == []


def test_the_root_holds_wings_and_few_modules():
    names = {path.stem for path in ROOT.iterdir() if path.name != "__pycache__"}
    assert names - {"__init__", "weights", "py"} == set(WINGS)
    assert {path.stem for path in ROOT.glob("*.py")} == {"__init__", "api", "build", "cli", "errors", "structures"}


@pytest.mark.parametrize(
    ("file", "text", "arrow"),
    [
        ("model/loss.py", "from ..train import engine\n", "model.loss -> train.engine"),
        ("model/loss.py", "from ..train.engine import StepRecord\n", "model.loss -> train.engine"),
        ("model/loss.py", "from .. import build\n", "model.loss -> build"),
        ("model/loss.py", "import resnet18_ocrdet.build as b\n", "model.loss -> build"),
        ("model/loss.py", "from resnet18_ocrdet import cli\n", "model.loss -> cli"),
        ("config/x.py", "def f():\n    from ..data.loader import collate\n", "config.x -> data.loader"),
        ("model/loss.py", "if TYPE_CHECKING:\n    from ..train.optim import set_lr\n", "model.loss -> train.optim"),
        ("data/deep/er.py", "from ...model.dbnet import DBNet\n", "data.deep.er -> model.dbnet"),
        ("data/__init__.py", "from ..train.engine import evaluate\n", "data -> train.engine"),
        ("__init__.py", "from .cli import train\n", f"{PACKAGE} -> cli"),
        ("newcomer.py", "", "newcomer: not among the wings of tests/test_imports.py"),
    ],
)
def test_a_planted_import_is_caught(tmp_path, file, text, arrow):
    plant(tmp_path, {file: "from __future__ import annotations\nimport os\nfrom collections import abc\n" + text})
    assert violations(tmp_path) == [arrow]


def test_downward_imports_are_let_through(tmp_path):
    text = (
        "from resnet18_ocrdet.errors import UserError\nfrom .. import __version__\nfrom ..geometry import polygon\n"
        "from .letterbox import letterbox\nfrom . import targets\nimport numpy as np\n"
    )
    plant(tmp_path, {"data/datasets.py": text})
    assert violations(tmp_path) == []


def test_a_planted_circle_is_caught(tmp_path):
    hidden = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from . import a\n"
    plant(tmp_path, {"data/a.py": "from .b import f\n", "data/b.py": hidden, "data/c.py": "from . import b\n"})
    assert cycle(tmp_path) == ["data.a", "data.b", "data.c"]


def plant(root: Path, texts: Mapping[str, str]) -> None:
    """A package of these modules, and empty ones where the others lie."""
    empty = ["train/engine.py", "train/optim.py", "data/loader.py", "model/dbnet.py", "build.py", "cli.py", "errors.py"]
    for file in (*empty, *texts):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(texts.get(file, ""))


@pytest.mark.parametrize("module", ["resnet18_ocrdet", "resnet18_ocrdet.cli"])
def test_heavy_libraries_wait_until_they_are_needed(module):
    code = f"import sys, {module}; print(sorted({{'torch', 'numpy', 'cv2'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
