"""The journal against the venue, and against itself: P3 the same fills, P8 state = fold(journal)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from trading_system.domain.errors import TradingError
from trading_system.domain.events import FeeBooked, FillBooked, FundingBooked
from trading_system.domain.protocols import JournalMedium
from trading_system.domain.symbols import to_venue
from trading_system.execution.journal import Journal
from trading_system.execution.ledger import LedgerState
from trading_system.sim.model import SimFill
from trading_system.torture.checker import Checker, Journaled, Violation
from trading_system.torture.venue_log import Executed, Flowed, VenueRecord


class FillChecker(Checker):
    """P3: fills are a set. Each execution of the venue is in the journal once, with its side, size, price and fee."""

    def __init__(self, settle_ms: int = 120_000, flows_settle_ms: int = 300_000) -> None:
        """What is younger than these at the end need not be booked yet (market milliseconds; flows are read seldom)."""
        self._settle_ms = settle_ms
        self._flows_settle_ms = flows_settle_ms
        self._venue: dict[str, SimFill] = {}
        self._booked: dict[str, FillBooked] = {}
        self._fees: dict[str, Decimal] = {}
        self._funding: dict[str, Decimal] = {}
        self._venue_funding: dict[str, Flowed] = {}
        self.unexplained = 0

    def on_venue(self, record: VenueRecord) -> Iterable[Violation]:
        match record:
            case Executed():
                self._venue[record.fill.fill_id] = record.fill
            case Flowed():
                self._venue_funding[str(record.entry_id)] = record
            case _:
                pass
        return ()

    def on_journal(self, record: Journaled) -> Iterable[Violation]:
        match record.event:
            case FillBooked():
                fill = record.event.fill
                if fill.fill_id in self._booked:
                    yield Violation("P3", record.at_ms, to_venue(fill.symbol), f"fill {fill.fill_id} was booked twice")
                self._booked[fill.fill_id] = record.event
                if fill.fee_usd is not None:
                    self._fees[fill.fill_id] = fill.fee_usd
                if fill.fill_id not in self._venue:
                    self.unexplained += 1
                    yield Violation("P3", record.at_ms, to_venue(fill.symbol), f"fill {fill.fill_id} was booked; the venue has none such")
            case FeeBooked():
                self._fees[record.event.fill_id] = record.event.fee_usd
            case FundingBooked():
                self._funding[record.event.flow_id] = record.event.amount
            case _:
                pass

    def at_end(self, at_ms: int) -> Iterable[Violation]:
        for fill_id, fill in self._venue.items():
            booked = self._booked.get(fill_id)
            if booked is None and at_ms - fill.at_ms < self._settle_ms:
                continue
            if booked is None:
                self.unexplained += 1
                text = f"fill {fill_id} ({fill.cli_ord_id}, {fill.side.value} {fill.size}) was never booked"
                yield Violation("P3", at_ms, fill.symbol, text)
                continue
            ours = booked.fill
            if (ours.qty, ours.price, ours.side) != (fill.size, fill.price, fill.side):
                yield Violation(
                    "P3", at_ms, fill.symbol, f"fill {fill_id}: booked {ours.qty} @ {ours.price}, was {fill.size} @ {fill.price}"
                )
            fee = self._fees.get(fill_id)
            if fee != fill.fee_paid:
                yield Violation("P3", at_ms, fill.symbol, f"fill {fill_id}: fee booked {fee}, paid {fill.fee_paid}")
        for flow_id, flow in self._venue_funding.items():
            amount = self._funding.get(flow_id)
            if amount != flow.amount and at_ms - flow.at_ms >= self._flows_settle_ms:
                yield Violation("P3", at_ms, flow.symbol, f"funding {flow_id}: booked {amount}, was {flow.amount}")


def check_fold(medium: JournalMedium, live: LedgerState | None, at_ms: int) -> tuple[Violation, ...]:
    """P8: reading the medium twice gives one state, and it is the state the running daemon has (when given)."""
    try:
        first, second = Journal(medium).state, Journal(medium).state
    except TradingError as error:
        return (Violation("P8", at_ms, "", f"the journal cannot be read back: {error}"),)
    if first != second:
        return (Violation("P8", at_ms, "", "reading the journal twice gave two states"),)
    if live is not None and first != live:
        return (Violation("P8", at_ms, "", f"the running state is not the fold of its journal: {_difference(first, live)}"),)
    return ()


def _difference(folded: LedgerState, live: LedgerState) -> str:
    """The first field that differs, for people."""
    for name in LedgerState.__slots__:
        left, right = getattr(folded, name), getattr(live, name)
        if left != right:
            if isinstance(left, dict) and isinstance(right, dict):
                keys = [key for key in dict.fromkeys((*left, *right)) if left.get(key) != right.get(key)]
                return f"{name}[{keys[0]!r}]: journal {left.get(keys[0])!r}, live {right.get(keys[0])!r}"
            return f"{name}: journal {left!r}, live {right!r}"
    return "nothing that can be named"
