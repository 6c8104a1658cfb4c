"""`--help` and `--version`, made from conf/ and the schemas so that they cannot go stale."""

from __future__ import annotations

from typing import Any

from .. import __version__
from ..runtime.messages import as_typed
from .library import Library
from .runs import RUNS
from .schema_walk import Key, keys_of
from .values import describe, kinds_of

ABOUT = {
    "train": "Train a text detector.",
    "eval": "Measure a text detector: precision, recall, hmean, average precision.",
    "detect": "Find text in images.",
    "export": "Write a trained detector for other programs, and prove that the file says the same.",
    "check": "Look for what is wrong with a data set, before a training is wasted on it.",
}
EXAMPLES = {
    "train": [
        "ocrdet-train                                    800x800, 30 epochs, rendered text",
        "ocrdet-train experiment=quickstart              small and quick, no GPU needed",
        "ocrdet-train data=icdar2015 data.root=FOLDER optimizer.lr=0.005 train.epochs=100",
        "ocrdet-train -m optimizer.lr=0.003,0.005,0.007  one run per value, in runs/sweep/",
        "ocrdet-train experiment=finetune init.weights=bundled data=custom data.root=FOLDER",
        "ocrdet-train resume=auto                        go on with the run that was interrupted",
    ],
    "eval": [
        "ocrdet-eval data=icdar2015 data.root=FOLDER     the weights that come with the package",
        "ocrdet-eval checkpoint=runs/train/DATE_TIME/checkpoints/best.pt",
        "ocrdet-eval checkpoint=best.pt data=icdar2015 data.root=FOLDER split=val",
        "ocrdet-eval predictions=FOLDER data=icdar2015 data.root=FOLDER",
    ],
    "detect": [
        "ocrdet-detect input=photo.jpg                   with the weights that come with the package",
        "ocrdet-detect input='my photos' checkpoint=best.pt output=found vis=false",
    ],
    "export": [
        "ocrdet-export output=model.onnx                 the weights that come with the package",
        "ocrdet-export checkpoint=best.pt output=model.onnx input=photos",
        "ocrdet-export checkpoint=best.pt output=fixed.onnx dynamic_shapes=false input_size=640x640 input_dtype=float",
    ],
    "check": [
        "ocrdet-check data.root=FOLDER                   report.html: every finding, with pictures and advice",
        "ocrdet-check data.root=FOLDER fix=true          and a cleaned copy, as ICDAR text; the folder stays as it is",
        "ocrdet-check data=coco data.root=FOLDER input_size=1024x1024 train.epochs=100",
    ],
}
FLAGS = [
    "-h, --help            this text",
    "--version             version of this package",
    "--cfg job             print the composed config and stop; --resolve fills in ${…}",
    "-m, --multirun        a run for each value: key=1,2,3",
    "--config-dir FOLDER   options and presets of your own, laid out as conf/ is",
    "--info                where the config comes from",
    '-sc install=bash      completion for your shell: eval "$(ocrdet-COMMAND -sc install=bash)"',
]
VALUE_WIDTH = 32


def version_text(command: str) -> str:
    """`ocrdet-train 0.1.0`."""
    return f"ocrdet-{command} {__version__}"


def help_text(command: str) -> str:
    """Usage, examples, groups with their options, and every key with its default."""
    library = Library(command)
    keys = keys_of(RUNS[command])
    plain = [key for key in keys if key.name not in library.groups]
    groups = [key for key in keys if key.name in library.groups]
    lines = [
        f"{ABOUT[command]}",
        "",
        f"usage: ocrdet-{command} [key=value ...] [flags]",
        "",
        *_block("examples", EXAMPLES[command]),
        *_block("groups (group=option)", _group_lines(library)),
        *_block("keys, with their defaults", _key_lines(plain, library.primary)),
    ]
    for key in groups:
        lines += _block(f"keys of {key.name}=…", _option_lines(key, library))
    lines += _block("flags", [line.replace("COMMAND", command) for line in FLAGS])
    return "\n".join(lines).rstrip()


def _block(title: str, body: list[str]) -> list[str]:
    return [f"{title}:", *(f"  {line}" for line in body), ""]


def _group_lines(library: Library) -> list[str]:
    lines = []
    for group, default in library.groups.items():
        names = [f"{name}*" if name == default else name for name in library.options(group)]
        more = ", any HxW" if group == "input_size" else ""
        lines.append(f"{group:<12} {', '.join(names)}{more}")
    if any(library.groups.values()):
        return [*lines, "* is the default"]
    return [*lines, "without one: as recorded in the checkpoint"]


def _option_lines(key: Key, library: Library) -> list[str]:
    """The keys of each schema of a group, under the names of the options that follow it."""
    lines = []
    for schema in key.schemas:
        options = library.options_for(key.name, getattr(schema, "target", None))
        if len(key.schemas) > 1:
            lines.append(f"with {key.name}={' or '.join(options)}:")
        default = library.groups[key.name]
        if default is None and len(options) > 1:  # each sets other values, and none of them is the default
            lines += _key_lines(list(keys_of(schema)), None, f"{key.name}.")
        else:
            values = library.values(key.name, default if default in options else options[0])
            lines += _key_lines(list(keys_of(schema)), values, f"{key.name}.")
    return lines


def _key_lines(keys: list[Key], values: dict[str, Any] | None, prefix: str = "") -> list[str]:
    """values: None where there are no defaults to show."""
    lines = []
    for key in keys:
        value = values.get(key.name) if values else None
        if key.schemas:
            below = keys_of(key.schemas[0], key.rule.inherit)
            lines += _key_lines(list(below), value or {}, f"{prefix}{key.name}.")
        else:
            limits = describe(kinds_of(key.annotation), key.rule)
            setting = f"{prefix}{key.name}" + ("" if values is None else f"={as_typed(value)}")
            lines.append(f"{setting:<{VALUE_WIDTH}} {key.rule.doc} ({limits})")
    return lines
