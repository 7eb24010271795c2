"""`halt`: the kill switch by hand. Entries and take-profits go, stops stay, positions stay managed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from trading_system.app.exit_codes import ExitCode
from trading_system.app.operator_options import add_operator_options, data_dir_of, fail, show_json, who_asks

SUMMARY = "kill switch: no entries, take-profits cancelled, stops kept; works with the daemon down, too"


NO_REASON = "no reason given"
ANSWER_S = 5.0
"""A daemon that is silent for so long gets the file: in an emergency nobody waits for an answer."""


def configure(parser: argparse.ArgumentParser) -> None:
    add_operator_options(parser)
    parser.add_argument("--reason", default=NO_REASON, metavar="TEXT", help="for the journal and the alert")


def run(args: argparse.Namespace) -> int:
    from trading_system.app.daemon_call import DaemonAway, ask
    from trading_system.wiring.control_protocol import HaltOrder

    if not args.reason.strip():
        return fail("halt", "a reason is required", ExitCode.USAGE)
    data_dir = data_dir_of(args)
    try:
        answer = ask(data_dir, HaltOrder(args.reason), wait_s=ANSWER_S)
    except DaemonAway as away:
        return _by_file(data_dir, away.holder) if away.holder is not None else _while_down(args, data_dir)
    if not answer.is_ok:
        return fail("halt", answer.error)
    if args.json:
        return show_json(answer.facts)
    print(f"{answer.facts['state']}: entries are off, stops stay; {answer.facts['positions']} positions go on being managed")
    return ExitCode.CLEAN


def _by_file(data_dir: Path, holder: int) -> int:
    """The daemon runs and does not answer: the file is the way that needs no answer."""
    from trading_system.safety.invariant_monitor import KILL_FILE

    try:
        (data_dir / KILL_FILE).touch(mode=0o600)
    except OSError as error:
        return fail("halt", f"process {holder} does not answer, and {data_dir / KILL_FILE} cannot be made: {error.strerror}")
    print(
        f"halt: NOT CONFIRMED: process {holder} does not answer; the file {data_dir / KILL_FILE} now lies there, "
        "which it obeys within a second while it lives. Remove it before `resume`",
        file=sys.stderr,
    )
    return ExitCode.FAULT


def _while_down(args: argparse.Namespace, data_dir: Path) -> int:
    from trading_system.app.config_args import load_from
    from trading_system.config.settings import Settings
    from trading_system.domain.errors import ConfigError, TradingError
    from trading_system.wiring.clock import WallClock
    from trading_system.wiring.offline_commands import halt_offline
    from trading_system.wiring.parameters import safety_rules

    try:
        settings = load_from(args).settings
    except ConfigError:
        settings = Settings()  # a latch obeys no limit: halting must work whatever is wrong with the files
    try:
        mode = halt_offline(data_dir, safety_rules(settings), WallClock(), reason=args.reason, who=who_asks())
    except (TradingError, OSError) as error:
        return fail("halt", str(error))
    if args.json:
        return show_json({"running": False, "state": mode.value})
    print(f"the daemon is not running; the next start begins in {mode.value}: it protects and opens nothing")
    return ExitCode.CLEAN
