"""`chart`: a page that shows the candles of one market and what the SMC engine saw in them, as of each bar."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from trading_system.app.config_args import add_config_options, load_from
from trading_system.app.exit_codes import ExitCode

SUMMARY = "write a page with candles and what the engine saw, as it was known at each bar"

DAYS_DEFAULT: Final = 45
DAYS_MAX: Final = 400
PAST_DAYS: Final = 30
DAY_MS: Final = 86_400_000


def configure(parser: argparse.ArgumentParser) -> None:
    add_config_options(parser)
    parser.add_argument("symbol", metavar="SYMBOL", help="BTC, BTC/USD or PF_XBTUSD")
    parser.add_argument(
        "--candles", type=Path, required=True, metavar="DIR", help="holds SYMBOL-USD_15m.parquet|csv (and _1h for the warm-up)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the page to write, one self-contained .html")
    parser.add_argument("--from", dest="start", metavar="DATE", help=f"UTC; default {DAYS_DEFAULT} days before the end")
    parser.add_argument("--to", dest="end", metavar="DATE", help="UTC, exclusive; default where the candles end")


def run(args: argparse.Namespace) -> int:
    from trading_system.domain.symbols import normalise
    from trading_system.sim.candle_files import CandleFileError, load_candles

    settings = load_from(args).settings
    try:
        symbol = normalise(args.symbol)
        (series,) = load_candles(args.candles, symbols=[symbol])
        start_ms, end_ms = _span(args, len(series.quarters) and series.quarters.open_ms[-1] + 900_000)
    except CandleFileError as error:
        print(f"chart: {error}", file=sys.stderr)
        return ExitCode.CONFIG
    except ValueError as error:
        print(f"chart: {error}", file=sys.stderr)
        return ExitCode.USAGE

    from trading_system.backtest.chart.feed import feed_of
    from trading_system.backtest.chart.page import page_of
    from trading_system.backtest.chart.recording import ChartPlan, record
    from trading_system.domain.units import from_ms
    from trading_system.wiring.parameters import smc_parameters
    from trading_system.wiring.strategies import assumed_costs

    costs = assumed_costs(settings)
    cooldown_ms = round(float(settings.strategy.signal_cooldown_hours) * 3_600_000)
    plan = ChartPlan(symbol, smc_parameters(settings), costs, start_ms, PAST_DAYS * DAY_MS, cooldown_ms)
    found = record(plan, feed_of(series, end_ms))
    if not found.quarters:
        print(f"chart: no 15m candles of {symbol} from {from_ms(start_ms):%Y-%m-%d %H:%M} on", file=sys.stderr)
        return ExitCode.CONFIG
    note = (
        f"SMC engine, fed bar by bar. Assumed costs in bps: spread {costs.spread_bps:g}, fees {costs.entry_fee_bps:g} "
        f"and {costs.exit_fee_bps:g}, no funding. Wheel = zoom, drag = move, arrows = one bar, "
        "shift + arrows = one day, comma and full stop = signals."
    )
    title = f"{symbol}  {from_ms(found.quarters[0].open_ms):%Y-%m-%d} to {from_ms(end_ms):%Y-%m-%d}"
    page = page_of(found, title, note)
    try:
        args.out.write_text(page, encoding="utf-8")
    except OSError as error:
        print(f"chart: cannot write {args.out}: {error.strerror}", file=sys.stderr)
        return ExitCode.USAGE
    acted = sum(one.is_acted_on for one in found.signals)
    print(f"wrote {args.out}: {len(found.quarters)} bars of 15m, {len(found.breaks)} breaks, {acted} signals, {len(page) / 1e6:.1f} MB")
    return ExitCode.CLEAN


def _span(args: argparse.Namespace, data_end_ms: int) -> tuple[int, int]:
    """(from, to) in ms; ValueError with one line for the user."""
    from trading_system.app.verb_exchange import parse_moment
    from trading_system.domain.units import to_ms

    end_ms = data_end_ms if args.end is None else min(to_ms(parse_moment(args.end)), data_end_ms)
    start_ms = end_ms - DAYS_DEFAULT * DAY_MS if args.start is None else to_ms(parse_moment(args.start))
    if start_ms >= end_ms:
        raise ValueError(f"--from {args.start} must lie before --to and before the end of the candles")
    if end_ms - start_ms > DAYS_MAX * DAY_MS:
        raise ValueError(f"{(end_ms - start_ms) // DAY_MS} days are too many for one page; at most {DAYS_MAX}")
    return start_ms, end_ms
