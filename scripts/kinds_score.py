"""Score weights on the documents and kinds set, and on scanned receipts: one row of results for each kind.

    python scripts/kinds_score.py --set kinds                                             # bundled weights, dev part
    python scripts/kinds_score.py --set kinds --part report --checkpoint runs/…/best.pt shape=polygon
    python scripts/cut_words.py data.root=FOLDER data.train=140-199 --output receipt-words
    python scripts/kinds_score.py --set kinds --receipts FOLDER --receipt-words receipt-words

Detects as `Detector` and ocrdet-detect do, with tiles and the second look, and compares by the package's metric.
Settings after the options are those of `Detector`: bin_thresh=0.4 input_size=736x1280. Receipts: the images 140-199 of
FOLDER, by segment as labelled, and the same images by word. Writes a table (.md) and, beside it, everything as JSON.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from kinds.packages import PARTS
from resnet18_ocrdet import Detector
from resnet18_ocrdet.data import splits
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.evaluation.metrics import EvalSample, IcdarMetric
from resnet18_ocrdet.report.analysis import ErrorAnalysis, SizeBin
from resnet18_ocrdet.structures import Source
from script_cli import Parser, run_script

RECEIPTS = "140-199"  # numbers of the receipts that are never trained on
SHOWN = ("missed", "split", "merged", "false")  # of the mistakes; the others are in the JSON file
COLUMNS = ("kind", "images", "words", "precision", "recall", "hmean", "95 % interval", *SHOWN)
Row = dict[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0. Raises UserError for wrong arguments, and for a set or weights that cannot be used."""
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", type=Path, required=True, help="folder of kinds_set.py")
    parser.add_argument("--part", choices=PARTS, default=PARTS[0], help="(default: %(default)s)")
    parser.add_argument("--only", nargs="+", metavar="KIND", help="these kinds")
    parser.add_argument("--checkpoint", default="bundled", help="of a run, exported, or bundled (default)")
    parser.add_argument("--receipts", type=Path, help="folder of scanned receipts")
    parser.add_argument("--receipt-words", type=Path, help="the same by word, a folder of cut_words.py")
    parser.add_argument("--output", type=Path, default=Path("runs/kinds_score"), help="of .md and .json")
    options, words = parser.parse_known_args(argv)
    manifest, sources = open_kinds(options.set, options.part, options.only)
    for unit, folder in (("segment", options.receipts), ("word", options.receipt_words)):
        if folder is not None:
            sources[f"receipts by {unit}"] = splits.custom(folder, "folders", RECEIPTS).val
    detector = open_detector(options.checkpoint, words)
    results = {}
    print(line_of(COLUMNS))
    print(line_of("---" for _ in COLUMNS))
    for kind, source in sources.items():
        results[kind] = score(detector, source)
        print(line_of(cells(kind, results[kind])), flush=True)
    own = {kind: result for kind, result in results.items() if not kind.startswith("receipts by")}
    about = {"checkpoint": str(options.checkpoint), "part": options.part, "set": manifest["sha256"], "settings": words}
    about |= {"precision": detector.precision, "contract": detector.contract.to_dict(), "mean_hmean": mean_hmean(own)}
    heights = by_height(own.values())
    print(f"mean over {len(own)} kinds: hmean {about['mean_hmean']:.3f}\n\n{height_table(heights)}")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    table = [line_of(COLUMNS), line_of("---" for _ in COLUMNS), *(line_of(cells(*each)) for each in results.items())]
    text = "\n".join([*table, "", f"mean over kinds: {about['mean_hmean']:.3f}", "", height_table(heights)])
    options.output.with_suffix(".md").write_text(text + "\n", encoding="utf-8")
    whole = about | {"recall_by_height": [each._asdict() for each in heights], "kinds": results}
    options.output.with_suffix(".json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    return 0


def open_kinds(folder: Path, part: str, only: Sequence[str] | None) -> tuple[dict[str, Any], dict[str, Source]]:
    """The manifest and the images of each kind. Raises UserError if it is no set, or lacks a kind."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        kinds = list(manifest["parts"][part])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UserError(f"--set {folder}: not a folder of kinds_set.py ({error})") from None
    if missing := sorted(set(only or ()) - set(kinds)):
        raise UserError(f"--only {' '.join(missing)}: not in {folder}; it has {', '.join(kinds)}")
    sources: dict[str, Source] = {}
    for kind in only or kinds:
        source = splits.custom(folder / part / kind, "folders", with_everything=True).everything
        assert source is not None
        sources[kind] = source
    return manifest, sources


def open_detector(checkpoint: str, words: Sequence[str]) -> Detector:
    """words: KEY=VALUE. Raises UserError."""
    settings: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise UserError(f"{word}: write KEY=VALUE, a setting of Detector")
        try:
            settings[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise UserError(f"{word}: not a value") from None
    try:
        return Detector(checkpoint, **settings)
    except (ValueError, TypeError) as error:
        raise UserError(str(error)) from None


def score(detector: Detector, source: Source) -> Row:
    """Of all images of a kind: what `ErrorAnalysis` tells."""
    samples = []
    for index in range(len(source)):
        picture = source.open(index)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # more regions than max_candidates: they are missed, and counted so
            found = detector(picture.pixels(1))
        samples.append(EvalSample(picture.name, picture.polygons, picture.ignore, found))
    metric = IcdarMetric()
    metric.update_all(samples)
    return ErrorAnalysis(metric, samples).to_dict()


def mean_hmean(results: Mapping[str, Row]) -> float:
    """Every kind counts the same; one in which nothing is found counts 0."""
    return float(np.mean([result["hmean"] or 0.0 for result in results.values()]))


def by_height(results: Iterable[Row]) -> list[SizeBin]:
    """The regions of all kinds together by text height."""
    rows = zip(*(result["recall_by_height"] for result in results), strict=True)
    return [
        SizeBin(row[0]["low"], row[0]["high"], sum(each["regions"] for each in row), sum(each["found"] for each in row))
        for row in rows
    ]


def height_table(heights: Sequence[SizeBin]) -> str:
    """Three lines of Markdown."""
    names = [
        f"{each.low:g}–{each.high:g} px" if each.high is not None else f"{each.low:g} px and more" for each in heights
    ]
    shown = [f"{each.recall:.3f} of {each.regions}" if each.regions else "-" for each in heights]
    lines = ("text height", *names), ["---"] * (len(names) + 1), ("recall", *shown)
    return "\n".join(map(line_of, lines))


def cells(kind: str, result: Row) -> list[str]:
    """Of a line of the table."""
    low, high = result["interval_95"]["hmean"] or (0.0, 0.0)
    scores = [f"{result[name] or 0.0:.3f}" for name in ("precision", "recall", "hmean")]
    mistakes = [str(result["mistakes"][name]) for name in SHOWN]
    return [kind, str(result["images"]), str(result["care_regions"]), *scores, f"{low:.3f} to {high:.3f}", *mistakes]


def line_of(row: Iterable[str]) -> str:
    """Cells as a line of Markdown."""
    return f"| {' | '.join(row)} |"


if __name__ == "__main__":
    sys.exit(run_script("kinds_score", main))
