"""`positions`: every position with its stop and targets; from the journal alone when no daemon runs."""

from __future__ import annotations

import argparse

from trading_system.app.exit_codes import ExitCode
from trading_system.app.operator_options import add_operator_options, data_dir_of, fail, show_json

SUMMARY = "every position: entry, mark, size, leverage, P&L, R, stop, take-profits; works with the daemon down, too"


def configure(parser: argparse.ArgumentParser) -> None:
    add_operator_options(parser)


def run(args: argparse.Namespace) -> int:
    from trading_system.app.daemon_call import DaemonAway, ask
    from trading_system.app.status_text import render_positions
    from trading_system.wiring.control_protocol import PositionsQuery

    data_dir = data_dir_of(args)
    try:
        answer = ask(data_dir, PositionsQuery(), wait_s=10.0)
    except DaemonAway as away:
        return _from_disk(args, away)
    if not answer.is_ok:
        return fail("positions", answer.error)
    if args.json:
        return show_json({"running": True, **answer.facts})
    print(render_positions(answer.facts["positions"]))
    return ExitCode.CLEAN


def _from_disk(args: argparse.Namespace, away: Exception) -> int:
    import msgspec

    from trading_system.app.status_text import render_positions
    from trading_system.wiring.offline_report import offline_positions, open_books

    books = open_books(data_dir_of(args))
    if books.journal is None:
        return fail("positions", f"{away}, and {books.problem}")
    rows = msgspec.to_builtins(offline_positions(books.journal))
    if args.json:
        return show_json({"running": False, "why": str(away), "positions": rows})
    print(f"{away}; as the journal knows, without marks\n{render_positions(rows)}")
    return ExitCode.CLEAN
