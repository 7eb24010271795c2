"""`why`: the last gate ladder of one market, or of all, nearest to a signal first."""

from __future__ import annotations

import argparse

from trading_system.app.exit_codes import ExitCode
from trading_system.app.operator_options import add_operator_options, data_dir_of, fail, show_json

SUMMARY = "why a market gave no signal: every gate, what it asks, what is, how far"


def configure(parser: argparse.ArgumentParser) -> None:
    add_operator_options(parser)
    parser.add_argument("symbol", nargs="?", metavar="SYMBOL", help="e.g. BTC, ETH/USD or PF_SOLUSD")
    parser.add_argument("--histogram", action="store_true", help="how often each gate stopped a market, per UTC day; needs no daemon")
    parser.add_argument("--days", type=int, default=7, metavar="N", help="with --histogram: the newest N days (default 7)")
    parser.add_argument("--all", action="store_true", help="every market, nearest to a signal first")


def run(args: argparse.Namespace) -> int:
    from trading_system.app.daemon_call import DaemonAway, ask
    from trading_system.app.market_text import render_why, render_why_all
    from trading_system.domain.symbols import normalise
    from trading_system.wiring.control_protocol import WhyQuery

    if bool(args.symbol) + args.all + args.histogram != 1:
        return fail("why", "name one SYMBOL, or --all, or --histogram", ExitCode.USAGE)
    if args.histogram:
        return _histogram(args)
    try:
        symbol = "" if args.all else normalise(args.symbol)
    except ValueError as error:
        return fail("why", str(error), ExitCode.USAGE)
    try:
        answer = ask(data_dir_of(args), WhyQuery(symbol), wait_s=10.0)
    except DaemonAway as away:
        return fail("why", f"{away}; the ladders of now are in its memory only")
    if not answer.is_ok:
        return fail("why", answer.error)
    if args.json:
        return show_json(answer.facts)
    print(render_why_all(answer.facts) if args.all else render_why(answer.facts))
    return ExitCode.CLEAN


def _histogram(args: argparse.Namespace) -> int:
    from trading_system.app.market_text import render_gate_days
    from trading_system.wiring.ladder_report import read_gate_days

    if args.days < 1:
        return fail("why", f"--days {args.days}: must be at least 1", ExitCode.USAGE)
    facts = read_gate_days(data_dir_of(args), args.days)
    if args.json:
        return show_json(facts)
    print(render_gate_days(facts))
    return ExitCode.CLEAN
