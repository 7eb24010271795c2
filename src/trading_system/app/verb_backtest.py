"""`backtest`: the live code over stored candles, with honest figures."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trading_system.app.config_args import add_config_options, load_from
from trading_system.app.exit_codes import ExitCode

if TYPE_CHECKING:
    from datetime import datetime

    from trading_system.backtest.driver import BacktestPlan
    from trading_system.config.settings import Settings

SUMMARY = "run the live code over stored candles and print honest figures"


def configure(parser: argparse.ArgumentParser) -> None:
    add_config_options(parser)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--candles", type=Path, metavar="DIR", help="holds SYMBOL-USD_15m.parquet|csv (and _1h for the warm-up)")
    source.add_argument(
        "--result",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="what --json wrote: nothing is run, its figures are computed again; several, of different markets, are put together",
    )
    parser.add_argument("--from", dest="start", metavar="DATE", help="UTC, on a full hour (default: where the files begin)")
    parser.add_argument("--to", dest="end", metavar="DATE", help="UTC, exclusive (default: where the files end)")
    parser.add_argument("--symbols", metavar="A,B", help="only these, e.g. BTC,ETH,SOL")
    parser.add_argument("--no-placebo", action="store_true", help="leave out the comparison run that enters at random later times")
    parser.add_argument("--check-prefixes", type=int, metavar="N", help="first check at every Nth bar that nothing said changes later")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the whole result there")
    parser.add_argument("--trades", type=Path, metavar="FILE", help="write the trades there, .csv or .jsonl by the name")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the figures there as tables")


def run(args: argparse.Namespace) -> int:
    from trading_system.app.verb_exchange import parse_moment
    from trading_system.backtest.period import check_period

    try:
        start, end = (None if text is None else parse_moment(text) for text in (args.start, args.end))
        check_period(start, end)
    except ValueError as error:
        return _misused(str(error))
    if args.check_prefixes is not None and args.check_prefixes < 1:
        return _misused(f"--check-prefixes {args.check_prefixes}: must be at least 1")
    _check_targets(args)
    settings = load_from(args).settings
    result = _read_results(args, settings) if args.candles is None else _measure(args, settings, start, end)
    if result is None:
        return ExitCode.FAULT
    return _tell(args, result)


def _misused(problem: str) -> int:
    print(f"backtest: {problem}", file=sys.stderr)
    return ExitCode.USAGE


def _check_targets(args: argparse.Namespace) -> None:
    """Refuse what cannot be written before the run, not after it. ConfigError."""
    from trading_system.backtest.trades import check_trades_path
    from trading_system.domain.errors import ConfigError

    for path in (args.json, args.trades, args.markdown):
        if path is not None and (path.is_dir() or not path.resolve().parent.is_dir()):
            raise ConfigError(f"{path}: cannot be written, {'it is a directory' if path.is_dir() else 'its directory does not exist'}")
    if args.trades is not None:
        check_trades_path(args.trades)


def _read_results(args: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """What is kept in the files, put together; figures are computed again where the trades are there, else they stay."""
    from trading_system.backtest.measure import with_figures
    from trading_system.backtest.merge import merge_results
    from trading_system.domain.errors import ConfigError

    found = merge_results([_read_result(path) for path in args.result])
    if args.trades is not None and "trades" not in found:
        raise ConfigError(f"{args.result[0]} holds figures only, no trades to write into {args.trades}")
    return with_figures(found, settings) if "trades" in found else found


def _read_result(path: Path) -> dict[str, Any]:
    import json

    from trading_system.backtest.measure import RESULT_VERSION
    from trading_system.domain.errors import ConfigError

    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not a readable result ({error})") from error
    if not isinstance(found, dict) or found.get("version") != RESULT_VERSION:
        raise ConfigError(f"{path}: no result that `backtest --json` of this version wrote")
    return found


def _measure(args: argparse.Namespace, settings: Settings, start: datetime | None, end: datetime | None) -> dict[str, Any] | None:
    """None when the prefix check found something: figures of a strategy that sees the future are worth nothing."""
    from trading_system.app.progress import make_progress
    from trading_system.backtest.driver import BacktestPlan
    from trading_system.backtest.measure import measure
    from trading_system.backtest.period import resolve_period
    from trading_system.domain.errors import ConfigError
    from trading_system.domain.symbols import normalise
    from trading_system.sim.candle_files import load_candles

    try:
        symbols = None if args.symbols is None else {normalise(name) for name in args.symbols.split(",")}
    except ValueError as error:
        raise ConfigError(f"--symbols {args.symbols}: {error}") from error
    series = load_candles(args.candles, symbols=symbols)
    plan = BacktestPlan(series, *resolve_period(series, start, end), settings)
    if args.check_prefixes is not None and not _check_prefixes(plan, args.check_prefixes):
        return None
    return measure(plan, with_random_entry=not args.no_placebo, progress=make_progress)


def _check_prefixes(plan: BacktestPlan, every: int) -> bool:
    """Over all the files hold of the chosen markets, whatever the period; True when nothing that was said changed."""
    from time import process_time

    from trading_system.app.progress import make_progress
    from trading_system.backtest.prefix_check import PrefixPlan, check_prefixes
    from trading_system.domain.errors import ConfigError
    from trading_system.wiring.parameters import smc_parameters
    from trading_system.wiring.strategies import assumed_costs

    settings, began = plan.settings, process_time()
    if settings.strategy.engine != "smc":
        raise ConfigError(f"--check-prefixes is for strategy.engine = smc, not for {settings.strategy.engine}")
    cooldown_ms = round(float(settings.strategy.signal_cooldown_hours) * 3_600_000)
    how = PrefixPlan(smc_parameters(settings), assumed_costs(settings), cooldown_ms, every)
    series, show, reports = plan.series, make_progress("prefixes"), []
    for number, one in enumerate(series):
        show(number, len(series))
        reports.append(check_prefixes(one, how))
    show(len(series), len(series))
    bars, cuts, statements = (sum(getattr(one, name) for one in reports) for name in ("bars", "cuts", "statements"))
    found = sum(one.difference_count for one in reports)
    for text in (text for report in reports for text in report.differences):
        print(f"DIFFERENT: {text}")
    print(
        f"Prefixes: {len(reports)} markets, {bars:,} bars of 15m, cut after every {every}th ({cuts:,} cuts):\n"
        f"  {statements:,} statements compared, {found} changed or removed by later bars; {process_time() - began:.0f} s CPU\n"
    )
    return found == 0


def _tell(args: argparse.Namespace, result: dict[str, Any]) -> int:
    import json

    from trading_system.backtest.report_markdown import render_markdown
    from trading_system.backtest.report_text import render_text
    from trading_system.backtest.trades import write_trades

    print("\n".join(render_text(result)))
    if args.json is not None:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if args.trades is not None:
        write_trades(args.trades, result["trades"])
    if args.markdown is not None:
        args.markdown.write_text(render_markdown(result), encoding="utf-8")
    return ExitCode.FAULT if result["violations"] else ExitCode.CLEAN
