"""The options every verb shares that needs the configuration."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trading_system.config.load import LoadedConfig


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """-c FILE (repeatable, later wins) and --profile NAME."""
    parser.add_argument("-c", "--config", action="append", type=Path, default=[], metavar="FILE", help="further yaml; later files win")
    parser.add_argument("--profile", metavar="NAME", help="config/profiles/NAME.yaml on top of the base files")


def load_from(args: argparse.Namespace) -> LoadedConfig:
    """Read the layers the options name; ConfigError on anything wrong."""
    from trading_system.config.load import load_settings

    return load_settings(args.config, args.profile)
