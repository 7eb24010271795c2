"""How this program is started as a child process: by its run.py where there is one, else as an installed module."""

from __future__ import annotations

import sys
from pathlib import Path

import trading_system


def command_of(*arguments: str) -> list[str]:
    """The command line; it works from any working directory."""
    script = Path(trading_system.__file__).resolve().parents[2] / "run.py"
    start = [str(script)] if script.is_file() else ["-m", "trading_system.app.cli"]
    return [sys.executable, *start, *arguments]
