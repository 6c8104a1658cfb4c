"""From the words of a command line to a checked run config, by Hydra's composition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from .library import Library, conf_dir, group_of

if TYPE_CHECKING:  # Hydra takes a quarter of a second to import: --help and --version do without
    from omegaconf import DictConfig


@dataclass
class Request:
    """One command line, split but not yet checked."""

    command: str
    words: list[str] = field(default_factory=list)
    show_help: bool = False
    version: bool = False
    cfg: str | None = None  # print this part of the config instead of running: job, hydra or all
    package: str | None = None  # with cfg: only this node
    resolve: bool = False  # with cfg: interpolations replaced by their values
    multirun: bool = False
    info: str | None = None
    completion: bool = False
    config_dir: Path | None = None


@contextmanager
def hydra_session(command: str) -> Iterator[Any]:
    """Hydra's own object, which composes, shows and sweeps; forgotten afterwards."""
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    with initialize_config_dir(str(conf_dir()), job_name=f"ocrdet-{command}", version_base="1.3"):
        yield GlobalHydra.instance().hydra


def prepared_words(hydra: Any, request: Request, library: Library, implied: Sequence[str] = ()) -> list[str]:
    """The words as Hydra takes them, `implied` ones first. Raises UserError with one line for each mistake.

    Where some words are wrong, the others are checked too, so that all mistakes are reported at once."""
    from .override_check import each_value_once, prepare
    from .override_grammar import quote_grammar  # Hydra reads the search path without OmegaConf

    folder = [] if request.config_dir is None else [quote_grammar(f"file://{request.config_dir.resolve()}")]
    extra = [*(f"hydra.searchpath=[{path}]" for path in folder), *implied]  # a sweep hands them on to its jobs
    words, problems = prepare(request.words, request.multirun, library)
    if not problems:
        shown = request.multirun or request.cfg or request.info  # in names of folders, and to the user
        return [*extra, *(_without_prefixes(hydra, request, [*extra, *words], library) if shown else words)]
    for settings in each_value_once([*extra, *words], library):
        try:
            checked(hydra, request, settings, complete=False)
        except UserError as error:
            problems += str(error).splitlines()
    raise UserError("\n".join(dict.fromkeys(problems)))


def _without_prefixes(hydra: Any, request: Request, words: list[str], library: Library) -> list[str]:
    """The words without the `++` that keys need only where their parent is null."""
    from omegaconf import OmegaConf

    from .override_check import single_settings

    choices = {word: single_settings(word, library) for word in words if not word.startswith("++")}
    cfg = _compose(hydra, request, [settings[0] for settings in choices.values()])
    swept = {group_of(word.partition("=")[0]) for word, settings in choices.items() if len(settings) > 1}

    def bare(word: str) -> str:
        parent, _, name = word.removeprefix("++").partition("=")[0].rpartition(".")
        node = OmegaConf.select(cfg, parent) if parent else cfg
        always = node is not None and name in node and not swept & {"experiment", parent.partition(".")[0]}
        return word.removeprefix("++") if always else word

    return [bare(word) for word in words]


def checked(hydra: Any, request: Request, words: Sequence[str], complete: bool = True) -> DictConfig:
    """The config of these words, composed and checked. complete: as of `check_run`. Raises UserError."""
    from .check import check_run
    from .override_grammar import Word, typed_keys

    library = Library(request.command, request.config_dir)
    typed = [word for word in map(Word.split, request.words) if word.in_braces or word.key not in library.groups]
    return check_run(_compose(hydra, request, words), request.command, complete, typed_keys(map(str, typed)))


def _compose(hydra: Any, request: Request, words: Sequence[str]) -> DictConfig:
    """One composed config, Hydra's node included; what Hydra objects to becomes a UserError that names the user's own
    option files."""
    from hydra.types import RunMode
    from omegaconf import DictConfig

    try:
        cfg = hydra.compose_config(config_name=request.command, overrides=list(words), run_mode=RunMode.RUN)
    except Exception as error:  # only config files are read here, and Hydra and YAML have no common error for a bad one
        text = " ".join(f"{error} {error.__cause__ or ''}".partition("Config search path")[0].split())
        library = Library(request.command, request.config_dir)
        pairs = [(word, *word.split("=", 1)) for word in words if "=" in word]
        choices = [(word, group_of(key), option) for word, key, option in pairs if group_of(key) in library.groups]
        own = [word for word, group, option in choices if option not in library.shipped_files(group)]
        raise UserError(f"{' '.join(own)}: {text}" if own else text) from error
    assert isinstance(cfg, DictConfig)
    return cfg
