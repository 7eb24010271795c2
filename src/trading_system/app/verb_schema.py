"""`schema`: write the JSON schema that editors use to complete and check the yaml."""

from __future__ import annotations

import argparse
from pathlib import Path

from trading_system.app.exit_codes import ExitCode

SUMMARY = "write config/config.schema.json for editors"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=Path("config/config.schema.json"), metavar="FILE")


def run(args: argparse.Namespace) -> int:
    from trading_system.config.schema import write_schema

    write_schema(args.out)
    print(f"wrote {args.out}")
    return ExitCode.CLEAN
