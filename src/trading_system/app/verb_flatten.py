"""`flatten`: close every position, reduce-only, after the words are typed exactly. Latches the kill switch first."""

from __future__ import annotations

import argparse
import sys

from trading_system.app.exit_codes import ExitCode
from trading_system.app.operator_options import add_operator_options, data_dir_of, fail, show_json

SUMMARY = "close every position (reduce-only) and stay halted; asks for a typed confirmation"


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
    if args.json:
        show_json(answer.facts)
    else:
        print(f"{answer.facts['state']}: closing {', '.join(answer.facts['closing']) or 'nothing'}; watch with `positions`")
    for text in answer.facts["not_closed"]:
        fail("flatten", f"NOT CLOSED: {text}")
    return ExitCode.FAULT if answer.facts["not_closed"] else ExitCode.CLEAN


def _typed(words: str) -> str:
    print(f"Type exactly  {words}  to close them all: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()
