"""`bench`: measure what must be quick, on this machine, with generated inputs."""

from __future__ import annotations

import argparse
import json
import sys

from trading_system.app.bench.figures import FIGURES, KEYS, measure_module
from trading_system.app.bench.readings import Outcome
from trading_system.app.exit_codes import ExitCode

SUMMARY = "measure what must be quick and print it beside its bounds"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one object: medians by key, null with a note where there is none")
    parser.add_argument(
        "--only", nargs="+", choices=KEYS, metavar="KEY", help=f"measure these and what comes along with them; keys: {', '.join(KEYS)}"
    )
    parser.add_argument(
        "--soak", type=int, metavar="HOURS", help="instead: the embedded exchange for so many market hours at 60 x, its memory hour by hour"
    )


def run(args: argparse.Namespace) -> int:
    if args.soak is not None:
        return _soak(args.soak)
    from trading_system.app.bench.report import as_json, machine, render_table

    wanted = [figure for figure in FIGURES if args.only is None or figure.key in args.only]
    outcomes: dict[str, Outcome] = {}
    for module in dict.fromkeys(figure.module for figure in wanted):
        print(f"measuring {module} …", file=sys.stderr, flush=True)
        outcomes |= measure_module(module)
    facts = machine()
    print(json.dumps(as_json(outcomes, facts), indent=2) if args.json else render_table(outcomes, facts))
    return ExitCode.CLEAN


def _soak(hours: int) -> int:
    from trading_system.app.bench.exchange_soak import soak

    if hours < 1:
        print(f"bench: --soak {hours}: must be 1 or more market hours", file=sys.stderr)
        return ExitCode.USAGE
    soak(hours, lambda line: print(line, flush=True))
    return ExitCode.CLEAN
