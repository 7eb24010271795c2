"""`place-missing-stops`: stops for positions that the books show uncovered. The daemon does so by itself; this is the hand brake."""

from __future__ import annotations

import argparse

from trading_system.app.exit_codes import ExitCode
from trading_system.app.operator_options import add_operator_options, data_dir_of, fail, show_json

SUMMARY = "place a stop wherever one is missing; --dry-run only shows them"


def configure(parser: argparse.ArgumentParser) -> None:
    add_operator_options(parser)
    parser.add_argument("--dry-run", action="store_true", help="show what would be placed, send nothing")


def run(args: argparse.Namespace) -> int:
    from trading_system.app.daemon_call import DaemonAway, ask
    from trading_system.monitoring.formatting import table
    from trading_system.wiring.control_protocol import PlaceStopsOrder

    try:
        answer = ask(data_dir_of(args), PlaceStopsOrder(args.dry_run))
    except DaemonAway as away:
        how = "a start" if away.holder is None else "it may hang; a restart (systemctl restart trading-bot)"
        return fail("place-missing-stops", f"{away}; {how} places missing stops by itself (`positions` shows what the journal knows)")
    if not answer.is_ok:
        return fail("place-missing-stops", answer.error)
    missing = answer.facts["missing"]
    if args.json:
        show_json(answer.facts)
    elif not missing:
        print(f"{answer.facts['held']} positions, none lacks a stop")
    else:
        rows = [[row["position_id"], row["symbol"], row["qty"], row["trigger_price"], row["outcome"], row["why"]] for row in missing]
        print(table(("position", "symbol", "qty", "trigger", "outcome", "why"), rows, ["<", "<", ">", ">", "<", "<"]))
    failed = not args.dry_run and any(not row["outcome"].startswith("done") for row in missing)
    return ExitCode.FAULT if failed else ExitCode.CLEAN
