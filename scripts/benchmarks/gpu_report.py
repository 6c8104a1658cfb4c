"""Projection, goals and printed report of bench_gpu.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Rows = dict[str, list[dict[str, Any]]]

EPOCHS, IMAGES = 1200, 1000  # of the ICDAR2015 schedule (DB paper)
SAVES_AN_EPOCH = 2  # of ocrdet-train: after the steps, and after the validation
MIN_IMAGES_S = 1000.0  # at 640
MAX_MINUTES = 20.0
MAX_WAITING = 0.10
MAX_LOSS_GAP = 0.005


def projection(rows: Rows) -> dict[str, Any]:
    """Minutes of the schedule at the fastest rates for the first size, without validations."""
    size = next((row["size"] for part in rows.values() for row in part if "size" in row), None)
    found: dict[str, Any] = {"epochs": EPOCHS, "images": IMAGES, "size": size}
    best = {
        "kept_batch": fastest(rows, "step", size, lambda row: row["name"].startswith("loop")),
        "compiled": fastest(rows, "compile", size),
        "fed": fastest(rows, "loop", size),
    }
    for name, row in best.items():
        if row is not None:
            minutes = EPOCHS * IMAGES / row["images_s"] / 60.0
            found[name] = {"images_s": row["images_s"], "batch": row["batch"], "minutes": minutes}
    save = next((row for row in rows.get("loop", []) if row["name"] == "save" and "seconds" in row), None)
    if save is not None:
        found["saves_minutes"] = EPOCHS * SAVES_AN_EPOCH * save["seconds"] / 60.0
    return found


def fastest(
    rows: Rows, part: str, size: int | None, wanted: Callable[[dict[str, Any]], bool] = lambda row: True
) -> dict[str, Any] | None:
    """The row with the most images/s at a size."""
    fitting = [row for row in rows.get(part, []) if row.get("size") == size and "images_s" in row and wanted(row)]
    return max(fitting, key=lambda row: row["images_s"], default=None)


def goals(rows: Rows, projected: dict[str, Any]) -> list[dict[str, Any]]:
    """Goals of the parts that ran, with the figure and whether it is reached; a missing figure is not."""
    fed = fastest(rows, "loop", projected["size"])
    loss = next((row for row in rows.get("profile", []) if row["name"] == "loss" and "difference" in row), None)
    minutes = projected.get("fed", {}).get("minutes")
    wanted = [
        ("loop", "images/s of the loop at 640, fed", fed and fed["images_s"], MIN_IMAGES_S, True),
        ("loop", "minutes of the 1,200-epoch schedule, training alone", minutes, MAX_MINUTES, False),
        ("loop", "share of time waiting for data", fed and fed["waiting"], MAX_WAITING, False),
        ("profile", "loss of the training's precision against fp32", loss and loss["difference"], MAX_LOSS_GAP, False),
    ]
    return [
        {
            "goal": name,
            "limit": limit,
            "found": found,
            "reached": found is not None and (found >= limit if at_least else found <= limit),
        }
        for part, name, found, limit, at_least in wanted
        if part in rows
    ]


def print_report(found: dict[str, Any]) -> None:
    """Print a short report last, for terminals that keep only the last lines."""
    rows, machine = found["sections"], found["machine"]
    print(f"\n{machine['card'] or 'CPU'}, {machine['cores']} cores, torch {machine['torch']}, {found['seconds']:.0f} s")
    for row in rows.get("limits", []):
        figure = (
            f"{row['tflops']:.3g} TFLOP/s" if "tflops" in row else f"{row['gb_s']:.3g} GB/s" if "gb_s" in row else None
        )
        if figure:
            print(f"  {row['name']:28s} {figure}")
    for part in ("step", "compile"):
        for row in rows.get(part, []):
            print(_step_line(row))
    for row in rows.get("loop", []):
        print(_loop_line(row))
    for row in rows.get("targets", []):
        print("  " + _plain(row))
    for row in rows.get("profile", []):
        for kernel in row.pop("top", []):
            print(f"    {kernel['ms']:8.3f} ms {kernel['calls']:6.0f} calls  {kernel['name'][:90]}")
        print("  " + _plain(row))
    print("projection: " + _plain(found["projection"]))
    for name, how in found["parts"].items():
        if not how.startswith("done"):
            print(f"NOTE: part {name} {how}")
    for goal in found["goals"]:
        print(
            f"{'reached' if goal['reached'] else 'MISSED '}: {goal['goal']}: {goal['found']}, limit {goal['limit']:g}"
        )


def _step_line(row: dict[str, Any]) -> str:
    where = f"{row['size']:4d} batch {row['batch']:2d}  {row['name']:40s}"
    if "images_s" not in row:
        return f"  {where} {_plain({key: row[key] for key in ('failed', 'left_out') if key in row})}"
    more = (
        f", compiled in {row['compile_s']:.0f} s, bare {row['bare_images_s']:.0f} images/s"
        if "compile_s" in row
        else ""
    )
    return f"  {where} {row['ms']:8.2f} ms {row['images_s']:8.1f} images/s {row['memory_gib']:6.2f} GiB{more}"


def _loop_line(row: dict[str, Any]) -> str:
    if "images_s" not in row:
        return "  " + _plain(row)
    return (
        f"  fed: {row['size']} batch {row['batch']}, {row['workers']} workers, cache {row['cache']}: "
        f"{row['images_s']:.0f} images/s, kept batch {row['kept_batch_images_s']:.0f}, loader alone "
        f"{row['loader_alone_images_s']:.0f}; waiting {row['waiting']:.1%} (first steps of epochs left out "
        f"{row['waiting_without_first_steps']:.1%}); start of an epoch {row['first_wait_ms']:.0f} ms"
    )


def _plain(row: dict[str, Any]) -> str:
    return "  ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items()
    )
