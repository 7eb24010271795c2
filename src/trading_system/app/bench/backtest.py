"""How fast a backtest eats bars. Measured through the verb's own function, so it counts everything a user waits for."""

from __future__ import annotations

from trading_system.app.bench.readings import Outcome, Unmeasured
from trading_system.app.cli import VERBS


def measure() -> dict[str, Outcome]:
    if "backtest" not in dict(VERBS):
        return {"backtest_bars_per_s": Unmeasured("this build has no backtest verb")}
    return {"backtest_bars_per_s": Unmeasured("the backtest verb has no entry point for generated candles")}
