"""Positions as a person wants to see them: from the journal's state and, where there are any, marks. Pure; serves both the
running daemon and the journal of one that is down."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from trading_system.domain.orders import OrderPurpose
from trading_system.domain.positions import OrderState, Position
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import ZERO, Price
from trading_system.execution.ledger import LedgerState
from trading_system.execution.ledger_positions import covered_qty

Marks = Callable[[Symbol], Price | None]


@dataclass(frozen=True, slots=True)
class TakeProfitRow:
    """state: resting, filled, skipped or missing."""

    level: str
    price: Decimal | None
    qty: Decimal
    state: str


@dataclass(frozen=True, slots=True)
class PositionRow:
    """Money in USD. pnl_ratio: unrealised P&L over the notional at entry. stop_resting: the trigger that really rests, None = none.

    leverage: as planned at entry, None for adopted positions. None everywhere = not known here.
    """

    position_id: str
    symbol: str
    direction: str
    state: str
    qty: Decimal
    entry_price: Decimal | None
    mark_price: Decimal | None
    notional_usd: Decimal | None
    leverage: Decimal | None
    pnl_usd: Decimal | None
    pnl_ratio: Decimal | None
    realised_usd: Decimal
    open_r: Decimal | None
    stop_wanted: Decimal
    stop_resting: Decimal | None
    unprotected_qty: Decimal
    take_profits: tuple[TakeProfitRow, ...]
    opened_at: datetime | None
    regime: str | None
    is_own: bool
    closing: str | None
    """Why it is being closed; None while it is not."""


def report_positions(state: LedgerState, marks: Marks) -> tuple[PositionRow, ...]:
    """Every active position, entries that wait included, oldest first."""
    active = (state.positions[key] for key in state.active_by_symbol.values())
    return tuple(_row(state, position, marks(position.symbol)) for position in active)


def unrealised(rows: Iterable[PositionRow]) -> Decimal | None:
    """Sum of the unrealised P&L; None when that of a held position is not known."""
    held = [row.pnl_usd for row in rows if row.qty > 0]
    return None if None in held else sum((pnl for pnl in held if pnl is not None), ZERO)


def _row(state: LedgerState, position: Position, mark: Price | None) -> PositionRow:
    entry, plan = position.average_entry, position.plan
    pnl = ratio = open_r = None
    if entry is not None and mark is not None:
        pnl = (mark - entry) * position.direction.sign * position.qty
        ratio = (mark - entry) * position.direction.sign / entry
        open_r = position.open_r(mark)
    known = mark if mark is not None else entry
    orders = state.orders_of(position.position_id).values()
    stops = [o.trigger_price for o in orders if o.protects > 0 and o.trigger_price is not None]
    worst = (min(stops) if position.direction.sign > 0 else max(stops)) if stops else None
    return PositionRow(
        position_id=position.position_id,
        symbol=position.symbol,
        direction=position.direction.value,
        state=position.state.value,
        qty=position.qty,
        entry_price=entry,
        mark_price=mark,
        notional_usd=None if known is None else position.qty * known,
        leverage=plan.planned_leverage if plan.planned_leverage > 0 else None,
        pnl_usd=pnl,
        pnl_ratio=ratio,
        realised_usd=position.net,
        open_r=open_r,
        stop_wanted=position.stop_wanted,
        stop_resting=worst,
        unprotected_qty=max(ZERO, position.qty - covered_qty(state, position.position_id)),
        take_profits=_take_profits(state, position),
        opened_at=position.tally.first_fill_at,
        regime=None if plan.regime is None else plan.regime.value,
        is_own=position.is_own,
        closing=None if position.close is None else position.close.reason.value,
    )


def _take_profits(state: LedgerState, position: Position) -> tuple[TakeProfitRow, ...]:
    targets, tally = position.targets, position.tally
    if targets is None:
        return ()
    resting = {o.purpose for o in state.orders_of(position.position_id).values() if o.state is OrderState.LIVE}
    levels = (
        (OrderPurpose.TP1, targets.tp1_price, targets.tp1_qty_target, tally.tp1_filled),
        (OrderPurpose.TP2, targets.tp2_price, targets.tp2_qty_target, tally.tp2_filled),
    )
    rows = []
    for purpose, price, qty, filled in levels:
        if qty <= 0:
            continue
        if filled >= qty:
            word = "filled"
        elif purpose in position.progress.skipped:
            word = "skipped"
        else:
            word = "resting" if purpose in resting else "missing"
        rows.append(TakeProfitRow(purpose.value, price, qty, word))
    return tuple(rows)
