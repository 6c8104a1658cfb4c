"""What torch raises when the machine is at its limits, in the user's words."""

from __future__ import annotations

import re

from omegaconf import DictConfig

from ..build import view_size
from ..data.loader_processes import LoaderDied
from ..errors import UserError
from ..runtime.distributed import World
from ..runtime.memory import ran_out

ASKED_FOR = re.compile(r"tried to allocate ([\d.]+ \w+)", re.IGNORECASE)  # of CUDA and of torch on a CPU


def explain(error: Exception, cfg: DictConfig, world: World) -> str | None:
    """One line: what happened and what to do. None for a fault that is nobody's but the program's."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, LoaderDied):
        return error.advice("train.workers")
    text = _told(error)
    if "Pin memory thread" in text:  # of the loader, in this process; it has printed its own reason
        return f"{text}; too few open files (ulimit -n) can do that: train.workers=0 does without"
    if ran_out(error):
        return _out_of_memory(text, cfg)
    if isinstance(error, OSError):
        return text
    if world.was_left(error):
        return f"another process of this run ended ({text[:120]}); see what it said"
    return None


def _out_of_memory(text: str, cfg: DictConfig) -> str:
    batch, whole, view = cfg.train.batch_size, (cfg.input_size.height, cfg.input_size.width), view_size(cfg)
    at = "x".join(map(str, view)) + (f" (validation: {whole[0]}x{whole[1]})" if view != whole else "")
    asked = ASKED_FOR.search(text)
    wanted = f" ({asked[1]} more were asked for)" if asked else ""
    same = " (the same step)" if batch % 2 == 0 else ""
    halved = f"train.batch_size={batch // 2} train.accumulate={2 * cfg.train.accumulate}{same}, or "
    remedy = f"{halved if batch > 1 else ''}a smaller {'augment.crop_size or ' if view != whole else ''}input_size"
    return f"out of memory with train.batch_size={batch} at {at}{wanted}: {remedy}"


def _told(error: BaseException) -> str:
    """One line of its text: of a loader's traceback the last one."""
    lines = str(error).strip().splitlines() or ["no reason given"]
    return lines[-1 if lines[0].startswith("Caught ") else 0].strip().removesuffix(".")
