"""What the user probably meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher, get_close_matches

from .library import Library, all_leaves
from .spec import Key

SAME = {  # last part of a key elsewhere -> here
    "learning_rate": "lr",
    "lr0": "lr",
    "batch": "batch_size",
    "bs": "batch_size",
    "num_epochs": "epochs",
    "max_epochs": "epochs",
    "num_workers": "workers",
    "wd": "weight_decay",
    "imgsz": "input_size",
    "img_size": "input_size",
    "image_size": "input_size",
}

RENAMED = {  # a key of an earlier version -> its name now
    "model.weights": "init.weights",
    "model.pretrained": "init.backbone",
    "model.freeze": "train.freeze",
    "model.freeze_statistics": "train.freeze_statistics",
    **{
        f"train.loss.{name}": f"loss.{name}"
        for name in ("prob_weight", "thresh_weight", "binary_weight", "negative_ratio", "min_negatives")
    },
    "train.choose": "train.auto_hparams",
    "optimizer.lr_for_batch": "optimizer.base_batch_size",
    "free": "dynamic_shapes",
    "pixels": "input_dtype",
}


def nearest_key(word: str, known: Iterable[str]) -> str | None:
    """The known dotted key closest to a mistyped one; `epochs` finds `train.epochs`."""
    known = list(known)
    last = word.rpartition(".")[2]
    last = SAME.get(last, last)
    if same_end := [name for name in known if name.rpartition(".")[2] == last]:
        return max(same_end, key=lambda name: SequenceMatcher(None, word, name).ratio())
    if close := get_close_matches(word, known, n=1, cutoff=0.7):
        return close[0]
    ends = {name.rpartition(".")[2]: name for name in known}
    close = get_close_matches(last, ends, n=1, cutoff=0.7)
    return ends[close[0]] if close else None


def unknown_key(word: str, known: Mapping[str, Key], library: Library, chosen: str | None = None) -> str:
    """`no key 'train.epoch': did you mean train.epochs?`, or where the key belongs, or what is there.

    chosen: the option of the key's group."""
    if word == "experiment" or word.startswith("experiment."):
        return f"no key '{word}': a preset file begins with the line '# @package _global_'"
    if word == "train.loss":
        return "'train.loss' is now the group 'loss': loss.prob_weight=…"
    if RENAMED.get(word) in known:
        return f"'{word}' is now {RENAMED[word]}"
    group, _, rest = word.partition(".")
    if word in (path.name for path in library.shipped.iterdir() if path.is_dir()):
        return f"no group '{word}' here; ocrdet-{library.command} takes {', '.join(library.groups)}"
    targets = sorted({target for name, _, target in all_leaves(library.schema) if name == word and target})
    elsewhere = [f"{group}={option}" for target in targets for option in library.options_for(group, target)]
    siblings = [name.rpartition(".")[2] for name in known if name.rpartition(".")[0] == word.rpartition(".")[0]]
    listed = f"; known here: {', '.join(sorted(siblings))}" if siblings else ""
    if elsewhere and rest and word not in known:
        now = f"with {group}={chosen}" if chosen else f"without {group}=…"
        return f"no key '{word}' {now} ({' or '.join(elsewhere)} has it){listed}"
    near = nearest_key(word, known if rest else [*known, *library.groups])
    if near in library.groups:
        return f"no key '{word}': did you mean the group {near} ({', '.join(library.options(near))})?"
    if near:
        return f"no key '{word}': did you mean {near}?"
    return f"no key '{word}'" + (listed or f": ocrdet-{library.command} --help lists them all")


def unknown_option(group: str, option: str, library: Library) -> str:
    """`optimizer=adamm: did you mean adamw? (adamw, sgd)`."""
    names = library.options(group)
    if option == "null":
        why = "a sweep goes through options, not through none" if library.groups[group] is None else "a run needs one"
        return f"{group}=null: {why} ({', '.join(names)})"
    close = get_close_matches(option, names, n=1, cutoff=0.5)
    listed = ", ".join(names) or "none in conf/"
    return f"{group}={option}: " + (f"did you mean {close[0]}? ({listed})" if close else f"no such option ({listed})")
