"""Record what the commands answer, so that a change of the code can be compared with the code before it.

    python scripts/golden.py FOLDER                write a record of the current code
    python scripts/golden.py FOLDER --compare OLD  write one, then compare it with the record OLD; exit 1 if they differ

Help texts and composed configs are compared as text; losses, scores, boxes and network outputs as numbers.
Photos are found through OCRDET_ICDAR2015. About 15 minutes on one core.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np

COMMANDS = ("train", "eval", "detect", "export", "check")
MOMENTARY = ("seconds", "modified_ns", "checkpoint", "model_sha256", "root")  # of one machine, folder or call
FEW_STEPS = ("experiment=quickstart", "data.train_size=320", "data.val_size=8", "precision=fp32")  # 40 steps


def record_texts(out: Path, _work: Path) -> None:
    """--help and --cfg job of each command."""
    for command in COMMANDS:
        for words in (("--help",), ("--cfg", "job")):
            (out / f"{command}{words[0]}.txt").write_text(run(command, *words))


def record_losses(out: Path, work: Path) -> None:
    """The loss of each of the first 40 steps of the quickstart."""
    run("train", *FEW_STEPS, "train.log_every=1", f"run_dir={work / 'losses'}")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(work / "losses/tensorboard"))
    events.Reload()
    losses = [event.value for event in events.Scalars("train/loss_total")]
    assert len(losses) == 40, len(losses)
    write_json(out / "losses.json", losses)


def record_photos(out: Path, work: Path) -> None:
    """Scores of the bundled weights on photos 801 to 900, with the report's tables, and the regions of ten photos."""
    root = Path(os.environ["OCRDET_ICDAR2015"])
    run("eval", "data=icdar2015", f"data.root={root}", "data.val=801-900", "split=val", f"output={work / 'eval'}")
    copy_json(work / "eval/metrics.json", out / "photos_metrics.json")
    for name in ("per_image.csv", "mistakes.csv"):
        shutil.copy(work / "eval" / name, out / f"photos_{name}")
    photos = work / "photos"
    photos.mkdir()
    for number in range(801, 811):
        shutil.copy(root / f"ch4_training_images/img_{number}.jpg", photos)
    run("detect", f"input={photos}", f"output={work / 'found'}", "vis=false")
    copy_json(work / "found/detections.json", out / "detections.json")


def record_onnx(out: Path, work: Path) -> None:
    """What the exported bundled weights answer for a fixed image."""
    import onnxruntime as ort

    run("export", f"output={work / 'model.onnx'}")
    session = ort.InferenceSession(work / "model.onnx")
    image = np.random.default_rng(0).integers(0, 256, (1, 256, 320, 3), dtype=np.uint8)
    (entry,) = session.get_inputs()
    (answer,) = session.run(None, {entry.name: image if entry.shape[-1] == 3 else image.transpose(0, 3, 1, 2)})
    write_json(out / "onnx.json", answer[0, 0, ::8, ::8].astype(float).tolist())


def record_quickstart(out: Path, work: Path) -> None:
    """Scores of a whole quickstart on its test split."""
    run("train", "experiment=quickstart", f"run_dir={work / 'quick'}")
    best = work / "quick/checkpoints/best.pt"
    run("eval", f"checkpoint={best}", "data=synthetic", "split=test", f"output={work / 'test'}")
    copy_json(work / "test/metrics.json", out / "quickstart_metrics.json")


PARTS: dict[str, Callable[[Path, Path], None]] = {
    "texts": record_texts,
    "losses": record_losses,
    "photos": record_photos,
    "onnx": record_onnx,
    "quickstart": record_quickstart,
}


def run(command: str, *words: str) -> str:
    """The output of an installed command."""
    program = Path(sys.executable).with_name(f"ocrdet-{command}")
    environment = os.environ | {"OMP_NUM_THREADS": "1"}  # sums over several threads are rounded differently
    with tempfile.TemporaryDirectory() as empty:
        done = subprocess.run([program, *words], cwd=empty, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{program.name} {' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def cpu() -> str:
    """Model and instruction sets of the CPU: another one rounds differently."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    lines = [line for line in text.splitlines() if line.startswith(("model name", "flags"))]
    return hashlib.sha256("\n".join(sorted(set(lines))).encode()).hexdigest()[:16]


def write_json(path: Path, value: Any) -> None:
    """One line of JSON."""
    path.write_text(json.dumps(value) + "\n")


def copy_json(source: Path, target: Path) -> None:
    """Without times, paths and hashes of files that hold either."""
    write_json(target, without(json.loads(source.read_text()), MOMENTARY))


def without(value: Any, keys: Collection[str]) -> Any:
    """A JSON value without these keys, at any depth."""
    if isinstance(value, dict):
        return {key: without(each, keys) for key, each in value.items() if key not in keys}
    return [without(each, keys) for each in value] if isinstance(value, list) else value


def compare(new: Path, old: Path) -> int:
    """Print what differs, file by file. Returns how many files do."""
    different = 0
    for path in sorted(old.iterdir()):
        if not (new / path.name).exists():
            continue  # a part that was not recorded
        before, after = path.read_text(), (new / path.name).read_text()
        if before == after:
            print(f"{path.name}: the same")
            continue
        different += 1
        print(f"{path.name}: DIFFERS")
        if path.suffix != ".json":
            print("\n".join(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)))
            continue
        for where, one, two in changed(json.loads(before), json.loads(after)):
            print(f"  {where or '.'}: {one!r} -> {two!r}")
    return different


def changed(old: Any, new: Any, where: str = "") -> list[tuple[str, Any, Any]]:
    """Places of two JSON values that are not equal, with both values."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(key for key in new if key not in old)]
        return [row for key in keys for row in changed(old.get(key), new.get(key), f"{where}.{key}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [row for number, (one, two) in pairs for row in changed(one, two, f"{where}[{number}]")]
    return [] if old == new else [(where, old, new)]


def main() -> int:
    """Returns 1 when the records differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--compare", type=Path, metavar="OLD")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    options = parser.parse_args()
    if "photos" in options.parts and not os.environ.get("OCRDET_ICDAR2015"):
        parser.error("OCRDET_ICDAR2015 is not set: choose --parts without photos")
    if options.compare and not any(options.compare.glob("*.*")):
        parser.error(f"--compare {options.compare}: holds no record")
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        for part in options.parts:
            print(f"recording {part} …", flush=True)
            PARTS[part](options.folder, Path(work))
    return 1 if options.compare and compare(options.folder, options.compare) else 0


if __name__ == "__main__":
    sys.exit(main())
