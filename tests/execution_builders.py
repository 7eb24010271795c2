"""Builders for tests of execution: each shows only what matters, and gives the rest a plain value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from fakes.execution_venue import START
from trading_system.domain.events import EntryPlanned, FillBooked, JournalEvent, OrderIntended, OrderPlaced
from trading_system.domain.exposure import ExposureKind, exposure_item
from trading_system.domain.intents import Approved, EntryIntent, SizingTrace, TakeProfitTarget
from trading_system.domain.market import MarginLevel, Tier
from trading_system.domain.orders import (
    ClientOrderId,
    Direction,
    EntryStyle,
    Fill,
    FillId,
    FillKind,
    OrderPurpose,
    PositionId,
    Side,
    VenueOrderId,
)
from trading_system.domain.positions import EntryPlan, Lineage, OwnOrder
from trading_system.domain.signals import Ladder, Regime, Signal
from trading_system.domain.symbols import Symbol, normalise
from trading_system.domain.units import Price, Qty, Usd, to_ms
from trading_system.execution.ledger import LedgerState
from trading_system.execution.ledger_rules import apply
from trading_system.execution.order_ids import client_order_id, position_id_of
from trading_system.execution.position_view import MarketView

D = Decimal
BTC = normalise("BTC")
LEVELS = (MarginLevel(D(0), D("0.02"), D("0.01")),)


def at(seconds: float = 0) -> datetime:
    return START + timedelta(seconds=seconds)


def a_position_id(symbol: Symbol = BTC) -> PositionId:
    return position_id_of(symbol, to_ms(START))


def targets(direction: Direction = Direction.LONG) -> tuple[TakeProfitTarget, ...]:
    """1 R = 5 from 100; 40 / 40 / 20."""
    sign = direction.sign
    return (
        TakeProfitTarget(D(1), D("0.4"), Price(D(100) + 5 * sign)),
        TakeProfitTarget(D("2.5"), D("0.4"), Price(D(100) + D("12.5") * sign)),
    )


def a_plan(qty: str = "10", direction: Direction = Direction.LONG, symbol: Symbol = BTC, **changes: Any) -> EntryPlan:
    plan = EntryPlan(
        position_id=a_position_id(symbol),
        symbol=symbol,
        direction=direction,
        lineage=Lineage.INTENT,
        planned_at=START,
        qty=Qty(D(qty)),
        reference_price=Price(D(100)),
        stop_price=Price(D(100) - 5 * direction.sign),
        limit_price=Price(D(100)),
        take_profits=targets(direction),
        style=EntryStyle.IOC,
        regime=Regime.TIGHT_SMC,
        tier=Tier.A,
        score=70.5,
        atr_4h=D(2),
    )
    return replace(plan, **changes)


def an_order(
    purpose: OrderPurpose, attempt: int = 1, qty: str = "10", direction: Direction = Direction.LONG, symbol: Symbol = BTC, **changes: Any
) -> OwnOrder:
    position_id = a_position_id(symbol)
    is_entry = purpose is OrderPurpose.ENTRY
    order = OwnOrder(
        client_order_id=client_order_id(position_id, purpose, attempt),
        position_id=position_id,
        symbol=symbol,
        purpose=purpose,
        attempt=attempt,
        side=direction.entry_side if is_entry else direction.exit_side,
        qty=Qty(D(qty)),
        intended_at=START,
        limit_price=Price(D(100)) if purpose is not OrderPurpose.STOP else None,
        trigger_price=Price(D(95)) if purpose is OrderPurpose.STOP else None,
        style=EntryStyle.IOC if is_entry else None,
        deadline=at(5) if is_entry else None,
    )
    return replace(order, **changes)


def a_fill(
    fill_id: str,
    qty: str,
    purpose: OrderPurpose | None = OrderPurpose.ENTRY,
    price: str = "100",
    attempt: int = 1,
    direction: Direction = Direction.LONG,
    seconds: float = 1,
    fee: str | None = "0.05",
    side: Side | None = None,
    symbol: Symbol = BTC,
    kind: FillKind = FillKind.TAKER,
) -> Fill:
    key = None if purpose is None else client_order_id(a_position_id(symbol), purpose, attempt)
    is_entry = purpose is OrderPurpose.ENTRY
    return Fill(
        fill_id=FillId(fill_id),
        venue_order_id=VenueOrderId(f"v-{key}"),
        client_order_id=key,
        symbol=symbol,
        side=side or (direction.entry_side if is_entry else direction.exit_side),
        qty=Qty(D(qty)),
        price=Price(D(price)),
        at=at(seconds),
        kind=kind,
        fee_usd=None if fee is None else D(fee),
    )


def booked(fill: Fill, purpose: OrderPurpose | None = OrderPurpose.ENTRY, symbol: Symbol = BTC) -> FillBooked:
    return FillBooked(at(2), fill, a_position_id(symbol), purpose)


def placed(purpose: OrderPurpose, attempt: int = 1, symbol: Symbol = BTC, **changes: Any) -> OrderPlaced:
    key: ClientOrderId = client_order_id(a_position_id(symbol), purpose, attempt)
    return replace(OrderPlaced(at(1), key, VenueOrderId(f"v-{key}")), **changes)


def ledger(*events: JournalEvent) -> LedgerState:
    state = LedgerState()
    for event in events:
        apply(state, event)
    return state


def entry_events(qty: str = "10", direction: Direction = Direction.LONG, **changes: Any) -> tuple[JournalEvent, ...]:
    """Planned, intended, placed."""
    order = an_order(OrderPurpose.ENTRY, qty=qty, direction=direction)
    return EntryPlanned(START, a_plan(qty, direction, **changes)), OrderIntended(START, order), placed(OrderPurpose.ENTRY)


def stop_events(qty: str = "10", attempt: int = 1, direction: Direction = Direction.LONG) -> tuple[JournalEvent, ...]:
    stop = an_order(OrderPurpose.STOP, attempt, qty, direction, trigger_price=Price(D(100) - 5 * direction.sign))
    return OrderIntended(at(2), stop), placed(OrderPurpose.STOP, attempt)


def open_events(qty: str = "10", direction: Direction = Direction.LONG) -> tuple[JournalEvent, ...]:
    """An entry that filled whole."""
    return *entry_events(qty, direction), booked(a_fill("f1", qty, direction=direction))


def protected_events(qty: str = "10", direction: Direction = Direction.LONG) -> tuple[JournalEvent, ...]:
    return *open_events(qty, direction), *stop_events(qty, direction=direction)


def a_view(mark: str | None = "100", **changes: Any) -> MarketView:
    view = MarketView(
        mark=None if mark is None else Price(D(mark)),
        is_fresh=True,
        is_open=True,
        quote_at=START,
        tick=D("0.5"),
        size_step=D(1),
        size_min=Qty(D(1)),
        atr_4h=D(2),
    )
    return replace(view, **changes)


def an_approved(
    qty: str = "10", direction: Direction = Direction.LONG, style: EntryStyle = EntryStyle.IOC, symbol: Symbol = BTC
) -> Approved:
    sign, mark, limit = direction.sign, Price(D(100)), Price(D(100))
    signal = Signal(
        symbol=symbol,
        at_ms=to_ms(START),
        direction=direction,
        regime=Regime.TIGHT_SMC,
        entry_price=100.0,
        stop_price=100.0 - 5 * sign,
        target_price=100.0 + 15 * sign,
        score=70.5,
        reward_risk=3.0,
        atr_15m=0.5,
        atr_4h=2.0,
        cost_bps=8.0,
        setup="ob bos",
        ladder=Ladder(symbol, to_ms(START), 100.0, ()),
    )
    exposure = exposure_item(
        symbol=symbol,
        direction=direction,
        kind=ExposureKind.IN_FLIGHT,
        qty=Qty(D(qty)),
        mark=mark,
        entry_price=limit,
        stop_price=Price(D(100) - 5 * sign),
        margin_levels=LEVELS,
        leverage_max=D(7),
    )
    return Approved(
        intent=EntryIntent(position_id_of(symbol, to_ms(START)), signal, START),
        approved_at=START,
        tier=Tier.A,
        style=style,
        qty=Qty(D(qty)),
        mark_price=mark,
        limit_price=limit,
        stop_price=Price(D(100) - 5 * sign),
        take_profits=targets(direction),
        exposure=exposure,
        planned_leverage=D(7),
        open_risk=Usd(D(50)),
        expected_cost_bps=D(8),
        trace=SizingTrace("risk_based", Usd(D(10000)), D("0.05"), Usd(D(1000)), (), Qty(D(qty)), Usd(D(1000))),
    )


def ids(fills: Iterable[Fill]) -> list[str]:
    return [fill.fill_id for fill in fills]
