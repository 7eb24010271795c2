"""What a seed, and many seeds, came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from trading_system.torture.checker import Violation


@dataclass(frozen=True, slots=True)
class SeedResult:
    """One run. hours: simulated, the quiet phase included. naked_s: counted seconds of every stretch without full cover."""

    seed: int
    hours: float
    violations: tuple[Violation, ...]
    naked_s: tuple[float, ...]
    naked_s_max: float
    duplicates: int
    unexplained_fills: int
    entries: int
    fills: int
    deaths: int
    faults: Counter[str] = field(default_factory=Counter)
    trace: str = ""
    trace_records: int = 0
    naked_start_s_max: float = 0.0
    """The same for positions that were naked when a process started: their limit is another one."""
    loss_max: float = 0.0
    """The largest loss of a day, as a fraction of its first equity."""

    @property
    def holds(self) -> bool:
        return not self.violations


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed; 0 for none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1))]


def summary(results: Iterable[SeedResult], wall_s: float) -> dict[str, Any]:
    """The figures of a batch, JSON-able."""
    done = tuple(results)
    naked = [seconds for result in done for seconds in result.naked_s]
    faults: Counter[str] = Counter()
    for result in done:
        faults.update(result.faults)
    return {
        "seeds": len(done),
        "simulated_hours": round(sum(result.hours for result in done), 3),
        "wall_s": round(wall_s, 2),
        "violations": [
            {"seed": result.seed, "rule": v.rule, "at_ms": v.at_ms, "symbol": v.symbol, "text": v.text}
            for result in done
            for v in result.violations
        ],
        "naked_s_max": max((result.naked_s_max for result in done), default=0.0),
        "naked_s_p99": percentile(naked, 0.99),
        "naked_start_s_max": max((result.naked_start_s_max for result in done), default=0.0),
        "duplicates": sum(result.duplicates for result in done),
        "unexplained_fills": sum(result.unexplained_fills for result in done),
        "entries": sum(result.entries for result in done),
        "fills": sum(result.fills for result in done),
        "deaths": sum(result.deaths for result in done),
        "loss_max": max((result.loss_max for result in done), default=0.0),
        "faults": dict(sorted(faults.items())),
    }
