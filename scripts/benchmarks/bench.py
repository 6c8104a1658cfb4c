"""All benchmarks, one after the other, and their figures in one file.

    python scripts/benchmarks/bench.py [--json bench.json]

About nine minutes on 2 cores; nothing else should run. The exit status is 1 when one of them misses a goal. Real photos
are those of OCRDET_ICDAR2015; without it the rows that need them are left out or use rendered scenes, and say so.
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


def main() -> None:
    """Run them, merge their figures, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where the figures go")
    asked = parser.parse_args()
    found: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version()}
        | {module.__name__: module.__version__ for module in (torch, cv2, np)},
        "scripts": {},
    }
    began, bad = time.perf_counter(), []
    for name in SCRIPTS:
        print(f"\n== {name}.py", flush=True)
        found["scripts"][name] = run(name)
        if found["scripts"][name]["status"] != 0:
            bad.append(name)
    found["minutes"] = (time.perf_counter() - began) / 60
    asked.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    rows = [row for each in found["scripts"].values() for row in each.get("rows", ())]
    free = sum(row["least"] is None and row["most"] is None for row in rows)
    verdict = f"below a goal, or failed: {', '.join(bad)}" if bad else "no goal is missed"
    verdict += f"; {free} rows have no goal"
    print(f"\n{verdict}; {found['minutes']:.1f} minutes; figures in {asked.json}")
    raise SystemExit(1 if bad else 0)


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
