"""A refused configuration must not leave open positions alone: the last good one is kept in the journal and started with.

Kept once the daemon protects with it. Used only while the journal knows positions or open orders; entries are then off.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from trading_system.config.last_good import LAST_GOOD_KEY, encode_last_good, load_last_good
from trading_system.config.load import LoadedConfig
from trading_system.domain import log_events as ev
from trading_system.domain.errors import ConfigError
from trading_system.domain.events import StateNoted
from trading_system.execution.codec import JournalCorrupt
from trading_system.execution.journal import JournalFailed
from trading_system.execution.ledger import LedgerState
from trading_system.live.cycle_report import CycleReport
from trading_system.live.live_trading import LiveTrading
from trading_system.wiring.data_files import JOURNAL_FILE
from trading_system.wiring.offline_journal import read_journal

GATE: Final = "config_refused"
"""The gate's short name in CYCLE_SUMMARY."""


class GoodConfigKeeper:
    """A LifeWatcher that writes the configuration down as good when the daemon protects with it."""

    def __init__(self, live: LiveTrading, loaded: LoadedConfig) -> None:
        self._live = live
        self._loaded = loaded

    def starting(self) -> None:
        """Not good yet."""

    def protecting(self) -> None:
        """The venue was reached and every stop verified: worth falling back to."""
        text = encode_last_good(self._loaded.settings, self._loaded.secrets.values())
        if text is None:
            self._live.log.warning(ev.CONFIG_WARNING, why="not kept to fall back on: a secret stands in a plain setting")
            return
        try:
            self._live.journal.record(StateNoted(self._live.clock.now(), LAST_GOOD_KEY, text))
        except JournalFailed as error:
            self._live.log.warning(ev.CONFIG_WARNING, why=f"not kept to fall back on: {error}")

    def ready(self, text: str) -> None: ...

    def ticked(self, report: CycleReport) -> None: ...

    def stopping(self) -> None: ...


def last_good(data_dir: Path, refusal: str) -> LoadedConfig | None:
    """The configuration to protect with, or None when nothing needs protection (or nothing is known to protect it with).

    ConfigError when there is something to protect and what was kept is refused, too.
    """
    try:
        journal, _ = read_journal(data_dir / JOURNAL_FILE)
    except (FileNotFoundError, JournalCorrupt):
        return None
    kept = journal.state.notes.get(LAST_GOOD_KEY)
    if kept is None or not needs_protection(journal.state):
        return None
    loaded = load_last_good(kept, refusal)
    # where the journal was found is where it is, also when the directory was moved since
    system = loaded.settings.system.model_copy(update={"data_dir": str(data_dir)})
    return replace(loaded, settings=loaded.settings.model_copy(update={"system": system}))


def needs_protection(state: LedgerState) -> bool:
    """Positions, waiting entries, or orders of ours that may still be there."""
    return bool(state.active_by_symbol) or bool(state.open_orders_of)


def announce(live: LiveTrading, refusal: ConfigError | str) -> None:
    """Close entries and tell everybody: the present files are refused, the kept values protect."""
    why = f"configuration refused: {refusal}"
    live.entry_gates[GATE] = f"{why} (protecting with the last good one; correct it and restart)"
    live.log.error(ev.CONFIG_REFUSED, why=str(refusal), protecting=True)
    text = (
        f"Configuration refused at the restart: {refusal}. Positions are protected with the last good configuration, "
        "nothing is opened. Correct the files and restart"
    )
    live.alerts.alert("CONFIG_REFUSED", text, urgent=True)
