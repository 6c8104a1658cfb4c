"""Learning-rate range test: let the rate grow from tiny to far too high, and watch where the loss falls and breaks.

    python scripts/lr_find.py data=custom data.root=FOLDER
    python scripts/lr_find.py input_size=256x256 augment=none      # rendered scenes, about a minute on a CPU

Smith, "Cyclical Learning Rates for Training Neural Networks", 2017, arXiv:1506.01186, section 3.3, in the exponential
form known from fastai: step i of n has the rate low · (high / low)^(i / (n - 1)), i = 0 … n - 1. The run is that of
`ocrdet-train` with the same overrides; only its rate, its mining and its guard are replaced.

Mining is held where such a run begins (0 from random weights, 1 from init.weights or with train.mining_warmup=false;
docs/adr/003): while it grows the same network has a higher loss, which here would look like a rate too high.

The loss is smoothed: an exponential mean over about ten steps, corrected for its beginning. The test ends early when
that is above 4 times its best, or when the loss or its gradient is not finite. The rule, printed with its numbers:

  steepest     where the smoothed loss falls most per decade of the rate: least squares over a twentieth of the steps
               to either side, from the tenth part of the steps on (before it the mean rests on too few) to the lowest
               loss; of equal ones the smallest rate
  safe         a tenth of the rate at which the test ended early; if it did not, of the rate with the lowest loss
  suggestion   the smaller of the two; the smoothing lags by a few steps, so it is rather high than low

Writes OUTPUT/lr_find.jsonl (a line a step: step, lr, loss, smoothed, finite; null where not finite) and lr_find.png.
Type the same command again after a stop: it goes on from the save made every 20 steps, or by Ctrl-C, else from the
start. Other settings in the same folder are refused.

Exit code: 0; 1 when there is nothing to suggest; 2 refused; 130 or 143 interrupted.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lr_curve import (
    Point,
    append_point,
    broke,
    draw,
    rate_at,
    read_points,
    report,
    smooth,
    suggest,
    write_points,
)
from resnet18_ocrdet.errors import UserError
from script_cli import Parser, keep_settings, positive, refuse_overrides, require_matplotlib, run_script

if TYPE_CHECKING:  # torch takes seconds to import: a wrong argument is refused before
    from omegaconf import DictConfig

    from resnet18_ocrdet.runtime.console import Display
    from resnet18_ocrdet.train.engine import StepRecord

SAVE_EVERY = 20  # steps
FEWEST_STEPS = 10
RESERVED = {"run_dir": "use --output", "resume": "typing the same command again goes on"}


class Asked(NamedTuple):
    """The command line."""

    low: float
    high: float
    steps: int
    output: Path
    words: list[str]  # overrides of ocrdet-train


def parse(argv: list[str]) -> Asked:
    """Raises UserError that names key, value and rule."""
    parser = Parser(prog="lr_find.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--low", default="1e-5", help="first rate (default: %(default)s)")
    parser.add_argument("--high", default="1", help="last rate (default: %(default)s)")
    parser.add_argument("--steps", default="100", help="optimizer steps (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("runs/lr_find"), help="folder (default: %(default)s)")
    parser.add_argument("words", nargs="*", metavar="key=value", help="overrides of ocrdet-train")
    found = parser.parse_intermixed_args(argv)
    low, high = positive("--low", found.low), positive("--high", found.high)
    if low >= high:
        raise UserError(f"--low {found.low}: must be below --high {found.high}")
    if not (found.steps.isascii() and found.steps.isdigit() and int(found.steps) >= FEWEST_STEPS):
        raise UserError(f"--steps {found.steps}: needs a whole number, {FEWEST_STEPS} or more")
    refuse_overrides(found.words, RESERVED)
    return Asked(low, high, int(found.steps), found.output, list(found.words))


def compose(words: list[str]) -> DictConfig | int:
    """The checked config of `ocrdet-train WORDS`, or the exit code where the words are refused."""
    from resnet18_ocrdet.commands.launch import run_command

    composed: list[DictConfig] = []

    def keep(cfg: DictConfig, _: list[str]) -> int:
        composed.append(cfg)
        return 0

    code = run_command("train", keep, words)
    return composed[0] if composed else code


def settings(asked: Asked, cfg: DictConfig) -> dict[str, Any]:
    """All that two calls must share to be one test, as plain values with dotted keys."""
    from omegaconf import OmegaConf

    flat = {"--low": asked.low, "--high": asked.high, "--steps": asked.steps}
    return flat | _flat(OmegaConf.to_container(cfg, resolve=True), "", ("run_dir", "resume"))


def _flat(node: Any, key: str, without: Sequence[str] = ()) -> dict[str, Any]:
    if not isinstance(node, dict):
        return {key: node}
    parts = [_flat(value, f"{key}.{name}".lstrip(".")) for name, value in node.items() if name not in without]
    return {name: value for part in parts for name, value in part.items()}


class HeldMining:
    """Mining that stays where it is (engine.Mining)."""

    def __init__(self, share: float) -> None:
        self.share = share

    def update(self, cross_entropy: float) -> None:
        """Nothing changes."""

    def state_dict(self) -> dict[str, float]:
        """The share, for whoever asks."""
        return {"share": self.share}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Nothing changes."""


