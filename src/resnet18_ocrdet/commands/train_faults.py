"""One line for an error that comes from the limits of the machine, with what to do about it."""

from __future__ import annotations

import re

from omegaconf import DictConfig

from ..build import view_size
from ..data.loader_processes import LoaderDied
from ..errors import UserError
from ..runtime.distributed import World
from ..runtime.machine import ran_out
from ..runtime.messages import one_line

ASKED_FOR = re.compile(r"tried to allocate ([\d.]+ \w+)", re.IGNORECASE)  # of CUDA and of torch on a CPU


def explain(error: Exception, cfg: DictConfig, world: World) -> str | None:
    """What happened and what to do. None for an unexpected error."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, LoaderDied):
        return error.advice("train.workers")
    text = (str(error).strip().splitlines() or ["no reason given"])[0].strip().removesuffix(".")
    if ran_out(error):
        return _out_of_memory(text, cfg)
    if isinstance(error, OSError):
        return text
    if world.lost_peer(error):
        return f"another process of this run ended ({one_line(text, 120)}); see its message"
    if world.exchange_failed(error):
        return f"the exchange with the other processes failed: {one_line(' '.join(str(error).split()), 500)}"
    return None


def _out_of_memory(text: str, cfg: DictConfig) -> str:
    batch, whole, view = cfg.train.batch_size, (cfg.input_size.height, cfg.input_size.width), view_size(cfg)
    at = "x".join(map(str, view)) + (f" (validation: {whole[0]}x{whole[1]})" if view != whole else "")
    asked = ASKED_FOR.search(text)
    wanted = f" (another {asked[1]} was requested)" if asked else ""
    same = " (the same step)" if batch % 2 == 0 else ""
    halved = f"train.batch_size={batch // 2} train.accumulate={2 * cfg.train.accumulate}{same}, or "
    remedy = f"{halved if batch > 1 else ''}a smaller {'augment.crop_size or ' if view != whole else ''}input_size"
    return f"out of memory with train.batch_size={batch} at {at}{wanted}: {remedy}"
