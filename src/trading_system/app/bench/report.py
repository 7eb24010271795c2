"""Readings as a table for people, and as one JSON object for machines."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path

from trading_system.app.bench.figures import FIGURES, Figure
from trading_system.app.bench.readings import Outcome, Reading, Unmeasured

_CPU_INFO = Path("/proc/cpuinfo")


def machine() -> dict[str, object]:
    """What the figures depend on most."""
    model = platform.processor() or platform.machine()
    if _CPU_INFO.is_file():
        names = [line.partition(":")[2].strip() for line in _CPU_INFO.read_text().splitlines() if line.startswith("model name")]
        model = names[0] if names else model
    return {"cpu": model, "cores": len(os.sched_getaffinity(0)), "python": platform.python_version()}


def render_table(outcomes: Mapping[str, Outcome], facts: Mapping[str, object]) -> str:
    """One row per measured or unmeasurable figure, then the notes, then the machine."""
    rows = [("figure", "median", "min - max", "n", "bound", "meaning")]
    notes = []
    for figure in FIGURES:
        outcome = outcomes.get(figure.key)
        if outcome is None:
            continue
        rows.append(_row(figure, outcome))
        note = outcome.note if isinstance(outcome, Reading) else outcome.reason
        if note:
            notes.append(f"  {figure.key}: {note}")
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    if notes:
        lines += ["", "notes", *notes]
    return "\n".join([*lines, "", f"machine: {facts['cpu']}, {facts['cores']} cores, Python {facts['python']}"])


def _row(figure: Figure, outcome: Outcome) -> tuple[str, str, str, str, str, str]:
    bound = figure.bound
    meaning = f"{figure.unit}; {figure.meaning.strip()}"
    if isinstance(outcome, Unmeasured):
        return (figure.key, "-", "not measured", "0", bound, meaning)
    if breach := figure.breach(outcome.median):
        bound += f"  {breach}"
    digits = figure.digits
    spread = f"{outcome.low:.{digits}f} - {outcome.high:.{digits}f}"
    return (figure.key, f"{outcome.median:.{digits}f}", spread, str(outcome.count), bound, meaning)


def as_json(outcomes: Mapping[str, Outcome], facts: Mapping[str, object]) -> dict[str, object]:
    """Every key of the list with its median or null, `machine`, and `notes`: why a figure is null, or how it came about."""
    result: dict[str, object] = {}
    notes: dict[str, str] = {}
    for figure in FIGURES:
        outcome = outcomes.get(figure.key)
        if figure.is_extra:
            if isinstance(outcome, Reading):
                notes[figure.key] = f"{outcome.median:.{figure.digits}f} {figure.unit}: {figure.meaning.strip()}"
            continue
        match outcome:
            case Reading():
                result[figure.key] = round(outcome.median, 6)
                if outcome.note:
                    notes[figure.key] = outcome.note
            case Unmeasured(reason):
                result[figure.key] = None
                notes[figure.key] = reason
            case None:
                result[figure.key] = None
                notes[figure.key] = "not asked for (--only)"
    return {**result, "machine": dict(facts), "notes": notes}
