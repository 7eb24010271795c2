"""Measures how often a warm-up from the kept bars decides otherwise than an engine that never stopped.

.venv/bin/python scripts/measure_cold_starts.py                   generated markets (no file is needed)
.venv/bin/python scripts/measure_cold_starts.py --candles DIR     every market with a 15m file; a 1h file gives a longer past
.venv/bin/python scripts/measure_cold_starts.py --dry-run         only say what would be measured

Writes nothing. docs/strategies.md has the figures of one run.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from trading_system.app.bench.engine_runs import COSTS
from trading_system.app.bench.generated_bars import all_timeframes, generate_quarters
from trading_system.backtest.chart.feed import FedBar, feed_of
from trading_system.backtest.cold_start import ColdStartPlan, ColdStarts, measure_cold_starts
from trading_system.domain.symbols import Symbol
from trading_system.sim.candle_files import load_candles
from trading_system.strategy.parameters import SmcParameters

COOLDOWN_MS = 4 * 3_600_000
SPANS = ((0, 1), (1, 7), (7, 30))


def main() -> int:
    parser = argparse.ArgumentParser(description="How often does a cold warm-up decide otherwise?")
    parser.add_argument("--candles", type=Path, metavar="DIR", help="folder of candle files (default: generated markets)")
    parser.add_argument("--markets", type=int, default=6, metavar="N", help="generated markets (default 6)")
    parser.add_argument("--days", type=int, default=900, metavar="D", help="of each generated market (default 900)")
    parser.add_argument("--every", type=int, default=10, metavar="D", help="days between two restarts (default 10)")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    args = parser.parse_args()
    plan = ColdStartPlan(SmcParameters(), COSTS, COOLDOWN_MS, every_days=args.every)
    total, markets = ColdStarts(), 0
    for symbol, feed in _markets(args):
        if args.dry_run:
            print(f"{symbol}: {len(feed)} bars")
            continue
        found = measure_cold_starts(symbol, feed, plan)
        total.add(found)
        markets += found.restarts > 0
        share = found.share(0, plan.follow_days)
        print(f"{symbol}: {found.restarts} restarts, {'-' if share is None else f'{share:.3%}'} other", file=sys.stderr, flush=True)
    if not args.dry_run:
        _show(total, markets, as_json=args.json)
    return 0


def _markets(args: argparse.Namespace) -> Iterator[tuple[Symbol, list[FedBar]]]:
    if args.candles is None:
        for number in range(args.markets):
            yield Symbol(f"GEN{number}/USD"), _fed(generate_quarters(1_000 + number, args.days))
        return
    for one in load_candles(args.candles):
        last = one.quarters.open_ms[-1] + 900_000
        yield one.symbol, list(feed_of(one, last))


def _fed(quarters: list) -> list[FedBar]:  # type: ignore[type-arg]
    ranks = {timeframe: rank for rank, timeframe in enumerate(reversed(list(all_timeframes(quarters[:96]))))}
    series = all_timeframes(quarters)
    return sorted(FedBar(bar.open_ms + t.ms, ranks[t], t, bar) for t, bars in series.items() for bar in bars)


def _show(total: ColdStarts, markets: int, *, as_json: bool) -> None:
    shares = {f"days_{first}_{before}": total.share(first, before) for first, before in SPANS}
    facts = {
        "markets": markets,
        "restarts": total.restarts,
        "restarts_without_any_difference": total.identical,
        "decisions": sum(total.asked.values()),
        "other_decisions": sum(total.other.values()),
        "other_share": total.share(0, 30),
        **shares,
        "signals": total.signals,
        "signals_lost": total.lost,
        "signals_extra": total.extra,
        "signals_moved": total.moved,
        "most_frequent": [f"{a} -> {b}: {n}" for (a, b), n in total.other_codes.most_common(8)],
    }
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    for name, value in facts.items():
        print(f"{name:32} {value:.4%}" if isinstance(value, float) else f"{name:32} {value}")


if __name__ == "__main__":
    sys.exit(main())
