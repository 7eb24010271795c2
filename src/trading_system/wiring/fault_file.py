"""Reads the file of `exchange --faults`: what is to go wrong on the wire, and how often.

    faults:
      - {kind: answer_lost, path: sendorder, probability: 0.1, count: 20, seed: 7}
      - {kind: delayed, delay_s: 0.5, skip: 100, count: null}

JSON of the same form is YAML as well.
"""

from __future__ import annotations

from pathlib import Path

from trading_system.config.yaml_source import read_yaml
from trading_system.domain.errors import ConfigError
from trading_system.sim.kraken_server.faults import Fault, fault_of


def read_faults(path: Path) -> tuple[Fault, ...]:
    """The faults of a file, in its order. ConfigError names file, entry and what would be right; OSError when it cannot be read."""
    try:
        values = read_yaml(path.read_text(encoding="utf-8"), str(path), {}).values
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not a text file ({error})") from error
    rows = values.get("faults")
    if set(values) != {"faults"} or not isinstance(rows, list):
        raise ConfigError(f"{path}: must hold one list named `faults:`, with lines like - {{kind: answer_lost, path: sendorder}}")
    faults = []
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise ConfigError(f"{path}: fault {number}: must be a mapping like {{kind: answer_lost, path: sendorder}}, was {row!r}")
        try:
            faults.append(fault_of(row))
        except ValueError as error:
            raise ConfigError(f"{path}: fault {number}: {error}") from error
    return tuple(faults)
