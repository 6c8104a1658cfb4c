"""The service of docs/detect.md, run by gunicorn; and memory over images of many sizes."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from conftest import installed
from resnet18_ocrdet import Detector
from resnet18_ocrdet.data.synthetic.source import SyntheticScenes

DOCS = Path(__file__).parents[1] / "docs/detect.md"
SIZE = (192, 320)
MIB = 1 << 20
linux = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")


def service() -> str:
    """The example of the docs, at a small input size."""
    (code,) = re.findall(r"```python\n(# service\.py\n.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert code.count("Detector(threads=1") == 1
    return code.replace("Detector(threads=1", f"Detector(input_size={SIZE}, threads=1")


def requests(count: int) -> list[bytes]:
    """PNG and JPEG files of many sizes: parts of scenes."""
    rng = np.random.default_rng(0)
    scenes = [SyntheticScenes(1, 480, 640, seed=seed).load(0).image[..., ::-1] for seed in range(8)]
    files = []
    for number in range(count):
        height, width = rng.integers((60, 80), (480, 640))
        part = scenes[number % len(scenes)][:height, :width]
        files.append(cv2.imencode(".png" if number % 2 else ".jpg", part)[1].tobytes())
    return files


@contextmanager
def gunicorn(folder: Path) -> Iterator[tuple[int, subprocess.Popen]]:
    """Its port and its process, from when it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ("--preload", "--workers=2", f"--bind=127.0.0.1:{port}", "--access-logfile=access", "--timeout=60")
    program = [sys.executable, "-m", "gunicorn", *words, "--access-logformat=%(p)s %(s)s", "service:app"]
    with (folder / "log").open("w") as log, subprocess.Popen(program, cwd=folder, stdout=log, stderr=log) as server:
        try:
            for _ in range(600):
                assert server.poll() is None, (folder / "log").read_text()
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield port, server
        finally:
            server.kill()


def ask(port: int, body: bytes) -> tuple[int, object]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/", body)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


def resident(process: int) -> float:
    """MiB."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


@pytest.mark.slow
@linux
def test_two_forked_workers_answer_500_requests_in_flat_memory(tmp_path: Path):
    pytest.importorskip("gunicorn")
    (tmp_path / "service.py").write_text(service())
    files, threads = requests(500), torch.get_num_threads()
    try:
        alone = Detector(input_size=SIZE, threads=1)
        expected = [[{"quad": each.quad.tolist(), "score": each.score} for each in alone(file)] for file in files]
    finally:
        torch.set_num_threads(threads)
    assert sum(map(len, expected)) > 500
    with gunicorn(tmp_path) as (port, server), ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda file: ask(port, file), files[:100]))
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        workers = [int(child) for child in children]
        early = [resident(worker) for worker in workers]
        found += list(pool.map(lambda file: ask(port, file), files[100:]))
        late = [resident(worker) for worker in workers]
        assert found == [(200, each) for each in expected]
        for wrong, words in ((b"no image", "not an image"), (b"", "0 bytes")):
            status, answer = ask(port, wrong)
            assert status == 400 and isinstance(answer, dict) and words in answer["error"]
        start = time.monotonic()
        server.send_signal(signal.SIGTERM)
        assert server.wait(15) == 0 and time.monotonic() - start < 15
    assert len(workers) == 2 and max(np.subtract(late, early)) < 100, (early, late)
    answered = [line.split() for line in (tmp_path / "access").read_text().splitlines()]
    assert len(answered) == 502 and len({worker for worker, _ in answered}) == 2


# Parts of noise with boxes, each of another size; the second look and tiles are taken where they apply.
MANY_SIZES = """
import os, sys
import numpy as np
from pathlib import Path
from resnet18_ocrdet import Detector

checkpoint, runtime, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
detector = Detector(checkpoint, runtime=runtime, threads=1, input_size=(192, 320))
rng, sizes = np.random.default_rng(0), set()
whole = rng.integers(0, 256, (700, 700, 3), dtype=np.uint8)
whole[100:140, 50:300] = whole[300:320, 50:300] = 250
while len(sizes) < count:
    size = tuple(rng.integers(40, 700, 2).tolist())
    if size in sizes:
        continue
    sizes.add(size)
    detector(whole[: size[0], : size[1]])
    if len(sizes) in (count // 10, count):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        print(pages * os.sysconf("SC_PAGE_SIZE") >> 20)
"""


@pytest.mark.soak
@linux
@pytest.mark.parametrize("runtime", ["torch", "onnxruntime", "openvino"])
def test_memory_is_flat_over_1000_images_of_1000_sizes(runtime: str, tmp_path: Path):
    checkpoint = "bundled"
    if runtime != "torch":
        pytest.importorskip(runtime)
        done = installed("ocrdet-export", "output=m.onnx", "input_size=192x320", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        checkpoint = "m.onnx"
    words = [checkpoint, "auto" if runtime == "torch" else runtime, "1000"]
    done = subprocess.run(
        [sys.executable, "-c", MANY_SIZES, *words], cwd=tmp_path, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr
    early, late = map(int, done.stdout.split())
    assert late - early < 100, f"{early} MiB after 100, {late} after 1000"