class RangeTest:
    """The parts of the run that `cfg` describes, with a rate that grows."""

    def __init__(self, cfg: DictConfig, asked: Asked, display: Display) -> None:
        """Raises UserError for data or a device that cannot be used."""
        from resnet18_ocrdet.commands.train_parts import assemble
        from resnet18_ocrdet.runtime.distributed import World
        from resnet18_ocrdet.train.guard import Guard

        self.asked, self.checkpoint = asked, asked.output / "lr_find.pt"
        self.parts = assemble(cfg, display, World(), resuming=False)
        self.state, self.loader = self.parts.state, self.parts.loader
        # It judges nothing but finiteness: a loss far above the usual is what this test looks for.
        self.state.guard = Guard(math.inf, ratio=math.inf, patience=10**9, snapshot_every=10**9)
        self.state.mining = HeldMining(self.state.mining.share)
        self.clip_norm = cfg.train.clip_norm

    def records(self) -> Iterator[StepRecord]:
        """Optimizer steps without an end, from the one after `state.step` on. Overflows of fp16 are no steps."""
        from resnet18_ocrdet.train.engine import train_one_epoch
        from resnet18_ocrdet.train.guard import Verdict

        per_epoch = len(self.loader)
        while True:
            epoch, done = divmod(self.state.step, per_epoch)
            rounds, parts = self.loader.epoch(epoch, done), self.parts
            for record in train_one_epoch(
                self.state, rounds, per_epoch, self._rate, parts.criterion, parts.compute, self.clip_norm
            ):
                if record.verdict is Verdict.OVERFLOW:
                    self.state.step -= 1  # once more with this rate; each time the scaler halves its factor, down to 1
                else:
                    yield record

    def _rate(self, epoch: float) -> float:
        """engine.train_one_epoch counts in epochs, this test in steps."""
        return rate_at(round(epoch * len(self.loader)), self.asked.low, self.asked.high, self.asked.steps)

    def save(self) -> None:
        """Write beside, then rename: a kill leaves the save before or this one."""
        import torch

        state, beside = self.state, self.checkpoint.with_suffix(".tmp")
        content = {
            "step": state.step,
            "model": state.model.state_dict(),
            "optimizer": state.optimizer.state_dict(),
            "scaler": state.scaler.state_dict(),
        }
        torch.save(content, beside)
        beside.replace(self.checkpoint)

    def restore(self, written: int) -> None:
        """Stand where the save was made. written: steps of lr_find.jsonl; a save beyond them is not of this test."""
        import torch

        if not self.checkpoint.is_file():
            return
        content = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        if content["step"] <= written:
            self.state.model.load_state_dict(content["model"])
            self.state.optimizer.load_state_dict(content["optimizer"])
            if scaler := content.get("scaler"):  # empty but for fp16
                self.state.scaler.load_state_dict(scaler)
            self.state.step = content["step"]


