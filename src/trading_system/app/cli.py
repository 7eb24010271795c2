"""`python run.py VERB`: one parser, one table of verbs.

Exit codes, stable: 0 clean stop (also SIGTERM) · 1 fault, restart me · 2 usage · 69 venue unreachable and 77 key refused
(one-shot verbs only) · 75 another instance holds the lock · 78 configuration refused.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final, Protocol

from trading_system import __version__
from trading_system.app.exit_codes import ExitCode

VERBS: Final[tuple[tuple[str, str], ...]] = (
    ("run", "verb_run"),
    ("exchange", "verb_exchange"),
    ("prove-config", "verb_prove_config"),
    ("show-config", "verb_show_config"),
    ("schema", "verb_schema"),
    ("universe", "verb_universe"),
    ("why", "verb_why"),
    ("status", "verb_status"),
    ("positions", "verb_positions"),
    ("halt", "verb_halt"),
    ("resume", "verb_resume"),
    ("flatten", "verb_flatten"),
    ("place-missing-stops", "verb_place_missing_stops"),
    ("doctor", "verb_doctor"),
    ("backtest", "verb_backtest"),
    ("chart", "verb_chart"),
    ("torture", "verb_torture"),
    ("migrate", "verb_migrate"),
    ("bench", "verb_bench"),
)


class Verb(Protocol):
    """What a verb module offers. Its top level imports nothing heavy."""

    SUMMARY: str

    def configure(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, args: argparse.Namespace) -> int: ...


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(prog="run.py", description="A crypto-futures trading daemon for Kraken Futures.")
    parser.add_argument("--version", action="version", version=f"TradingSystem {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, module_name in VERBS:
        module: Verb = import_module(f"trading_system.app.{module_name}")
        sub = verbs.add_parser(name, help=module.SUMMARY, description=module.SUMMARY)
        module.configure(sub)
        sub.set_defaults(_run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, run the verb, return its exit code. SystemExit for --help (0) and wrong usage (2)."""
    _open_missing_streams()
    try:
        try:
            return _run_verb(argv)
        finally:
            # here, not at the interpreter's end: there a reader that went away is a complaint and another exit code
            sys.stdout.flush()
    except BrokenPipeError:  # `… | head` went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAULT


def _run_verb(argv: Sequence[str] | None) -> int:
    args = build_parser().parse_args(argv)
    from trading_system.domain.errors import ConfigError

    try:
        code: int = args._run(args)
    except ConfigError as error:
        print(f"configuration refused: {error}", file=sys.stderr)
        return ExitCode.CONFIG
    return code


def _open_missing_streams() -> None:
    """A process started with stdout or stderr closed (`>&-`) has None there; its first flush would end it."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - stays open as long as the process


if __name__ == "__main__":
    sys.exit(main())
