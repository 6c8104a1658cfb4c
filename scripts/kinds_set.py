"""Build the documents and kinds set: pages with exact truth, for evaluation only.

    apt-get install poppler-utils chromium
    python scripts/kinds_set.py --output kinds                          # 15 minutes, 1 GB of packages in kinds-cache/
    python scripts/kinds_set.py --output try --only pdf chat --pages 1  # some kinds, fewer pages
    ocrdet-eval data=custom data.root=kinds/dev/chat split=all

Parts: `dev` for every choice, `report` for rows of results. PDF files of Debian packages are rendered by poppler, the
other kinds laid out by Chromium with fonts of fonts.txt, which no training may use. Packages are fetched with apt-get
and unpacked, not installed. The same versions of the tools and packages give the same pixels and labels: manifest.json
has the versions and a hash.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import cv2
import numpy as np

from kinds.browser import Browser
from kinds.corpus import Corpus
from kinds.html_pages import shoot
from kinds.kinds import KINDS, PAGES
from kinds.packages import PARTS, Document, documents, fetch, fonts, require_tools, run
from kinds.page import Page, Tally, write_pages
from kinds.part import Part
from kinds.pdf_pages import pages_of, text_of
from resnet18_ocrdet.errors import UserError
from script_cli import Parser, natural, run_script

PDF = "pdf"  # the kind of the PDF pages
AT_ONCE = 4  # kinds: programs wait for each other
CYRILLIC = "ru"  # which the fonts lack, and some files encode as accented Latin
Make = Callable[[], Iterable[Page]]


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0. Raises UserError for wrong arguments and missing programs."""
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True, help="folder of the set")
    parser.add_argument("--cache", type=Path, default=Path("kinds-cache"), help="packages (default: %(default)s/)")
    parser.add_argument("--pages", type=natural, default=PAGES, help="of each kind and document, at most")
    parser.add_argument(
        "--only", nargs="+", choices=(PDF, *KINDS), metavar="KIND", help=f"of {PDF}, {', '.join(KINDS)}"
    )
    options = parser.parse_args(argv)
    if options.output.exists():
        raise UserError(f"--output {options.output}: exists already; choose another folder")
    require_tools()
    cache, kinds = options.cache.resolve(), options.only or [PDF, *KINDS]
    versions = fetch([row.package for row in (*documents(), *fonts())], cache)
    sources: dict[str, dict[str, Make]] = {}
    for part in PARTS:
        own = [document for document in documents() if document.part == part]
        pages = _browser_pages(part, own, cache, [kind for kind in kinds if kind != PDF], options.pages)
        sources[part] = pages | ({PDF: lambda own=own: _pdf_pages(own, cache, options.pages)} if PDF in kinds else {})
    manifest = build_set(options.output, sources, {"tools": _tools(), "packages": versions})
    print(f"{options.output}: {manifest['sha256']}")
    return 0


def build_set(output: Path, sources: Mapping[str, Mapping[str, Make]], about: dict[str, Any]) -> dict[str, Any]:
    """Write PART/KIND for every source and manifest.json; the folder appears when it is complete.

    about: for the manifest. Returns the manifest. Raises OSError, and what the sources raise."""
    unfinished = output.with_name(output.name + ".part")
    shutil.rmtree(unfinished, ignore_errors=True)

    def build(part: str, kind: str) -> Tally:
        tally = write_pages(unfinished / part / kind, sources[part][kind]())
        print(f"{part}/{kind}: {tally.images} images, {tally.words} words, {tally.ignored} don't-care", flush=True)
        return tally

    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = {part: {kind: pool.submit(build, part, kind) for kind in sorted(sources[part])} for part in sources}
        parts = {part: {kind: job.result() for kind, job in kinds.items()} for part, kinds in jobs.items()}
    lines = [f"{part}/{kind} {tally.sha256}\n" for part, kinds in parts.items() for kind, tally in kinds.items()]
    digest = hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()
    listed = {part: {kind: tally._asdict() for kind, tally in kinds.items()} for part, kinds in parts.items()}
    manifest = {"sha256": digest, **about, "parts": listed}
    (unfinished / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    unfinished.rename(output)
    return manifest


def _pdf_pages(own: Sequence[Document], cache: Path, most: int) -> Iterator[Page]:
    for document in own:
        yield from pages_of(document._replace(pages=min(document.pages, most)), cache)


def _browser_pages(
    part: str, own: Sequence[Document], cache: Path, kinds: Sequence[str], count: int
) -> dict[str, Make]:
    if not kinds:
        return {}
    rows = [font for font in fonts() if font.part == part]
    texts = [text_of(document, cache) for document in own if document.language != CYRILLIC]
    look = Part(rows, Corpus(texts))

    def make(kind: str) -> Iterator[Page]:
        with Browser([cache / font.package for font in rows]) as browser:
            for number in range(count):
                rng = Random(f"{part} {kind} {number}")
                page = shoot(browser, KINDS[kind].layout(rng, look))
                yield KINDS[kind].finish(page, rng, number)

    return {kind: lambda kind=kind: make(kind) for kind in kinds}


def _tools() -> dict[str, str]:
    poppler = run("dpkg-query", "-W", "-f", "${Version}", "poppler-utils")
    chromium = run("dpkg-query", "-W", "-f", "${Version}", "chromium")
    return {"chromium": chromium, "poppler-utils": poppler, "opencv": cv2.__version__, "numpy": np.__version__}


if __name__ == "__main__":
    sys.exit(run_script("kinds_set", main))
