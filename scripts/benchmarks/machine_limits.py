"""The speed limits of this machine: matrix products, convolutions, memory, JPEG decoding. Benchmarks give their share.

python scripts/benchmarks/machine_limits.py
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from resnet18_ocrdet.runtime.device import BF16_CPU, cpu_has
from resnet18_ocrdet.runtime.machine import available_cores

SIDE = 4096  # of the square matrices
MIB = 1 << 20


def machine_limits(threads: int | None = None) -> dict[str, Any]:
    """Best of a few tries each, in about 10 seconds on one thread.

    Call it before `keep_freed_memory`, or fresh_gb_s is that of kept memory. threads: for all but the decoding; None:
    as many as torch uses. Keys: threads, cores, fp32_gflops, bf16_gflops (None without native bf16),
    fp32_conv_gflops and bf16_conv_gflops (a 3×3 convolution, by another library: on some processors twice as fast as
    the product), copy_gb_s (read and write), fresh_gb_s (writing memory that is new from the system), decode_ms (a
    1280×720 JPEG of about 80 KiB, one thread)."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        native = cpu_has(BF16_CPU)
        return {
            "threads": torch.get_num_threads(),
            "cores": available_cores(),
            "fp32_gflops": matmul_gflops(torch.float32),
            "bf16_gflops": matmul_gflops(torch.bfloat16) if native else None,
            "fp32_conv_gflops": conv_gflops(torch.float32),
            "bf16_conv_gflops": conv_gflops(torch.bfloat16) if native else None,
            "copy_gb_s": copy_gb_s(),
            "fresh_gb_s": fresh_gb_s(),
            "decode_ms": decode_ms(),
        }
    finally:
        torch.set_num_threads(before)


def peak_gflops(limits: dict[str, Any], precision: str) -> float | None:
    """The faster of product and convolution, 10^9 operations per second. precision: "fp32" or "bf16".

    None without native bf16."""
    rates = (limits[f"{precision}_gflops"], limits[f"{precision}_conv_gflops"])
    return max((rate for rate in rates if rate), default=None)


def matmul_gflops(dtype: torch.dtype, side: int = SIDE) -> float:
    """The best of three square matrix products, in 10^9 operations per second."""
    left, right = (torch.randn(side, side).to(dtype) for _ in range(2))
    return 2 * side**3 / best(lambda: left @ right, 3) / 1e9


@torch.inference_mode()
def conv_gflops(dtype: torch.dtype, images: int = 2) -> float:
    """The best of twenty 3×3 convolutions, 256 to 64 channels at 160×160, the largest layer of a head at 640×640."""
    layout = {"dtype": dtype, "memory_format": torch.channels_last}
    features, weight = torch.randn(images, 256, 160, 160).to(**layout), torch.randn(64, 256, 3, 3).to(**layout)
    return 2 * features.numel() * 64 * 9 / best(lambda: F.conv2d(features, weight, padding=1), 20) / 1e9


def copy_gb_s(size: int = 256 * MIB) -> float:
    """Copying between two buffers in use; bytes read and written count."""
    source, target = torch.ones(size // 4), torch.empty(size // 4)
    return 2 * size / best(lambda: target.copy_(source), 5) / 1e9


def fresh_gb_s(size: int = 64 * MIB) -> float:
    """Writing a tensor in memory that is new from the system; not a NumPy array, which uses huge pages."""
    return size / best(lambda: torch.empty(size // 4).fill_(1), 5) / 1e9


def decode_ms(height: int = 720, width: int = 1280) -> float:
    """Decoding a JPEG with OpenCV: smooth noise, with the file size of a photo."""
    rng = np.random.default_rng(0)
    noise = cv2.resize(rng.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8), (width, height))
    data = cv2.imencode(".jpg", noise, (cv2.IMWRITE_JPEG_QUALITY, 85))[1]
    return 1000 * best(lambda: cv2.imdecode(data, cv2.IMREAD_COLOR), 10)


def best(work: Callable[[], object], tries: int) -> float:
    """Seconds of the fastest try, after one that does not count."""
    seconds = []
    for _ in range(tries + 1):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds[1:])


def described(limits: dict[str, Any]) -> str:
    """One line."""
    product, convolution = (_rates(limits, kind) for kind in ("", "_conv"))
    return (
        f"limits of this machine, {limits['threads']} of {limits['cores']} cores: matrix product {product}, 3x3 "
        f"convolution {convolution} GFLOP/s; copying {limits['copy_gb_s']:.1f} GB/s, writing new memory "
        f"{limits['fresh_gb_s']:.1f} GB/s; decoding a 1280x720 JPEG {limits['decode_ms']:.1f} ms"
    )


def _rates(limits: dict[str, Any], kind: str) -> str:
    bf16 = limits[f"bf16{kind}_gflops"]
    return f"fp32 {limits[f'fp32{kind}_gflops']:.0f}, " + (f"bf16 {bf16:.0f}" if bf16 else "no native bf16")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    found = machine_limits()
    print(described(found))
    print(json.dumps(found))
