"""Names of the files in the data directory that more than one part of the program opens."""

from __future__ import annotations

from typing import Final

JOURNAL_FILE: Final = "positions.db"
LOCK_FILE: Final = "trading-bot.pid"
SPECS_FILE: Final = "instruments.json"
ENGINES_FILE: Final = "engines.db"
GATE_DAYS_FILE: Final = "gate_days.json"
DATA_HEALTH_FILE: Final = "data_health.json"
