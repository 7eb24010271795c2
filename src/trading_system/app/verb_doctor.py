"""`doctor`: is everything in order, and what to do where it is not. Changes nothing."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from trading_system.app.exit_codes import ExitCode
from trading_system.app.operator_options import add_operator_options, data_dir_of, show_json

if TYPE_CHECKING:
    from pathlib import Path

    from trading_system.config.load import LoadedConfig
    from trading_system.wiring.control_protocol import Answer
    from trading_system.wiring.doctor import Check

SUMMARY = "verify the journal, explain latches, look at schema, disk and clock; exit 1 when a human has to act"


def configure(parser: argparse.ArgumentParser) -> None:
    add_operator_options(parser)


def run(args: argparse.Namespace) -> int:
    from pathlib import Path

    from trading_system.wiring.clock import WallClock
    from trading_system.wiring.doctor import Finding, check_clock, check_disk, check_journal, check_latches, check_positions
    from trading_system.wiring.latches import read_latches
    from trading_system.wiring.offline_report import open_books

    loaded, refusal = _loaded(args)
    settings = loaded.settings
    data_dir = data_dir_of(args) if refusal is not None else Path(args.data_dir or settings.system.data_dir)
    daemon, answer = _daemon(data_dir)
    books = open_books(data_dir)
    skew = None if answer is None else answer.facts["clock_skew_s"]
    is_sim = settings.exchange.venue == "sim"
    skew_max = float(settings.safety.clock_skew_s_entry_max)
    checks = [
        _proof(loaded) if refusal is None else refusal,
        daemon,
        *check_journal(books, data_dir),
        *check_positions(books),
        *check_latches(read_latches(data_dir)),
        *(() if refusal is not None else (_schema(loaded),)),
        *check_disk(data_dir),
        *check_clock(None if skew is None else float(skew), skew_max, books.newest_at, WallClock().now(), is_sim=is_sim),
    ]
    is_well = all(check.finding is not Finding.FAILED for check in checks)
    if args.json:
        show_json({"ok": is_well, "checks": [{"name": c.name, "finding": c.finding.value, "text": c.text} for c in checks]})
    else:
        for check in checks:
            print(f"{check.finding.value.upper():8} {check.name:10} {check.text}")
        warnings = sum(check.finding is Finding.WARNING for check in checks)
        well = "everything is in order" if not warnings else f"nothing failed; {warnings} to look at: see WARNING"
        print(well if is_well else "a human has to act: see FAILED")
    return ExitCode.CLEAN if is_well else ExitCode.FAULT


def _loaded(args: argparse.Namespace) -> tuple[LoadedConfig, Check | None]:
    """The configuration, or the defaults and the finding that it is refused: everything else is looked at all the same."""
    from trading_system.app.config_args import load_from
    from trading_system.config.load import LoadedConfig
    from trading_system.config.secret import Secrets
    from trading_system.config.settings import Settings
    from trading_system.domain.errors import ConfigError
    from trading_system.wiring.doctor import Check, Finding

    try:
        return load_from(args), None
    except ConfigError as error:
        text = f"refused: {error}; a restart with open positions protects with the last good one, without positions it ends with 78"
        return LoadedConfig(Settings(), {}, Secrets(), True, False, None, ()), Check("config", Finding.FAILED, text)


def _daemon(data_dir: Path) -> tuple[Check, Answer | None]:
    from trading_system.app.daemon_call import DaemonAway, ask
    from trading_system.wiring.control_protocol import StatusQuery
    from trading_system.wiring.doctor import Check, Finding

    try:
        answer = ask(data_dir, StatusQuery(), wait_s=10.0)
    except DaemonAway as away:
        return Check("daemon", Finding.OK if away.holder is None else Finding.FAILED, str(away)), None
    if not answer.is_ok:
        return Check("daemon", Finding.FAILED, answer.error), None
    off = "; ".join(answer.facts["entries_off"])
    return Check("daemon", Finding.OK, f"running, {answer.facts['state']}, entries {f'OFF: {off}' if off else 'on'}"), answer


def _proof(loaded: LoadedConfig) -> Check:
    from trading_system.config.proof import prove
    from trading_system.wiring.doctor import Check, Finding

    proof = prove(loaded.settings)
    if proof.holds:
        return Check("config", Finding.OK, f"{len(proof.checks)} limits hold against each other, hash {loaded.config_hash[:12]}")
    return Check("config", Finding.FAILED, "; ".join(str(failure) for failure in proof.failures))


def _schema(loaded: LoadedConfig) -> Check:
    """The main database: behind is a reason to act, away is not (history waits in the outbox)."""
    from sqlalchemy.exc import SQLAlchemyError

    from trading_system.app.verb_migrate import database_url_of, describe, shown, state_of
    from trading_system.domain.errors import ConfigError, ReadFailed
    from trading_system.wiring.doctor import Check, Finding

    try:
        url = database_url_of(loaded)
        state = state_of(url)
    except ConfigError as error:
        return Check("schema", Finding.FAILED, str(error))
    except (ReadFailed, SQLAlchemyError, OSError) as error:
        return Check(
            "schema", Finding.WARNING, f"the main database does not answer ({type(error).__name__}); history waits, trading does not"
        )
    text = f"{shown(url)}: {describe(state, state)}"
    if state.is_current:
        return Check("schema", Finding.OK, text)
    # a local database is made and brought up to date by the start itself
    return Check("schema", Finding.WARNING if loaded.is_local else Finding.FAILED, text)
