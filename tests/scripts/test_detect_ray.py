"""scripts/detect_ray.py on a local cluster: a killed actor, a killed call, a Parquet column; against ocrdet-detect."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest

from conftest import assert_mentions, installed
from detect_calls import fill
from paged_files import pictures, write_pages

pyarrow = pytest.importorskip("pyarrow")
pytest.importorskip("ray")
from pyarrow import parquet  # noqa: E402

SCRIPT = Path(__file__).parents[2] / "scripts/detect_ray.py"
SETTINGS = ("input_size=512x896", "threads=1", "precision=fp32", "lines=true")
ACTOR = "ray::MapWorker(MapBatches(Detect))"  # the name that Ray gives to the process
CLUSTER = """
import json, runpy, sys
import ray
options, script, calls = json.loads(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
ray.init(include_dashboard=False, logging_level="warning", **options)
sys.path.insert(0, script.rpartition("/")[0])
for call in calls:
    sys.argv = [script, *call]
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        print("exit", end.code, flush=True)
"""


def mib(pid: int, file: str, field: str) -> float:
    """A size from /proc/PID; 0 for a process that has ended."""
    text = Path(f"/proc/{pid}/{file}").read_text()
    return int(text.split(field)[1].split()[0]) / 1024 if field in text else 0.0


class Cluster:
    """A local Ray cluster of two cores that makes calls of the script, one after the other."""

    def __init__(self, folder: Path, *calls: list[str]) -> None:
        self.ray_files = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # paths of sockets may have 107 bytes
        options = {"num_cpus": 2, "object_store_memory": 80_000_000, "_temp_dir": self.ray_files}
        command = [sys.executable, "-c", CLUSTER, json.dumps(options), str(SCRIPT), json.dumps(calls)]
        env = os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
        self.peak: dict[int, float] = {}  # MiB of each actor
        self.together = 0.0  # MiB at the peak: the shares of all processes
        self.log = folder / "log.txt"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, env=env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    def processes(self) -> dict[int, str]:
        """Those of the cluster, with their command lines; notes their memory."""
        parents, words = {}, {}
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit():
                    parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        below = {self.process.pid}
        while more := {pid for pid, parent in parents.items() if parent in below} - below:
            below |= more
        together = 0.0
        for pid in below & parents.keys():
            with suppress(OSError):
                words[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                together += mib(pid, "smaps_rollup", "Pss:")
                if words[pid].startswith(ACTOR):
                    self.peak[pid] = mib(pid, "status", "VmHWM:")
        self.together = max(self.together, together)
        return words

    def actors(self) -> list[int]:
        return sorted(pid for pid, words in self.processes().items() if words.startswith(ACTOR))

    def wait(self, condition, seconds: float = 300) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.05)

    def finish(self) -> list[int]:
        """Exit codes of the calls."""
        while self.process.poll() is None:
            self.processes()
            time.sleep(0.2)
        assert self.process.returncode == 0, self.log.read_text()
        return [int(line.split()[1]) for line in self.log.read_text().splitlines() if line.startswith("exit ")]

    def close(self) -> None:
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
        shutil.rmtree(self.ray_files, ignore_errors=True)


@pytest.fixture
def cluster():
    started = []

    def start(folder: Path, *calls: list[str]) -> Cluster:
        started.append(Cluster(folder, *calls))
        return started[-1]

    yield start
    for each in started:
        each.close()


def inputs(folder: Path) -> None:
    """30 photos, a file of three pages, and two that cannot be read."""
    fill(folder / "photos", 30)
    write_pages(folder / "scan.tif", pictures(3, 200, 300))
    (folder / "broken.png").write_bytes(b"not an image")
    (folder / "link.jpg").symlink_to("nowhere")


def rows(folder: Path) -> dict[str, dict]:
    """By image; each is there once."""
    found = [row for path in folder.glob("*.parquet") for row in parquet.read_table(path).to_pylist()]
    assert len({row["image"] for row in found}) == len(found)
    return {row["image"]: row for row in found}


def compared(row: dict, *without: str) -> dict:
    """Without what differs between calls. None is left out of detections.json."""
    return {
        key: value
        for key, value in row.items()
        if value is not None and key not in ("file", "error", "seconds", *without)
    }


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="processes are found in /proc")
def test_every_image_once_although_an_actor_is_killed(tmp_path, cluster, capsys):
    inputs(tmp_path / "in")
    alone = installed("ocrdet-detect", "input=in", "output=alone", "vis=false", *SETTINGS, cwd=tmp_path)
    assert alone.returncode == 1, alone.stdout + alone.stderr
    expected = json.loads((tmp_path / "alone/detections.json").read_text())
    assert len(expected["images"]) == 33

    began = time.monotonic()
    files = ["--input", "in", "--output", "out", "--actors", "2", "--block", "2", "--rows", "2", *SETTINGS]
    job = cluster(tmp_path, files)
    actors: list[int] = []

    def both_work() -> bool:
        actors[:] = job.actors()  # one look: Ray renames a process while it works
        return len(actors) == 2 and any((tmp_path / "out").glob("*.parquet"))

    job.wait(both_work)
    os.kill(actors[0], signal.SIGKILL)
    assert len([*(tmp_path / "out").glob("*.parquet")]) < 10  # in the middle
    assert job.finish() == [1]
    assert len(job.peak) == 3  # one more was started

    found = rows(tmp_path / "out")
    assert len(found) == 33 + 2
    for image in expected["images"]:
        row = found[image["image"]]
        assert row["error"] is None
        assert compared(row) == compared(image)
        assert row["file"] == image["image"].partition("#")[0]
    assert {error["image"] for error in expected["errors"]} == {"broken.png", "link.jpg"}
    assert_mentions(found["broken.png"]["error"], "broken.png", "not an image")
    assert_mentions(found["link.jpg"]["error"], "link.jpg", "no such file")
    assert found["link.jpg"]["polygons"] is None
    assert max(job.peak.values()) < 2048
    with capsys.disabled():
        seconds, most = time.monotonic() - began, max(job.peak.values())
        print(f"\n{seconds:.0f} s; peak memory: {most:.0f} MiB of an actor, {job.together:.0f} MiB of all processes")


@pytest.mark.soak
def test_a_repeated_call_does_what_is_missing_and_a_column_gives_the_same(tmp_path, cluster):
    fill(tmp_path / "in", 6)
    write_pages(tmp_path / "in/scan.tif", pictures(2, 200, 300))
    data = {path.name: path.read_bytes() for path in sorted((tmp_path / "in").iterdir())}
    table = pyarrow.table({"name": [*data, "none"], "bytes": [*data.values(), None]})
    parquet.write_table(table, tmp_path / "in.parquet")
    small = ("input_size=256x256", "threads=1", "precision=fp32")
    files = ["--input", "in", "--output", "out", "--block", "1", "--rows", "1", *small]
    column = ["--input", "in.parquet", "--column", "bytes", "--name", "name", "--output", "from_column", *small]
    assert cluster(tmp_path, files, column).finish() == [0, 1]
    before = rows(tmp_path / "out")
    assert len(before) == 8
    from_column = rows(tmp_path / "from_column")
    assert_mentions(from_column.pop("none")["error"], "no data")
    drop = "modified_ns"  # bytes of a column have none
    assert {name: compared(row, drop) for name, row in from_column.items()} == {
        name: compared(row, drop) for name, row in before.items()
    }

    first, second, *_ = sorted((tmp_path / "out").glob("*.parquet"))
    first.unlink()
    second.write_bytes(second.read_bytes()[:-20])  # as a killed call may leave it
    other = ["--input", "in", "--output", "out", "input_size=320x320"]
    again = cluster(tmp_path, files, files, other)
    assert again.finish() == [0, 0, 2]
    assert {name: compared(row) for name, row in rows(tmp_path / "out").items()} == {
        name: compared(row) for name, row in before.items()
    }
    log = again.log.read_text()
    assert_mentions(log, "7 files", "5 of them done", "7 of them done", "other settings", "320")


@pytest.mark.parametrize(
    ("words", "mentioned"),
    [
        (["--input", "none", "--output", "out"], ["none"]),
        (["--input", "s4://a/b", "--output", "out"], ["s4://a/b", "filesystem"]),
        (["--input", "in", "--output", "out", "vis=true"], ["vis", "Parquet"]),
        (["--input", "in", "--output", "out", "--block", "0"], ["--block", "0"]),
        (["--input", "in", "--output", "out", "--block", "x"], ["--block", "x"]),
        (["--input", "in.parquet", "--output", "out", "--column", "bytes", "--name", "id"], ["in.parquet", "id"]),
        (["--input", "in", "--output", "out", "--list", "none.txt"], ["none.txt"]),
    ],
)
@pytest.mark.slow
def test_mistakes_are_one_line(tmp_path, words, mentioned):
    (tmp_path / "in").mkdir()
    parquet.write_table(pyarrow.table({"bytes": [b""]}), tmp_path / "in.parquet")
    done = subprocess.run([sys.executable, SCRIPT, *words], cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 2, done.stderr
    assert_mentions(done.stderr, "detect_ray: ", *mentioned)
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
