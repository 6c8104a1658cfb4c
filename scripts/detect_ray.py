"""Detect on a cluster with Ray Data: files of a folder or bucket, or a Parquet column of bytes, to Parquet.

    python scripts/detect_ray.py --input s3://BUCKET/photos --output s3://BUCKET/found threads=2
    python scripts/detect_ray.py --input photos.parquet --column data --output found --gpus 1

Overrides are those of ocrdet-detect, and so are the regions. A row is an image of detections.json, with its `file`, and
its `error` if it failed. A repeated call does the files that have no row. See docs/scale-out.md.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from resnet18_ocrdet.cli import set_up_process
from resnet18_ocrdet.commands.detect import open_network
from resnet18_ocrdet.commands.launch import run_command
from resnet18_ocrdet.detections.recognition import open_reader
from resnet18_ocrdet.errors import UserError
from resnet18_ocrdet.inference.loading import contract_of, load_model, size_note
from resnet18_ocrdet.model.bundled import weights_path
from resnet18_ocrdet.runtime.console import Display
from resnet18_ocrdet.runtime.messages import count
from resnet18_ocrdet.runtime.regular_file import sha256
from script_cli import Parser, natural, refuse_overrides, run_script

NAME = "detect_ray"  # in messages
OWN = dict.fromkeys(("input", "output"), "use --input and --output") | dict.fromkeys(
    ("vis", "crops", "labelme", "coco", "shard", "overwrite"), "it writes Parquet files to a folder"
)
FREE = ("threads", "device", "checkpoint")  # may differ between calls; a hash identifies the checkpoint
IO = {"num_cpus": 0}  # of tasks that only read or write: actors may take all cores
TRIES = 3  # of a task whose process is killed, as an image may do to each one
MAX_LOST = 100  # tasks that may fail before the job ends


class Detect:
    """A network that lives in an actor."""

    def __init__(self, cfg: DictConfig, fetch: Callable[[str], dict[str, Any]] | None) -> None:
        """cfg: of ocrdet-detect. fetch: see `detect_table`."""
        set_up_process(cfg)
        self.predictor, _ = open_network(cfg, weights_path(cfg.checkpoint), Display(quiet=True))
        self.fetch, self.read = fetch, open_reader(cfg.read, cfg.threads)
        self.dpi = None if cfg.dpi == "auto" else int(cfg.dpi)

    def __call__(self, files: Any) -> Any:
        """Tables of pyarrow, see `detect_table`."""
        from resnet18_ocrdet.detections.table import detect_table

        return detect_table(self.predictor, files, self.fetch, self.dpi, self.read)


def settings_of(cfg: DictConfig, display: Display) -> dict[str, Any]:
    """What the results depend on. Raises UserError for a checkpoint or recogniser that cannot be used."""
    open_reader(cfg.read, cfg.threads)
    path = weights_path(cfg.checkpoint)
    model = load_model(path, cfg.runtime)
    contract = contract_of(model.content, cfg)
    display.lines([model.adopted, size_note(model.content, contract)])
    kept: Any = {key: value for key, value in OmegaConf.to_container(cfg).items() if key not in (*OWN, *FREE)}
    return {**kept, **contract.to_dict(), "model_sha256": sha256(path)}


def detect(args: argparse.Namespace, cfg: DictConfig, _: list[str]) -> int:
    """Detect on the files that have no row. Returns 0, or 1 if some failed or still have none. Raises UserError."""
    try:
        import ray

        from resnet18_ocrdet.detections.table_files import Place, lines_of, without
    except ImportError:
        raise UserError("Ray Data is not installed: pip install 'resnet18-ocrdet[ray]'") from None
    display, source, output, cfg.threads = Display(), Place.of(args.input), Place.of(args.output), cfg.threads or 1
    settings = settings_of(cfg, display)
    if args.column is not None:
        wanted = source.column(args.name, args.column)
    else:
        wanted = source.files() if args.list is None else lines_of(args.list)
    if not len(wanted):
        raise UserError(f"--input {args.input}: 0 images found")
    output.keep_settings(settings)
    done = output.results()["file"]
    left = without(wanted, done)
    display.line(f"{count(len(wanted), 'file')} in {args.input}, {len(wanted) - len(left)} of them done already")
    try:
        if len(left):
            run_job(args, cfg, source, output, left, done)
    except (ray.exceptions.RayError, ConnectionError) as error:
        display.line(f"Ray ended the job: {str(error).strip().splitlines()[-1]}")
    results = output.results()
    failed, missing = results["error"].drop_null().to_pylist(), len(without(wanted, results["file"]))
    display.line(f"{count(len(results), 'image')} in {args.output}, {len(failed)} of them failed")
    display.lines(failed[:10], "failed: ")
    display.lines([f"{count(missing, 'file')} without results: call again; why is in the log of Ray"] * (missing > 0))
    return 1 if failed or missing else 0


def run_job(args: argparse.Namespace, cfg: DictConfig, source: Any, output: Any, left: Any, done: Any) -> None:
    """Let Ray detect on the files `left`, those that are not `done`. Raises RayError."""
    import ray

    from resnet18_ocrdet.detections.table_files import as_files

    ray.data.DataContext.get_current().max_errored_blocks = MAX_LOST
    if args.column is None:
        names = [{"file": name} for name in left.to_pylist()]
        files = ray.data.from_items(names, override_num_blocks=-(-len(names) // args.block))
    else:
        columns, chosen = [args.name, args.column], partial(as_files, name=args.name, column=args.column, done=done)
        rows = ray.data.read_parquet(source.path, filesystem=source.system, columns=columns, ray_remote_args=IO)
        files = rows.map_batches(chosen, batch_size=None, batch_format="pyarrow", **IO)
    found = files.map_batches(
        Detect,
        fn_constructor_args=[cfg, source.read if args.column is None else None],
        batch_size=None,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=args.actors),
        num_cpus=cfg.threads,
        num_gpus=args.gpus,
        max_task_retries=TRIES,
    )
    found.write_parquet(output.path, filesystem=output.system, min_rows_per_file=args.rows, ray_remote_args=IO)


def main() -> int:
    """Returns the exit code. Raises UserError."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", required=True, help="folder, or Parquet files with --column: a path or URI")
    parser.add_argument("--output", required=True, help="folder of Parquet files: a path or URI")
    parser.add_argument("--list", type=Path, help="text file: the files to read, one a line, relative to --input")
    parser.add_argument("--column", help="of the bytes of image files")
    parser.add_argument("--name", default="file", help="column of their names (%(default)s)")
    parser.add_argument("--actors", type=natural, help="number; by default as many as the cluster has room for")
    parser.add_argument("--gpus", type=float, default=0, help="of each actor, such as 0.5 (%(default)s)")
    parser.add_argument("--block", type=natural, default=32, help="files of a task, without --column (%(default)s)")
    parser.add_argument("--rows", type=natural, default=1000, help="of an output file, at least (%(default)s)")
    args, overrides = parser.parse_known_args()
    refuse_overrides(overrides, OWN)

    def job(cfg: DictConfig, words: list[str]) -> int:
        return run_script(NAME, partial(detect, args, cfg, words))  # run_command would name ocrdet-detect

    return run_command("detect", job, [*overrides, "input=.", "output=."])


if __name__ == "__main__":
    sys.exit(run_script(NAME, main))
