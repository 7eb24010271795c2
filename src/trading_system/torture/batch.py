"""Many seeds, each run twice where wanted: the same seed must give the same trace (P20).

A run is a function of its seed alone, so seeds may share a machine: with several jobs each is a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
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


def _run_seed(seed: int, hours: float, cache_dir: Path | None, twice: bool) -> SeedResult:
    return run_checked(draw_case(seed, hours), cache_dir, twice=twice)


def run_batch(
    seeds: Iterable[int],
    hours: float,
    cache_dir: Path | None = None,
    *,
    tell: Callable[[SeedResult], None] = lambda result: None,
    twice: bool = True,
    jobs: int = 1,
) -> tuple[SeedResult, ...]:
    """The swarm's case of each seed, results in the order of the seeds. `tell` hears of each as soon as it is there.

    jobs: processes, >= 1. With several, `tell` hears in the order of completion; the results are those of one job.
    """
    run_one = partial(_run_seed, hours=hours, cache_dir=cache_dir, twice=twice)
    if jobs == 1:
        results: list[SeedResult] = []
        for seed in seeds:
            results.append(run_one(seed))
            tell(results[-1])
        return tuple(results)
    # spawned, not forked: a worker begins as empty as a process of its own would
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(run_one, seed) for seed in seeds]
        try:
            for future in as_completed(futures):
                tell(future.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        return tuple(future.result() for future in futures)
