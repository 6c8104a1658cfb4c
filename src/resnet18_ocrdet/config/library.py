"""What lies in conf/: the groups of a command, their options, their values, and which keys they declare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeAlias

import yaml  # type: ignore[import-untyped]

from .spec import MORE, Key, declared_key

COMMANDS = ("train", "eval", "detect", "check", "export")
Schema: TypeAlias = "Mapping[str, Key | Section]"
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Section:
    """A key that holds others: a section of the command's file, or a group."""

    options: Mapping[str | None, Schema]  # `_target_` -> keys; of a section, and of a group without targets: None
    optional: bool = False  # null is allowed

    def choose(self, node: Any) -> Schema | None:
        """The keys that a node follows: of its `_target_`, or the only ones."""
        if None in self.options:
            return self.options[None]
        target = node.get("_target_") if isinstance(node, Mapping) else None
        return self.options.get(target) if isinstance(target, str) else None


@dataclass(frozen=True)
class ConfFile:
    """One YAML file of conf/, those of its `defaults` in it."""

    defaults: list[Any]
    values: dict[str, Any]
    comments: Mapping[str, str]  # dotted key -> what follows `#` on its line
    header: list[str]  # comment lines at the top


class Library:
    """The config files of one command: the shipped ones and those of `--config-dir`."""

    def __init__(self, command: str, extra: Path | None = None) -> None:
        """extra: the folder given with `--config-dir`."""
        self.command = command
        self.shipped = conf_dir()
        self.folders = [self.shipped, *([extra] if extra else [])]
        self.file = conf_file(self.shipped / f"{command}.yaml")
        # the values of the command's own file, without Hydra's settings
        self.primary = {name: value for name, value in self.file.values.items() if name != "hydra"}
        pairs = [pair for entry in self.file.defaults if isinstance(entry, dict) for pair in entry.items()]
        chosen = {name: option for name, option in pairs if not name.startswith("override ")}
        # group -> as Hydra calls it: `mix1` -> `data@mix1`, a second group with the options of conf/data
        self.packages: dict[str, str] = {group_of(name): name for name in chosen}
        # group -> option chosen by default
        self.groups: dict[str, str | None] = {group_of(name): option for name, option in chosen.items()}

    @cached_property
    def schema(self) -> Schema:
        """The keys of a run of this command, groups with all of their shipped options."""
        groups = {name: self._group(name, default) for name, default in self.groups.items() if name != "experiment"}
        return {**groups, **self._section(self.primary, "")}

    def folder_of(self, group: str) -> str:
        """The folder of its options, below conf/."""
        return self.packages.get(group, group).partition("@")[0]

    def options(self, group: str) -> list[str]:
        """Names that `group=` takes."""
        below = self.folder_of(group)
        found = {
            file.relative_to(folder / below).with_suffix("").as_posix()
            for folder in self.folders
            for file in (folder / below).rglob("*.yaml")
        }
        return sorted(found)

    def shipped_files(self, group: str) -> dict[str, ConfFile]:
        """Shipped option of a group -> its file."""
        return {file.stem: conf_file(file) for file in sorted((self.shipped / self.folder_of(group)).glob("*.yaml"))}

    def values(self, group: str, option: str) -> dict[str, Any]:
        """What a shipped option sets."""
        return self.shipped_files(group)[option].values

    def options_for(self, group: str, target: str | None) -> list[str]:
        """Shipped options of a group that build `target`; derived ones only where there is no other."""
        files = self.shipped_files(group)
        found = [name for name, file in files.items() if file.values.get("_target_") == target]
        return [name for name in found if not files[name].defaults] or found

    def _group(self, group: str, default: str | None) -> Section:
        """The keys of each target: those of its options, declared there or in any other option of the group."""
        files = list(self.shipped_files(group).values())
        anywhere = {name: key for file in reversed(files) for name, key in _declared(file).items()}
        options: dict[str | None, dict[str, Key | Section]] = {}
        for file in files:
            own = _declared(file)
            keys = options.setdefault(file.values.get("_target_"), {})
            for name in (name for name in file.values if name != "_target_"):
                key = own.get(name) or anywhere.get(name)
                key = key or declared_key(name, file.comments.get(name, ""), file.values[name])
                keys[name] = _completed(key, files)
        return Section(options, optional=default is None)

    def _section(self, values: Mapping[str, Any], prefix: str) -> dict[str, Key | Section]:
        """Keys of the command's file, declared there or in train.yaml."""
        found: dict[str, Key | Section] = {}
        for name, value in values.items():
            full = prefix + name
            if isinstance(value, dict):
                found[name] = Section({None: self._section(value, f"{full}.")})
                continue
            own = self.file.comments.get(full, "")
            key = None if own.startswith("[") or self.command == "train" else train_keys().get(full)
            if key is None:
                found[name] = declared_key(name, own, value)
            else:
                rule = replace(key.rule, doc=own or key.rule.doc)
                found[name] = replace(key, optional=key.optional or value is None, rule=rule)
        return found


