"""Progress and figures of the crash harness: one JSON line per kill, and what they add up to."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def read_progress(path: Path) -> list[dict[str, Any]]:
    """The rows so far; a last line that was cut off by an interruption does not count."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]


def write_row(path: Path, row: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def percentile(values: Sequence[float], share: float) -> float | None:
    """Nearest rank; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * round(share * 100) // 100) - 1))]


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All kills of one seed as figures. Seconds are real ones."""
    protected = [row["protected_s"] for row in rows if row["protected_s"] is not None]
    cpu = [row["protecting_cpu_s"] for row in rows if row["protecting_cpu_s"] is not None]
    return {
        "kills": len(rows),
        "judged_restarts": len(protected),
        "killed_with_positions": sum(row["positions"] > 0 for row in rows),
        "violations": [f"kill {row['number']}: {text}" for row in rows for text in row["violations"]],
        "restart_to_protected_s_p50": percentile(protected, 0.50),
        "restart_to_protected_s_p95": percentile(protected, 0.95),
        "restart_to_protected_s_max": max(protected, default=None),
        "restart_cpu_s_p50": percentile(cpu, 0.50),
        "restart_cpu_s_p95": percentile(cpu, 0.95),
        "fills_caught_up_s_max": max((row["fills_s"] for row in rows if row["fills_s"] is not None), default=None),
        "naked_s_max": max((row["naked_life_s"] for row in rows), default=0.0),
        "naked_where": max(rows, key=lambda row: row["naked_life_s"], default={}).get("naked_worst", ""),
        "naked_after_start_s_max": max((row["naked_start_s"] for row in rows), default=0.0),
        "naked_with_downtime_s_max": max((row["naked_wall_s"] for row in rows), default=0.0),
        "load_mean": round(statistics.fmean(row["load"] for row in rows), 2) if rows else None,
    }
