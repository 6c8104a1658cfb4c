"""The cache of decoded pixels, in memory or in a file."""

from __future__ import annotations

import gc
import os
import pickle
from multiprocessing import get_context
from weakref import WeakSet

import cv2
import numpy as np
import pytest

from resnet18_ocrdet.data import cache as cache_module
from resnet18_ocrdet.data.image_io import read_image
from resnet18_ocrdet.data.labels import LabelledImages
from resnet18_ocrdet.data.record import LabelRecord
from resnet18_ocrdet.errors import UserError

SIZES = [(48, 64), (31, 17), (64, 48)]


@pytest.fixture
def records(tmp_path):
    made = []
    for number, (height, width) in enumerate(SIZES):
        path = tmp_path / f"{number}.jpg"
        pixels = np.random.default_rng(number).integers(0, 256, (height // 4 + 1, width // 4 + 1, 3), dtype=np.uint8)
        cv2.imwrite(str(path), cv2.resize(pixels, (width, height)))
        quad = np.array([[2, 2], [9, 2], [9, 9], [2, 9]], np.float32)
        size = (height, width) if number else None  # unknown for one image
        made.append(LabelRecord(path, None, (quad,), np.array([False]), ("",), size=size))
    return made


@pytest.fixture(autouse=True)
def no_caches_of_other_tests(monkeypatch):
    monkeypatch.setattr(cache_module, "_in_ram", WeakSet())


@pytest.fixture(params=["ram", "disk"])
def kind(request, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return request.param


def forbid_reading(monkeypatch):
    def read(path, reduce=1):
        raise AssertionError(f"{path} was read again")

    monkeypatch.setattr("resnet18_ocrdet.data.labels.read_image", read)


def test_each_image_is_decoded_once(records, kind, monkeypatch):
    source = LabelledImages(records, cache=kind)
    first = [source.load(index).image.copy() for index in range(3)]
    forbid_reading(monkeypatch)
    for index, record in enumerate(records):
        picture = source.open(index)
        assert (picture.height, picture.width) == SIZES[index]
        np.testing.assert_array_equal(picture.pixels(), read_image(record.image_path))
        np.testing.assert_array_equal(picture.pixels(2), first[index])  # full size: only decoding reduces
        np.testing.assert_array_equal(source.load(index).image, first[index])
        with pytest.raises(ValueError, match="read-only"):
            picture.pixels()[0, 0] = 0


def test_without_a_cache_an_image_is_read_each_time(records, monkeypatch):
    source = LabelledImages(records)
    source.load(0)
    forbid_reading(monkeypatch)
    with pytest.raises(AssertionError, match="read again"):
        source.load(0)


def _load_all(source):
    for index in range(len(source)):
        source.load(index)


def test_processes_share_decoded_images(records, kind, monkeypatch):
    source = LabelledImages(records, cache=kind)
    worker = get_context("fork").Process(target=_load_all, args=(source,))
    worker.start()
    worker.join(30)
    assert worker.exitcode == 0
    forbid_reading(monkeypatch)
    for index, record in enumerate(records):
        np.testing.assert_array_equal(source.load(index).image, read_image(record.image_path))


def test_the_next_run_reuses_the_file_unless_the_images_changed(records, kind, monkeypatch, tmp_path):
    if kind == "ram":
        pytest.skip("memory ends with the run")
    _load_all(LabelledImages(records, cache=kind))
    (file,) = (tmp_path / "cache" / "resnet18-ocrdet").iterdir()
    # 3 flags, then 3 bytes a pixel
    assert file.stat().st_size == 3 + 3 * (48 * 64 + 31 * 17 + 64 * 48)
    again, copy = LabelledImages(records, cache=kind), pickle.loads(pickle.dumps(LabelledImages(records, cache=kind)))
    os.utime(records[1].image_path, (1, 1))
    other = LabelledImages(records, cache=kind)
    forbid_reading(monkeypatch)
    for source in (again, copy):
        np.testing.assert_array_equal(source.load(1).image, read_image(records[1].image_path))
    with pytest.raises(AssertionError, match="read again"):
        other.load(1)


def test_a_pickled_copy_works_without_the_memory(records, kind):
    source = pickle.loads(pickle.dumps(LabelledImages(records, cache=kind)))
    np.testing.assert_array_equal(source.load(2).image, read_image(records[2].image_path))


def test_an_image_whose_size_changed_is_reported(records, kind):
    source = LabelledImages(records, cache=kind)
    cv2.imwrite(str(records[1].image_path), np.zeros((20, 30, 3), np.uint8))
    with pytest.raises(UserError, match=r"1\.jpg: 30x20 px are in the file, 17x31 were expected"):
        source.open(1).pixels()
    np.testing.assert_array_equal(source.load(2).image, read_image(records[2].image_path))


def test_images_too_large_for_the_memory_or_the_disk_are_refused(records, kind, monkeypatch):
    monkeypatch.setattr(cache_module, "free_memory", lambda: cache_module.RAM_RESERVE + 1000)
    monkeypatch.setattr(cache_module.shutil, "disk_usage", lambda path: _Usage())
    with pytest.raises(UserError, match=rf"data\.cache={kind}: 3 decoded images take 0\.0 GiB.* are free") as caught:
        LabelledImages(records, cache=kind)
    assert ("data.cache=disk" if kind == "ram" else "data.cache=none") in str(caught.value)
    assert "\n" not in str(caught.value)


SET_BYTES = 3 * (48 * 64 + 31 * 17 + 64 * 48)


def test_caches_of_all_splits_share_the_memory(records, monkeypatch):
    monkeypatch.setattr(cache_module, "free_memory", lambda: cache_module.RAM_RESERVE + int(1.5 * SET_BYTES))
    train = LabelledImages(records, cache="ram")
    with pytest.raises(UserError, match=r"data\.cache=ram: 3 .* the other splits"):
        LabelledImages(records, cache="ram")
    _load_all(train)  # its images are in memory now, so the free memory no longer includes them
    assert len(LabelledImages(records, cache="ram")) == 3
    del train


def test_a_released_cache_does_not_count(records, monkeypatch):
    monkeypatch.setattr(cache_module, "free_memory", lambda: cache_module.RAM_RESERVE + int(1.5 * SET_BYTES))
    for _ in range(3):
        LabelledImages(records, cache="ram")
        gc.collect()


@pytest.mark.parametrize(("processes", "fits"), [("", True), ("1", True), ("2", False), ("?", True)])
def test_every_process_of_the_run_needs_its_own_memory(records, monkeypatch, processes, fits):
    monkeypatch.setattr(cache_module, "free_memory", lambda: cache_module.RAM_RESERVE + int(1.5 * SET_BYTES))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", processes)
    if fits:
        assert len(LabelledImages(records, cache="ram")) == 3
        return
    with pytest.raises(UserError, match="in each of 2 processes"):
        LabelledImages(records, cache="ram")


class _Usage:
    free = cache_module.DISK_RESERVE + 1000


def test_a_cache_folder_without_write_permission(records, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UserError, match=r"data\.cache=disk: .*cannot hold"):
        LabelledImages(records, cache="disk")


def test_a_cache_of_no_images(kind):
    assert len(LabelledImages([], cache=kind)) == 0


def test_free_memory_is_plausible():
    free = cache_module.free_memory()
    assert free is None or 0 < free < 1 << 50


def test_without_a_home_folder_the_disk_cache_needs_a_folder(monkeypatch, records):
    def unknown() -> None:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(cache_module.Path, "home", unknown)
    with pytest.raises(UserError, match=r"^data\.cache=disk: .*XDG_CACHE_HOME=FOLDER"):
        LabelledImages(records, "disk")
