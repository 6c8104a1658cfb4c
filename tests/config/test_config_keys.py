"""The public keys: one that disappears breaks command lines, presets and old runs of users.

Renaming or removing one needs an entry in the changelog."""

from __future__ import annotations

import pytest
import yaml

from resnet18_ocrdet.config.library import Library, all_leaves, conf_dir, mixed_groups
from resnet18_ocrdet.config.spec import declared_key
from resnet18_ocrdet.errors import UserError

KEYS = {
    "train": """
        model.backbone init.backbone init.weights init.zero_residuals
        train.freeze train.unfreeze_epoch train.freeze_statistics model.plain
        optimizer.lr optimizer.momentum optimizer.weight_decay optimizer.nesterov optimizer.betas
        optimizer.eps optimizer.base_batch_size optimizer.layer_decay optimizer.pretrained_lr_scale
        scheduler.step_size scheduler.gamma scheduler.warmup_epochs scheduler.T_max scheduler.eta_min
        scheduler.max_lr scheduler.pct_start scheduler.div_factor scheduler.final_div_factor scheduler.power
        scheduler.decay_epochs
        data.train_size data.val_size data.test_size data.fonts data.backgrounds data.height data.width data.seed
        data.style data.texts data.documents
        data.root data.train data.val data.dialect data.on_error data.missing_gt data.ignore_marks data.coords
        data.ignore_flags data.classes data.other_classes data.columns data.level
        data.exif data.cache data.max_label_mb
        input_size.height input_size.width
        augment.crop augment.crop_size augment.flip augment.rotate augment.scale_min augment.scale_max
        augment.aim_at_text augment.aim_at_small augment.quarter_turns
        augment.perspective augment.photometric augment.color augment.blur augment.noise augment.jpeg augment.shading
        run_dir resume seed max_megapixels overwrite device precision
        train.mix1_share train.mix2_share train.mix3_share mix1.root mix2.train_size mix3.fonts
        train.accumulate train.clip_norm train.ema train.early_stop train.compile train.auto_hparams train.calibrate
        train.batch_size train.epochs train.workers train.log_every train.val_every train.preview
        train.save_minutes train.keep_last train.guard.ratio train.guard.patience train.guard.rollbacks
        train.mining_warmup train.mining_warmup_cap train.min_text_size train.shrink_ratio train.thresh_min
        train.thresh_max
        loss.prob_weight loss.thresh_weight loss.binary_weight loss.negative_ratio
        loss.min_negatives
        decode.bin_thresh decode.box_thresh decode.unclip_ratio decode.max_candidates decode.unclip decode.shape
        decode.resize
    """,
    "eval": """
        checkpoint predictions baseline calibrate split output seed max_megapixels overwrite device precision
        runtime batch_size workers
        data.train_size data.val_size data.test_size data.fonts data.backgrounds data.height data.width data.seed
        data.style data.texts data.documents
        data.root data.train data.val data.dialect data.on_error data.missing_gt data.ignore_marks data.coords
        data.ignore_flags data.classes data.other_classes data.columns data.level
        data.exif data.cache data.max_label_mb
        input_size.height input_size.width
        decode.bin_thresh decode.box_thresh decode.unclip_ratio decode.max_candidates decode.unclip decode.shape
        decode.resize
    """,
    "detect": """
        input checkpoint output vis tiling crops labelme coco shard max_megapixels overwrite device
        precision runtime
        input_size.height input_size.width
        decode.bin_thresh decode.box_thresh decode.unclip_ratio decode.max_candidates decode.unclip decode.shape
        decode.resize
    """,
    "export": """
        checkpoint output dynamic_shapes input_dtype precision input seed max_megapixels overwrite
        input_size.height input_size.width
        decode.bin_thresh decode.box_thresh decode.unclip_ratio decode.max_candidates decode.unclip decode.shape
        decode.resize
    """,
}

OPTIONS = {
    "model": "dbnet_resnet18 dbnet_resnet34 dbnet_resnet50",
    "loss": "db",
    "optimizer": "adamw sgd",
    "scheduler": "constant cosine onecycle poly step",
    "data": "coco ctw1500 custom cvat doctr dota hiertext icdar2013 icdar2015 label_studio labelme lsvt mmocr "
    "mmocr_lines msra_td500 ppocr quickstart rects synthetic synthtext totaltext via voc yolo",
    "input_size": "1024x1024 1152x2048 256x256 320x320 512x512 640x640 736x1280 800x800",
    "augment": "default finetune light none strong",
    "experiment": "finetune icdar2015 pretrain_synthetic quickstart",
}


@pytest.mark.parametrize("command", list(KEYS))
def test_public_keys(command: str):
    assert {name for name, _, _ in all_leaves(Library(command).schema)} >= set(KEYS[command].split())


def test_public_options():
    library = Library("train")
    assert set(library.groups) == {*OPTIONS, *mixed_groups()}
    assert all(library.options(group) == library.options("data") for group in mixed_groups())
    for group, names in OPTIONS.items():
        assert set(names.split()) <= set(library.options(group)), group


@pytest.mark.parametrize("command", list(KEYS))
def test_hydra_is_told_the_same_things_by_every_command(command: str):
    assert yaml.safe_load((conf_dir() / f"{command}.yaml").read_text("utf-8"))["defaults"][0] == "base"
    content = yaml.safe_load((conf_dir() / "base.yaml").read_text("utf-8"))
    assert content["hydra"]["output_subdir"] is None
    assert content["hydra"]["run"] == {"dir": "."}
    assert {"override hydra/job_logging": "none"} in content["defaults"]


def test_a_typing_mistake_in_a_declaration_is_named():
    with pytest.raises(UserError, match=r"power.*'flot > 0' is not a type; one of int, float"):
        declared_key("power", "[flot > 0] of the decay", 0.9)
    assert declared_key("power", "[float > 0] of the decay", 0.9).rule.above
    assert declared_key("cache", "[none|ram] where", "none").rule.choices == ("none", "ram")
