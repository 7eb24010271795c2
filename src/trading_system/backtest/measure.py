"""Measures a strategy: the run itself, the same run with random entries, and all figures of both in one plain result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from time import perf_counter
from typing import Any

from trading_system.backtest.driver import BacktestPlan, Progress, run_backtest
from trading_system.backtest.figures import figures_of
from trading_system.backtest.result import plain, result_of
from trading_system.backtest.watched_strategy import WatchedStrategy
from trading_system.config.settings import Settings
from trading_system.domain.protocols import Strategy
from trading_system.domain.units import from_ms
from trading_system.strategy.catalogue import EngineChoice, make_strategy
from trading_system.wiring.strategies import engine_choice, placebo_of

RESULT_VERSION = 1


def measure(plan: BacktestPlan, *, with_random_entry: bool, progress: Callable[[str], Progress]) -> dict[str, Any]:
    """Run and compare. JSON-able: Decimals are exact text.

    progress: makes the reporter of one run from its title. ConfigError: bad candles, dates or strategy, before anything is run.
    """
    choice = engine_choice(plan.settings)
    has_comparison = with_random_entry and not choice.name.startswith("placebo")
    for needed in (choice, placebo_of(choice)) if has_comparison else (choice,):
        make_strategy(needed)  # refused before an hour is spent, not after
    result = _run(plan, choice, progress(choice.name))
    if has_comparison:
        other = _run(plan, placebo_of(choice), progress("random entry"))
        kept = ("engine", "signals", "entries", "funnel", "violations", "equity_end", "fees", "funding", "trades")
        result["random_entry"] = {name: other[name] for name in kept}
    return with_figures(result, plan.settings)


def _run(plan: BacktestPlan, choice: EngineChoice, progress: Progress) -> dict[str, Any]:
    watched: list[WatchedStrategy] = []

    def make() -> Strategy:
        watched.append(WatchedStrategy(make_strategy(choice)))
        return watched[-1]

    began = perf_counter()
    finished = run_backtest(plan, make, progress)
    result: dict[str, Any] = plain(result_of(finished, perf_counter() - began))
    (watch,) = watched
    result["violations"] += watch.faults
    last = watch.last_judged_ms
    return {
        "version": RESULT_VERSION,
        "engine": choice.name,
        "options": dict(choice.options),
        **result,
        "judged": watch.judged,
        "last_judged_at": None if last is None else from_ms(last).isoformat(),
        "gate_shares": [asdict(gate) for gate in watch.gate_shares()],
    }


def with_figures(result: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """The same result with its figures computed (again) from its trades."""
    random_entry = result.get("random_entry")
    tables = figures_of(
        result["trades"],
        None if random_entry is None else random_entry["trades"],
        start=datetime.fromisoformat(result["from"]),
        end=datetime.fromisoformat(result["to"]),
        seed=settings.backtest.seed,
        rounds=settings.backtest.bootstrap_samples,
    )
    return {**result, "figures": tables, "bootstrap": {"seed": settings.backtest.seed, "rounds": settings.backtest.bootstrap_samples}}
