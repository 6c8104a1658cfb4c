"""Debian packages as a source of documents and fonts: fetched and unpacked into a folder, never installed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from resnet18_ocrdet.errors import UserError

HERE = Path(__file__).parent
PARTS = ("dev", "report")
TOOLS = {"apt-get": "apt", "dpkg-deb": "dpkg", "pdftoppm": "poppler-utils", "chromium": "chromium"}


class Font(NamedTuple):
    """A line of fonts.txt."""

    package: str
    part: str
    role: str  # sans, serif, mono, display, chinese
    family: str


class Document(NamedTuple):
    """A line of documents.txt."""

    package: str
    part: str
    language: str
    pages: int  # how many of it are in the set
    path: str  # end of the file's path in the package


def fonts() -> list[Font]:
    """The reserved fonts."""
    return [Font(*line.split(None, 3)) for line in _lines("fonts.txt")]


def documents() -> list[Document]:
    """The PDF files of both parts."""
    rows = [line.split(None, 4) for line in _lines("documents.txt")]
    return [Document(package, part, language, int(pages), path) for package, part, language, pages, path in rows]


def _lines(name: str) -> list[str]:
    text = (HERE / name).read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def require_tools() -> None:
    """Raises UserError with the words to type if a program of Debian is missing."""
    missing = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if missing:
        raise UserError(f"building the set needs {', '.join(missing)}: apt-get install {' '.join(missing)}")


def run(*words: str | Path, cwd: Path | None = None) -> str:
    """What a program prints. Raises UserError with its last line if it fails."""
    done = subprocess.run([str(word) for word in words], cwd=cwd, capture_output=True, text=True, errors="replace")
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise UserError(f"{words[0]} failed with code {done.returncode}: {last}")
    return done.stdout


def fetch(names: Sequence[str], cache: Path) -> dict[str, str]:
    """Fetch and unpack packages into `cache`, where they are not there yet. Returns the version of each.

    The files of package P are in `cache`/P. Raises UserError if a package cannot be fetched."""
    (cache / "debs").mkdir(parents=True, exist_ok=True)
    versions = {}
    for name in dict.fromkeys(names):
        found = sorted((cache / "debs").glob(f"{name}_*.deb"))
        if not found:
            run("apt-get", "download", name, cwd=cache / "debs")
            found = sorted((cache / "debs").glob(f"{name}_*.deb"))
        if len(found) != 1:
            raise UserError(f"{cache / 'debs'}: {len(found)} files of {name}; keep one version of it")
        versions[name] = run("dpkg-deb", "--field", found[0], "Version").strip()
        unpack(found[0], cache / name)
    return versions


def unpack(package: Path, folder: Path) -> None:
    """Unpack a .deb; the folder appears when it is complete."""
    if folder.exists():
        return
    unfinished = folder.with_name(folder.name + ".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    run("dpkg-deb", "-x", package, unfinished)
    unfinished.rename(folder)


def find_file(folder: Path, end: str) -> Path:
    """The file of an unpacked package whose path ends like this. Raises UserError if there is not exactly one."""
    found = [path for path in sorted(folder.rglob(f"*{Path(end).name}")) if str(path).endswith(end)]
    if len(found) != 1:
        raise UserError(f"{folder}: {len(found)} files end in {end}, instead of one")
    return found[0]
