"""P6: what was accepted stays within the caps, recomputed from the venue's log and the configuration, never from the daemon's sums.

Counted are positions, resting entries and this one, each entry at its full size and at the worse of its limit and mark. What other
hands opened counts once it was there for long enough to be seen by any reading.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from trading_system.domain.events import EntryPlanned
from trading_system.domain.market import Tier
from trading_system.domain.orders import OrderPurpose
from trading_system.domain.positions import EntryPlan
from trading_system.domain.units import ZERO
from trading_system.execution.order_ids import parse_client_order_id
from trading_system.torture.checker import Checker, Journaled, Violation
from trading_system.torture.venue_log import Actor, Executed, Sent, VenueLog, VenueRecord

_SEEN_MS: Final = 120_000
_HOUR_MS: Final = 3_600_000
_DRIFT: Final = Decimal("1.02")
"""Equity and mark may move this much between the decision and the acceptance."""


@dataclass(frozen=True, slots=True)
class CapLimits:
    """single, utilization: of equity, on planned margin. notional_usd, leverage: by tier."""

    positions: int
    opens_per_hour: int
    opens_per_day: int
    single: Decimal
    utilization: Decimal
    open_notional_usd: Decimal
    notional_usd: Callable[[Tier], Decimal]
    leverage: Callable[[Tier], Decimal]


class CapChecker(Checker):
    """Judges every accepted entry of the daemon. mark_of, equity_of: the venue's own."""

    def __init__(self, log: VenueLog, limits: CapLimits, mark_of: Callable[[str], Decimal], equity_of: Callable[[], Decimal]) -> None:
        self._log = log
        self._limits = limits
        self._mark_of = mark_of
        self._equity_of = equity_of
        self._plans: dict[str, EntryPlan] = {}
        self._foreign_since: dict[str, int] = {}
        self._opened: deque[tuple[int, str]] = deque()

    def on_journal(self, record: Journaled) -> Iterable[Violation]:
        if isinstance(record.event, EntryPlanned):
            self._plans[record.event.plan.position_id] = record.event.plan
        return ()

    def on_venue(self, record: VenueRecord) -> Iterable[Violation]:
        match record:
            case Executed():
                self._note_owner(record)
            case Sent(actor=Actor.DAEMON, is_accepted=True, is_entry=True):
                yield from self._judge(record)
            case _:
                pass

    def _note_owner(self, record: Executed) -> None:
        symbol, before, after = record.fill.symbol, record.before, record.after
        if not after:
            self._foreign_since.pop(symbol, None)
        elif (not before or before * after < 0) and _position_of(record.fill.cli_ord_id) is None:
            self._foreign_since[symbol] = record.at_ms

    def _judge(self, record: Sent) -> Iterable[Violation]:
        position_id = _position_of(record.request.cli_ord_id)
        plan = None if position_id is None else self._plans.get(position_id)
        if position_id is None or plan is None:
            return  # P2 and P15 have a word on these
        for text in (*self._too_many(record, position_id), *self._too_large(record, plan)):
            yield Violation("P6", record.at_ms, record.request.symbol, f"{record.request.cli_ord_id}: {text}")

    def _too_many(self, record: Sent, position_id: str) -> Iterable[str]:
        limits, busy = self._limits, self._busy(record.at_ms) | {record.request.symbol}
        if len(busy) > limits.positions:
            yield f"{len(busy)} markets with a position or an entry, {limits.positions} are allowed: {', '.join(sorted(busy))}"
        if all(known != position_id for _, known in self._opened):
            self._opened.append((record.at_ms, position_id))
        while self._opened[0][0] <= record.at_ms - 24 * _HOUR_MS:
            self._opened.popleft()
        hourly = sum(at_ms > record.at_ms - _HOUR_MS for at_ms, _ in self._opened)
        if hourly > limits.opens_per_hour or len(self._opened) > limits.opens_per_day:
            allowed = f"{limits.opens_per_hour} and {limits.opens_per_day} are allowed"
            yield f"{hourly} opens in an hour and {len(self._opened)} in a day, {allowed}"

    def _busy(self, at_ms: int) -> set[str]:
        held = {symbol for symbol in self._log.held() if at_ms - self._foreign_since.get(symbol, 0) >= _SEEN_MS}
        return held | {row.symbol for row in self._log.resting.values() if not row.reduce_only and _position_of(row.cli_ord_id) is not None}

    def _too_large(self, record: Sent, plan: EntryPlan) -> Iterable[str]:
        limits, request = self._limits, record.request
        tier = Tier.C if plan.tier is None else plan.tier
        mark, equity = self._mark_of(request.symbol), self._equity_of()
        notional = request.size * max(mark, request.limit_price or mark)
        if notional > limits.notional_usd(tier) * _DRIFT:
            yield f"{notional:.2f} USD, tier {tier.value} allows {limits.notional_usd(tier)}"
        if notional / limits.leverage(tier) > limits.single * equity * _DRIFT:
            yield f"planned margin {notional / limits.leverage(tier):.2f} USD is more than {limits.single} of {equity:.2f}"
        held = self._busy(record.at_ms) & {*self._log.held()}
        others = {symbol: abs(self._log.positions[symbol]) * self._mark_of(symbol) for symbol in held}
        others[request.symbol] = max(others.get(request.symbol, ZERO), notional)
        total = sum(others.values(), ZERO)
        if total > limits.open_notional_usd * _DRIFT:
            yield f"{total:.2f} USD open, {limits.open_notional_usd} are allowed"
        # with the most leverage any tier plans with: a lower bound, for the tiers of the others are not known
        if total / limits.leverage(Tier.A) > limits.utilization * equity * _DRIFT:
            yield f"planned margin of at least {total / limits.leverage(Tier.A):.2f} USD is more than {limits.utilization} of {equity:.2f}"


def _position_of(client_order_id: str | None) -> str | None:
    """The position an entry of ours names."""
    name = None if client_order_id is None else parse_client_order_id(client_order_id)
    return None if name is None or name.purpose is not OrderPurpose.ENTRY else name.position_id