def measure(cfg: DictConfig, asked: Asked, display: Display, points: list[Point]) -> int:
    """Do the steps that are missing, and add them to `points`. Returns 0, or 130 or 143 when interrupted."""
    from resnet18_ocrdet.runtime.signals import Interrupt

    path = asked.output / "lr_find.jsonl"
    test = RangeTest(cfg, asked, display)
    test.restore(len(points))
    del points[test.state.step :]
    write_points(path, points)
    if points:
        display.line(f"going on after step {len(points)}")
    with Interrupt() as interrupt, display.progress("range test", asked.steps, len(points)) as advance:
        try:
            for record in test.records():
                points.append(_point(record, points))
                append_point(path, points[-1])
                advance(1, f"lr {record.lr:.2g}  loss {float(record.loss.total):.3f}")
                if len(points) == asked.steps or broke(points):
                    break
                if len(points) % SAVE_EVERY == 0 or interrupt.signal is not None:
                    test.save()
                if interrupt.signal is not None:
                    display.line(f"interrupted; step {len(points)} is saved, the same command goes on")
                    return interrupt.exit_code
        except RuntimeError:  # a signal to the whole group ends the loader processes, and torch raises at any place
            if interrupt.signal is None:
                raise
            display.line("interrupted in the middle of a step; the same command goes on from the save before it")
            return interrupt.exit_code
    test.checkpoint.unlink(missing_ok=True)  # 100 MB that nobody needs: the lines say that the test is done
    return 0


def _point(record: StepRecord, before: Sequence[Point]) -> Point:
    loss = float(record.loss.total)
    if not math.isfinite(loss):
        return Point(record.step, record.lr, None, None, False)
    smoothed = smooth([*(point.loss for point in before if point.loss is not None), loss])
    return Point(record.step, record.lr, loss, smoothed, math.isfinite(record.gradient_norm))


def main(argv: list[str]) -> int:
    """Returns the exit code. Raises UserError."""
    asked = parse(argv)
    require_matplotlib()
    cfg = compose(asked.words)
    if isinstance(cfg, int):
        return cfg
    if cfg.optimizer.base_batch_size is not None:
        raise UserError(
            f"optimizer.base_batch_size={cfg.optimizer.base_batch_size}: the range test finds the rate of the batch "
            f"you train with, a training would multiply it again; leave base_batch_size out, here and there"
        )
    from resnet18_ocrdet.runtime.console import Display
    from resnet18_ocrdet.runtime.lock import RunLock
    from resnet18_ocrdet.runtime.run_folder import make_folder

    make_folder("--output", asked.output)
    display = Display()
    with RunLock(asked.output / "run.lock"):
        points = read_points(asked.output / "lr_find.jsonl")
        keep_settings(asked.output, settings(asked, cfg), begun=bool(points))
        if len(points) < asked.steps and not broke(points):
            _set_up_process()
            if code := measure(cfg, asked, display, points):
                return code
        found = suggest(points, asked.steps)
        draw(asked.output / "lr_find.png", points, found)
    for line in [*report(asked.words, points, found), f"wrote {asked.output}/lr_find.jsonl and lr_find.png"]:
        display.line(line)
    return 0 if found.lr is not None else 1


def _set_up_process() -> None:
    """As ocrdet-train does it."""
    import cv2

    from resnet18_ocrdet.runtime.allocator import keep_freed_memory

    keep_freed_memory()
    cv2.setNumThreads(1)


if __name__ == "__main__":
    sys.exit(run_script("lr_find", lambda: main(sys.argv[1:])))
