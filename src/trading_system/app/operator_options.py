"""What the operator's verbs share: their options, the data directory, who asks, and one clear line for what goes wrong."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from trading_system.app.config_args import add_config_options
from trading_system.app.exit_codes import ExitCode


def add_operator_options(parser: argparse.ArgumentParser, *, json_too: bool = True) -> None:
    """-c, --profile and --data-dir; --json where facts are printed."""
    add_config_options(parser)
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where the daemon keeps its state (default: system.data_dir)")
    if json_too:
        parser.add_argument("--json", action="store_true", help="machine-readable")


def data_dir_of(args: argparse.Namespace) -> Path:
    """The data directory. A refused configuration does not keep a human from asking, or from halting, what runs."""
    from trading_system.config.data_dir import find_data_dir, guess_data_dir
    from trading_system.config.places import PROFILE_FOLDER
    from trading_system.domain.errors import ConfigError

    if args.data_dir is not None:
        return Path(args.data_dir)
    try:
        return find_data_dir(args.config, args.profile)
    except ConfigError as error:
        named = [] if args.profile is None else [Path(PROFILE_FOLDER) / f"{args.profile}.yaml"]
        if not all(path.is_file() for path in [*named, *args.config]):
            raise  # the asker's own slip
        found = guess_data_dir(args.config, args.profile)
        print(f"the configuration is refused ({error}); looking in {found}", file=sys.stderr)
        return found


def who_asks() -> str:
    """For the journal, when no daemon vouches for it."""
    return f"operator (user {os.geteuid()})"


def fail(verb: str, why: str, code: ExitCode = ExitCode.FAULT) -> int:
    """One line on stderr."""
    print(f"{verb}: {why}", file=sys.stderr)
    return code


def show_json(facts: Any) -> int:
    print(json.dumps(facts, indent=2))
    return ExitCode.CLEAN
