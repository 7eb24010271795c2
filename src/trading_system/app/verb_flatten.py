"""`flatten`: close every position, reduce-only, after the words are typed exactly. Latches the kill switch first."""

from __future__ import annotations

import argparse
import sys
import time
from decimal import Decimal
from pathlib import Path

from trading_system.app.exit_codes import ExitCode
from trading_system.app.operator_options import add_operator_options, data_dir_of, fail, show_json

SUMMARY = "close every position (reduce-only) and stay halted; asks for a typed confirmation"
LOOKS_MAX = 60
LOOK_S = 1.0
"""Between two looks at what is still open. Closing goes on in the daemon whether or not somebody looks."""


def configure(parser: argparse.ArgumentParser) -> None:
    add_operator_options(parser)
    parser.add_argument("--confirm", metavar="WORDS", help="the exact words, instead of typing them")


def run(args: argparse.Namespace) -> int:
    from trading_system.app.daemon_call import DaemonAway, ask
    from trading_system.app.status_text import render_positions
    from trading_system.wiring.control_protocol import FlattenOrder

    data_dir = data_dir_of(args)
    try:
        words = args.confirm
        if words is None:
            asked = ask(data_dir, FlattenOrder())
            if not asked.is_ok:
                return fail("flatten", asked.error)
            print(render_positions(asked.facts["positions"]), file=sys.stderr)
            words = _typed(asked.facts["confirmation"])
        if not words:
            return fail("flatten", "not confirmed: nothing was closed")
        answer = ask(data_dir, FlattenOrder(words))
    except DaemonAway as away:
        return fail("flatten", f"{away}; without it, close at the venue by hand (the stops rest there)")
    if not answer.is_ok:
        return fail("flatten", answer.error)
    closing = answer.facts["closing"]
    if not args.json:
        print(f"{answer.facts['state']}: closing {', '.join(closing) or 'nothing'}", flush=True)
    still_open = _wait_until_flat(data_dir, closing)
    if args.json:
        show_json({**answer.facts, "still_open": still_open})
    elif still_open == []:
        print("closed; entries stay off until `resume`" if closing else "entries are off until `resume`")
    for text in answer.facts["not_closed"]:
        fail("flatten", f"NOT CLOSED: {text}")
    if still_open is None:
        return fail("flatten", "the daemon does not tell whether they are closed: look at `positions`, and at the venue")
    if still_open:
        return fail(
            "flatten", f"STILL OPEN: {', '.join(still_open)}; the daemon goes on, their stops stay: `positions`, and the log says why"
        )
    return ExitCode.FAULT if answer.facts["not_closed"] else ExitCode.CLEAN


def _wait_until_flat(data_dir: Path, closing: list[str]) -> list[str] | None:
    """Which of them are open after a while at most; None when the daemon does not say."""
    from trading_system.app.daemon_call import DaemonAway, ask
    from trading_system.wiring.control_protocol import PositionsQuery

    still_open = list(closing)
    for look in range(LOOKS_MAX):
        if look:
            time.sleep(LOOK_S)  # noqa: TID251 - a verb has no loop to block
        try:
            answer = ask(data_dir, PositionsQuery(), wait_s=10.0)
        except DaemonAway:
            return None
        if answer.is_ok:
            there = {row["position_id"] for row in answer.facts["positions"] if Decimal(row["qty"]) > 0}
            still_open = [position_id for position_id in closing if position_id in there]
        if not still_open:
            break
    return still_open


def _typed(words: str) -> str:
    print(f"Type exactly  {words}  to close them all: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()
