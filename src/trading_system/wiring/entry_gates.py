"""What keeps entries off, and never the start: acts that are missing and a main database behind its schema."""

from __future__ import annotations

from typing import Final

from trading_system.config.load import LoadedConfig
from trading_system.storage.migrate import SchemaState

SCHEMA_GATE: Final = "schema"
SCHEMA_RECHECK_S: Final = 60.0
"""Process seconds between looks at a schema that is behind: a migration needs no restart."""


def missing_acts(loaded: LoadedConfig) -> dict[str, str]:
    """Acts that are missing before entries are allowed: short name → text."""
    if loaded.settings.system.mode == "live":
        return {
            "go_live": "live trading is gated: the smoke report and the go-live check are not part of this version, so nothing is opened"
        }
    return {}


def judge_schema(gates: dict[str, str], state: SchemaState) -> None:
    """Close entries while the main database is behind, open them when it has caught up."""
    if state.is_current:
        gates.pop(SCHEMA_GATE, None)
    else:
        gates[SCHEMA_GATE] = f"the main database has schema {state.current}, this program needs {state.head}: run `migrate`"
