"""What torch raises when the machine is at its limits, in the user's words."""

from __future__ import annotations

from omegaconf import DictConfig

from ..errors import UserError
from ..world import World

OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "unable to allocate")
LOADER_DIED = ("DataLoader worker", "worker exited unexpectedly")
NO_SHARED_MEMORY = ("bus error", "shared memory", "/dev/shm", "No space left on device")
PEER_LEFT = ("Connection closed by peer", "Connection reset by peer", "gloo", "NCCL", "ProcessGroup", "Socket Timeout")


def explain(error: Exception, cfg: DictConfig, world: World) -> str | None:
    """One line: what happened and what to do. None for a fault that is nobody's but the program's."""
    text = str(error)
    if isinstance(error, UserError):
        return text
    if isinstance(error, MemoryError) or _says(text, OUT_OF_MEMORY):
        batch, size = cfg.train.batch_size, cfg.input_size
        halved = f"train.batch_size={max(batch // 2, 1)} train.accumulate={2 * cfg.train.accumulate} (the same step)"
        return (
            f"out of memory with train.batch_size={batch} at {size.height}x{size.width}: {halved}, or a smaller "
            f"input_size"
        )
    if is_loader_death(error):
        if _says(text, NO_SHARED_MEMORY):
            return f"{_first_line(text)}; shared memory is full: train.workers=0, or a larger /dev/shm"
        return (
            f"{_first_line(text)}; a damaged image or too little memory can do that: train.workers=0 shows which image"
        )
    if isinstance(error, OSError):
        return text
    if world.size > 1 and _says(text, PEER_LEFT):
        return f"another process of this run ended ({_first_line(text)[:120]}); see what it said"
    return None


def is_loader_death(error: Exception) -> bool:
    """Whether a loader process ended by itself, or by a signal."""
    return isinstance(error, RuntimeError) and _says(str(error), LOADER_DIED)


def _says(text: str, words: tuple[str, ...]) -> bool:
    return any(word.lower() in text.lower() for word in words)


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "no reason given"
