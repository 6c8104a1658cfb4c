"""Learning-rate range test: raise the rate from tiny to far too high and see where the loss falls and diverges.

    python scripts/lr_find.py data=custom data.root=FOLDER
    python scripts/lr_find.py input_size=256x256 augment=none      # rendered scenes, about a minute on a CPU

Smith, "Cyclical Learning Rates for Training Neural Networks", 2017, arXiv:1506.01186, section 3.3, in the exponential
form known from fastai: step i of n has the rate low · (high / low)^(i / (n - 1)), i = 0 … n - 1. The run is that of
`ocrdet-train` with the same overrides; only learning rate, mining and guard are replaced.

Mining stays where such a run starts (0 from random weights, 1 from init.weights or with train.mining_warmup=false;
docs/adr/003): more mining raises the loss of the same network, which would look like too high a rate.

The loss is smoothed: an exponential mean over about ten steps, with bias correction. The test ends early when it is
above 4 times its best, or when the loss or its gradient is not finite. The rule, printed with its numbers:

  steepest     where the smoothed loss falls most per decade of the rate: least squares over a twentieth of the steps
               on each side, after the first tenth of the steps (too few for the mean) up to the lowest loss; of equal
               slopes the one at the smallest rate
  safe         a tenth of the rate at which the test ended early, else of the rate with the lowest loss
  suggestion   the smaller of the two; smoothing lags by a few steps, so it is rather too high than too low

Writes OUTPUT/lr_find.jsonl (one line per step: step, lr, loss, smoothed, finite; null if not finite) and lr_find.png.
Run the same command again after a stop: it resumes from the last save (every 20 steps and at Ctrl-C), else from the
start. Other settings in the same folder are refused.

Exit code: 0; 1 without a suggestion; 2 refused; 130 or 143 interrupted.
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
    diverged,
    draw,
    rate_at,
    read_points,
    report,
    smooth,
    suggest,
    write_points,
)
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.train.hard_negatives import MiningWarmup
from script_cli import Parser, keep_settings, positive, refuse_overrides, require_matplotlib, run_script

if TYPE_CHECKING:  # torch takes seconds to import: a wrong argument is refused before
    from omegaconf import DictConfig

    from resnet18_ocrdet.runtime.console import Display
    from resnet18_ocrdet.train.engine import StepRecord

SAVE_EVERY = 20  # steps
MIN_STEPS = 10
RESERVED = {"run_dir": "use --output", "resume": "run the same command again to resume"}


class Options(NamedTuple):
    """The command line."""

    low: float
    high: float
    steps: int
    output: Path
    overrides: list[str]  # of ocrdet-train


def parse(argv: list[str]) -> Options:
    """Raises UserError that names key, value and rule."""
    parser = Parser(prog="lr_find.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--low", default="1e-5", help="first rate (default: %(default)s)")
    parser.add_argument("--high", default="1", help="last rate (default: %(default)s)")
    parser.add_argument("--steps", default="100", help="optimizer steps (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("runs/lr_find"), help="folder (default: %(default)s)")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="overrides of ocrdet-train")
    found = parser.parse_intermixed_args(argv)
    low, high = positive("--low", found.low), positive("--high", found.high)
    if low >= high:
        raise UserError(f"--low {found.low}: must be below --high {found.high}")
    if not (found.steps.isascii() and found.steps.isdigit() and int(found.steps) >= MIN_STEPS):
        raise UserError(f"--steps {found.steps}: must be a whole number, {MIN_STEPS} or more")
    refuse_overrides(found.overrides, RESERVED)
    return Options(low, high, int(found.steps), found.output, list(found.overrides))


def compose(overrides: list[str]) -> DictConfig | int:
    """The checked config of `ocrdet-train OVERRIDES`, or the exit code if they are refused."""
    from resnet18_ocrdet.commands.launch import run_command

    composed: list[DictConfig] = []

    def keep(cfg: DictConfig, _: list[str]) -> int:
        composed.append(cfg)
        return 0

    code = run_command("train", keep, overrides)
    return composed[0] if composed else code


def settings(options: Options, cfg: DictConfig) -> dict[str, Any]:
    """The settings that must be equal to resume a test, as plain values with dotted keys."""
    from omegaconf import OmegaConf

    flat = {"--low": options.low, "--high": options.high, "--steps": options.steps}
    return flat | _flat(OmegaConf.to_container(cfg, resolve=True), "", ("run_dir", "resume"))


def _flat(node: Any, key: str, without: Sequence[str] = ()) -> dict[str, Any]:
    if not isinstance(node, dict):
        return {key: node}
    parts = [_flat(value, f"{key}.{name}".lstrip(".")) for name, value in node.items() if name not in without]
    return {name: value for part in parts for name, value in part.items()}


class HeldMining(MiningWarmup):
    """Mining with a constant share."""

    def __init__(self, share: float) -> None:
        super().__init__(0)
        self.share = share

    def update(self, cross_entropy: float) -> None:
        """Nothing changes."""


class RangeTest:
    """The parts of the run of `cfg`, with a growing rate."""

    def __init__(self, cfg: DictConfig, options: Options, display: Display) -> None:
        """Raises UserError for data or a device that cannot be used."""
        from resnet18_ocrdet.commands.train_parts import assemble
        from resnet18_ocrdet.runtime.distributed import World
        from resnet18_ocrdet.train.guard import Guard

        self.options, self.checkpoint = options, options.output / "lr_find.pt"
        self.parts = assemble(cfg, display, World())
        self.state, self.loader = self.parts.state, self.parts.loader
        # Judges only whether values are finite: this test looks for losses far above the usual.
        self.state.guard = Guard(math.inf, ratio=math.inf, patience=10**9, snapshot_every=10**9)
        self.state.mining = HeldMining(self.state.mining.share)
        self.clip_norm = cfg.train.clip_norm

    def records(self) -> Iterator[StepRecord]:
        """Optimizer steps after `state.step`, without end. Overflows of fp16 are not counted."""
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
                    self.state.step -= 1  # repeat with this rate; the scaler halves its factor each time, down to 1
                else:
                    yield record

    def _rate(self, epoch: float) -> float:
        """engine.train_one_epoch counts epochs, this test steps."""
        return rate_at(round(epoch * len(self.loader)), self.options.low, self.options.high, self.options.steps)

    def save(self) -> None:
        """Write and rename, so that a kill leaves a complete file."""
        import torch

        state, temporary = self.state, self.checkpoint.with_suffix(".tmp")
        content = {
            "step": state.step,
            "model": state.model.state_dict(),
            "optimizer": state.optimizer.state_dict(),
            "scaler": state.scaler.state_dict(),
        }
        torch.save(content, temporary)
        temporary.replace(self.checkpoint)

    def restore(self, written: int) -> None:
        """Load the last save. written: steps in lr_find.jsonl; a save beyond them belongs to another test."""
        import torch

        if not self.checkpoint.is_file():
            return
        content = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        if content["step"] <= written:
            self.state.model.load_state_dict(content["model"])
            self.state.optimizer.load_state_dict(content["optimizer"])
            if scaler := content.get("scaler"):  # empty except in fp16
                self.state.scaler.load_state_dict(scaler)
            self.state.step = content["step"]


def measure(cfg: DictConfig, options: Options, display: Display, points: list[Point]) -> int:
    """Run the missing steps and append them to `points`. Returns 0, or 130 or 143 if interrupted."""
    from resnet18_ocrdet.runtime.signals import Interrupt

    path = options.output / "lr_find.jsonl"
    test = RangeTest(cfg, options, display)
    test.restore(len(points))
    del points[test.state.step :]
    write_points(path, points)
    if points:
        display.line(f"resuming after step {len(points)}")
    with Interrupt() as interrupt, display.progress("range test", options.steps, len(points)) as advance:
        try:
            for record in test.records():
                points.append(_point(record, points))
                append_point(path, points[-1])
                advance(1, f"lr {record.lr:.2g}  loss {record.loss['total']:.3f}")
                if len(points) == options.steps or diverged(points):
                    break
                if len(points) % SAVE_EVERY == 0 or interrupt.signal is not None:
                    test.save()
                if interrupt.signal is not None:
                    display.line(f"interrupted; step {len(points)} is saved; run the same command again to resume")
                    return interrupt.exit_code
        except RuntimeError:  # a signal to the whole group ends the loader processes, and torch raises anywhere
            if interrupt.signal is None:
                raise
            display.line("interrupted in the middle of a step; run the same command again to resume from the last save")
            return interrupt.exit_code
    test.checkpoint.unlink(missing_ok=True)  # 100 MB, not needed any more
    return 0


def _point(record: StepRecord, before: Sequence[Point]) -> Point:
    loss = record.loss["total"]
    if not math.isfinite(loss):
        return Point(record.step, record.lr, None, None, False)
    smoothed = smooth([*(point.loss for point in before if point.loss is not None), loss])
    return Point(record.step, record.lr, loss, smoothed, math.isfinite(record.gradient_norm))


def main(argv: list[str]) -> int:
    """Returns the exit code. Raises UserError."""
    options = parse(argv)
    require_matplotlib()
    cfg = compose(options.overrides)
    if isinstance(cfg, int):
        return cfg
    if cfg.optimizer.base_batch_size is not None:
        raise UserError(
            f"optimizer.base_batch_size={cfg.optimizer.base_batch_size}: the range test finds the rate for your batch "
            f"size, and a training would scale it again; remove base_batch_size from both"
        )
    from resnet18_ocrdet.runtime.console import Display
    from resnet18_ocrdet.runtime.lock import run_lock
    from resnet18_ocrdet.runtime.run_folder import make_folder

    make_folder("--output", options.output)
    display = Display()
    with run_lock(options.output / "run.lock"):
        points = read_points(options.output / "lr_find.jsonl")
        keep_settings(options.output, settings(options, cfg), begun=bool(points))
        if len(points) < options.steps and not diverged(points):
            _set_up_process()
            if code := measure(cfg, options, display, points):
                return code
        found = suggest(points, options.steps)
        draw(options.output / "lr_find.png", points, found)
    for line in [*report(options.overrides, points, found), f"wrote {options.output}/lr_find.jsonl and lr_find.png"]:
        display.line(line)
    return 0 if found.lr is not None else 1


def _set_up_process() -> None:
    """As ocrdet-train does."""
    import cv2

    from resnet18_ocrdet.runtime.allocator import keep_freed_memory

    keep_freed_memory()
    cv2.setNumThreads(1)


if __name__ == "__main__":
    sys.exit(run_script("lr_find", lambda: main(sys.argv[1:])))
