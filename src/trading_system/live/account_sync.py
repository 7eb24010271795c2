"""One look at the account, taken in: fills booked, orders resolved, positions reconciled, naked time measured.

Called by the tick and by the protection loop alike; looks may overlap, and an older one never undoes a newer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from trading_system.data.market_registry import MarketRegistry
from trading_system.domain.account import AccountFlow
from trading_system.domain.errors import ReadFailed
from trading_system.domain.orders import ClientOrderId, OpenOrder
from trading_system.domain.protocols import Account, Clock
from trading_system.domain.symbols import Symbol
from trading_system.domain.units import Qty
from trading_system.execution.account_books import AccountBooks, BooksReport
from trading_system.execution.execution_gateway import ExecutionGateway
from trading_system.execution.protection import NakedAlarm, NakedMeter, measure_naked
from trading_system.execution.reconcile import MarketFacts
from trading_system.execution.registry import PositionRegistry
from trading_system.live.account_view import AccountView
from trading_system.live.losses import LossBook
from trading_system.live.position_desk import PositionDesk, VenueHolding
from trading_system.live.private_reads import PrivateReads, read_private
from trading_system.live.quotes import QuoteBook


class SyncHost(Protocol):
    """What taking in a look needs."""

    @property
    def clock(self) -> Clock: ...
    @property
    def account(self) -> Account: ...
    @property
    def books(self) -> AccountBooks: ...
    @property
    def gateway(self) -> ExecutionGateway: ...
    @property
    def positions(self) -> PositionRegistry: ...
    @property
    def markets(self) -> MarketRegistry: ...
    @property
    def quotes(self) -> QuoteBook: ...
    @property
    def desk(self) -> PositionDesk: ...
    @property
    def losses(self) -> LossBook: ...
    @property
    def account_view(self) -> AccountView: ...
    @property
    def naked_meter(self) -> NakedMeter: ...
    @property
    def look_account(self) -> Account | None: ...
    @property
    def fills_overlap(self) -> timedelta: ...
    @property
    def flows_every_s(self) -> float: ...

    async def protect(self) -> None:
        """Plan and act for every position."""
        ...


@dataclass(frozen=True, slots=True)
class SyncReport:
    reads: PrivateReads
    books: BooksReport
    alarms: tuple[NakedAlarm, ...]
    flows: tuple[AccountFlow, ...]
    flows_failed: str | None


async def sync_account(host: SyncHost, *, with_snapshot: bool, is_essential: bool = False) -> SyncReport:
    """Look, book, reconcile; cancel leftovers of ours. Failed reads conclude nothing and are named in the report.

    is_essential: this look may use the requests that are kept for looks.
    """
    account = host.look_account if is_essential and host.look_account is not None else host.account
    reads = await read_private(account, host.clock, fills_since=fills_since(host), with_snapshot=with_snapshot)
    is_newest = host.account_view.take(reads)
    if is_newest and reads.positions is not None:
        held = {position.symbol: position.qty for position in reads.positions}
        before = host.desk.holding
        listed, listed_s = (None, -1.0) if before is None else (before.listed, before.listed_s)
        if reads.open_orders is not None:
            listed, listed_s = client_ids(reads.open_orders), reads.started_s
        host.desk.holding = VenueHolding(held, reads.started_s, listed, listed_s)
    holding = host.desk.holding
    facts = market_facts(host, reads)
    alarms: tuple[NakedAlarm, ...] = ()
    naked: Mapping[Symbol, Qty] = {}
    if is_newest and reads.positions is not None and reads.open_orders is not None:
        naked = measure_naked(reads.positions, reads.open_orders, _where_stops_can_fire(host, facts))
        alarms = host.naked_meter.observe(naked, host.clock.monotonic())
    # what the venue lists without cover does not wait until the fate of other orders was looked up
    booked = await host.books.absorb(reads, facts, host.protect if naked else None, account)
    if is_newest and booked.alive and holding is not None and host.desk.holding is holding:
        host.desk.holding = replace(holding, alive=booked.alive)
    for action in booked.actions:
        await host.gateway.perform(action)
    for double in booked.doubles:
        await host.gateway.cancel_double(double)
    # the account log waits for the tick: a slow page of it must not come between a look and the acts
    flows, failure = await _sync_flows(host) if with_snapshot else ((), None)
    return SyncReport(reads, booked, alarms, flows, failure)


def client_ids(orders: tuple[OpenOrder, ...]) -> frozenset[ClientOrderId]:
    """The client ids in a list of open orders."""
    return frozenset(order.client_order_id for order in orders if order.client_order_id is not None)


def fills_since(host: SyncHost) -> datetime:
    """From where fills are read: before the newest complete look, or, at a start, before the oldest position we hold."""
    last = host.account_view.last_complete_at
    if last is not None:
        return last - host.fills_overlap
    known = [position.plan.planned_at for position in host.positions.active()]
    newest = host.positions.state.newest_fill_at.values()
    return min([*known, *([max(newest)] if newest else []), host.clock.now()]) - host.fills_overlap


def market_facts(host: SyncHost, reads: PrivateReads) -> dict[Symbol, MarketFacts]:
    """What is needed to protect each market that is held, here or there."""
    symbols = {position.symbol for position in host.positions.active()}
    symbols.update(position.symbol for position in reads.positions or ())
    facts: dict[Symbol, MarketFacts] = {}
    for symbol in sorted(symbols):
        instrument = host.markets.instrument(symbol)
        if instrument is not None:
            facts[symbol] = MarketFacts(host.quotes.mark(symbol), instrument.tick, instrument.size_step)
    return facts


def _where_stops_can_fire(host: SyncHost, facts: dict[Symbol, MarketFacts]) -> dict[Symbol, MarketFacts]:
    """Facts to measure cover with. On a market that executes nothing a stop rests on, whatever mark did: it is no missing stop."""
    return {symbol: fact if host.quotes.is_trading(symbol) else replace(fact, mark=None) for symbol, fact in facts.items()}


async def _sync_flows(host: SyncHost) -> tuple[tuple[AccountFlow, ...], str | None]:
    """Fees the fills did not tell, funding, deposits. The account log has its own budget: read seldom."""
    view, now_s = host.account_view, host.clock.monotonic()
    if view.flows_read_s is not None and now_s - view.flows_read_s < host.flows_every_s:
        return (), None
    began = host.clock.now()
    since = (view.flows_read_at or _flows_unread_from(host, began)) - host.fills_overlap
    view.flows_read_s = now_s
    try:
        read = await host.account.flows(since)
    except ReadFailed as error:
        return (), str(error)
    view.flows_read_at = began
    booked = host.books.book_flows(read)
    # every row, not only the new ones: the process before may have booked one and died before its loss state was written
    host.losses.note_flows(read)
    return booked, None


def _flows_unread_from(host: SyncHost, now: datetime) -> datetime:
    """From where a new process reads the account log: its last durable row, else the first position, else now.

    The process before it may have died with rows read and not yet durable, or with the log unreadable for its last hour: what the
    journal holds is all that is sure to be booked.
    """
    state = host.positions.state
    if state.flows:
        return min(now, max(state.flows.values()))
    first = next(iter(state.positions.values()), None)
    return now if first is None else min(now, first.plan.planned_at)
