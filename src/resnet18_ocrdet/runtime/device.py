"""Which device computes, and in which precision: chosen by capability, not by a timing."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from ..errors import UserError
from .distributed import World

BF16_CPU = ("avx512_bf16", "amx_bf16")  # capabilities of CPUs that compute in it
FP16_CPU = ("avx512_fp16", "amx_fp16", "fp16_arith")  # capabilities of CPUs that compute in it; others emulate it


@dataclass(frozen=True)
class Compute:
    """Device, precision and processes of a run."""

    device: torch.device
    precision: str = "fp32"  # "fp32", "bf16" or "fp16"; "int8" is a property of an exported file
    world: World = field(default_factory=World)

    def autocast(self) -> AbstractContextManager[object]:
        """The context the network runs in."""
        reduced = torch.float16 if self.precision == "fp16" else torch.bfloat16
        return torch.autocast(self.device.type, reduced, enabled=self.precision in ("bf16", "fp16"))

    @property
    def note(self) -> str | None:
        """A line for the user if the precision makes this device much slower than fp32."""
        if self.precision != "fp16" or self.device.type != "cpu":
            return None
        if cpu_has(FP16_CPU):
            return None
        return "precision=fp16: this CPU emulates it, many times slower than fp32; use precision=auto"

    def image(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) uint8 onto the device, memory layout kept."""
        return image.to(self.device, non_blocking=True)


def choose_device(wanted: str, local_rank: int | None = None) -> torch.device:
    """wanted: "auto", "cpu", "mps", "cuda" or "cuda:N". Raises UserError when it does not exist.

    local_rank: of this process among those on this machine; None for a single process."""
    gpus = torch.cuda.device_count()
    if wanted == "auto":
        wanted = "cuda" if gpus else "cpu"
    device = torch.device(wanted)
    if device.type == "cuda" and local_rank is not None:
        device = torch.device("cuda", local_rank)
    if device.type == "cuda" and (device.index or 0) >= gpus:
        have = ", ".join(f"cuda:{i}" for i in range(gpus)) or "no CUDA device"
        raise UserError(f"device={wanted}: this machine has {have}; use device=cpu or device=auto")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UserError("device=mps: not available on this machine; use device=cpu or device=auto")
    return device


def choose_precision(wanted: str, device: torch.device) -> str:
    """wanted: "auto", "fp32", "bf16" or "fp16". Returns the one to use; auto: bf16 if the device has it natively.

    Raises UserError for bf16 on a GPU without it; a CPU without it emulates bf16, slowly."""
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        if wanted == "bf16" and not native:
            raise UserError(
                f"precision=bf16: {torch.cuda.get_device_name(device)} has no bf16; use precision=fp16 or fp32"
            )
    else:
        native = device.type == "cpu" and cpu_has(BF16_CPU)
    if wanted == "auto":
        return "bf16" if native else "fp32"
    return wanted


def cpu_has(capabilities: Collection[str]) -> bool:
    """Whether the CPU has one of them. torch 2.4 cannot tell; then Linux does, and other systems count as no."""
    if hasattr(torch.cpu, "get_capabilities"):
        flags = torch.cpu.get_capabilities()
        return any(flags.get(name) for name in capabilities)
    info = Path("/proc/cpuinfo")
    return info.exists() and any(name in info.read_text() for name in capabilities)


def gradient_scaler(device: torch.device, precision: str) -> torch.amp.GradScaler:
    """For fp16, whose small gradients would underflow; for other precisions it does nothing."""
    return torch.amp.GradScaler(device.type, enabled=precision == "fp16")
