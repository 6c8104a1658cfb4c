"""Which files a command wrote."""

from __future__ import annotations

import json

import pytest

from resnet18_ocrdet.runtime.manifest import Manifest, digest


@pytest.fixture
def manifest(tmp_path):
    made = Manifest(tmp_path / ".files.jsonl")
    made.load()
    return made


def again(manifest):
    made = Manifest(manifest.path)
    made.load()
    return made


def test_a_written_file_is_known_until_it_is_changed(manifest, tmp_path):
    file = tmp_path / "more" / "a\udcff\n.txt"
    manifest.put(file, b"mine")
    for each in (manifest, again(manifest)):
        assert each.wrote(file) and each.lists(file) and each.files == [file]
        assert each.first_foreign([file, tmp_path / "absent"]) is None
    file.write_bytes(b"corrected by hand")
    assert not again(manifest).wrote(file) and again(manifest).first_foreign([file]) == file


def test_links_folders_and_unlisted_files_count_as_foreign(manifest, tmp_path):
    manifest.put(tmp_path / "a", b"mine")
    (tmp_path / "b").write_bytes(b"mine")
    assert not manifest.wrote(tmp_path / "b") and not manifest.lists(tmp_path / "b")
    (tmp_path / "a").rename(tmp_path / "moved")
    (tmp_path / "a").symlink_to("moved")
    assert not manifest.wrote(tmp_path / "a")
    (tmp_path / "a").unlink()
    (tmp_path / "a").symlink_to("nowhere")
    assert manifest.first_foreign([tmp_path / "a"]) == tmp_path / "a"


def test_a_file_may_be_the_old_or_the_new_one_while_it_is_replaced(manifest, tmp_path):
    file = tmp_path / "a"
    manifest.put(file, b"old")
    manifest.add(file, digest(b"new"))  # a kill comes before the file is in place
    assert again(manifest).wrote(file)
    file.write_bytes(b"new")
    assert again(manifest).wrote(file)


def test_a_cut_line_costs_only_itself(manifest, tmp_path):
    manifest.put(tmp_path / "a", b"a")
    with manifest.path.open("ab") as lines:
        lines.write(b'["b", "0123')
    after = again(manifest)
    after.put(tmp_path / "c", b"c")
    assert again(manifest).files == [tmp_path / "a", tmp_path / "c"]


@pytest.mark.parametrize(
    "line", ["null", '["a"]', '["a", 5]', '{"a": "b"}', "[" * 100_000, "\ud800", '["a", "x", "y"]']
)
def test_lines_of_another_kind_are_skipped(manifest, tmp_path, line):
    manifest.put(tmp_path / "a", b"a")
    manifest.path.write_bytes(manifest.path.read_bytes() + line.encode("utf-8", "surrogatepass") + b"\n")
    assert again(manifest).files == [tmp_path / "a"] and again(manifest).wrote(tmp_path / "a")


@pytest.mark.parametrize("name", ["../precious.txt", "/etc/hostname", "a/../../b", "", ".", "a\0b"])
def test_names_outside_the_folder_are_skipped(manifest, tmp_path, name):
    manifest.path.write_text(json.dumps([name, digest(b"mine")]) + "\n")
    assert again(manifest).files == []


def test_it_is_not_written_through_a_link(manifest, tmp_path):
    (tmp_path / "precious").write_text("mine\n")
    manifest.path.symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic"):
        manifest.put(tmp_path / "a", b"a")
    assert (tmp_path / "precious").read_text() == "mine\n"


def test_a_restart_keeps_the_given_files(manifest, tmp_path):
    for name in "abc":
        manifest.put(tmp_path / name, name.encode())
    manifest.restart([tmp_path / "b", tmp_path / "unknown"])
    assert manifest.files == again(manifest).files == [tmp_path / "b"]
    assert [json.loads(line) for line in manifest.path.read_text().splitlines()] == [["b", digest(b"b")]]


def test_manifests_of_other_processes_count_too(manifest, tmp_path):
    other = Manifest(tmp_path / ".other.jsonl")
    other.put(tmp_path / "b", b"b")
    manifest.load([other.path, tmp_path / "absent"])
    assert manifest.wrote(tmp_path / "b")
