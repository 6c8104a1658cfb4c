"""The groups of a resumed run, so that their keys can be typed without naming the groups again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from omegaconf import OmegaConf

from ..config.check import MISSING, plain
from ..config.library import Library
from ..config.override_grammar import Word, quote
from ..model.recorded_config import recorded_config
from ..runtime.regular_file import read_regular
from ..runtime.run_folder import find_resume

LIMIT = "max_megapixels"
LARGEST_FILE = 2**16  # bytes of a config.yaml; they have about five thousand


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Without aliases: no run writes them, and a few lines of them can expand to more than fits into memory."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias")
        return super().compose_node(parent, index)


def implied_words(words: list[str], library: Library) -> list[str]:
    """`resume=RUN data.train=…` -> `data=custom`, `data.root=…` as RUN has them; for groups that are not typed."""
    if not continues_saved(words):
        return []
    typed = {word.key: word.value for word in map(Word.split, words)}
    saved = _saved_config(typed["resume"] or "", typed.get("run_dir"))
    implied = []
    if LIMIT in saved and LIMIT not in typed:  # it applies before the run is opened
        implied.append(f"{LIMIT}={saved[LIMIT]}")
    for group, default in library.groups.items():
        if group in typed and not (typed[group] or "").startswith("{"):
            continue
        section: dict[str, Any] = saved.get(group) or {}
        target = section.get("_target_")
        options = library.options_for(group, target) if target else []
        if options and default not in options:
            implied.append(f"{library.packages[group]}={options[0]}")
            needed = [key for key, value in library.values(group, options[0]).items() if value == MISSING]
            implied += [f"{group}.{key}={quote(str(section[key]))}" for key in needed if key in section]
    return implied


def continues_saved(words: list[str]) -> bool:
    """Whether a run is resumed with its saved settings, except for what is typed."""
    typed = {word.key: word.value for word in map(Word.split, words)}
    return typed.get("resume") not in (None, "null") and "experiment" not in typed


def _saved_config(resume: str, run_dir: str | None) -> dict[str, Any]:
    """The run's config.yaml; empty when there is none: errors are reported when the run is opened."""
    try:
        run = find_resume(resume, Path(run_dir or ""))[0].resolve().parents[1]
        said = yaml.load(read_regular(run / "config.yaml", LARGEST_FILE), _Loader)
        return plain(OmegaConf.create(recorded_config(said)), resolve=True)
    except Exception:  # besides ours, PyYAML's converters raise many types
        return {}
