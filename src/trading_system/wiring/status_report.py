"""What `status` tells of a running daemon: one frozen record, taken in one go without awaiting anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from trading_system.domain.modes import Mode
from trading_system.live.live_trading import LiveTrading
from trading_system.live.signal_handler import active_cooldowns
from trading_system.safety.invariants import Level
from trading_system.wiring.latches import CauseRow, HaltRow, cause_rows, halt_row
from trading_system.wiring.position_report import report_positions, unrealised


@dataclass(frozen=True, slots=True)
class About:
    """Who this daemon is."""

    version: str
    mode: str
    venue: str
    config_hash: str


@dataclass(frozen=True, slots=True)
class StatusReport:
    """Money in USD, ratios as fractions, `_s` in seconds. None = not known (yet)."""

    version: str
    mode: str
    venue: str
    config_hash: str
    session: int
    market_time: datetime
    state: str
    halt: HaltRow | None
    causes: tuple[CauseRow, ...]
    warnings: tuple[str, ...]
    has_kill_file: bool
    entries_off: tuple[str, ...]
    """Everything that keeps entries off; empty = they are on."""
    equity_usd: Decimal | None
    available_margin_usd: Decimal | None
    margin_utilization: Decimal | None
    unrealised_usd: Decimal | None
    day_pnl_usd: Decimal | None
    day_limit_usd: Decimal | None
    week_pnl_usd: Decimal | None
    week_limit_usd: Decimal | None
    drawdown: Decimal | None
    positions: int
    unprotected: int
    """Positions whose live stops do not cover them, as the journal knows."""
    open_orders: int
    orders_of_unknown_fate: int
    universe: int
    cycle: int
    cycle_age_s: float | None
    protection_age_s: float | None
    cooldowns_active: int
    naked_s: float
    """Longest time a position has been without a full stop up to now."""
    budget_points: int | None
    clock_skew_s: Decimal | None
    is_entry_breaker_tripped: bool
    """Too many entry requests were sent: entries are off until `resume`."""
    journal_records: int
    journal_failure: str | None


def report_status(live: LiveTrading, about: About, last_tick_s: float | None, protection_s: float | None) -> StatusReport:
    """The state as of now. last_tick_s, protection_s: when those loops last finished a round (process seconds)."""
    now, now_s = live.clock.now(), live.clock.monotonic()
    view, losses, state = live.account_view, live.losses.standing, live.positions.state
    snapshot = view.snapshot
    rows = report_positions(state, live.quotes.mark)
    return StatusReport(
        version=about.version,
        mode=about.mode,
        venue=about.venue,
        config_hash=about.config_hash,
        session=live.journal.epoch,
        market_time=now,
        state=live.monitor.mode.value,
        halt=halt_row(live.monitor.state, live.monitor.kill_record),
        causes=cause_rows(live.monitor.state),
        warnings=tuple(f"{v.invariant.value}: {v.actual} of {v.limit}" for v in live.monitor.verdicts if v.level is Level.WARNING),
        has_kill_file=live.monitor.kill_file_exists(),
        entries_off=why_entries_are_off(live),
        equity_usd=None if snapshot is None else snapshot.portfolio_value,
        available_margin_usd=None if snapshot is None else snapshot.available_margin,
        margin_utilization=None if snapshot is None else snapshot.venue_utilization,
        unrealised_usd=unrealised(rows),
        day_pnl_usd=None if losses is None else losses.day_pnl,
        day_limit_usd=None if losses is None else losses.day_limit_usd,
        week_pnl_usd=None if losses is None else losses.week_pnl,
        week_limit_usd=None if losses is None else losses.week_limit_usd,
        drawdown=None if losses is None else losses.drawdown,
        positions=sum(row.qty > 0 for row in rows),
        unprotected=sum(row.unprotected_qty > 0 for row in rows),
        open_orders=len(live.positions.all_open_orders()),
        orders_of_unknown_fate=len(live.positions.unknown()),
        universe=len(live.markets.eligible()),
        cycle=live.cycle,
        cycle_age_s=None if last_tick_s is None else round(now_s - last_tick_s, 1),
        protection_age_s=None if protection_s is None else round(now_s - protection_s, 1),
        cooldowns_active=active_cooldowns(live.cooldowns, live.markets.eligible(), live.signal_rules, now),
        naked_s=round(naked_now_s(live), 1),
        budget_points=live.control.budget_points(),
        clock_skew_s=live.control.clock_skew_s(),
        is_entry_breaker_tripped=live.control.is_entry_rate_tripped(),
        journal_records=live.journal.seq,
        journal_failure=live.journal.failure,
    )


def why_entries_are_off(live: LiveTrading) -> tuple[str, ...]:
    """Every reason that holds for the whole account."""
    losses, reasons = live.losses.standing, list[str]()
    if live.monitor.mode is not Mode.NORMAL:
        reasons.append(f"mode {live.monitor.mode.value}")
    if live.barrier is not None:
        reasons.append(live.barrier)
    reasons += live.entry_gates.values()
    if live.control.is_entry_rate_tripped():
        reasons.append("the entry-rate breaker tripped; `resume --reason TEXT` resets it")
    if not live.is_warm:
        reasons.append("histories are being loaded")
    if losses is not None and losses.is_day_stopped:
        reasons.append("daily loss limit hit")
    if losses is not None and losses.is_week_stopped:
        reasons.append("weekly loss limit hit")
    return tuple(reasons)


def naked_now_s(live: LiveTrading) -> float:
    """Longest time (process seconds) a held position has been without a full stop up to now."""
    now_s = live.clock.monotonic()
    return max((live.naked_meter.naked_s(position.symbol, now_s) or 0.0 for position in live.positions.held()), default=0.0)
