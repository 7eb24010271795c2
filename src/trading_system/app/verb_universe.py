"""`universe`: every market with its tier, or why it is left out."""

from __future__ import annotations

import argparse

from trading_system.app.exit_codes import ExitCode
from trading_system.app.operator_options import add_operator_options, data_dir_of, fail, show_json

SUMMARY = "every market: tier, volume, spread, data health, or why it is left out"


def configure(parser: argparse.ArgumentParser) -> None:
    add_operator_options(parser)


def run(args: argparse.Namespace) -> int:
    from trading_system.app.daemon_call import DaemonAway, ask
    from trading_system.app.market_text import render_universe
    from trading_system.wiring.control_protocol import UniverseQuery

    try:
        answer = ask(data_dir_of(args), UniverseQuery(), wait_s=10.0)
    except DaemonAway as away:
        return fail("universe", f"{away}; the universe is what it discovered last")
    if not answer.is_ok:
        return fail("universe", answer.error)
    if args.json:
        return show_json(answer.facts)
    print(render_universe(answer.facts))
    return ExitCode.CLEAN
