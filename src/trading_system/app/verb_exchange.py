"""`exchange`: the embedded exchange as a server of its own, speaking Kraken Futures REST v3 and WebSocket v1."""

from __future__ import annotations

import argparse
import base64
import errno
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path

from trading_system.app.exit_codes import ExitCode

SUMMARY = "serve an exchange that speaks the Kraken Futures protocol on a loopback port"
DEFAULT_START = "2026-01-05"
HOST = "127.0.0.1"
MARKETS_MAX = 1_000


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=0, metavar="P", help="0 (default) takes a free one")
    parser.add_argument("--candles", type=Path, metavar="DIR", help="replay SYMBOL-USD_15m.parquet|csv files instead of a generated market")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the generated market")
    parser.add_argument(
        "--markets", type=int, metavar="N", help="so many generated markets; beyond the usual 60 they are copies under numbered names"
    )
    parser.add_argument("--start", default=DEFAULT_START, metavar="DATE", help=f"market time it begins at, UTC (default {DEFAULT_START})")
    parser.add_argument("--speed", type=float, default=1.0, metavar="X", help="market seconds per real second (default 1)")
    parser.add_argument("--state", type=Path, metavar="FILE", help="keep orders, positions and market time here; survives kill -9")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep generated histories here")
    parser.add_argument("--deposit", default="10000", metavar="USD", help="start balance of a new account")
    parser.add_argument("--faults", type=Path, metavar="FILE", help="what is to go wrong on the wire (YAML or JSON)")
    parser.add_argument("--key", help="API key instead of a throw-away one")
    parser.add_argument("--secret", help="its base64 secret")
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help="serve https and wss with this certificate (PEM)")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="and its key")
    parser.add_argument("--die-with-parent", action="store_true", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    import asyncio

    from trading_system.domain.errors import TradingError
    from trading_system.wiring.embedded_exchange import die_with_parent

    if args.die_with_parent:
        die_with_parent()
    problem = usage_problem(args)
    if problem is not None:
        print(f"exchange: {problem}", file=sys.stderr)
        return ExitCode.USAGE
    try:
        _try_port(args.port)
        failure = asyncio.run(_serve(args, parse_moment(args.start)))
    except TradingError as error:
        print(f"exchange: {error}", file=sys.stderr)
        return ExitCode.CONFIG
    except BrokenPipeError:
        raise  # whoever read the address is gone: the command line's own case
    except OSError as error:
        print(f"exchange: {_explain(error, args.port)}", file=sys.stderr)
        return ExitCode.FAULT
    if failure is not None:
        print(f"exchange: the market stopped: {failure}", file=sys.stderr)
        return ExitCode.FAULT
    return ExitCode.CLEAN


def usage_problem(args: argparse.Namespace) -> str | None:
    """What is wrong with the options, in one line; None when nothing is. Pure."""
    if bool(args.key) != bool(args.secret):
        return "--key and --secret must be given together"
    if bool(args.tls_cert) != bool(args.tls_key):
        return "--tls-cert and --tls-key must be given together"
    if args.markets is not None and not (1 <= args.markets <= MARKETS_MAX and args.candles is None):
        return f"--markets {args.markets}: must be 1 to {MARKETS_MAX}, and is for a generated market only"
    if args.secret and not _is_base64(args.secret):
        return "--secret must be base64 text, as the venue's secrets are"
    if not 0 <= args.port <= 65535:
        return f"--port {args.port}: must be 0 (any free one) to 65535"
    if not 0 < args.speed <= 3600:
        return f"--speed {args.speed:g}: must be above 0 and at most 3600 market seconds per second"
    try:
        parse_moment(args.start)
    except ValueError:
        return f"--start {args.start!r}: write a date like 2026-01-05 or 2026-01-05T08:00"
    return None


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except ValueError:
        return False


def _try_port(port: int) -> None:
    """OSError when the port is taken: known before seconds are spent on generating a market."""
    with socket.create_server((HOST, port)):
        pass


def _explain(error: OSError, port: int) -> str:
    """One line: the port, or the file the trouble is with."""
    if error.errno in (errno.EADDRINUSE, errno.EACCES) and error.filename is None:
        why = "it is in use; choose another, or 0 for any free one" if error.errno == errno.EADDRINUSE else "not allowed for this user"
        return f"cannot listen on {HOST}:{port}: {why}"
    return f"{error.filename}: {error.strerror}" if error.filename is not None else str(error)


def parse_moment(text: str) -> datetime:
    """A UTC date or time; ValueError when it is neither."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


async def _serve(args: argparse.Namespace, start: datetime) -> BaseException | None:
    from trading_system.wiring.exchange_server import ExchangePlan, serve_until_stopped

    plan = ExchangePlan(
        port=args.port,
        candles=args.candles,
        seed=args.seed,
        start=start,
        speed=args.speed,
        state=args.state,
        cache=args.cache,
        deposit_usd=args.deposit,
        key=args.key,
        secret=args.secret,
        faults=args.faults,
        markets=args.markets,
        tls=(args.tls_cert, args.tls_key) if args.tls_cert else None,
    )
    watch = None
    if sys.stdout.isatty():
        from trading_system.app.exchange_view import watch_exchange

        watch = watch_exchange
    return await serve_until_stopped(plan, lambda line: print(line, flush=True), watch)
