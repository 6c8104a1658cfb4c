"""Settings that are valid alone but not together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from omegaconf import DictConfig

from ..config.check import plain
from ..config.library import mixed_groups
from ..config.values import pair_problem
from ..errors import UserError
from ..model.bundled import BUNDLED, EXPORTED
from ..runtime.messages import count

Tree = Mapping[str, Any]


def check_settings(cfg: DictConfig, command: str, complete: bool = True) -> None:
    """Raise UserError, one line each, for settings of a checked config that exclude each other or lack another one.

    complete: False allows settings to be missing, to look at a config (`--cfg`)."""
    tree = plain(cfg, resolve=True)
    if problems := contradictions(tree, command) or (not_given(tree, command) if complete else []):
        raise UserError("\n".join(problems))


def contradictions(tree: Tree, command: str) -> list[str]:
    """Pairs of settings that exclude each other, one line each."""
    found = _data_contradictions("data", tree.get("data") or {})
    if command == "train":
        found += _mix_contradictions(tree)
        found += _training_contradictions(tree)
    if command == "check" and "root" not in tree["data"]:
        found.append("data=synthetic has no labels to check: add data=custom data.root=FOLDER, or another label format")
    if command in ("train", "check"):
        found += _crop_contradictions(tree["augment"])
    if command == "detect" and tree["shard"] is not None:
        index, parts = map(int, tree["shard"].split("/"))
        if index > parts:
            found.append(f"shard={tree['shard']}: there are shards 1/{parts} to {parts}/{parts}")
    if command == "detect" and tree["shard"] is not None and tree["overwrite"]:
        found.append("overwrite=true would remove results of other shards: remove the folder, then start all shards")
    if command in ("eval", "detect") and tree["runtime"] != "auto":
        networks = [tree.get(name) for name in ("checkpoint", "baseline")]
        if not any(network is not None and network.endswith(EXPORTED) for network in networks):
            found.append(f"runtime={tree['runtime']} runs exported networks: checkpoint=….onnx, made by ocrdet-export")
    if command == "export":
        found += _export_contradictions(tree)
    if command == "eval":
        found += _calibration_contradictions(tree)
    if command == "eval" and tree["checkpoint"] is not None and tree["predictions"] is not None:
        found.append("checkpoint and predictions are both given: evaluate one of them")
    if command == "eval" and tree["predictions"] is not None and tree["data"] is None:
        found.append("predictions=… needs labels to compare with: add data=icdar2015 data.root=FOLDER or data=custom")
    return found


def _export_contradictions(tree: Tree) -> list[str]:
    found, precision = [], tree["precision"]
    if precision == "int8" and tree["input"] is None:
        found.append("precision=int8 measures the range of every layer on your images: add input=FOLDER")
    if precision != "fp32" and (tree["output"] or "").endswith(".pt2"):
        found.append(f"precision={precision} writes ONNX: output=….onnx")
    if tree["output_shape"] == "hw" and tree["input_dtype"] != "float":
        found.append("output_shape=hw is for OpenCV's TextDetectionModel_DB, which gives floats: add input_dtype=float")
    return found


def _calibration_contradictions(tree: Tree) -> list[str]:
    if not tree["calibrate"]:
        return []
    if tree["predictions"] is not None:
        return ["calibrate=true needs a network: result files hold boxes that are already decoded"]
    if tree["checkpoint"] in (None, BUNDLED):
        return ["calibrate=true writes into the checkpoint, and the bundled one is never changed: checkpoint=PATH"]
    if tree["checkpoint"].endswith(EXPORTED):
        return ["calibrate=true writes into a checkpoint: calibrate the .pt, then export it"]
    if tree["baseline"] is not None:
        return ["calibrate=true changes a checkpoint, baseline=… compares two: run them separately"]
    if tree["split"] == "train" or (tree["split"] == "all" and tree["data"] is None):
        words = f"calibrate=true split={tree['split']}"
        return [f"{words}: calibrating on training images is over-optimistic; split=val"]
    typed = [f"decode.{name}" for name, value in tree["decode"].items() if value is not None]
    if tree["input_size"] is not None or typed:
        named = ", ".join(["input_size"] * (tree["input_size"] is not None) + typed)
        return [f"calibrate=true: thresholds are found for the checkpoint as it is; leave out {named}"]
    return []


def not_given(tree: Tree, command: str) -> list[str]:
    """Settings that this command needs and that no single key requires."""
    if command == "eval" and tree["data"] is None and tree["checkpoint"] in (None, BUNDLED):
        return [
            "data=… is missing: the bundled weights come without images; add data=icdar2015 data.root=FOLDER, or score "
            "a run on its own validation images with checkpoint=runs/train/DATE_TIME/checkpoints/best.pt"
        ]
    finetuned = command == "train" and tree["train"]["auto_hparams"] and tree["resume"] is None
    if finetuned and tree["init"]["weights"] is None:
        return [
            "init.weights=PATH is missing: experiment=finetune (train.auto_hparams=true) starts from a trained "
            "detector; type init.weights=bundled, or init.weights=runs/train/DATE_TIME/checkpoints/best.pt"
        ]
    return []


def _training_contradictions(tree: Tree) -> list[str]:
    optimizer, scheduler, epochs = tree["optimizer"], tree["scheduler"], tree["train"]["epochs"]
    found = []
    if scheduler.get("eta_min", 0) > optimizer["lr"]:
        usual = Decimal(f"{optimizer['lr'] / 10:g}")  # printed as 0.00003 rather than 3e-05
        found.append(
            f"scheduler.eta_min={scheduler['eta_min']:g} is above optimizer.lr={optimizer['lr']:g}: the rate would "
            f"rise; a tenth is usual, scheduler.eta_min={usual:f}"
        )
    if scheduler.get("warmup_epochs", 0) >= epochs:
        found.append(f"scheduler.warmup_epochs={scheduler['warmup_epochs']:g} takes up all of train.epochs={epochs}")
    if (decay := scheduler.get("decay_epochs", 0)) > epochs:
        found.append(f"scheduler.decay_epochs={decay:g} is longer than train.epochs={epochs}")
    scale, init = optimizer["pretrained_lr_scale"], tree["init"]
    if scale != 1 and (init["backbone"] is None or init["weights"] is not None):
        found.append(
            f"optimizer.pretrained_lr_scale={scale:g} is for what init.backbone loads: give init.backbone=PATH and no "
            f"init.weights, or leave it at 1"
        )
    unfreeze = tree["train"]["unfreeze_epoch"]
    if unfreeze is not None and tree["train"]["freeze"] is None and not tree["train"]["auto_hparams"]:
        found.append(f"train.unfreeze_epoch={unfreeze}: nothing is frozen; add train.freeze=layer1, or leave it out")
    if optimizer.get("nesterov") and optimizer["momentum"] == 0:
        found.append("optimizer.nesterov=true needs optimizer.momentum above 0")
    for section, low, high in (("train", "thresh_min", "thresh_max"), ("augment", "scale_min", "scale_max")):
        least, most = tree[section][low], tree[section][high]
        # Equal zooms are a fixed zoom; with equal thresholds the threshold map is constant.
        if least > most or (section == "train" and least == most):
            found.append(f"{section}.{low}={least:g} must be below {section}.{high}={most:g}")
    return found


def _crop_contradictions(augment: Tree) -> list[str]:
    if augment["crop_size"] is None:
        return []
    if not augment["crop"]:
        return [
            "augment.crop_size needs augment.crop=true; without it every image is used whole: augment.crop_size=null"
        ]
    problem = pair_problem(augment["crop_size"])
    return [f"augment.crop_size={augment['crop_size']}: {problem}"] if problem else []


def _mix_contradictions(tree: Tree) -> list[str]:
    """Of the sets that are mixed into the training images, and their shares."""
    found, together = [], 0.0
    for group in mixed_groups():
        share, key = tree["train"][f"{group}_share"], f"train.{group}_share"
        together += share
        if tree[group] is None and share > 0:
            found.append(f"{key}={share:g} of what? Add {group}=synthetic, or {group}=custom {group}.root=FOLDER")
        if tree[group] is not None and share == 0:
            found.append(f"{group} is not used: add its share of the training images, {key}=0.25, or leave it out")
        found += _data_contradictions(group, tree[group] or {})
    if together >= 1:
        found.append(f"the shares of {', '.join(mixed_groups())} add up to {together:g}: nothing is left for data")
    return found


def _data_contradictions(group: str, data: Tree) -> list[str]:
    found = []
    for part in ("train", "val"):
        span = re.fullmatch(r"(\d+)-(\d+)", str(data.get(part)))
        if span and int(span[1]) > int(span[2]):
            found.append(f"{group}.{part}={data[part]}: a range must go upwards, {span[2]}-{span[1]}")
    shares = [data.get("train"), data.get("val")]
    if all(isinstance(share, float) for share in shares) and sum(shares) > 1:  # type: ignore[arg-type]
        found.append(f"{group}.train={shares[0]} and {group}.val={shares[1]} add up to more than 1")
    if data.get("style") == "plain":
        typed = {name: data[name] for name in ("texts", "documents") if data[name]}
        words = f"is for varied scenes: add {group}.style=varied"
        found += [f"{group}.{name}={value} {words}" for name, value in typed.items()]
    return found


def _same_scenes(tree: Tree) -> list[str]:
    """A line for each mixed set of rendered scenes that renders those of a set before it."""
    found: list[str] = []
    seen: dict[str, dict[str, Any]] = {}
    for group in ("data", *mixed_groups()):
        scenes = {name: value for name, value in (tree[group] or {}).items() if not name.endswith("_size")}
        if "style" not in scenes:
            continue
        if twin := next((other for other, drawn in seen.items() if drawn == scenes), None):
            found.append(f"{twin} and {group} render the same scenes: add {group}.seed={scenes['seed'] + len(seen)}")
        seen[group] = scenes
    return found


def suspicions(cfg: DictConfig) -> list[str]:
    """Valid settings of a training run that are probably a mistake, one line each."""
    tree = plain(cfg, resolve=True)
    optimizer, scheduler, init, data = tree["optimizer"], tree["scheduler"], tree["init"], tree["data"]
    lr, epochs, found = optimizer["lr"], tree["train"]["epochs"], []
    if "betas" in optimizer and lr >= 0.007:
        found.append(f"optimizer.lr={lr:g} with AdamW: 0.0003 to 0.002 is usual; rates of SGD make it diverge")
    if "betas" not in optimizer and lr > 0.1:
        found.append(f"optimizer.lr={lr:g} with SGD: above 0.1 training usually diverges; the default is 0.007")
    step, end, peak = (scheduler.get(key) for key in ("step_size", "T_max", "max_lr"))
    if step is not None and step >= epochs:
        found.append(
            f"the learning rate never decays in this run: scheduler.step_size={count(step, 'epoch')}, "
            f"train.epochs={epochs}"
        )
    if end is not None and end > epochs:
        found.append(f"the cosine is cut off: scheduler.T_max={end:g}, train.epochs={epochs}")
    if end is not None and end < epochs:
        found.append(f"the rate stays at eta_min from epoch {end:g} to {epochs}: scheduler.T_max is below train.epochs")
    if peak is not None and peak != lr:
        found.append(f"optimizer.lr={lr:g} is not used: onecycle peaks at scheduler.max_lr={peak:g}")
    unfreeze = tree["train"]["unfreeze_epoch"]
    if unfreeze is not None and tree["train"]["freeze"] is None:  # as the rules of train.auto_hparams chose
        found.append(f"train.unfreeze_epoch={unfreeze} has no effect: nothing is frozen, train.freeze=null")
    elif unfreeze is not None and unfreeze >= epochs:
        found.append(f"train.freeze holds for the whole run: train.unfreeze_epoch={unfreeze}, train.epochs={epochs}")
    if tree["train"]["batch_size"] == 1:
        found.append("train.batch_size=1: batch norm gets its statistics from single images; 4 or more train better")
    if tree["resume"] is not None and init["weights"] is not None:
        found.append("init.weights is not used: resume loads the weights of the run it continues")
    if init["weights"] is not None:
        unused = [name for name in ("backbone", "zero_residuals") if init[name]]
        found += [f"init.{name} is not used: init.weights replaces the whole network" for name in unused]
    if data.get("val") is not None and data.get("val") == data.get("train") and not isinstance(data["val"], float):
        found.append(f"training and validation use the same images: data.train and data.val are both {data['val']}")
    return found + _same_scenes(tree)
