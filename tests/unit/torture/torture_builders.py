"""Hand-made logs for the checkers: a watched exchange on a scripted path, and journal records in short form."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sim_builders import BTC, START_MS, ScriptedPath
from trading_system.domain.events import DestructiveActionJustified, EntryPlanned, FillBooked, JournalEvent, OrderIntended
from trading_system.domain.orders import ClientOrderId, Direction, Fill, FillId, FillKind, OrderPurpose, PositionId, Side, VenueOrderId
from trading_system.domain.positions import EntryPlan, Lineage, OwnOrder
from trading_system.domain.symbols import Symbol, normalise
from trading_system.domain.units import Price, Qty, from_ms
from trading_system.sim.model import CancelRequest, EditRequest, SendRequest, SendResult, SimFill
from trading_system.torture.checker import Checker, Journaled, Violation
from trading_system.torture.venue_log import Actor, VenueRecord, WatchedExchange

D = Decimal
POSITION = PositionId("BTC-202511210815")
EN, SL, SL2, TP, CL = (f"ts-{POSITION}-{tail}" for tail in ("en-1", "sl-1", "sl-2", "tp1-1", "cl-1"))


def at(seconds: float = 0) -> datetime:
    return from_ms(START_MS + int(seconds * 1000))


class OpenWorld:
    """A venue that shows and takes everything, unless a test says otherwise."""

    def __init__(self) -> None:
        self.reachable = self.shows = self.takes = self.matching = True
        self.disturbed: int | None = None
        self.exit_disturbed: int | None = None

    def accepts_stops(self, symbol: str) -> bool:
        return self.takes

    def is_reachable(self) -> bool:
        return self.reachable

    def executes(self, symbol: str) -> bool:
        return self.matching

    def would_show(self, symbol: str, since_ms: int) -> bool:
        return self.shows

    def disturbed_ms(self, symbol: str) -> int | None:
        return self.disturbed

    def exit_disturbed_ms(self, symbol: str) -> int | None:
        return self.exit_disturbed


class Bench:
    """One checker under a hand-made run. Money and sizes as text."""

    def __init__(self, make: object = None) -> None:
        self.records: list[VenueRecord] = []
        self.violations: list[Violation] = []
        self.checker = Checker()
        self.path = ScriptedPath()
        self.exchange = WatchedExchange(self.path, None, self._hear)
        self._seq = 0

    def _hear(self, record: VenueRecord) -> None:
        self.records.append(record)
        self.violations += self.checker.on_venue(record)

    @property
    def rules(self) -> list[str]:
        return [violation.rule for violation in self.violations]

    def journal(self, *events: JournalEvent) -> Bench:
        for event in events:
            self._seq += 1
            self.violations += self.checker.on_journal(Journaled(self._seq, self.exchange.now_ms, event))
        return self

    def seconds(self, count: int) -> Bench:
        for _ in range(count):
            self.exchange.advance_to(self.exchange.now_ms + 1000)
            self.violations += self.checker.on_second(self.exchange.now_ms)
        return self

    def send(self, kind: str, side: str, size: str, key: str | None, *, price: int | None = None, reduce_only: bool = True) -> SendResult:
        limit, stop = (None, price) if kind == "stp" else (price, None)
        return self.exchange.send(
            SendRequest(
                BTC, kind, side, D(size),
                limit_price=None if limit is None else D(limit), stop_price=None if stop is None else D(stop),
                trigger_signal="mark" if kind == "stp" else None, reduce_only=reduce_only, cli_ord_id=key,
            )
        )  # fmt: skip

    def enter(self, size: str = "0.01", key: str | None = EN) -> Bench:
        self.send("ioc", "buy", size, key, price=80_500, reduce_only=False)
        return self

    def stop(self, size: str = "0.01", key: str = SL, price: int = 79_000) -> Bench:
        self.send("stp", "sell", size, key, price=price)
        return self

    def cancel(self, key: str) -> Bench:
        self.exchange.cancel(CancelRequest(cli_ord_id=key))
        return self

    def resize(self, key: str, size: str) -> Bench:
        self.exchange.edit(EditRequest(cli_ord_id=key, size=D(size)))
        return self

    def by(self, actor: Actor) -> Bench:
        self.exchange.actor = actor
        return self

    def end(self) -> list[str]:
        self.violations += self.checker.at_end(self.exchange.now_ms)
        return self.rules


def planned(qty: str = "0.01", key: str = EN) -> tuple[JournalEvent, ...]:
    """The two records that come before an entry."""
    symbol = Symbol("BTC/USD")
    plan = EntryPlan(POSITION, symbol, Direction.LONG, Lineage.INTENT, at(), Qty(D(qty)), Price(D(80_000)), Price(D(79_000)))
    order = OwnOrder(ClientOrderId(key), POSITION, symbol, OrderPurpose.ENTRY, 1, Side.BUY, Qty(D(qty)), at())
    return EntryPlanned(at(), plan), OrderIntended(at(), order)


def justified(subject: str, evidence: str = "mark 78000 is past the stop") -> JournalEvent:
    return DestructiveActionJustified(at(), "close", subject, evidence)


def booked(fill: SimFill, *, fee: bool = True) -> JournalEvent:
    ours = Fill(
        FillId(fill.fill_id), VenueOrderId(fill.order_id), None, normalise(fill.symbol), fill.side, Qty(fill.size), Price(fill.price),
        from_ms(fill.at_ms), FillKind.TAKER, fill.fee_paid if fee else None,
    )  # fmt: skip
    return FillBooked(from_ms(fill.at_ms), ours, None, None)
