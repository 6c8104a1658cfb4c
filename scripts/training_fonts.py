"""Fonts and texts of Debian packages for varied scenes: data.fonts= and data.texts=.

    python scripts/training_fonts.py --output FOLDER      # on Debian; 0.5 GB are downloaded, nothing is installed
    ocrdet-train experiment=pretrain_synthetic data.fonts=FOLDER/fonts data.texts=FOLDER/texts

The packages are those of scripts/training_packages.txt, without the ones that scripts/kinds/fonts.txt reserves for
evaluation; fonts of a reserved family are left out of other packages too. A second call takes up where the first one
ended, and tries packages again that were not available; the exit status is 1 if there are any.
"""

from __future__ import annotations

import gzip
import html
import re
import shutil
import sys
import tempfile
from argparse import RawDescriptionHelpFormatter
from collections.abc import Iterable, Iterator
from pathlib import Path

import PIL.ImageFont

from kinds.packages import run
from resnet18_ocrdet.data.synthetic.corpus import read_corpus
from resnet18_ocrdet.data.synthetic.fonts import find_fonts, read_faces
from resnet18_ocrdet.data.synthetic.glyphs import FONT_SUFFIXES, has_magic
from resnet18_ocrdet.errors import UserError
from script_cli import Parser, run_script

HERE = Path(__file__).parent
LICENCES = Path("/usr/share/common-licenses")
MAX_FILES = 200  # fonts of a package
MAX_WORDS = 30_000  # of a dictionary, evenly spaced
MAX_TEXT = 600_000  # characters of a package
SYMBOLS = (
    "dingbat",
    "d050000l",
    "90stars",
    "symbol",
    "emoji",
    "icon",
    "math",
    "braille",
    "LastResort",
    "barcode",
    "ornament",
    "NotoMusic",
)
UNREADABLE = (  # families: layers of letters, runes, keys and puzzles in the place of Latin letters
    "DB Layer",
    "Entangled Layer",
    "Mishmash",
    "FutharkAdapted",
    "Nucleus",
    "Xmas Lights",
    "Linux Biolinum Keyboard",
)
TAG = re.compile(r"<(script|style).*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)
MACRO = re.compile(r"\\f(\(..|.)|\\[&|^]|\\\*\(..|\\m\[\w*\]|\\s[+-]?\d")  # of roff
DOCUMENTS = ("*.html*", "*.txt*", "man*/*.gz", "changelog*.gz", "README*")


def packages() -> list[tuple[str, str, int]]:
    """Kind, name and largest number of files of the packages; without reserved ones."""
    lines = (HERE / "training_packages.txt").read_text(encoding="utf-8").splitlines()
    listed = [line.split() for line in lines if line and not line.startswith("#")]
    taken = [(kind, name, int(most[0]) if most else MAX_FILES) for kind, name, *most in listed]
    return [package for package in taken if package[1] not in reserved()[0]]


def reserved() -> tuple[set[str], set[str]]:
    """Packages and families of the evaluation set."""
    lines = (HERE / "kinds" / "fonts.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.split(maxsplit=3) for line in lines if line and not line.startswith("#")]
    return {row[0] for row in rows}, {row[3] for row in rows}


def unpack(name: str, folder: Path) -> Path:
    """Download a package and unpack it below the folder. Raises UserError if that fails."""
    run("apt-get", "download", "-qq", name, cwd=folder)
    (archive,) = folder.glob("*.deb")
    run("dpkg-deb", "-x", archive.name, "content", cwd=folder)
    return folder / "content"


def keep_fonts(content: Path, into: Path, most: int) -> int:
    """Copy the fonts that can be used, every n-th one if there are more than `most`. Returns their number."""
    families, kept = reserved()[1], 0
    paths = [path for path in sorted(content.rglob("*")) if path.suffix.lower() in FONT_SUFFIXES]
    for path in paths[:: -(-len(paths) // most)] if paths else ():
        wanted = path.is_file() and not path.is_symlink()
        if not wanted or any(word.lower() in path.name.lower() for word in SYMBOLS) or not has_magic(path):
            continue
        try:
            family = PIL.ImageFont.truetype(str(path), 32).getname()[0] or ""
        except OSError:
            continue
        if family not in families and not family.startswith(UNREADABLE) and usable(path):
            into.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, into / path.name)
            kept += 1
    return kept


def usable(path: Path) -> bool:
    """Whether varied scenes can draw with the font: it has at least one of their scripts."""
    try:
        return bool(read_faces(path))
    except (UserError, OSError):  # FreeType finds some faults only when it draws
        return False


def keep_words(content: Path) -> Iterator[str]:
    """Words of the dictionaries of a package, evenly spaced."""
    for path in sorted((content / "usr/share/dict").glob("*")):
        if path.is_file() and not path.is_symlink():
            words = [word for word in read_text(path).split() if "'" not in word]
            yield from words[:: max(1, len(words) // MAX_WORDS)]


def keep_lines(content: Path) -> Iterator[str]:
    """Lines of the documents of a package, without markup."""
    for pattern in DOCUMENTS:
        for path in sorted(content.rglob(pattern)):
            if path.is_file() and not path.is_symlink():
                yield from plain_lines(path)


def plain_lines(path: Path) -> Iterator[str]:
    """The text of a file: HTML without tags, manual pages without macros."""
    text = read_text(path)
    if ".html" in path.name:
        text = html.unescape(TAG.sub("\n", text))
    elif "/man" in str(path.parent):
        lines = (line for line in text.splitlines() if not line.startswith((".", "'")))
        text = MACRO.sub("", "\n".join(lines).replace("\\-", "-"))
    yield from (line.strip() for line in text.splitlines() if line.strip())


def read_text(path: Path) -> str:
    """A file, unpacked if its name ends in .gz."""
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8", "replace")


def write_lines(path: Path, lines: Iterable[str], limit: int) -> int:
    """Write different lines, up to `limit` characters. Returns their number."""
    kept, size = dict[str, None](), 0
    for line in lines:
        if size > limit:
            break
        if line not in kept:
            kept[line] = None
            size += len(line)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(kept) + "\n", encoding="utf-8")
    return len(kept)


def take(kind: str, name: str, most: int, output: Path) -> str:
    """Take one package. Returns what was kept; raises UserError if it is not available."""
    with tempfile.TemporaryDirectory() as folder:
        content = unpack(name, Path(folder))
        if kind == "fonts":
            return f"{keep_fonts(content, output / 'fonts' / name, most)} fonts"
        into = output / "texts" / f"{name}.txt"
        if kind == "words":
            return f"{write_lines(into, keep_words(content), 10**9)} words"
        return f"{write_lines(into, keep_lines(content), MAX_TEXT)} lines"


def take_all(output: Path) -> list[str]:
    """Take all packages that are not there yet. Returns those that are not available."""
    missing, done = list[str](), output / "packages.txt"
    output.mkdir(parents=True, exist_ok=True)
    known = done.read_text(encoding="utf-8").split() if done.exists() else []
    for kind, name, most in packages():
        if name in known:
            continue
        try:
            kept = take(kind, name, most, output)
        except UserError as error:
            kept = f"not available: {error}"
            missing.append(name)
        else:
            with done.open("a", encoding="utf-8") as file:
                file.write(f"{name}\n")
        print(f"{name}: {kept}", flush=True)
    return missing


def main() -> int:
    """Take the packages and count what there is."""
    parser = Parser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder of the folders fonts and texts")
    parser.add_argument("--list", action="store_true", help="print the packages and stop")
    args = parser.parse_args()
    if args.list:
        print("\n".join(name for _, name, _ in packages()))
        return 0
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise UserError("apt-get and dpkg-deb are needed: run this on Debian, or collect fonts and texts of your own")
    missing = take_all(args.output)
    licences = (line for path in sorted(LICENCES.glob("*")) for line in plain_lines(path))
    write_lines(args.output / "texts" / "common-licenses.txt", licences, MAX_TEXT)
    fonts, corpus = find_fonts(args.output / "fonts"), read_corpus(args.output / "texts")
    for script, families in fonts.families.items():
        lines = len(corpus.lines.get(script, ()))
        print(f"{script}: {len(families)} families, {sum(map(len, families))} faces, {lines} lines")
    print(f"{len(corpus.vocabulary)} single words")
    return int(bool(missing))


if __name__ == "__main__":
    sys.exit(run_script("training_fonts", main))
