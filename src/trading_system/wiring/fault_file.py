"""Reads the file of `exchange --faults`: what is to go wrong on the wire, how often, and what kind of venue it is.

    faults:
      - {kind: answer_lost, path: sendorder, probability: 0.1, count: 20, seed: 7}
      - {kind: delayed, delay_s: 0.5, skip: 100, count: null}
      - {kind: feed_silent, path: book, delay_s: 90}
    read_delays: {orders_ms: 800, positions_ms: 1500, fills_ms: 400}
    clock_offset_s: 3
    variants: {stop_word: stop, serves_history: false}

All four may be left out. JSON of the same form is YAML as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from trading_system.config.yaml_source import read_yaml
from trading_system.domain.errors import ConfigError
from trading_system.sim.kraken_server.faults import Fault, fault_of
from trading_system.sim.kraken_server.inspection import offset_ms
from trading_system.sim.read_models import ReadDelays, delays_of
from trading_system.sim.variants import ExchangeVariants
from trading_system.sim.variants_data import variants_of

_KNOWN: Final = ("faults", "read_delays", "clock_offset_s", "variants")


@dataclass(frozen=True, slots=True)
class FaultScript:
    """What is to go wrong from the start."""

    faults: tuple[Fault, ...] = ()
    read_delays: ReadDelays = field(default_factory=ReadDelays)
    clock_offset_ms: int = 0
    variants: ExchangeVariants = field(default_factory=ExchangeVariants)
    """How the venue behaves where no page tells it."""


def read_faults(path: Path) -> FaultScript:
    """The script of a file. ConfigError names file, entry and what would be right; OSError when it cannot be read."""
    try:
        values = read_yaml(path.read_text(encoding="utf-8"), str(path), {}).values
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not a text file ({error})") from error
    rows = values.get("faults", [])
    unknown = sorted(str(name) for name in values if name not in _KNOWN)
    if not values or unknown or not isinstance(rows, list):
        wrong = f"unknown {unknown}: " if unknown else ""
        raise ConfigError(
            f"{path}: {wrong}must hold a list named `faults:`, with lines like - {{kind: answer_lost, path: sendorder}}; "
            f"{', '.join(f'`{name}:`' for name in _KNOWN[1:])} may stand beside it"
        )
    try:
        delays = delays_of(values.get("read_delays", {}))
        offset = offset_ms({"clock_offset_s": values.get("clock_offset_s", 0)}, "clock_offset_s")
        variants = variants_of(values.get("variants", {}))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from error
    return FaultScript(tuple(_fault(path, number, row) for number, row in enumerate(rows, start=1)), delays, offset, variants)


def _fault(path: Path, number: int, row: Any) -> Fault:
    if not isinstance(row, dict):
        raise ConfigError(f"{path}: fault {number}: must be a mapping like {{kind: answer_lost, path: sendorder}}, was {row!r}")
    try:
        return fault_of(row)
    except ValueError as error:
        raise ConfigError(f"{path}: fault {number}: {error}") from error
