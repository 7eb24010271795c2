"""One log line per journal event, each with its position id; alerts and history rows for the ones people wait for.

Called by the journal after an event was applied. Must be quick and must not raise: it only formats.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from trading_system.domain import events as je
from trading_system.domain import log_events as ev
from trading_system.domain.orders import ClientOrderId, OrderPurpose
from trading_system.domain.positions import CloseReason, OwnOrder, Position
from trading_system.domain.protocols import Alerter, EventRecorder
from trading_system.execution.ledger import LedgerState
from trading_system.live.log_port import Log


class JournalStory:
    """One per journal. `on_closed` is told every closed position (pauses are counted from it)."""

    def __init__(
        self, state: LedgerState, log: Log, recorder: EventRecorder, alerts: Alerter, on_closed: Callable[[Position], None]
    ) -> None:
        self._state = state
        self._log = log
        self._recorder = recorder
        self._alerts = alerts
        self._on_closed = on_closed

    def tell(self, event: je.JournalEvent) -> None:
        """Write the line of `event`; events that are only bookkeeping have none."""
        match event:
            case je.OrderIntended(order=order):
                self._log.info(ev.ORDER_INTENDED, **_order_fields(order), price=order.limit_price, trigger_price=order.trigger_price)
            case je.OrderPlaced():
                self._placed(event)
            case je.OrderRejected():
                self._order_line("warning", ev.ORDER_REJECTED, event.client_order_id, reason=event.reason)
            case je.OrderUnknown():
                self._order_line("warning", ev.ORDER_UNKNOWN, event.client_order_id, evidence=event.evidence)
            case je.OrderEnded():
                self._order_line(
                    "info",
                    ev.ORDER_ENDED,
                    event.client_order_id,
                    reason=event.reason.value,
                    filled_qty=event.filled_qty,
                    evidence=event.evidence,
                )
            case je.AmendConfirmed():
                self._order_line("info", ev.STOP_MOVED, event.client_order_id, trigger_price=event.trigger_price, new_qty=event.qty)
            case je.AmendRefused():
                self._order_line("warning", ev.STOP_REFUSED, event.client_order_id, reason=event.reason)
            case je.FillBooked():
                self._filled(event)
            case je.EntryCompleted():
                self._entered(event)
            case je.EntryAbandoned():
                self._log.info(ev.ENTRY_ABANDONED, position_id=event.position_id, why=event.why)
            case je.EntryDisplaced():
                self._log.warning(ev.ENTRY_DISPLACED, position_id=event.position_id, evidence=event.evidence)
            case je.BreakEvenActivated():
                self._log.info(ev.BREAK_EVEN, position_id=event.position_id, stop_price=event.price, why=event.why)
            case je.TrailingActivated():
                self._log.info(ev.TRAILING, position_id=event.position_id, atr_multiple=event.multiple, why=event.why)
            case je.TakeProfitSkipped():
                self._log.info(ev.TAKE_PROFIT_SKIPPED, position_id=event.position_id, level=event.purpose.value, why=event.why)
            case je.CloseRequested():
                self._log.warning(ev.CLOSE_REQUESTED, position_id=event.position_id, reason=event.reason.value, evidence=event.evidence)
            case je.PositionClosed():
                self._closed(event)
            case je.PositionAdopted():
                self._adopted(event)
            case je.StopAdopted(order=order):
                self._log.info(ev.STOP_PLACED, **_order_fields(order), trigger_price=order.trigger_price, adopted=True)
            case je.QuantityAdjusted():
                self._log.warning(ev.QTY_DIFF, position_id=event.position_id, delta=event.delta, price=event.price, evidence=event.evidence)
            case je.PositionOrphaned():
                self._log.error(ev.ORPHAN, position_id=event.position_id, evidence=event.evidence)
                self._alerts.alert(
                    "EXCEPTION", f"ORPHAN {event.position_id}: gone from the venue, unexplained. {event.evidence}", urgent=True
                )
            case je.PositionQuarantined():
                self._log.error(ev.QUARANTINED, position_id=event.position_id, evidence=event.evidence)
                text = f"QUARANTINED {event.position_id}: {event.evidence}. Its stop is kept; look at the venue, then resume --release"
                self._alerts.alert("EXCEPTION", text, urgent=True)
            case je.PositionReleased():
                self._log.warning(ev.POSITION_RELEASED, position_id=event.position_id, by=event.by)
            case je.FundingBooked():
                self._log.debug(ev.FUNDING, position_id=event.position_id, symbol=event.symbol, amount_usd=event.amount)
            case _:
                pass  # the rest is bookkeeping whose effect another line tells

    def _order(self, key: ClientOrderId) -> OwnOrder | None:
        return self._state.orders.get(key)

    def _order_line(self, level: str, event: str, key: ClientOrderId, **fields: Any) -> None:
        order = self._order(key)
        known = {"client_order_id": key} if order is None else _order_fields(order)
        getattr(self._log, level)(event, **known, **fields)

    def _placed(self, event: je.OrderPlaced) -> None:
        order = self._order(event.client_order_id)
        line = ev.ORDER_PLACED
        if order is not None and order.purpose is OrderPurpose.STOP:
            line = ev.STOP_PLACED
        elif order is not None and order.purpose.is_take_profit:
            line = ev.TAKE_PROFIT_PLACED
        price = None if order is None else order.trigger_price or order.limit_price
        self._order_line("info", line, event.client_order_id, price=price, reduced_qty=event.reduced_qty, evidence=event.evidence)

    def _filled(self, event: je.FillBooked) -> None:
        fill = event.fill
        self._log.info(
            ev.FILL,
            position_id=event.position_id,
            symbol=fill.symbol,
            purpose=None if event.purpose is None else event.purpose.value,
            side=fill.side.value,
            qty=fill.qty,
            price=fill.price,
            fee_usd=fill.fee_usd,
            kind=fill.kind.value,
            fill_id=fill.fill_id,
        )

    def _position(self, position_id: Any) -> Position | None:
        return self._state.positions.get(position_id)

    def _entered(self, event: je.EntryCompleted) -> None:
        position = self._position(event.position_id)
        if position is None:
            return
        targets = event.targets
        self._log.info(
            ev.POSITION_OPENED,
            position_id=event.position_id,
            symbol=position.symbol,
            direction=position.direction.value,
            qty=targets.entry_size_initial,
            entry_price=shown(position.average_entry),
            stop_price=position.stop_wanted,
            tp1=targets.tp1_price,
            tp1_qty=targets.tp1_qty_target,
            tp2=targets.tp2_price,
            tp2_qty=targets.tp2_qty_target,
        )
        text = (
            f"{position.symbol} {position.direction.value.upper()} opened: "
            f"{targets.entry_size_initial} at {shown(position.average_entry)}, "
            f"stop {position.stop_wanted}. Protected: see STOP_PLACED"
        )
        self._alerts.alert("NEW_POSITION", text, symbol=position.symbol)

    def _closed(self, event: je.PositionClosed) -> None:
        position = self._position(event.position_id)
        if position is None:
            return
        self._on_closed(position)
        net = event.gross - event.fees + event.funding
        opened = position.tally.first_fill_at or position.plan.planned_at
        minutes = round((event.at - opened).total_seconds() / 60)
        self._log.info(
            ev.POSITION_CLOSED,
            position_id=event.position_id,
            symbol=position.symbol,
            side=position.direction.value,
            reason=event.reason.value,
            entry_price=shown(position.average_entry),
            exit_price=shown(event.exit_price),
            gross_usd=round(event.gross, 4),
            fees_usd=round(event.fees, 4),
            funding_usd=round(event.funding, 4),
            net_usd=round(net, 4),
            minutes=minutes,
        )
        text = (
            f"{position.symbol} {position.direction.value.upper()} closed ({event.reason.value}): "
            f"{shown(position.average_entry)} -> {shown(event.exit_price)}, net {net:+.2f} USD after {minutes} min"
        )
        # what the venue ended by force cannot wait for somebody to scroll by
        by_force = event.reason in (CloseReason.LIQUIDATION, CloseReason.SETTLEMENT, CloseReason.DELEVERAGED)
        self._alerts.alert("POSITION_CLOSED", text, symbol=position.symbol, urgent=by_force)
        self._recorder.record("trade", event.at, trade_row(position, event))

    def _adopted(self, event: je.PositionAdopted) -> None:
        plan = event.plan
        self._log.warning(
            ev.PHANTOM,
            position_id=plan.position_id,
            symbol=plan.symbol,
            direction=plan.direction.value,
            qty=plan.qty,
            entry_price=event.entry_price,
            stop_price=plan.stop_price,
            evidence=event.evidence,
        )
        text = f"{plan.symbol} {plan.direction.value.upper()} {plan.qty} found on the venue and adopted; stop at {plan.stop_price}"
        self._alerts.alert("RECONCILE_ADOPTED", text, symbol=plan.symbol)


def shown(price: Decimal | None) -> str:
    """An average for people: eight significant digits (the journal keeps all of them)."""
    return "none" if price is None else f"{price:.8g}"


def _order_fields(order: OwnOrder) -> dict[str, Any]:
    return {
        "position_id": order.position_id,
        "symbol": order.symbol,
        "purpose": order.purpose.value,
        "client_order_id": order.client_order_id,
        "side": order.side.value,
        "qty": order.qty,
    }


def trade_row(position: Position, event: je.PositionClosed) -> dict[str, object]:
    """The history row of a closed round trip."""
    regime = position.plan.regime
    return {
        "trade_id": position.position_id,
        "symbol": position.symbol,
        "direction": position.direction.value,
        "opened_at": (position.tally.first_fill_at or position.plan.planned_at).isoformat(),
        "closed_at": event.at.isoformat(),
        "exit_reason": event.reason.value,
        "regime": None if regime is None else regime.value,
        "qty": position.tally.entered,
        "entry_price": position.average_entry,
        "exit_price": event.exit_price,
        "gross_pnl_usd": event.gross,
        "fees_usd": event.fees,
        "funding_usd": event.funding,
        "net_pnl_usd": event.gross - event.fees + event.funding,
        "setup": position.plan.setup,
        "score": position.plan.score,
    }
