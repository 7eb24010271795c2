"""Many seeds, one after the other, each run twice where wanted: the same seed must give the same trace (P20)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from trading_system.torture.case import Case, draw_case
from trading_system.torture.checker import Violation
from trading_system.torture.driver import run_case
from trading_system.torture.result import SeedResult


def run_checked(case: Case, cache_dir: Path | None, *, twice: bool) -> SeedResult:
    """Run a case; when `twice`, run it again and add a P20 violation if the traces differ."""
    result = run_case(case, cache_dir)
    if not twice:
        return result
    again = run_case(case, cache_dir)
    if (again.trace, again.trace_records) == (result.trace, result.trace_records):
        return result
    text = f"two runs differ: {result.trace} ({result.trace_records} records), {again.trace} ({again.trace_records} records)"
    return replace(result, violations=(*result.violations, Violation("P20", 0, "", text)))


def run_batch(
    seeds: Iterable[int],
    hours: float,
    cache_dir: Path | None = None,
    *,
    tell: Callable[[SeedResult], None] = lambda result: None,
    twice: bool = True,
) -> tuple[SeedResult, ...]:
    """The swarm's case of each seed. `tell` hears of each result as soon as it is there."""
    results: list[SeedResult] = []
    for seed in seeds:
        result = run_checked(draw_case(seed, hours), cache_dir, twice=twice)
        results.append(result)
        tell(result)
    return tuple(results)
