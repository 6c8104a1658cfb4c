"""Small files that expand to much memory or time are refused before they are read."""

from __future__ import annotations

import io
import os
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from config_runner import empty_folder  # noqa: F401
from hostile_files import raw
from resnet18_ocrdet.commands.resume_words import implied_words
from resnet18_ocrdet.config.interpolation import escape_interpolation, literal
from resnet18_ocrdet.config.library import Library
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.model.checkpoint import load_checkpoint
from resnet18_ocrdet.model.plain_values import not_plain
from resnet18_ocrdet.model.recorded_config import recorded_config
from resnet18_ocrdet.runtime.regular_file import sha256

PACKED = r"a\.pt: .*(compressed|overlap)"


def refused(content: Any, path: Path, problem: str) -> None:
    torch.save(content, path)
    with pytest.raises(UserError, match=problem):
        load_checkpoint(path)


def test_nested_shared_lists_are_refused(tmp_path: Path):
    node: Any = [0] * 10
    for _ in range(12):
        node = [node] * 10
    for name in ("about", "config"):
        refused(raw() | {name: {"a": node}}, tmp_path / "a.pt", r"more than \d+ values")
    own: list[Any] = []
    own.append(own)
    refused(raw() | {"about": {"a": own}}, tmp_path / "a.pt", "nested too deep")


@pytest.mark.parametrize("shared", ["\\" * 10_000, {"\\" * 10_000: 1}, ["\\" * 5000, "x" * 5000]])
def test_a_shared_string_counts_each_time_it_is_used(shared: Any, tmp_path: Path):
    """A pickle stores it once."""
    refused(raw() | {"config": {"a": [shared] * 200}}, tmp_path / "a.pt", "config.* more than 100000 characters")
    refused(raw() | {"about": {"a": [shared] * 9000}}, tmp_path / "a.pt", "about.* more than 20000000 characters")
    assert not_plain([shared] * 3, 100, 30_000) is None
    assert "29999 characters" in str(not_plain([shared] * 3, 100, 29_999))


def test_many_backslashes_take_linear_time():
    text, begin = "\\" * 200_000, time.monotonic()
    assert escape_interpolation(text) == literal(text) == text
    assert literal(escape_interpolation(text + "${" + text)) == text + "${" + text
    recorded_config({"run_dir": "\\" * 10_000, "resume": "\\" * 9991 + "${x}"})
    assert time.monotonic() - begin < 5  # quadratic time would be minutes


def started(folder: Path, config: str) -> list[str]:
    """The overrides implied by a run folder with this config.yaml."""
    (folder / "run/checkpoints").mkdir(parents=True, exist_ok=True)
    (folder / "run/checkpoints/last.pt").touch()
    (folder / "run/config.yaml").write_text(config, encoding="utf-8")
    return implied_words([f"resume={folder / 'run'}"], Library("train"))


def test_a_run_config_with_yaml_aliases_is_not_used(tmp_path: Path):
    config = yaml.safe_dump({"optimizer": raw()["config"]["optimizer"] | {"_target_": "torch.optim.AdamW"}})
    assert [word.partition("=")[0] for word in started(tmp_path, config)] == ["max_megapixels", "optimizer"]
    merged = "a0: &a0 {x: 1}\n" + "".join(
        f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)
    )
    for bomb in (merged, "seed: &x 3\n", "seed: *x\n", "#" * 2**16):
        words = started(tmp_path, bomb + config)
        assert words[1:] == ([] if "*" in bomb or "#" in bomb else ["optimizer=adamw"])


@pytest.mark.parametrize(
    "value", ["!!bool x", "!!timestamp x", "!!int ''", "!!float ''", "9" * 5000, "1" + ":00" * 2000 + ".5", "!!null {}"]
)
def test_a_run_config_with_invalid_yaml_values_is_not_used(value: str, tmp_path: Path):
    assert started(tmp_path, f"seed: {value}\n") == []


def repacked(path: Path, method: int, twice: bool = False) -> int:
    """Write weights with parts compressed by `method`; returns the offset of the zip directory.

    twice: the directory lists each part twice."""
    whole = io.BytesIO()
    torch.save(raw(), whole)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w", method) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        new.filelist *= 1 + twice
    with zipfile.ZipFile(path) as made:
        return made.start_dir


def test_compressed_checkpoint_parts_are_refused(tmp_path: Path):
    path = tmp_path / "a.pt"
    repacked(path, zipfile.ZIP_STORED)
    load_checkpoint(path)  # not from torch.save, but equal to it
    for method, twice in ((zipfile.ZIP_DEFLATED, False), (zipfile.ZIP_STORED, True)):
        repacked(path, method, twice)
        with pytest.raises(UserError, match=PACKED):
            load_checkpoint(path)


def test_a_second_zip_directory_is_refused(tmp_path: Path):
    """Python reads the directory before the end record, torch the one at the offset stated in it."""
    path, other = tmp_path / "a.pt", tmp_path / "b.pt"
    hidden, shown = repacked(path, zipfile.ZIP_DEFLATED), repacked(other, zipfile.ZIP_STORED)
    table = bytearray(other.read_bytes()[shown:])
    size = int.from_bytes(path.read_bytes()[-10:-6], "little")  # of the hidden one
    assert size == len(table) - 22
    table[-6:-2] = hidden.to_bytes(4, "little")
    path.write_bytes(path.read_bytes()[:-22] + table)
    with zipfile.ZipFile(path) as archive:
        assert {part.compress_type for part in archive.infolist()} == {zipfile.ZIP_STORED}
    assert torch.load(path, weights_only=True).keys() == raw().keys()  # the attack works without the check
    with pytest.raises(UserError, match=r"a\.pt: not a checkpoint, or damaged"):
        load_checkpoint(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_both_formats_of_torch_are_read(zipped: bool, tmp_path: Path):
    torch.save(raw(), tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    assert load_checkpoint(tmp_path / "a.pt")["schema"] == raw()["schema"]


@pytest.mark.parametrize("cut", [1, 22, 50, 98, 200])
def test_a_truncated_zip_is_refused(cut: int, tmp_path: Path):
    torch.save(raw(), tmp_path / "a.pt")
    (tmp_path / "a.pt").write_bytes((tmp_path / "a.pt").read_bytes()[:-cut])
    with pytest.raises(UserError, match=r"a\.pt: .*damaged"):
        load_checkpoint(tmp_path / "a.pt")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_the_hash_of_a_pipe_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        sha256(tmp_path / "pipe")
