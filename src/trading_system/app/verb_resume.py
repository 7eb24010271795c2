"""`resume`: a human lifts a halt, with a reason."""

from __future__ import annotations

import argparse
from pathlib import Path

from trading_system.app.exit_codes import ExitCode
from trading_system.app.operator_options import add_operator_options, data_dir_of, fail, show_json, who_asks

SUMMARY = "lift a halt; refused while the file KILL_SWITCH exists; works with the daemon down, too"


def configure(parser: argparse.ArgumentParser) -> None:
    add_operator_options(parser)
    parser.add_argument("--reason", required=True, metavar="TEXT", help="for the journal and the alert")
    parser.add_argument("--rebase-high-water", action="store_true", help="accept the drawdown: count it from today's equity on")
    parser.add_argument(
        "--release",
        default="",
        metavar="POSITION",
        help="hand back a QUARANTINED or ORPHANED position (its id or symbol) after looking at the venue; resumes nothing else",
    )
    parser.add_argument(
        "--balance-step",
        choices=("flow", "pnl"),
        default="",
        help="explain an unexplained balance step: money in or out, or profit and loss",
    )


def run(args: argparse.Namespace) -> int:
    from trading_system.app.daemon_call import DaemonAway, ask
    from trading_system.wiring.control_protocol import ResumeOrder

    if not args.reason.strip():
        return fail("resume", "a reason is required", ExitCode.USAGE)
    if args.release and (args.rebase_high_water or args.balance_step):
        return fail("resume", "--release goes alone: it hands back one position and resumes nothing", ExitCode.USAGE)
    data_dir = data_dir_of(args)
    try:
        answer = ask(data_dir, ResumeOrder(args.reason, args.rebase_high_water, args.balance_step, args.release))
    except DaemonAway as away:
        return fail("resume", f"{away}: nothing was resumed") if away.holder is not None else _while_down(args, data_dir)
    if not answer.is_ok:
        return fail("resume", answer.error)
    if args.json:
        return show_json(answer.facts)
    if args.release:
        print(answer.facts["released"])
        return ExitCode.CLEAN
    off = answer.facts["entries_off"]
    print(f"{answer.facts['state']}: " + (f"entries still off: {'; '.join(off)}" if off else "entries are on"))
    return ExitCode.CLEAN


def _while_down(args: argparse.Namespace, data_dir: Path) -> int:
    from trading_system.app.config_args import load_from
    from trading_system.domain.errors import TradingError
    from trading_system.wiring.clock import WallClock
    from trading_system.wiring.offline_commands import resume_offline
    from trading_system.wiring.parameters import safety_rules

    if args.balance_step:
        return fail("resume", "--balance-step needs the running daemon: it knows what the balance is now")
    if args.release:
        return fail("resume", "--release needs the running daemon: it looks at the venue first")
    rules = safety_rules(load_from(args).settings)
    try:
        mode = resume_offline(data_dir, rules, WallClock(), reason=args.reason, rebase=args.rebase_high_water, who=who_asks())
    except (TradingError, OSError) as error:
        return fail("resume", str(error))
    if args.json:
        return show_json({"running": False, "state": mode.value})
    print(f"the daemon is not running; the next start begins in {mode.value}; a limit that is still violated halts it again")
    return ExitCode.CLEAN
