"""Run all benchmarks and write their figures to one file.

    python scripts/benchmarks/bench.py [--json bench.json]

About 8 minutes on 2 cores; nothing else should run. The exit status is 1 when a benchmark misses a goal. Real photos
are read from OCRDET_ICDAR2015; if it is not set, rows use rendered scenes or are left out, and say so.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

SCRIPTS = ("bench_train", "bench_data", "bench_eval", "bench_detect")
GOALS = ("min_ratio", "max_ours", "min_share")


def main() -> None:
    """Exit status 1 if a benchmark failed or missed a goal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="output file (default: %(default)s)")
    path = parser.parse_args().json
    result: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version()}
        | {module.__name__: module.__version__ for module in (torch, cv2, np)},
        "scripts": {},
    }
    began = time.perf_counter()
    for name in SCRIPTS:
        print(f"\n== {name}.py", flush=True)
        result["scripts"][name] = run(name)
    result["minutes"] = (time.perf_counter() - began) / 60
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    failed = [name for name, each in result["scripts"].items() if each["status"] != 0]
    rows = [row for each in result["scripts"].values() for row in each.get("rows", ())]
    no_goal = sum(all(row[goal] is None for goal in GOALS) for row in rows)
    verdict = f"below a goal, or failed: {', '.join(failed)}" if failed else "all goals reached"
    print(f"\n{verdict}; {no_goal} rows have no goal; {result['minutes']:.1f} minutes; figures in {path}")
    raise SystemExit(1 if failed else 0)


def run(name: str) -> dict[str, Any]:
    """The figures of one script, with its exit status and seconds."""
    with tempfile.TemporaryDirectory() as folder:
        figures, began = Path(folder) / "figures.json", time.perf_counter()
        script = Path(__file__).with_name(f"{name}.py")
        status = subprocess.run([sys.executable, str(script), "--json", str(figures)], check=False).returncode
        content: dict[str, Any] = json.loads(figures.read_text(encoding="utf-8")) if figures.exists() else {}
    return {"status": status, "seconds": time.perf_counter() - began} | content


if __name__ == "__main__":
    main()