def group_of(word: str) -> str:
    """The group that a word of Hydra sets: `data@mix1` -> `mix1`."""
    return word.rpartition("@")[2]


def conf_dir() -> Path:
    """Inside the installed package, else at the root of the checkout it was installed from."""
    here = Path(__file__).resolve()
    package, checkout = here.parents[1], here.parents[3]
    for folder in (package / "conf", checkout / "conf"):
        if (folder / "train.yaml").is_file():
            return folder
    raise FileNotFoundError(f"no conf/train.yaml in {package} or {checkout}: reinstall the package")


@cache
def conf_file(path: Path) -> ConfFile:
    """Read a file of conf/, once."""
    text = path.read_text("utf-8")
    values = yaml.load(text, Loader) or {}
    comments = dict(_comments(yaml.compose(text, Loader), text.splitlines(), ""))
    defaults = values.pop("defaults", [])
    for name in reversed([entry for entry in defaults if isinstance(entry, str) and entry != "_self_"]):
        base = conf_file(path.with_name(f"{name}.yaml"))
        values, comments = {**base.values, **values}, {**base.comments, **comments}
    header = [line.removeprefix("# ") for line in text.partition("\n\n")[0].splitlines() if line.startswith("# ")]
    return ConfFile(defaults, values, comments, header)


def _comments(node: Any, lines: list[str], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in getattr(node, "value", ()):
        name = prefix + key.value
        if isinstance(value, yaml.MappingNode) and not value.flow_style:
            yield from _comments(value, lines, f"{name}.")
        elif value.end_mark.line == value.start_mark.line:
            yield name, lines[value.end_mark.line][value.end_mark.column :].partition("#")[2].strip()


def _declared(file: ConfFile) -> dict[str, Key]:
    """The keys of an option that say what they take, or could only be what their value is."""
    own = {}
    for name, value in file.values.items():
        comment = file.comments.get(name, "")
        if name != "_target_" and (comment.startswith("[") or isinstance(value, bool)):
            own[name] = declared_key(name, comment, value)
    return own


def _completed(key: Key, files: Sequence[ConfFile]) -> Key:
    """A choice that is declared with `…` takes the values of all options, too."""
    if MORE not in key.rule.choices:
        return key
    values = [str(file.values[key.name]) for file in files if key.name in file.values]
    choices = dict.fromkeys([*(word for word in key.rule.choices if word != MORE), *values])
    return replace(key, rule=replace(key.rule, choices=tuple(choices)))


@cache
def command_keys(command: str) -> dict[str, Key]:
    """Dotted name -> key, of every key outside of groups that a command takes."""
    return {name: key for name, key, _ in all_leaves(Library(command).schema)}


def train_keys() -> dict[str, Key]:
    """Those of ocrdet-train."""
    return command_keys("train")


@cache
def mixed_groups() -> tuple[str, ...]:
    """The groups of ocrdet-train for data sets that are mixed into the training images, `train.<group>_share` each."""
    library = Library("train")
    return tuple(group for group in library.groups if library.folder_of(group) != group)


@cache
def targets() -> frozenset[str]:
    """Every `_target_` of the shipped options: all that is ever built by name."""
    found = {target for command in COMMANDS for _, _, target in all_leaves(Library(command).schema)}
    return frozenset(filter(None, found))


def leaves(schema: Schema, tree: Mapping[str, Any], prefix: str = "") -> dict[str, Key]:
    """Dotted name -> key, for every value that this run config holds."""
    found: dict[str, Key] = {}
    for name, key in schema.items():
        if isinstance(key, Key):
            found[prefix + name] = key
            continue
        node = tree.get(name)
        if (below := key.choose(node)) is not None:
            found |= leaves(below, node if isinstance(node, Mapping) else {}, f"{prefix}{name}.")
    return found


def all_leaves(schema: Schema, prefix: str = "", target: str | None = None) -> Iterator[tuple[str, Key, str | None]]:
    """(dotted name, key, `_target_` it belongs to), whatever options are chosen."""
    for name, key in schema.items():
        if isinstance(key, Key):
            yield prefix + name, key, target
        else:
            for below, keys in key.options.items():
                yield from all_leaves(keys, f"{prefix}{name}.", below)
