"""`backtest`: the live code over stored candles, with honest figures."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from trading_system.app.config_args import add_config_options, load_from
from trading_system.app.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

SUMMARY = "run the live code over stored candles and print honest figures"


def configure(parser: argparse.ArgumentParser) -> None:
    add_config_options(parser)
    parser.add_argument(
        "--candles", type=Path, required=True, metavar="DIR", help="holds SYMBOL-USD_15m.parquet|csv (and _1h for the warm-up)"
    )
    parser.add_argument("--from", dest="start", required=True, metavar="DATE", help="UTC, on a full hour")
    parser.add_argument("--to", dest="end", required=True, metavar="DATE", help="UTC, exclusive")
    parser.add_argument("--symbols", metavar="A,B", help="only these, e.g. BTC,ETH,SOL")
    parser.add_argument("--no-placebo", action="store_true", help="leave out the comparison run that enters at random later times")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the whole result there")


def run(args: argparse.Namespace) -> int:
    import json
    from random import Random  # noqa: TID251 - seeded below: the bootstrap is a function of its seed
    from time import perf_counter

    from trading_system.app.verb_exchange import parse_moment
    from trading_system.backtest.driver import BacktestPlan, run_backtest
    from trading_system.backtest.result import outcomes, plain, result_of
    from trading_system.backtest.statistics import render, summarise
    from trading_system.domain.symbols import normalise
    from trading_system.strategy.catalogue import make_strategy
    from trading_system.wiring.strategies import engine_choice, placebo_of, strategy_of

    settings = load_from(args).settings
    try:
        start, end = parse_moment(args.start), parse_moment(args.end)
        symbols = None if args.symbols is None else {normalise(name) for name in args.symbols.split(",")}
    except ValueError as error:
        print(f"backtest: {error}", file=sys.stderr)
        return ExitCode.USAGE
    plan = BacktestPlan(args.candles, start, end, symbols, settings)
    began = perf_counter()
    finished = run_backtest(plan, lambda: strategy_of(settings), _progress())
    result = result_of(finished, perf_counter() - began)
    rounds = settings.backtest.bootstrap_samples
    print(_headline(result))
    print("\n".join(render("all trades", summarise(outcomes(finished), Random(settings.backtest.seed), rounds=rounds))))
    if not args.no_placebo and not settings.strategy.engine.startswith("placebo"):
        choice = placebo_of(engine_choice(settings))
        other = run_backtest(plan, lambda: make_strategy(choice), _progress())
        found = summarise(outcomes(other), Random(settings.backtest.seed), rounds=rounds)
        print("\n".join(render("placebo (same markets, sides and distances, entered at random later bars)", found)))
    for violation in result["violations"]:
        print(f"VIOLATION: {violation}")
    if args.json is not None:
        args.json.write_text(json.dumps(plain(result), indent=1) + "\n", encoding="utf-8")
    return ExitCode.FAULT if result["violations"] else ExitCode.CLEAN


def _headline(result: dict[str, object]) -> str:
    return (
        f"{result['symbols']} markets, {result['bars']} bars, {result['cycles']} cycles in {result['wall_s']} s · "
        f"{result['signals']} signals, {result['entries']} entries · naked at most {result['naked_s_max']} s\n"
        f"equity {result['equity_start']:.2f} -> {result['equity_end']:.2f} USD "
        f"(realised {result['realised']:+.2f}, unrealised {result['unrealised']:+.2f}, "
        f"fees {result['fees']:.2f}, funding {result['funding']:.2f})"
    )


def _progress() -> Callable[[int, int], None]:
    """A bar on a terminal, silence elsewhere."""
    if not sys.stderr.isatty():
        return lambda done, total: None
    from rich.progress import Progress, TimeRemainingColumn

    progress = Progress(*Progress.get_default_columns()[:-1], TimeRemainingColumn())
    task = progress.add_task("backtest", total=None)
    progress.start()

    def show(done: int, total: int) -> None:
        progress.update(task, completed=done, total=total)
        if done >= total:
            progress.stop()

    return show
