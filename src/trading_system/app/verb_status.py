"""`status`: how the daemon is; when none runs, what the journal and the latch files say."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from trading_system.app.exit_codes import ExitCode
from trading_system.app.operator_options import add_operator_options, data_dir_of, fail, show_json

if TYPE_CHECKING:
    from trading_system.app.daemon_call import DaemonAway

SUMMARY = "state, equity, positions and what keeps entries off; works with the daemon down, too"


def configure(parser: argparse.ArgumentParser) -> None:
    add_operator_options(parser)


def run(args: argparse.Namespace) -> int:
    from trading_system.app.daemon_call import DaemonAway, ask
    from trading_system.wiring.control_protocol import StatusQuery

    data_dir = data_dir_of(args)
    try:
        answer = ask(data_dir, StatusQuery(), wait_s=10.0)
    except DaemonAway as away:
        return _from_disk(args, away)
    if not answer.is_ok:
        return fail("status", answer.error)
    if args.json:
        return show_json({"running": True, **answer.facts})
    from trading_system.app.status_text import render_status

    print(render_status(answer.facts))
    return ExitCode.CLEAN


def _from_disk(args: argparse.Namespace, away: DaemonAway) -> int:
    import msgspec

    from trading_system.app.status_text import render_offline_status
    from trading_system.wiring.offline_report import offline_status

    facts = msgspec.to_builtins(offline_status(data_dir_of(args)))
    if args.json:
        return show_json({"running": False, "why": str(away), **facts})
    print(f"{away}; this is what the disk says\n{render_offline_status(facts, away.holder)}")
    return ExitCode.CLEAN
