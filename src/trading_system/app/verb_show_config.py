"""`show-config`: every value with its origin, secrets masked."""

from __future__ import annotations

import argparse
import json

from trading_system.app.config_args import add_config_options, load_from
from trading_system.app.exit_codes import ExitCode

SUMMARY = "print every configuration value with where it comes from; secrets masked"


def configure(parser: argparse.ArgumentParser) -> None:
    add_config_options(parser)
    parser.add_argument("--json", action="store_true", help="machine-readable")


def run(args: argparse.Namespace) -> int:
    from trading_system.config.show import render_settings, settings_as_json

    loaded = load_from(args)
    print(json.dumps(settings_as_json(loaded), indent=2) if args.json else render_settings(loaded))
    return ExitCode.CLEAN
