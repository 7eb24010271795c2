"""`run`: the daemon. Paper trading on the embedded exchange when nothing else is configured."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from trading_system.app.config_args import add_config_options, load_from
from trading_system.app.exit_codes import ExitCode

if TYPE_CHECKING:
    from trading_system.config.load import LoadedConfig
    from trading_system.config.proof import Proof
    from trading_system.domain.errors import ConfigError

SUMMARY = "trade: paper on the embedded exchange by default"
SIM_SPEED: Final = 60.0
"""Market seconds per real second on the embedded exchange."""
SIM_START: Final = "2026-01-05"


def configure(parser: argparse.ArgumentParser) -> None:
    add_config_options(parser)
    parser.add_argument("--once", action="store_true", help="one cycle, then a clean stop")
    parser.add_argument("--cycles", type=int, metavar="N", help="stop cleanly after N cycles")
    parser.add_argument("--interval", type=float, metavar="S", help="seconds of market time between cycles")
    parser.add_argument("--speed", type=float, metavar="X", help=f"pace of the embedded exchange (default {SIM_SPEED:g}; 1 = real time)")


def run(args: argparse.Namespace) -> int:
    from trading_system.domain.errors import ConfigError

    problem = _usage_problem(args)
    if problem is not None:
        print(f"run: {problem}", file=sys.stderr)
        return ExitCode.USAGE
    try:
        return _start(args, _accepted(args), None)
    except ConfigError as error:
        return _protect_anyway(args, error)


def _accepted(args: argparse.Namespace) -> LoadedConfig:
    """The configuration as it is now; ConfigError unless it can be read, holds together and asks for what is built."""
    from trading_system.config.proof import prove
    from trading_system.domain.errors import ConfigError
    from trading_system.wiring.bootstrap import check_venue

    loaded = load_from(args)
    proof = prove(loaded.settings)
    if not proof.holds:
        raise ConfigError("; ".join(f"{failure.counter_example} ({failure.formula})" for failure in proof.failures))
    check_venue(loaded.settings)
    return loaded


def _protect_anyway(args: argparse.Namespace, refusal: ConfigError) -> int:
    """With positions or open orders in the journal, a refused configuration is no reason to leave them alone."""
    from trading_system.config.data_dir import guess_data_dir
    from trading_system.domain.errors import ConfigError
    from trading_system.wiring.good_config import last_good

    try:
        kept = last_good(guess_data_dir(args.config, args.profile), str(refusal))
    except ConfigError as error:
        raise ConfigError(f"{refusal}; positions are open, but {error}") from refusal
    if kept is None:
        raise refusal
    print(f"configuration refused: {refusal}\npositions are open: protecting them with the last good configuration", file=sys.stderr)
    return _start(args, kept, str(refusal))


def _start(args: argparse.Namespace, loaded: LoadedConfig, refusal: str | None) -> int:
    """Take the lock, run to the end."""
    import asyncio

    from trading_system.config.proof import prove
    from trading_system.domain.errors import ReadFailed
    from trading_system.monitoring.logging_setup import LogSettings, get_logger, setup_logging
    from trading_system.safety.instance_lock import AnotherInstanceRunning, InstanceLock
    from trading_system.wiring.data_files import LOCK_FILE

    settings = loaded.settings
    lock = InstanceLock(Path(settings.system.data_dir) / LOCK_FILE)
    try:
        lock.acquire()
    except AnotherInstanceRunning as error:
        print(str(error), file=sys.stderr)
        return ExitCode.LOCKED
    monitoring = settings.monitoring
    logs = LogSettings(Path(settings.system.logs_dir), monitoring.log_level, monitoring.log_file_mb, monitoring.log_files_kept)
    logging = setup_logging(logs, loaded.secrets.values())
    try:
        _banner(loaded, prove(settings), args)
        return asyncio.run(_run(args, loaded, lock, refusal))
    except AnotherInstanceRunning as error:
        print(str(error), file=sys.stderr)
        return ExitCode.LOCKED
    except ReadFailed as error:
        get_logger("run").error("EMBEDDED_EXCHANGE_FAILED", why=str(error))
        print(f"run: {error}", file=sys.stderr)
        return ExitCode.FAULT
    finally:
        logging.stop()
        lock.release()


def say(line: str) -> None:
    """A line for whoever watches. Nobody watching any more (a closed pipe) is no reason to stop trading."""
    with contextlib.suppress(OSError, ValueError):
        print(line, flush=True)


def _usage_problem(args: argparse.Namespace) -> str | None:
    if args.cycles is not None and args.cycles < 1:
        return f"--cycles {args.cycles}: must be at least 1"
    if args.interval is not None and not 1 <= args.interval <= 86_400:
        return f"--interval {args.interval:g}: must be 1 to 86400 seconds"
    if args.speed is not None and not 0 < args.speed <= 3600:
        return f"--speed {args.speed:g}: must be above 0 and at most 3600"
    return None


def _banner(loaded: LoadedConfig, proof: Proof, args: argparse.Namespace) -> None:
    settings = loaded.settings
    say(f"TradingSystem · {settings.system.mode} · config {loaded.config_hash[:12]} · {', '.join(loaded.files) or 'defaults'}")
    if settings.exchange.venue == "sim":
        say(f"  market      generated, running at {_speed(args):g} x real time (--speed 1 for real time); nothing here is real money")
    say(f"  proof       {len(proof.checks)} limits hold against each other (run.py prove-config)")
    for warning in loaded.warnings:
        say(f"  warning     {warning}")


def _speed(args: argparse.Namespace) -> float:
    return SIM_SPEED if args.speed is None else float(args.speed)


async def _run(args: argparse.Namespace, loaded: LoadedConfig, lock: object, refusal: str | None) -> int:
    import asyncio
    from dataclasses import replace
    from datetime import timedelta

    from trading_system.app.verb_exchange import parse_moment
    from trading_system.monitoring.logging_setup import get_logger, loop_exception_handler
    from trading_system.safety.instance_lock import InstanceLock
    from trading_system.wiring.bootstrap import RunContext, SimPlan, built_daemon
    from trading_system.wiring.daemon import RunPlan, stop_on_signals

    assert isinstance(lock, InstanceLock)
    asyncio.get_running_loop().set_exception_handler(loop_exception_handler)
    sim = loaded.settings.sim
    plan = SimPlan(sim.seed, parse_moment(SIM_START), _speed(args), sim.port)
    context = RunContext(loaded, get_logger("daemon"), say, plan, refusal)
    async with built_daemon(context, lock) as daemon:
        if args.interval is not None:
            daemon.rules = replace(daemon.rules, cycle=timedelta(seconds=args.interval))
        stop_on_signals(daemon)
        await daemon.run(RunPlan(1 if args.once else args.cycles))
    return ExitCode.CLEAN
