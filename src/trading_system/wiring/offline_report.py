"""What can be said while no daemon runs: from the journal, read-only, and the latch files. Marks and mode of now are not known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from trading_system.execution.codec import JournalCorrupt
from trading_system.execution.journal import Journal
from trading_system.live.losses import LOSS_STATE_KEY
from trading_system.risk.loss_state import LossState, decode_loss_state
from trading_system.wiring.data_files import JOURNAL_FILE
from trading_system.wiring.latches import CauseRow, HaltRow, cause_rows, halt_row, read_latches
from trading_system.wiring.offline_journal import read_journal
from trading_system.wiring.position_report import PositionRow, report_positions


@dataclass(frozen=True, slots=True)
class OfflineStatus:
    """state: the mode a start would begin in. equity as of the newest account reading in the journal. None = not known."""

    mode: str | None
    venue: str | None
    session: int
    version: str | None
    """Of the last process, as it wrote when it began."""
    config_hash: str | None
    state: str
    halt: HaltRow | None
    causes: tuple[CauseRow, ...]
    has_kill_file: bool
    problems: tuple[str, ...]
    last_record_at: datetime | None
    equity_usd: Decimal | None
    equity_at: datetime | None
    positions: int
    unprotected: int
    open_orders: int
    orders_of_unknown_fate: int
    journal_records: int


@dataclass(frozen=True, slots=True)
class OfflineBooks:
    """journal None: there is none, or it cannot be trusted (`problem` says which)."""

    journal: Journal | None
    newest_at: datetime | None
    problem: str | None


def open_books(data_dir: Path) -> OfflineBooks:
    """Read and verify the journal of a data directory; never raises for what is wrong with it."""
    try:
        journal, at = read_journal(data_dir / JOURNAL_FILE)
    except FileNotFoundError:
        return OfflineBooks(None, None, f"there is no journal {data_dir / JOURNAL_FILE}: nothing was ever run here")
    except JournalCorrupt as error:
        return OfflineBooks(None, None, f"the journal is damaged: {error}")
    return OfflineBooks(journal, at, None)


def offline_status(data_dir: Path) -> OfflineStatus:
    """The state as it lies on the disk."""
    latches, books = read_latches(data_dir), open_books(data_dir)
    problems = list(latches.problems)
    if books.problem is not None:
        problems.append(books.problem)
    journal = books.journal
    session = None if journal is None else journal.state.session
    rows = () if journal is None else offline_positions(journal)
    orders = [] if journal is None else [o for group in journal.state.open_orders_of.values() for o in group.values()]
    losses = None if journal is None else loss_state_of(journal)
    return OfflineStatus(
        mode=None if session is None else session.mode,
        venue=None if session is None else session.venue,
        session=0 if session is None else session.epoch,
        version=None if session is None else session.version,
        config_hash=None if session is None else session.config_hash,
        state=latches.mode.value,
        halt=halt_row(latches.state, latches.kill),
        causes=cause_rows(latches.state),
        has_kill_file=latches.has_kill_file,
        problems=tuple(problems),
        last_record_at=books.newest_at,
        equity_usd=None if losses is None else losses.explained_equity,
        equity_at=None if losses is None else losses.explained_at,
        positions=sum(row.qty > 0 for row in rows),
        unprotected=sum(row.unprotected_qty > 0 for row in rows),
        open_orders=len(orders),
        orders_of_unknown_fate=sum(order.is_uncertain for order in orders),
        journal_records=0 if journal is None else journal.seq,
    )


def offline_positions(journal: Journal) -> tuple[PositionRow, ...]:
    """Positions as the journal knows them; without marks."""
    return report_positions(journal.state, lambda symbol: None)


def loss_state_of(journal: Journal) -> LossState | None:
    """The stored loss state, or None when there is none that can be read."""
    text = journal.state.notes.get(LOSS_STATE_KEY)
    try:
        return None if text is None else decode_loss_state(text)
    except ValueError:
        return None
