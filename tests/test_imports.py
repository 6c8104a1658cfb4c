"""Which part may import which; and that a command answers before torch is loaded."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import resnet18_ocrdet

PACKAGE = "resnet18_ocrdet"
ROOT = Path(resnet18_ocrdet.__file__).parent

GROUND = {"structures", "geometry", "errors", "wording"}
ALLOWED: dict[str, set[str]] = {  # part -> parts it may import; each part may import itself
    "structures": set(),
    "geometry": set(),
    "errors": set(),
    "wording": set(),
    "schedule": set(),
    "mining": set(),
    "allocator": set(),
    "interrupt": set(),
    "streams": set(),
    "guard": set(),
    "finetune": set(),
    "random_state": set(),
    "world": {"errors", "wording"},
    "average": set(),
    "memory": set(),
    "diagnosis": {"engine", "guard", "mining", "wording"},
    "funnel": {"structures", "contract", "wording"},
    "lock": {"errors", "regular_file"},
    "display": {"wording"},
    "contract": {"config", "errors", "structures", "wording"},
    "content": {"errors", "wording"},
    "packing": {"errors"},
    "stated": {"config", "content", "contract", "errors"},
    "checkpoint": {
        "atomic_write",
        "bundled",
        "content",
        "errors",
        "foreign",
        "packing",
        "regular_file",
        "stated",
        "tensor_names",
        "wording",
    },
    "tensor_names": set(),
    "instantiate": {"config", "errors", "wording"},
    "resumable": {"checkpoint", "content", "errors", "structures", "wording"},
    "foreign": {"contract", "errors", "model"},
    "runtimes": {"structures", "errors", "stated", "time_limit", "wording"},
    "time_limit": set(),
    "trained": {"bundled", "checkpoint", "device", "errors", "runtimes"},
    "device": {"errors"},
    "optim": {"model"},
    "bundled": set(),
    "slim": {"checkpoint", "errors", "regular_file"},
    "config": {"atomic_write", "bundled", "errors", "wording", "regular_file", "run_folder"},
    "run_folder": {"errors", "lock", "wording"},
    "loss": {"structures"},
    "draw": {"structures"},
    "pictures": {"structures", "draw"},
    "evidence": {"structures", "draw", "wording"},
    "model": {"content", "errors", "packing", "regular_file", "structures", "wording"},
    "engine": {"structures", "errors", "guard", "average", "world"},
    "validate": {"engine", "model", "structures"},
    "compiled": {"engine", "errors", "memory"},
    "journal": {"atomic_write", "structures", "engine", "guard"},
    "data": GROUND | {"allocator", "regular_file"},
    "crops": {"structures"},
    "page": set(),
    "check": GROUND | {"atomic_write", "regular_file", "data", "draw", "crops", "page", "matching", "outlines"},
    "outlines": {"geometry"},
    "postprocess": GROUND | {"outlines"},
    "matching": GROUND,
    "metrics": GROUND | {"matching", "outlines"},
    "bootstrap": {"metrics"},
    "report": GROUND | {"matching", "metrics", "outlines", "bootstrap", "draw", "crops", "page", "results"},
    "calibrate": {"metrics", "postprocess", "structures"},
    "curves": {"atomic_write", "structures", "draw", "metrics"},
    "provenance": {"structures"},
    "results": {"structures", "errors", "wording", "data", "regular_file"},
    "detector": {"structures", "contract", "engine", "errors", "data", "model", "postprocess", "tiles"},
    "tiles": GROUND | {"matching", "outlines", "postprocess"},
    "export": {
        "output_folder",
        "atomic_write",
        "errors",
        "regular_file",
        "runtimes",
        "checkpoint",
        "contract",
        "slim",
        "model",
        "detector",
        "metrics",
        "postprocess",
        "structures",
    },
    "atomic_write": set(),
    "manifest": {"atomic_write", "regular_file"},
    "output_folder": {"atomic_write", "config", "errors", "lock", "manifest", "regular_file", "run_folder"},
    "regular_file": set(),
    "detections": GROUND
    | {"manifest", "output_folder", "regular_file", "run_folder"}
    | {"atomic_write", "data", "detector", "draw", "lock", "memory", "outlines", "postprocess", "results", "tiles"},
    "cli": {"config", "commands", "errors", "allocator", "streams"},
}
ALLOWED["build"] = set(ALLOWED) - {
    "cli",
    "journal",
    "compiled",
    "pictures",
    "curves",
    "provenance",
    "evidence",
    "resumable",
    "detector",
    "allocator",
    "slim",
    "bootstrap",
    "report",
    "calibrate",
    "export",
    "detections",
    "output_folder",
}
ALLOWED["commands"] = set(ALLOWED) - {"cli"}
ALLOWED["embedded"] = {"config", "build", "bundled", "contract", "data", "detector", "structures", "trained"}


def imported_parts(source: str, module: str, is_package: bool = False) -> set[str]:
    """Parts of the package (first names below it) that a module imports, wherever in its text it does so."""
    here = module.split(".") if is_package else module.split(".")[:-1]
    paths: list[list[str]] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            paths += [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            base = base + (node.module.split(".") if node.module else [])
            paths += [[*base, alias.name] for alias in node.names]
    inside = [path[1] for path in paths if path[0] == PACKAGE and len(path) > 1]
    return {part for part in inside if not part.startswith("__")}  # __version__ is no part


def violations(root: Path) -> list[str]:
    found = []
    for file in sorted(root.rglob("*.py")):
        names = [PACKAGE, *file.relative_to(root).with_suffix("").parts]
        is_package = names[-1] == "__init__"
        names = names[:-1] if is_package else names
        imports = imported_parts(file.read_text(encoding="utf-8"), ".".join(names), is_package)
        if len(names) == 1:  # the package itself, which imports this one when it is asked for
            found += [f"{PACKAGE} -> {part}" for part in sorted(imports - {"embedded", "errors"})]
        elif names[1] not in ALLOWED:
            found.append(f"{names[1]}: not in the table of tests/test_imports.py")
        else:
            wrong = imports - ALLOWED[names[1]] - {names[1]}
            found += [f"{'.'.join(names[1:])} -> {part}" for part in sorted(wrong)]
    return found


def test_no_arrow_points_where_it_must_not():
    assert len(list(ROOT.rglob("*.py"))) > 30
    assert violations(ROOT) == []


def test_the_table_has_no_dead_rows():
    parts = {path.stem for path in ROOT.glob("*.py")} | {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert set(ALLOWED) == parts - {"__init__"}


def test_the_table_has_no_circles():
    order: list[str] = []
    left = set(ALLOWED)
    while left:
        ready = {part for part in left if not ALLOWED[part] & left - {part}}
        assert ready, f"each of {sorted(left)} needs another of them"
        order += sorted(ready)
        left -= ready
    assert order[-1] == "cli"


@pytest.mark.parametrize(
    ("file", "text", "arrow"),
    [
        ("loss.py", "from .config import check\n", "loss -> config"),
        ("loss.py", "from . import engine\n", "loss -> engine"),
        ("loss.py", "import resnet18_ocrdet.build as b\n", "loss -> build"),
        ("loss.py", "from resnet18_ocrdet import cli\n", "loss -> cli"),
        ("loss.py", "def f():\n    from .data.loader import collate\n", "loss -> data"),
        ("loss.py", "if TYPE_CHECKING:\n    from .optim import set_lr\n", "loss -> optim"),
        ("data/views.py", "from ..loss import DBLoss\n", "data.views -> loss"),
        ("data/deep/er.py", "from ...model.dbnet import DBNet\n", "data.deep.er -> model"),
        ("data/__init__.py", "from ..engine import evaluate\n", "data -> engine"),
        ("__init__.py", "from .cli import train\n", "resnet18_ocrdet -> cli"),
        ("newcomer.py", "", "newcomer: not in the table of tests/test_imports.py"),
    ],
)
def test_a_planted_arrow_is_caught(tmp_path, file, text, arrow):
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("from __future__ import annotations\nimport os\nfrom collections import abc\n" + text)
    assert violations(tmp_path) == [arrow]


def test_allowed_arrows_are_let_through(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "views.py").write_text(
        "from resnet18_ocrdet.errors import UserError\nfrom .. import __version__\nfrom ..geometry import area\n"
        "from .letterbox import letterbox\nfrom . import targets\nimport numpy as np\n"
    )
    assert violations(tmp_path) == []


@pytest.mark.parametrize("module", ["resnet18_ocrdet", "resnet18_ocrdet.cli"])
def test_heavy_libraries_wait_until_they_are_needed(module):
    code = f"import sys, {module}; print(sorted({{'torch', 'numpy', 'cv2'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
