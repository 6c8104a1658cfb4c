"""`--help` and `--version`, made from conf/ so that they cannot go stale."""

from __future__ import annotations

from typing import Any

from ..config.library import Library, Schema, Section
from ..config.spec import Key
from ..config.values import describe
from ..runtime.messages import as_typed

ABOUT = {
    "train": "Train a text detector.",
    "eval": "Evaluate a text detector: precision, recall, hmean, average precision.",
    "detect": "Find text in images.",
    "export": "Export a trained detector for other programs, and compare the file with the checkpoint.",
    "check": "Find what is wrong with a data set before training on it.",
}
FLAGS = [
    "-h, --help            this text",
    "--version             version of this package",
    "--cfg job             print the composed config and stop; --resolve fills in ${…}",
    "-m, --multirun        one run for each value: key=1,2,3",
    "--config-dir FOLDER   options and presets of your own, laid out as conf/ is",
    "--info                where the config comes from",
    '-sc install=bash      completion for your shell: eval "$(ocrdet-COMMAND -sc install=bash)"',
]
VALUE_WIDTH = 32


def help_text(command: str) -> str:
    """Usage, examples, groups with their options, and every key with its default."""
    library = Library(command)
    ungrouped = {name: key for name, key in library.schema.items() if name not in library.groups}
    lines = [
        ABOUT[command],
        "",
        f"usage: ocrdet-{command} [key=value ...] [flags]",
        "",
        *_block("examples", library.file.header),
        *_block("groups (group=option)", _group_lines(library)),
        *_block("keys, with their defaults", _key_lines(ungrouped, library.primary)),
    ]
    for group in library.groups:
        if group == library.folder_of(group) and isinstance(section := library.schema.get(group), Section):
            lines += _block(f"keys of {group}=…", _option_lines(group, section, library))
    lines += _block("flags", [line.replace("COMMAND", command) for line in FLAGS])
    return "\n".join(lines).rstrip()


def _block(title: str, body: list[str]) -> list[str]:
    return [f"{title}:", *(f"  {line}" for line in body), ""]


def _group_lines(library: Library) -> list[str]:
    lines = []
    for group, default in library.groups.items():
        if (folder := library.folder_of(group)) != group:
            lines.append(f"{group:<12} as {folder}, with the same keys: {group}.…; none is the default")
            continue
        names = [f"{name}*" if name == default else name for name in library.options(group)]
        more = ", any HxW" if group == "input_size" else ""
        lines.append(f"{group:<12} {', '.join(names)}{more}")
    lines.append("* is the default" if any(library.groups.values()) else "without one: as recorded in the checkpoint")
    return lines


def _option_lines(group: str, section: Section, library: Library) -> list[str]:
    """The keys of each target of a group, under the names of the options that build it."""
    lines = []
    for target, keys in section.options.items():
        options = library.options_for(group, target)
        if len(section.options) > 1:
            lines.append(f"with {group}={' or '.join(options)}:")
        default = library.groups[group]
        if default is None and len(options) > 1:  # each sets other values, and none of them is the default
            lines += _key_lines(keys, None, f"{group}.")
        else:
            chosen = default if default in options else options[0]
            lines += _key_lines(keys, library.values(group, chosen), f"{group}.")
    return lines


def _key_lines(schema: Schema, values: dict[str, Any] | None, prefix: str = "") -> list[str]:
    """values: None where there are no defaults to show."""
    lines = []
    for name, key in schema.items():
        value = values.get(name) if values else None
        if not isinstance(key, Key):
            for below in key.options.values():
                lines += _key_lines(below, value or {}, f"{prefix}{name}.")
            continue
        setting = f"{prefix}{name}" + ("" if values is None else f"={as_typed(value)}")
        lines.append(f"{setting:<{VALUE_WIDTH}} {key.rule.doc} ({describe(key)})")
    return lines
